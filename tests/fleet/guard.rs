//! The guard of a simulated host, as processes, on a real etcd.

use crate::GENEROUS;
use crate::commands::Host;
use crate::etcd_server::EtcdServer;
use crate::process::{post, spawn};
use crate::two_daemons::{Daemon, WEB1};
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::Child;
use std::thread;
use std::time::{Duration, Instant};
use tokio::runtime::Builder;
use xend::backend::sim::boot_id;
use xend::fleet::{Keys, Op, Txn};

/// The UUID of web1.
const UUID: &str = "11111111-2222-3333-4444-555555555555";
const WEB2: &str = "(vm (name web2) (memory 64) (image (linux (kernel /boot/vmlinuz))))";

/// A guard of a host.
pub(crate) struct Guard {
    child: Child,
    socket: PathBuf,
}

impl Guard {
    pub(crate) fn start(host: &Host) -> Self {
        let child = spawn(&mut host.xend(&["guard"]), &host.dir.path().join("guard-log"));
        let socket = host.dir.path().join("state/fleet/guard.socket");
        let guard = Self { child, socket };
        until("the guard listens", || UnixStream::connect(&guard.socket).is_ok());
        guard
    }

    /// The first line of the answer to a line.
    pub(crate) fn say(&self, line: &str) -> String {
        let stream = UnixStream::connect(&self.socket).unwrap();
        stream.set_read_timeout(Some(GENEROUS)).unwrap();
        (&stream).write_all(format!("{line}\n").as_bytes()).unwrap();
        let mut answer = String::new();
        BufReader::new(&stream).read_line(&mut answer).unwrap();
        answer
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

fn until(what: &str, is_so: impl Fn() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < GENEROUS, "not before the limit: {what}");
        thread::sleep(Duration::from_millis(50));
    }
}

fn is_served(daemon: &Daemon<'_>) -> bool {
    daemon.answer("GET /xend/node HTTP/1.0\r\n\r\n").is_some()
}

/// A guarded web1 and a web2 that is not, both built.
fn guarding(host: &Host) -> (Daemon<'_>, Guard) {
    host.fleet(&["init"]).ok();
    let daemon = Daemon::start(host);
    let guard = Guard::start(host);
    // As long as the daemon has no epoch, nothing is guarded.
    until("web1 is guarded", || guard.say(&format!("register {UUID}")) == "guarded 1\n");
    for config in [WEB1, WEB2] {
        let form = format!("op=create&config={config}");
        until("it is built", || {
            daemon.answer(&post("/xend/domain", &form)).is_some_and(|(status, _)| status < 300)
        });
    }
    assert_eq!(guard.say(&format!("built {UUID}")), "ok\n");
    (daemon, guard)
}

/// The domains of a host that run or are paused.
fn domains_of(daemon: &Daemon<'_>) -> Vec<&'static str> {
    let list = |state: &&str| daemon.get(&format!("/xend/domain?state={state}")).unwrap();
    let found: String = ["running", "paused"].iter().map(list).collect();
    ["Domain-0", "web1", "web2"].into_iter().filter(|name| found.contains(name)).collect()
}

#[test]
fn a_fence_destroys_what_is_guarded_and_nothing_else() {
    let Some(server) = EtcdServer::start() else { return };
    let host = Host::new("xen1", &server.url());
    let (daemon, guard) = guarding(&host);
    assert_eq!(domains_of(&daemon), ["Domain-0", "web1", "web2"]);
    let key = Keys::new("lab".parse().unwrap()).fence(&"xen1".parse().unwrap(), 1);
    let ops = vec![Op::put(key, b"{}".to_vec())];
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(server.client().commit(Txn { compares: vec![], ops })).unwrap();
    // The simulated domain lives in the daemon, too.
    until("the daemon is ended", || !is_served(&daemon));
    until("the guard lets go", || guard.say("status").starts_with("status idle "));
    // What is not guarded goes on, and the host takes a new epoch, since nothing is left of the
    // fenced one.
    let next = Daemon::start(&host);
    assert_eq!(domains_of(&next), ["Domain-0", "web2"]);
    until("web1 may be guarded again", || guard.say(&format!("register {UUID}")) == "guarded 2\n");
}

#[test]
fn a_guard_that_is_killed_takes_its_host_with_it() {
    let Some(server) = EtcdServer::start() else { return };
    let host = Host::new("xen1", &server.url());
    let (daemon, guard) = guarding(&host);
    let sim = host.dir.path().join("state/sim");
    let boot = boot_id(&sim).unwrap();
    drop(guard);
    let began = Instant::now();
    // Another guard cannot have the timers of this one.
    let next = Guard::start(&host);
    let refused = next.say(&format!("register {UUID}"));
    assert!(refused.starts_with("refused no-watchdog "), "{refused}");
    assert!(is_served(&daemon));
    until("the watchdog ends the daemon", || !is_served(&daemon));
    let after = began.elapsed();
    assert!(after < Duration::from_secs(31), "{after:?}");
    // The machine boots: another guard, and another epoch.
    until("it is reset", || boot_id(&sim).unwrap() != boot);
    drop(next);
    let next = Guard::start(&host);
    let daemon = Daemon::start(&host);
    assert_eq!(domains_of(&daemon), ["Domain-0"]);
    until("the timers are free", || next.say(&format!("register {UUID}")).starts_with("guarded "));
    assert_eq!(next.say(&format!("release {UUID}")), "ok\n");
    until("nothing is guarded", || next.say("status").starts_with("status idle "));
}
