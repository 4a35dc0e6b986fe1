//! `xend fleet evacuate` with three daemons.

use crate::commands::{Host, Output};
use crate::etcd_server::EtcdServer;
use crate::process::post;
use crate::two_daemons::Daemon;

/// The hosts xen1, xen2 and xen3, which have joined.
fn three_hosts(server: &EtcdServer) -> [Host; 3] {
    let hosts = ["xen1", "xen2", "xen3"].map(|name| Host::new(name, &server.url()));
    let [first, others @ ..] = &hosts;
    first.fleet(&["init"]).ok();
    for host in others {
        let token = first.fleet(&["token"]).ok();
        host.fleet(&["join", token.trim()]).ok();
    }
    hosts
}

fn ask(daemon: &Daemon<'_>, target: &str, form: &str) {
    let (status, text) = daemon.answer(&post(target, form)).unwrap();
    assert!((200..300).contains(&status), "{form}: {text}");
}

/// Defines a domain with these further keys.
fn define(daemon: &Daemon<'_>, name: &str, memory: u32, more: &str) {
    let config = format!(
        "(vm (name {name}) (memory {memory}) {more} (image (linux (kernel /boot/vmlinuz))))"
    );
    ask(daemon, "/xend/domain", &format!("op=new&config={config}"));
}

/// The same, and starts it.
fn run(daemon: &Daemon<'_>, name: &str, memory: u32, more: &str) {
    define(daemon, name, memory, more);
    ask(daemon, &format!("/xend/domain/{name}"), "op=start");
}

fn evacuate(host: &Host, more: &[&str]) -> Output {
    host.fleet(&[&["evacuate", "--unix", "socket"], more].concat())
}

/// The output of a command that says that something stays.
#[track_caller]
fn unwell(output: Output) -> String {
    assert!(output.status == Some(1) && output.err.is_empty(), "{output:?}");
    output.out
}

#[test]
fn all_domains_of_a_host_go_to_others_and_what_stays_is_named() {
    let Some(server) = EtcdServer::start() else { return };
    let hosts = three_hosts(&server);
    let [xen1, _, _] = &hosts;
    let no_socket = evacuate(xen1, &["--unix", "nosuch"]);
    assert_eq!(no_socket.status, Some(2), "--unix twice: {no_socket:?}");
    let error = evacuate(xen1, &[]).error();
    assert!(error.contains("The daemon cannot be asked at socket"), "{error}");
    let [first, second, third] = hosts.each_ref().map(Daemon::start);
    run(&second, "db2", 64, "(fleet_apart db)");
    run(&first, "web1", 64, "");
    run(&first, "db1", 128, "(fleet_apart db)");
    run(&first, "pin1", 96, "(fleet_hosts xen1)");
    define(&first, "spare", 64, "");
    let sees = |name, count| first.sees(name) == Some((true, count));
    first.until("all is told", || sees("xen1", 5) && sees("xen2", 2) && sees("xen3", 1));
    // Domain-0 is all that xen3 has; then xen2 has less than xen3.
    let plan = "db1 (128 MiB) -> xen3\n\
                web1 (64 MiB) -> xen2\n\
                pin1 (96 MiB) stays: xen2 is none of the domain's fleet_hosts, xen3 is none of the \
                domain's fleet_hosts\n\
                Definitions of domains that do not run (1) stay: they are of xen1.\n";
    assert_eq!(unwell(evacuate(xen1, &["--dry-run"])), plan);
    assert_eq!(first.op("op=pause").0, 200, "nothing has moved");
    assert_eq!(first.op("op=unpause").0, 200);
    let text = unwell(evacuate(xen1, &[]));
    let done =
        plan.replace("xen3\nweb1", "xen3: moved\nweb1").replace("xen2\npin1", "xen2: moved\npin1");
    assert_eq!(text, done.replace("Definitions", "Still on xen1: pin1.\nDefinitions"));
    assert!(second.get("/xend/domain").unwrap().contains("web1"));
    assert!(third.get("/xend/domain").unwrap().contains("db1"));
    assert_eq!(first.get("/xend/domain").unwrap().trim(), "(Domain-0 pin1)");
    assert!(first.get("/xend/domain/spare").is_some());
    ask(&first, "/xend/domain/pin1", "op=destroy");
    let text = evacuate(xen1, &[]).ok();
    assert!(text.starts_with("No domain is left that runs on xen1.\nDefinitions"), "{text}");
    assert!(text.contains("run (2) stay"), "{text}");
}

#[test]
fn a_move_that_fails_keeps_no_other_from_being_made() {
    let Some(server) = EtcdServer::start() else { return };
    let hosts = three_hosts(&server);
    let [first, second, third] = hosts.each_ref().map(Daemon::start);
    run(&first, "web1", 64, "(fleet_hosts xen2)");
    run(&first, "web3", 128, "(fleet_hosts xen3)");
    let is_alive = |name| first.sees(name).is_some_and(|(is_alive, _)| is_alive);
    first.until("all are alive", || ["xen1", "xen2", "xen3"].into_iter().all(is_alive));
    // Its lease lives on for some seconds.
    drop(third);
    let text = unwell(evacuate(&hosts[0], &[]));
    assert!(text.contains("web1 (64 MiB) -> xen2: moved\n"), "{text}");
    let is_named = text.contains("web3 (128 MiB) -> xen3: failed: destination: xen3 at 127.0.0.1:")
        || text.contains(
            "web3 (128 MiB) stays: xen2 is none of the domain's fleet_hosts, xen3 is silent",
        );
    assert!(is_named && text.contains("Still on xen1: web3.\n"), "{text}");
    assert!(second.get("/xend/domain").unwrap().contains("web1"));
}
