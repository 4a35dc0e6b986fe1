//! Takers, policies, confirmed deaths and upgrades on a real etcd.

use crate::commands::Host;
use crate::etcd_server::EtcdServer;
use crate::process::post;
use crate::two_daemons::Daemon;

const NEW: &str =
    "op=new&config=(vm+(name+web1)+(memory+64)+(image+(linux+(kernel+/boot/vmlinuz))))";

/// Two hosts of a fleet, whose daemons run.
fn joined(server: &EtcdServer) -> [Host; 2] {
    let hosts = ["xen1", "xen2"].map(|name| Host::new(name, &server.url()));
    hosts[0].fleet(&["init"]).ok();
    let token = hosts[0].fleet(&["token"]).ok();
    hosts[1].fleet(&["join", token.trim()]).ok();
    hosts
}

#[test]
fn a_domain_is_protected_by_an_operator() {
    let Some(server) = EtcdServer::start() else { return };
    let [xen1, xen2] = joined(&server);
    let daemon = Daemon::start(&xen2);
    daemon.until("it is a member", || daemon.sees("xen2").is_some_and(|(is_alive, _)| is_alive));
    assert!(xen1.fleet(&["takers"]).ok().contains("No host watches"));
    assert_eq!(xen1.fleet(&["policy"]).ok(), "No domain is protected.\n");
    let undefined = xen1.fleet(&["policy", "web1", "always"]).error();
    assert!(undefined.contains("no definition of web1"), "{undefined}");
    assert_eq!(daemon.answer(&post("/xend/domain", NEW)).unwrap().0, 200);
    let alone = xen1.fleet(&["policy", "web1", "always"]).error();
    assert!(alone.contains("xend fleet takers HOST HOST"), "{alone}");
    let unknown = xen1.fleet(&["takers", "xen1", "xen9"]).error();
    assert!(unknown.contains("no host xen9"), "{unknown}");
    let watch = "xen1, xen2 watch for hosts that die.\n";
    assert_eq!(xen1.fleet(&["takers", "xen2", "xen1"]).ok(), watch);
    assert_eq!(xen2.fleet(&["takers"]).ok(), watch);
    let protected = xen1.fleet(&["policy", "web1", "best-effort", "--priority", "3"]).ok();
    assert!(protected.contains(") best-effort, priority 3\n"), "{protected}");
    assert!(protected.ends_with("web1 does not run: it is guarded when it does.\n"), "{protected}");
    let shown = xen2.fleet(&["policy", "web1"]).ok();
    assert_eq!(xen2.fleet(&["policy"]).ok(), shown);
    let status = xen2.status();
    assert_eq!((&status["takers"][1], &status["protected"]), (&"xen2".into(), &1.into()));
    assert!(status["problems"].to_string().contains("1 of 2 are alive"), "{status}");
    let stuck = xen1.fleet(&["retry", "web1"]).error();
    assert!(stuck.contains("does not wait for anybody"), "{stuck}");
    assert!(xen1.fleet(&["policy", "web1", "none"]).ok().ends_with(") none\n"));
    assert!(xen1.fleet(&["upgrade"]).ok().contains("nothing is raised"));
}

#[test]
fn the_domains_of_a_host_that_somebody_knows_to_be_off_are_free() {
    let Some(server) = EtcdServer::start() else { return };
    let [xen1, xen2] = joined(&server);
    let daemon = Daemon::start(&xen2);
    daemon.until("it is a member", || daemon.sees("xen2").is_some_and(|(is_alive, _)| is_alive));
    assert_eq!(daemon.answer(&post("/xend/domain", NEW)).unwrap().0, 200);
    daemon.until("its domain is told", || daemon.sees("xen2") == Some((true, 2)));
    let alive = xen1.fleet(&["confirm-dead", "xen2", "--yes"]).error();
    assert!(alive.contains("xen2 is alive"), "{alive}");
    // It is killed when it has told what it has.
    daemon.until("its domain is told", || daemon.sees("xen2") == Some((true, 2)));
    drop(daemon);
    let watching = Daemon::start(&xen1);
    watching.until("xen2 is silent", || watching.sees("xen2") == Some((false, 2)));
    let unsure = xen1.fleet(&["confirm-dead", "xen2"]).error();
    assert!(unsure.contains("xen2 does not count as dead: give --yes"), "{unsure}");
    let dead = xen1.fleet(&["confirm-dead", "xen2", "--yes"]).ok();
    assert!(dead.contains("xen2 counts as dead") && dead.contains("definitions (1)"), "{dead}");
    assert!(xen1.fleet(&["adopt", "web1"]).ok().contains("is defined on xen1"));
    assert_eq!(watching.sees("xen2"), Some((false, 0)), "it is a member");
    assert_eq!(xen1.fleet(&["confirm-dead", "xen9", "--yes"]).status, Some(1));
}
