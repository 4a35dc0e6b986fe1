//! The daemon is killed at its changes of files, one after the other, or one of them fails: what
//! was acknowledged is there after the next start, and nothing is there twice.
//!
//! `cut.c` counts the system calls that change files below a directory. A few of them are tried,
//! spread over the run; with `XEND_CUTS=all` each of them.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by a panic"
)]

mod cut;
mod daemon;
#[path = "../support/process.rs"]
mod process;

use cut::{Cut, Mode, count};
use daemon::{Daemon, call, text};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The calls of a run that are tried, at most.
const TRIED: usize = 7;

/// The numbers of the calls that are tried, of so many.
fn numbers(all: usize) -> Vec<usize> {
    if std::env::var("XEND_CUTS").is_ok_and(|value| value == "all") {
        return (1..=all).collect();
    }
    let tried = TRIED.min(all);
    (1..=tried).map(|number| number * all / tried).collect()
}

/// The list of all domains.
const ALL_DOMAINS: &str = "/xend/domain?state=all";

/// The elements of a list.
fn listed(daemon: &Daemon, target: &str) -> Vec<String> {
    let list = daemon.get(target);
    let list = list.trim().trim_start_matches('(').trim_end_matches(')');
    list.split_whitespace().map(str::to_owned).collect()
}

/// What clients see of a host.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct State {
    /// The maximal memory of the domains, in MiB.
    domains: BTreeMap<String, u32>,
    /// The names of the disk images.
    images: BTreeSet<String>,
    vnets: BTreeSet<u32>,
}

impl State {
    fn of(daemon: &Daemon) -> Self {
        let mut state = Self::default();
        for name in listed(daemon, ALL_DOMAINS).into_iter().filter(|name| name != "Domain-0") {
            let config = daemon.get(&format!("/xend/domain/{name}"));
            let maxmem = config.split("(maxmem ").nth(1).and_then(|rest| rest.split(')').next());
            let known = state.domains.insert(name, maxmem.unwrap().parse().unwrap());
            assert_eq!(known, None, "a domain is there twice");
        }
        let session = daemon.session();
        let records = call(&daemon.xen_api(), "VDI.get_all_records", &text(&session));
        for name in ["first", "second"] {
            let count = records.matches(&format!(">{name}<")).count();
            assert!(count <= 1, "an image is there twice: {records}");
            if count == 1 {
                state.images.insert(name.to_owned());
            }
        }
        state.vnets = listed(daemon, "/xend/vnet").iter().map(|id| id.parse().unwrap()).collect();
        state
    }
}

/// A request, and what it changes.
type Step = (&'static str, fn(&Daemon) -> bool, fn(&mut State));

fn define(daemon: &Daemon, name: &str) -> bool {
    let config = format!(
        "(vm+(name+{name})+(memory+64)+(maxmem+64)+(image+(linux+(kernel+/boot/vmlinuz))))"
    );
    daemon.post("/xend/domain", &format!("op=new&config={config}"))
}

fn image(daemon: &Daemon) -> Option<String> {
    let session = daemon.session();
    let images =
        call(&daemon.xen_api(), "VDI.get_by_name_label", &[text(&session), text("first")].concat());
    images.split(['<', '>']).find(|part| part.len() == 36).map(str::to_owned)
}

fn create_image(daemon: &Daemon) -> bool {
    let session = daemon.session();
    let storage = call(&daemon.xen_api(), "SR.get_all", &text(&session));
    let Some(storage) = storage.split(['<', '>']).find(|part| part.len() == 36) else {
        return false;
    };
    let member = |name: &str, value: &str| {
        format!("<member><name>{name}</name><value><string>{value}</string></value></member>")
    };
    let record = [
        member("SR", storage),
        member("name_label", "first"),
        member("virtual_size", "1048576"),
        member("type", "user"),
        "<member><name>sharable</name><value><boolean>0</boolean></value></member>".to_owned(),
        "<member><name>read_only</name><value><boolean>0</boolean></value></member>".to_owned(),
    ];
    let record = format!("<param><value><struct>{}</struct></value></param>", record.concat());
    let answer = call(&daemon.xen_api(), "VDI.create", &[text(&session), record].concat());
    answer.contains("Success")
}

/// A call about the image that is named `first`.
fn of_image(daemon: &Daemon, method: &str, more: &str) -> bool {
    let Some(image) = image(daemon) else { return false };
    let params = [text(&daemon.session()), text(&image), more.to_owned()].concat();
    call(&daemon.xen_api(), method, &params).contains("Success")
}

const STEPS: &[Step] = &[
    (
        "new a",
        |d| define(d, "a"),
        |s| {
            s.domains.insert("a".to_owned(), 64);
        },
    ),
    (
        "new b",
        |d| define(d, "b"),
        |s| {
            s.domains.insert("b".to_owned(), 64);
        },
    ),
    (
        "maxmem_set",
        |d| d.post("/xend/domain/a", "op=maxmem_set&memory=256"),
        |s| {
            s.domains.insert("a".to_owned(), 256);
        },
    ),
    (
        "rename",
        |d| d.post("/xend/domain/b", "op=rename&name=c"),
        |s| {
            let memory = s.domains.remove("b").unwrap();
            s.domains.insert("c".to_owned(), memory);
        },
    ),
    ("VDI.create", create_image, |s| {
        s.images.insert("first".to_owned());
    }),
    (
        "vnet create",
        |d| d.post("/xend/vnet", "op=create&config=(vnet+(id+7)+(vnetif+v7))"),
        |s| {
            s.vnets.insert(7);
        },
    ),
    ("start", |d| d.post("/xend/domain/a", "op=start"), |_| ()),
    ("suspend", |d| d.post("/xend/domain/a", "op=suspend"), |_| ()),
    ("resume", |d| d.post("/xend/domain/a", "op=resume"), |_| ()),
    ("destroy", |d| d.post("/xend/domain/a", "op=destroy"), |_| ()),
    (
        "delete",
        |d| d.post("/xend/domain/c", "op=delete"),
        |s| {
            s.domains.remove("c");
        },
    ),
    (
        "VDI.set_name_label",
        |d| of_image(d, "VDI.set_name_label", &text("second")),
        |s| {
            s.images.remove("first");
            s.images.insert("second".to_owned());
        },
    ),
    ("VDI.create again", create_image, |s| {
        s.images.insert("first".to_owned());
    }),
    (
        "VDI.destroy",
        |d| of_image(d, "VDI.destroy", ""),
        |s| {
            s.images.remove("first");
        },
    ),
    (
        "vnet delete",
        |d| d.post("/xend/vnet/7", "op=delete"),
        |s| {
            s.vnets.remove(&7);
        },
    ),
    (
        "new d",
        |d| define(d, "d"),
        |s| {
            s.domains.insert("d".to_owned(), 64);
        },
    ),
];

/// Plays the steps until the daemon is gone. Returns the states that clients may see afterwards.
fn play(daemon: &mut Daemon, mode: Mode) -> Vec<State> {
    let mut state = State::default();
    for (what, request, effect) in STEPS {
        let acknowledged = request(daemon);
        let mut after = state.clone();
        effect(&mut after);
        if acknowledged {
            state = after;
            continue;
        }
        if mode.is_deadly() {
            daemon.wait();
        } else {
            // All or nothing. The later steps need what this one makes.
            let seen = State::of(daemon);
            assert!(seen == state || seen == after, "{what} failed: {seen:?} is not {state:?}");
        }
        // A change is complete when its directory is on the disk: what fails then may be done.
        return vec![state, after];
    }
    vec![state]
}

#[test]
fn what_was_acknowledged_survives_a_cut_at_any_change_of_files() {
    let Some(cut) = Cut::build() else { return };
    let whole = tempfile::tempdir().unwrap();
    let mut daemon = Daemon::start(whole.path(), Some((&cut, 0, Mode::Kill))).unwrap();
    let expected = play(&mut daemon, Mode::Fail);
    assert_eq!(expected.len(), 1, "the steps are played to the end");
    assert_eq!(expected[0], State::of(&daemon));
    daemon.stop();
    let all = count(&whole.path().join("state"));
    assert!(all > 50, "{all} changes of files");
    println!("{all} changes of files");
    for mode in [Mode::Kill, Mode::Tear, Mode::Fail] {
        for number in numbers(all) {
            let dir = tempfile::tempdir().unwrap();
            let at = format!("{mode:?} at {number} of {all}");
            let expected = match Daemon::start(dir.path(), Some((&cut, number, mode))) {
                Some(mut daemon) => {
                    let expected = play(&mut daemon, mode);
                    daemon.kill();
                    expected
                }
                // It was killed, or gave up, before it listened.
                None => vec![State::default()],
            };
            let mut daemon =
                Daemon::start(dir.path(), None).unwrap_or_else(|| panic!("{at}: no start"));
            let seen = State::of(&daemon);
            assert!(expected.contains(&seen), "{at}: {seen:?} is none of {expected:?}");
            // It works on, and keeps no litter.
            assert!(define(&daemon, "last"), "{at}");
            daemon.stop();
            let litter = litter(dir.path());
            assert!(litter.is_empty(), "{at}: {litter:?}");
        }
    }
}

/// Unfinished files that are left below a directory.
fn litter(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut dirs = vec![dir.to_owned()];
    while let Some(dir) = dirs.pop() {
        for entry in fs::read_dir(dir).unwrap() {
            let entry = entry.unwrap();
            let name = entry.file_name().into_string().unwrap();
            if name.starts_with(".new-") || name.starts_with(".part-") {
                found.push(entry.path());
            } else if entry.file_type().unwrap().is_dir() {
                dirs.push(entry.path());
            }
        }
    }
    found
}

#[test]
fn the_users_file_survives_a_cut_at_any_change() {
    let Some(cut) = Cut::build() else { return };
    let add = |dir: &Path, name: &str, uid: &str, at: Option<(usize, Mode)>| {
        let program = env!("CARGO_BIN_EXE_xend");
        let mut command = match at {
            Some((number, mode)) => cut.command(dir, number, mode, program),
            None => Command::new(program),
        };
        command
            .args(["user", "add", name, "--uid", uid, "--no-password", "--file"])
            .arg(dir.join("users.sxp"));
        command.output().unwrap()
    };
    let list = |dir: &Path| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_xend"));
        let output = command.args(["user", "list", "--file"]).arg(dir.join("users.sxp")).output();
        let output = output.unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    let whole = tempfile::tempdir().unwrap();
    let added = add(whole.path(), "ann", "1", Some((0, Mode::Kill)));
    assert!(added.status.success(), "{}", String::from_utf8_lossy(&added.stderr));
    let all = count(whole.path());
    for mode in [Mode::Kill, Mode::Tear, Mode::Fail] {
        for number in numbers(all) {
            let dir = tempfile::tempdir().unwrap();
            assert!(add(dir.path(), "ann", "1", None).status.success());
            let done = add(dir.path(), "steve", "2", Some((number, mode))).status.success();
            let list = list(dir.path());
            assert!(list.contains("ann"), "{mode:?} at {number}: {list}");
            assert!(!done || list.contains("steve"), "{mode:?} at {number}: {list}");
        }
    }
}

#[test]
fn a_migrating_domain_survives_a_cut_at_any_change_of_either_host() {
    let Some(cut) = Cut::build() else { return };
    let count_of = |cut_sender: bool| {
        let one = tempfile::tempdir().unwrap();
        let other = tempfile::tempdir().unwrap();
        migrate(&cut, one.path(), other.path(), 0, Mode::Kill, cut_sender);
        count(&if cut_sender { one.path() } else { other.path() }.join("state"))
    };
    for cut_sender in [true, false] {
        let all = count_of(cut_sender);
        for number in numbers(all) {
            for mode in [Mode::Kill, Mode::Fail] {
                let one = tempfile::tempdir().unwrap();
                let other = tempfile::tempdir().unwrap();
                migrate(&cut, one.path(), other.path(), number, mode, cut_sender);
            }
        }
    }
}

/// Defines and starts a domain, migrates it, and starts both daemons again: the domain is on
/// exactly one of them.
fn migrate(cut: &Cut, one: &Path, other: &Path, number: usize, mode: Mode, cut_sender: bool) {
    let at =
        format!("{mode:?} at {number} of the {}", if cut_sender { "sender" } else { "receiver" });
    let cut_at = Some((cut, number, mode));
    let sender = Daemon::start(one, cut_at.filter(|_| cut_sender));
    let receiver = Daemon::start(other, cut_at.filter(|_| !cut_sender));
    let mut is_made = false;
    let mut moved = false;
    if let (Some(sender), Some(receiver)) = (&sender, &receiver) {
        is_made = define(sender, "web") && sender.post("/xend/domain/web", "op=start");
        let to = receiver.relocation().port();
        let form = format!("op=migrate&destination=127.0.0.1&port={to}&live=1");
        moved = is_made && sender.post("/xend/domain/web", &form);
    }
    // A sender that was not cut must be able to ask the receiver at its old port.
    let port = receiver.as_ref().map(|daemon| daemon.relocation().port());
    for mut daemon in [sender, receiver].into_iter().flatten() {
        if number == 0 { daemon.stop() } else { daemon.kill() }
    }
    let receiver = Daemon::start_on(other, None, port.unwrap_or(0)).unwrap();
    let sender = Daemon::start(one, None).unwrap();
    // The domain may leave the sender between two requests: one shows all.
    let has = |daemon: &Daemon| {
        let domains = listed(daemon, ALL_DOMAINS);
        let count = domains.iter().filter(|name| *name == "web").count();
        assert!(count <= 1, "{at}: a domain is there twice: {domains:?}");
        count == 1
    };
    if is_made {
        sender.until(&format!("{at}: one of the hosts has it"), || has(&sender) != has(&receiver));
    } else {
        assert!(!has(&receiver), "{at}");
    }
    assert!(!moved || has(&receiver), "{at}: it was acknowledged");
}
