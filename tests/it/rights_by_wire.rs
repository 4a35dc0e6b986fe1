//! The rights of every request of every wire: the table of `rights_table.rs`, asked.

use crate::rights_support::{
    HostState, NamedBy, Stage, Subject, World, all_but, caller_with, host_with_subjects, operator,
    rights, subject_in,
};
use crate::rights_table::{Reach, Row, row};
use crate::rights_wires::{FORMATS, LOG, Reply, Wire, Wires};
use std::collections::BTreeSet;
use tokio::time::Instant;
use xend::core::caller::Caller;
use xend::core::model::DomName;
use xend::core::rights::{Access, Need, OpKind, Right, Rights};

const fn reach(row: &Row, wire: Wire) -> Reach {
    match wire {
        Wire::Http(_) => row.http,
        Wire::Legacy => row.legacy,
        Wire::XenApi => row.xenapi,
        Wire::Argo => row.argo,
    }
}

/// Every request of every wire, with its kind.
pub(crate) fn requests() -> impl Iterator<Item = (OpKind, Wire, &'static str)> {
    OpKind::ALL.iter().copied().flat_map(|kind| {
        let row = row(kind);
        Wire::ALL.into_iter().flat_map(move |wire| {
            let requests = reach(&row, wire).requests();
            requests.iter().map(move |request| (kind, wire, *request))
        })
    })
}

/// The ways in which a request can name its subject.
fn names(wire: Wire, request: &str) -> &'static [NamedBy] {
    if request.contains("$domain") { wire.names() } else { &wire.names()[..1] }
}

/// A host with a domain in each stage, and its wires.
async fn host_with(prefix: &str, foreign: bool) -> (World, Wires, Vec<Subject>, HostState) {
    let (world, subjects) = host_with_subjects(prefix, foreign).await;
    let wires = Wires::new(&world).await;
    world.settle().await;
    let state = world.state().await;
    (world, wires, subjects, state)
}

/// An answer without what the request named, and without the numbers of events, which count what
/// everybody does.
fn plain(subject: &Subject, reply: &Reply) -> String {
    let event = regex::Regex::new("after=[0-9a-zA-Z_-]+").unwrap();
    event.replace_all(&subject.without_identity(&reply.text), "after=").into_owned()
}

/// A wire that cannot reach a kind says why, and each kind that a user can have the right to is
/// reached by some wire.
#[test]
fn every_kind_has_a_request_or_a_reason() {
    for kind in OpKind::ALL.iter().copied() {
        let row = row(kind);
        for wire in Wire::ALL {
            match reach(&row, wire) {
                Reach::By(requests) => assert!(!requests.is_empty(), "{kind:?} {wire:?}"),
                Reach::Not(reason) => assert!(!reason.is_empty(), "{kind:?} {wire:?}"),
            }
        }
    }
    let count = requests().count();
    assert!(count > 300, "{count}");
}

#[tokio::test(start_paused = true)]
async fn a_hidden_domain_is_like_a_missing_one_on_every_wire() {
    let (world, wires, hidden, before) = host_with("bobs-", true).await;
    let elsewhere = world.user(&["own*"], all_but(Right::HostFacts));
    let strangers = [
        ("a user with every right elsewhere", elsewhere),
        ("a user without rights", world.user(&[], Rights::NONE)),
    ];
    for (kind, wire, request) in requests() {
        let subject = subject_in(row(kind).stage, &hidden);
        let missing = Subject::missing("absent", &world.foreign_files());
        for (who, caller) in &strangers {
            for by in names(wire, request).iter().copied() {
                let case = format!("{wire:?} {request} by {by:?}, {who}");
                let ask = async |subject: &Subject| {
                    let started = Instant::now();
                    let reply = wires.ask(&world, wire, caller, request, subject, by).await;
                    (plain(subject, &reply), reply, started.elapsed())
                };
                let (seen, reply, took) = ask(subject).await;
                let (unseen, _, missing_took) = ask(&missing).await;
                assert_eq!(seen, unseen, "{case}");
                assert_eq!(took, missing_took, "{case}");
                assert!(!seen.contains("bobs-"), "{case}: {seen}");
                if matches!(kind.need(), Need::Domain(_)) {
                    assert!(!reply.is_ok, "{case}: {reply:?}");
                }
            }
        }
        let changes = world.state().await.changes_since(&before);
        assert!(changes.is_empty(), "{wire:?} {request} changed {changes:?}");
    }
}

/// Facts about the host that no user reads without the right to them.
const FACTS: [&str; 7] =
    ["Simulated Xeon", "virt_start", "dom0_mem", "eth0", "0x10d3", "16384", "spare"];

#[tokio::test(start_paused = true)]
async fn every_right_but_the_needed_one_is_not_enough_on_every_wire() {
    let (world, wires, own, before) = host_with("own-", false).await;
    for (kind, wire, request) in requests() {
        let rights = match kind.need() {
            // Any right on a domain shows it.
            Need::Domain(Right::See) | Need::Anyone => continue,
            Need::Domain(right) => all_but(right),
            Need::Create => all_but(Right::Create),
            Need::HostFacts => all_but(Right::HostFacts),
            Need::Operator => Rights::all(),
        };
        let caller = world.user(&["own*"], rights);
        let subject = subject_in(row(kind).stage, &own);
        for by in names(wire, request).iter().copied() {
            if by == NamedBy::Domid && !is_on_host(row(kind).stage) {
                continue;
            }
            let case = format!("{wire:?} {request} by {by:?}");
            let reply = wires.ask(&world, wire, &caller, request, subject, by).await;
            // A host without facts for a user is as good as a refusal.
            if kind.need() == Need::HostFacts && wire == Wire::XenApi {
                let shown = FACTS.iter().find(|fact| reply.text.contains(*fact));
                assert_eq!(shown, None, "{case}: {reply:?}");
            } else {
                assert!(reply.is_refusal, "{case}: {reply:?}");
            }
        }
        let changes = world.state().await.changes_since(&before);
        assert!(changes.is_empty(), "{wire:?} {request} changed {changes:?}");
    }
}

const fn is_on_host(stage: Stage) -> bool {
    matches!(stage, Stage::Running | Stage::Paused | Stage::Unplugged)
}

/// Requests that fail on the simulated host, whoever asks: the operator's answer has this text.
const FAILURES: &[(&str, &str)] = &[
    ("op=migrate", "127.0.0.1"),
    ("migrate", "127.0.0.1"),
    ("op=cancel", "not being saved or migrated"),
    ("POST /xend/node op=", "cannot be switched off"),
    ("host.shutdown", "cannot be switched off"),
    ("host.reboot", "cannot be switched off"),
    ("credit2_", "credit"),
    ("VDI.destroy", "is used by own"),
    ("op=delete", "is used by own"),
    ("op=clone", "cannot be copied"),
    // The disk of the image is there already.
    ("VBD.create", "is already used"),
    ("(dev xvda) (mode r))&dev=xvda", "Refusing to reconfigure"),
    (r#"["mode","r"]],"xvda"]"#, "Refusing to reconfigure"),
    ("xend.domain.shadow_", "Today's Xen manages shadow memory by itself"),
    ("xend.domain.ioport_", "I/O ports cannot be passed through"),
    ("xend.domain.usb_", "USB devices cannot be passed through"),
    ("ip $name", "The address is not known"),
    ("cpu_pool.create", "Not enough free CPUs"),
    ("cpu_pool.activate", "INSUFFICIENT_CPUS"),
    ("cpu_pool.deactivate", "POOL_BAD_STATE"),
    ("cpu_pool.add_host_CPU_live", "POOL"),
    ("cpu_pool.remove_host_CPU_live", "POOL"),
    ("cpu_pool.start", "No such"),
    ("cpu_pool.cpu_add", "CPU"),
    ("cpu_pool.destroy [\"$unused", "No such"),
    ("cpu_pool.destroy [\"$pool0", "HANDLE_INVALID cpu_pool Pool-0"),
    ("cpu_pool.delete", "No such"),
    ("cpu_pool.cpu_remove", "No such"),
];

/// Requests for devices that no right is enough for: an operator attaches them.
const OPERATORS_DEVICES: [&str; 2] = ["VTPM.create", "DPCI.create"];

#[tokio::test(start_paused = true)]
async fn the_needed_right_is_enough_on_every_wire() {
    let world = World::new().await;
    let wires = Wires::new(&world).await;
    let account = caller_with("root", "192.0.2.1:1", Access::operator());
    let once = |wire: &Wire| !matches!(wire, Wire::Http(format) if *format != FORMATS[0]);
    for (kind, wire, request) in requests().filter(|(_, wire, _)| once(wire)) {
        let exact = match kind.need() {
            Need::Domain(right) => Some(right),
            Need::Create => Some(Right::Create),
            Need::HostFacts => Some(Right::HostFacts),
            Need::Anyone => Some(Right::See),
            Need::Operator => None,
        };
        let user = exact.map_or(account.clone(), |right| world.user(&["own*"], rights([right])));
        let mut replies = Vec::new();
        for caller in [operator(), user] {
            let subject = world.add("own", row(kind).stage, &world.files()).await;
            let by = wire.names()[0];
            replies.push(wires.ask(&world, wire, &caller, request, &subject, by).await);
            world.remove(&subject).await;
        }
        let case = format!("{wire:?} {request}");
        let failure = FAILURES.iter().find(|(part, _)| request.contains(part));
        match failure {
            Some((_, text)) if !replies[0].is_ok => {
                assert!(replies[0].text.contains(text), "{case}: {:?}", replies[0]);
            }
            _ => assert!(replies[0].is_ok, "{case}: {:?}", replies[0]),
        }
        if OPERATORS_DEVICES.iter().any(|call| request.starts_with(call)) {
            assert!(replies[1].is_refusal || replies[1].is_missing, "{case}: {:?}", replies[1]);
            continue;
        }
        assert!(!replies[1].is_refusal, "{case}: {:?}", replies[1]);
        let kinds = [&replies[0], &replies[1]].map(|reply| (reply.is_ok, reply.is_missing));
        assert_eq!(kinds[1], kinds[0], "{case}: {:?}", replies[1]);
    }
}

/// The words of a text that name operations, functions and calls.
fn called(wire: Wire) -> BTreeSet<String> {
    let name = |request: &'static str| match wire {
        Wire::Http(_) => request.split("op=").nth(1).and_then(|rest| rest.split('&').next()),
        Wire::Legacy | Wire::XenApi | Wire::Argo => request.split(' ').next(),
    };
    let own = requests().filter(|(_, of, _)| *of == wire);
    own.filter_map(|(_, _, request)| name(request)).map(str::to_owned).collect()
}

/// Functions of `xend.*` that have one answer for everybody.
const SAME_FOR_ALL: [&str; 5] =
    ["system.", "xend.domain.configure", "xend.node.pciinfo", "xend.node.tmem_", "xend.security."];

/// Calls of the Xen-API that are not in the table.
const OTHER_CALLS: [&str; 20] = [
    // Tasks make the calls of the table. Getters and setters derive from fields, see
    // `xmlrpc_accounts_references.rs` and `xmlrpc_accounts_objects.rs`.
    "Async.",
    ".get_",
    ".set_",
    ".add_to_",
    ".remove_from_",
    // Sessions, events and tasks are the caller's own.
    "session.",
    "event.",
    "task.",
    // One answer for everybody.
    "debug.",
    "XSPolicy.",
    "host.list_methods",
    "host.tmem_",
    // A definition, with a test of its own.
    "VM.clone",
    // Devices, like VBD and VIF.
    "DPCI.destroy",
    "DSCSI",
    "VIF.plug",
    "VTPM.destroy",
    "console.destroy",
    // Like network.create and PIF.create_VLAN, for an object that a client created.
    "network.destroy",
    "PIF.destroy",
];

/// A new operation, function or command does not go without a row.
#[tokio::test(start_paused = true)]
async fn every_request_of_a_wire_is_in_the_table() {
    let world = World::new().await;
    let wires = Wires::new(&world).await;
    let subject = Subject::missing("none", &world.files());
    let ask = async |wire, request| {
        wires.ask(&world, wire, &operator(), request, &subject, NamedBy::Name).await.text
    };
    let quoted = |text: &str, start: &str| -> BTreeSet<String> {
        let names = text.split(start).skip(1).filter_map(|rest| rest.split(['"', ')']).next());
        names.map(str::to_owned).collect()
    };

    let http = Wire::Http("application/sxp");
    let operations = quoted(&ask(http, "GET /xend/help").await, "(op (name ");
    assert!(operations.len() > 35, "{operations:?}");
    let known = called(http);
    let missing: Vec<_> = operations.difference(&known).collect();
    assert!(missing.is_empty(), "{missing:?}");

    let functions = quoted(&ask(Wire::Legacy, "system.listMethods []").await, "Text(\"");
    assert!(functions.len() > 70, "{functions:?}");
    let known = called(Wire::Legacy);
    let missing: Vec<_> = functions
        .difference(&known)
        .filter(|name| !SAME_FOR_ALL.iter().any(|start| name.starts_with(start)))
        .collect();
    assert!(missing.is_empty(), "{missing:?}");

    let methods = quoted(&ask(Wire::XenApi, "host.list_methods []").await, "Text(\"");
    let known = called(Wire::XenApi);
    let missing: Vec<_> = methods
        .difference(&known)
        .filter(|name| !OTHER_CALLS.iter().any(|part| name.contains(part)))
        .collect();
    assert!(methods.len() > 500 && missing.is_empty(), "{missing:?}");

    let help = ask(Wire::Argo, "help").await;
    let known = called(Wire::Argo);
    let plain = ["auth", "exit", "help", "nop", "200", "300", "quit"];
    let missing: Vec<_> = help
        .lines()
        .filter_map(|line| line.split_whitespace().next())
        .filter(|word| !known.contains(*word) && !plain.contains(word))
        .collect();
    assert!(missing.is_empty(), "{missing:?}: {help}");
}

/// A clone is a definition under another name.
#[tokio::test(start_paused = true)]
async fn a_clone_needs_the_right_to_create_its_name() {
    let world = World::new().await;
    let wires = Wires::new(&world).await;
    let own = world.add("own", Stage::Halted, &world.files()).await;
    let mut config = own.config();
    config.name = DomName::new("own-plain").unwrap();
    // Only images of the local storage can be copied.
    config.devices.clear();
    world.define(config).await;
    let plain = world.find("own-plain").await.unwrap();
    let plain = Subject { uuid: plain.uuid, ..Subject::missing("own-plain", &world.files()) };
    let before = world.state().await;
    let clone = async |caller: &Caller, name: &str| {
        let request = format!(r#"VM.clone ["$uuid","{name}"]"#);
        wires.ask(&world, Wire::XenApi, caller, &request, &plain, NamedBy::Uuid).await
    };
    let without = world.user(&["own*"], all_but(Right::Create));
    let with = world.user(&["own*"], rights([Right::Create]));
    for (caller, name) in [(&without, "own-clone"), (&with, "other")] {
        let refused = clone(caller, name).await;
        assert!(refused.is_refusal, "{refused:?}");
    }
    assert_eq!(world.state().await.changes_since(&before), [""; 0]);
    let made = clone(&with, "own-clone").await;
    assert!(made.is_ok && world.find("own-clone").await.is_some(), "{made:?}");
}

/// The log of the daemon names everybody.
#[tokio::test(start_paused = true)]
async fn the_log_is_for_operators() {
    let world = World::new().await;
    let wires = Wires::new(&world).await;
    let own = world.add("own", Stage::Running, &world.files()).await;
    let user = world.user(&["own"], Rights::all());
    let row = row(OpKind::ReadLog);
    for wire in Wire::ALL {
        for request in reach(&row, wire).requests() {
            let ask = async |caller: &Caller| {
                wires.ask(&world, wire, caller, request, &own, NamedBy::Name).await.text
            };
            assert!(ask(&operator()).await.contains(LOG), "{wire:?}");
            assert!(!ask(&user).await.contains(LOG), "{wire:?}");
        }
    }
}
