//! Hosts that are away on purpose, with a daemon and a guard.

use crate::commands::Host;
use crate::etcd_server::EtcdServer;
use crate::guard::Guard;
use crate::process::post;
use crate::two_daemons::{Daemon, WEB1};
use std::thread;
use std::time::Duration;

/// Longer than a taker waits until it suspects a silent host.
const SUSPICION: Duration = Duration::from_secs(25);

fn away(host: &Host, more: &[&str]) -> String {
    host.fleet(&[&["away", "--unix", "socket"], more].concat()).ok()
}

#[test]
fn a_host_whose_daemon_was_stopped_or_that_is_away_is_not_dead() {
    let Some(server) = EtcdServer::start() else { return };
    let [xen1, xen2] = ["xen1", "xen2"].map(|name| Host::new(name, &server.url()));
    xen1.fleet(&["init"]).ok();
    let token = xen1.fleet(&["token"]).ok();
    xen2.fleet(&["join", token.trim()]).ok();
    let error = xen1.fleet(&["away", "--unix", "socket"]).error();
    assert!(error.contains("The daemon cannot be asked at socket"), "{error}");
    let guard = Guard::start(&xen1);
    let [first, second] = [&xen1, &xen2].map(Daemon::start);
    let is_alive = |name| second.sees(name).is_some_and(|(is_alive, _)| is_alive);
    second.until("both are alive", || is_alive("xen1") && is_alive("xen2"));
    xen1.fleet(&["takers", "xen1", "xen2"]).ok();
    first.ask(&post("/xend/domain", &format!("op=new&config={WEB1}"))).unwrap();
    assert_eq!(first.op("op=start").0, 202);
    let told = xen1.fleet(&["policy", "web1", "always"]).ok();
    assert!(told.ends_with("xen1 guards it.\n"), "{told}");
    // What is stopped is not dead.
    first.stop();
    assert!(guard.say("status").starts_with("status away "), "{}", guard.say("status"));
    assert!(!is_alive("xen1"), "its lease has ended");
    thread::sleep(SUSPICION);
    let status = xen2.status();
    assert_eq!(status["members"][0]["away"]["is_wanted"], false, "{status}");
    assert!(!status["problems"].to_string().contains("fenced"), "{status}");
    // The next daemon is back, and the domain has run on.
    let first = Daemon::start(&xen1);
    let is_away = || !xen2.status()["members"][0]["away"].is_null();
    first.until("it is back", || !is_away());
    assert!(guard.say("status").starts_with("status guarding "), "{}", guard.say("status"));
    let running = first.get("/xend/domain?state=running").unwrap();
    assert!(running.contains("web1"), "{running}");
    // An operator's absence outlives a daemon.
    let told = away(&xen1, &["--minutes", "5"]);
    assert!(told.starts_with("xen1 is away for 5 minutes"), "{told}");
    assert!(guard.say("status").starts_with("status away "), "{}", guard.say("status"));
    first.stop();
    let first = Daemon::start(&xen1);
    first.until("it is alive", || is_alive("xen1"));
    let status = xen1.status();
    assert_eq!(status["members"][0]["away"]["is_wanted"], true, "{status}");
    assert!(xen1.fleet(&["status"]).out.contains(": an operator wants it."));
    let auto = "op=new&host=auto&config=(vm (name web2) (memory 64) (image (linux (kernel /k))))";
    first.ask(&post("/xend/domain", auto)).unwrap();
    assert!(second.get("/xend/domain/web2").is_some(), "it is on the other host");
    assert_eq!(away(&xen1, &["--end"]), "xen1 is back.\n");
    assert!(!is_away());
    assert!(guard.say("status").starts_with("status guarding "), "{}", guard.say("status"));
}
