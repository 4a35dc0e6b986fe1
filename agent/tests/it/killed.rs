//! An agent that is killed at any moment: files are old or new, and the next start leaves no
//! litter.

use crate::guest::{Guest, HOME};
use crate::machine::{Moments, SHADOW, wait};
use serde_json::json;
use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, Instant};
use xend_guest_protocol::file::GuestFile;
use xend_guest_protocol::keys::{Digest, Private, Public};
use xend_guest_protocol::password::Password;
use xend_guest_protocol::path::GuestPath;
use xend_xenstore::Nodes;

const ROUNDS: u32 = 60;

fn content(round: u32) -> Vec<u8> {
    format!("{round:08}").repeat(300).into_bytes()
}

/// Restarts the agent, which may carry out what it was killed in, and checks that nothing is left.
fn restart(guest: &mut Guest, id: &str) {
    guest.start();
    assert!(wait(|| (!guest.has_request(id)).then_some(())).is_some(), "{id} is stuck");
    assert_eq!(guest.ask("version", "").0, "0");
    assert_eq!(guest.litter(), Vec::<std::path::PathBuf>::new());
}

/// How long a request takes from its arrival to its answer.
fn measure(guest: &mut Guest, name: &str, value: impl Into<serde_json::Value>) -> Duration {
    let start = Instant::now();
    assert_eq!(guest.ask(name, value).0, "0");
    start.elapsed()
}

fn file(path: &str, contents: Vec<u8>) -> GuestFile {
    GuestFile { path: GuestPath::new(path).unwrap(), contents }
}

#[test]
fn files_are_old_or_new() {
    let mut guest = Guest::with("");
    let mut moments = Moments(1);
    let path = "/etc/deep/file";
    let limit = measure(&mut guest, "injectfile", file(path, content(0)).to_injectfile().unwrap());
    // So the backups are copies, which can be half-made.
    fs::set_permissions(guest.path(path), fs::Permissions::from_mode(0o4600)).unwrap();
    let mut old = 0;
    let mut new = 0;
    let mut half_way = 0;
    for round in 1..=ROUNDS {
        let value = if round % 2 == 0 {
            guest.put_request("injectfile", file(path, content(round)).to_injectfile().unwrap())
        } else {
            guest.put_request("file_inject", file(path, content(round)).to_file_inject())
        };
        std::thread::sleep(moments.next(limit));
        guest.kill();
        let found = fs::read(guest.path(path)).unwrap();
        if found == content(round) {
            new += 1;
        } else {
            assert_eq!(found, content(round - 1), "round {round}");
            old += 1;
        }
        half_way += u32::from(!guest.litter().is_empty());
        restart(&mut guest, &value);
        // If it was removed before it was carried out there would be the old one for ever.
        assert_eq!(fs::read(guest.path(path)).unwrap(), content(round));
        let mut found = BTreeSet::new();
        for entry in fs::read_dir(guest.path("/etc/deep")).unwrap() {
            let entry = entry.unwrap().path();
            if !entry.to_str().unwrap().contains("/file.bak.") {
                continue;
            }
            let text = fs::read_to_string(entry).unwrap();
            let number = text[..8].parse().unwrap();
            assert_eq!(text.as_bytes(), content(number));
            assert!(found.insert(number), "{number} twice");
        }
        // The first one and the last ones, each once. An agent that was killed after the
        // replacement leaves one more until the next.
        let expected: BTreeSet<u32> = (round.saturating_sub(8)..round).chain([0]).collect();
        assert!(found.is_superset(&expected), "round {round}: {found:?}");
        assert!(found.len() <= expected.len() + 1, "round {round}: {found:?}");
    }
    eprintln!("killed before {old} times, after {new}, within {half_way}");
}

#[test]
fn new_files_are_whole_or_absent() {
    let mut guest = Guest::with("");
    let mut moments = Moments(2);
    let value = |name: &str| file(name, content(1)).to_file_inject();
    let limit = measure(&mut guest, "file_inject", value("/new/0/.ssh/file"));
    for round in 1..=ROUNDS {
        let path = format!("/new/{round}/.ssh/file");
        let id = guest.put_request("file_inject", value(&path));
        std::thread::sleep(moments.next(limit));
        guest.kill();
        if let Ok(found) = fs::read(guest.path(&path)) {
            assert_eq!(found, content(1));
        }
        restart(&mut guest, &id);
        assert_eq!(fs::read(guest.path(&path)).unwrap(), content(1));
    }
}

#[test]
fn shadow_is_old_or_new() {
    let mut guest = Guest::with("");
    let mut moments = Moments(3);
    let unchanged: String = SHADOW.split_inclusive('\n').skip(1).collect();
    let mut limit = None;
    for _ in 0..ROUNDS {
        let private = Private::from_random(&mut [9; 16]);
        let (code, theirs) = guest.ask("keyinit", private.public().to_string());
        assert_eq!(code, "D0");
        let key = private.shared_with(Public::parse(&theirs).unwrap());
        let value = key.encrypt(&Password::new("Secret1").unwrap(), Digest::Md5);
        let Some(limit) = limit else {
            limit = Some(measure(&mut guest, "password", value));
            continue;
        };
        let before = guest.read("/etc/shadow");
        let id = guest.put_request("password", value);
        std::thread::sleep(moments.next(limit));
        guest.kill();
        let after = guest.read("/etc/shadow");
        if after != before {
            let line = after.lines().next().unwrap();
            assert!(line.starts_with("root:$6$") && line.ends_with(":0:99999:7:::"), "{line}");
        }
        assert!(after.ends_with(&unchanged), "{after}");
        restart(&mut guest, &id);
    }
}

#[test]
fn a_shadow_file_elsewhere_is_old_or_new() {
    let mut guest = Guest::new();
    let shadow = guest.outside("elsewhere/shadow");
    fs::create_dir(shadow.parent().unwrap()).unwrap();
    fs::write(&shadow, SHADOW).unwrap();
    let mut moments = Moments(5);
    for _ in 0..ROUNDS {
        let mut command = guest.command();
        command.arg("--shadow").arg(&shadow);
        guest.start_command(command);
        let names = || fs::read_dir(shadow.parent().unwrap()).unwrap().count();
        assert_eq!(guest.ask("version", "").0, "0");
        // The file, and its lock when it has been changed.
        assert!(names() <= 2);
        let private = Private::from_random(&mut [9; 16]);
        let (_, theirs) = guest.ask("keyinit", private.public().to_string());
        let key = private.shared_with(Public::parse(&theirs).unwrap());
        let value = key.encrypt(&Password::new("Secret1").unwrap(), Digest::Md5);
        guest.put_request("password", value);
        std::thread::sleep(moments.next(Duration::from_millis(60)));
        guest.kill();
        let found = fs::read_to_string(&shadow).unwrap();
        assert!(found.starts_with("root:") && found.lines().count() == 3, "{found}");
    }
}

#[test]
fn the_names_of_the_guest_are_old_or_new() {
    let mut guest = Guest::with("");
    let mut moments = Moments(6);
    let mut limit = Duration::ZERO;
    for round in 0..ROUNDS {
        let name = format!("web{round:02}");
        guest.write("/proc/sys/kernel/hostname", &name);
        guest.host.write(&format!("{HOME}/vm-data/hostname"), name.as_bytes()).unwrap();
        if round == 0 {
            limit = measure(&mut guest, "resetnetwork", "");
            continue;
        }
        let old = format!("web{:02}", round - 1);
        let hosts = guest.read("/etc/hosts");
        let id = guest.put_request("resetnetwork", "");
        std::thread::sleep(moments.next(limit));
        guest.kill();
        let found = guest.read("/etc/hostname");
        assert!([format!("{old}\n"), format!("{name}\n")].contains(&found), "{found}");
        let found = guest.read("/etc/hosts");
        assert!([&hosts, &hosts.replace(&old, &name)].contains(&&found), "{found}");
        restart(&mut guest, &id);
        assert_eq!(guest.read("/etc/hostname"), format!("{name}\n"));
        assert_eq!(guest.read("/etc/hosts"), hosts.replace(&old, &name));
        assert!(!guest.path("/var/lib/xend-guest-agent/network.json").exists());
    }
}

#[test]
fn every_other_command_can_be_killed_too() {
    let mut guest = Guest::with("");
    let mut moments = Moments(4);
    let requests = [
        ("version", json!("")),
        ("features", json!("")),
        ("keyinit", json!("5")),
        ("agentupdate", json!("http://192.0.2.1/x,0")),
        ("nothing", json!(null)),
    ];
    let limit = measure(&mut guest, "version", "");
    for round in 0..30 {
        let (name, value) = requests[round % requests.len()].clone();
        let id = guest.put_request(name, value);
        std::thread::sleep(moments.next(limit));
        guest.kill();
        restart(&mut guest, &id);
    }
}
