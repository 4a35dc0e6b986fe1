//! What becomes of domains when something fails: the rows of the failure matrix, on a real etcd, with
//! guards. `xend guard` needs 20 s to notice that etcd is away, and a taker 70 s until it starts a
//! domain elsewhere.

use crate::GENEROUS;
use crate::commands::Host;
use crate::cut::Cable;
use crate::etcd_server::EtcdServer;
use crate::guard::Guard;
use crate::process::{ask, post, spawn};
use crate::two_daemons::WEB1;
use std::process::Child;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// Within this, a domain of a host that has died runs elsewhere, on a busy machine, too.
const TAKEOVER: Duration = Duration::from_secs(300);
const WEB2: &str = "(vm (name web2) (memory 64) (image (linux (kernel /boot/vmlinuz))))";

/// A host whose daemon is started again whenever it ends, as by systemd.
struct Machine<'a> {
    host: &'a Host,
    guard: Mutex<Option<Guard>>,
    daemon: Arc<Mutex<Child>>,
    is_on: Arc<AtomicBool>,
    keeper: Option<JoinHandle<()>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap()
}

impl<'a> Machine<'a> {
    fn start(host: &'a Host) -> Self {
        let dir = host.dir.path().to_owned();
        let mut command = host.xend(&["--http", "off", "--unix", "socket"]);
        let daemon = Arc::new(Mutex::new(spawn(&mut command, &dir.join("log"))));
        let is_on = Arc::new(AtomicBool::new(true));
        let (kept, goes_on) = (daemon.clone(), is_on.clone());
        let keeper = thread::spawn(move || {
            while goes_on.load(Ordering::SeqCst) {
                thread::sleep(Duration::from_millis(100));
                let mut daemon = lock(&kept);
                let has_ended = daemon.try_wait().unwrap().is_some();
                if has_ended && goes_on.load(Ordering::SeqCst) {
                    *daemon = spawn(&mut command, &dir.join("log"));
                }
            }
        });
        let guard = Mutex::new(Some(Guard::start(host)));
        let machine = Self { host, guard, daemon, is_on, keeper: Some(keeper) };
        until(GENEROUS, "the daemon serves", || machine.get("/xend/node").is_some());
        machine
    }

    /// The host loses power.
    fn lose_power(&self) {
        self.is_on.store(false, Ordering::SeqCst);
        lock(&self.daemon).kill().ok();
        *lock(&self.guard) = None;
    }

    fn kill_daemon(&self) {
        lock(&self.daemon).kill().unwrap();
    }

    fn answer(&self, request: &str) -> Option<(u16, String)> {
        ask(&self.host.dir.path().join("socket"), request, GENEROUS).ok()
    }

    fn get(&self, target: &str) -> Option<String> {
        let answer = self.answer(&format!("GET {target} HTTP/1.0\r\n\r\n"));
        Some(answer.filter(|(status, _)| *status == 200)?.1)
    }

    /// Whether a domain is on the host; no while the daemon does not answer.
    fn runs(&self, name: &str) -> bool {
        let running = ["running", "paused"].map(|state| format!("/xend/domain?state={state}"));
        running.iter().filter_map(|target| self.get(target)).any(|list| list.contains(name))
    }

    fn post(&self, target: &str, form: &str) {
        until(GENEROUS, form, || {
            self.answer(&post(target, form)).is_some_and(|(status, _)| status < 300)
        });
    }

    /// Defines a domain here, and starts it.
    fn run(&self, name: &str, config: &str) {
        self.post("/xend/domain", &format!("op=new&config={config}"));
        self.post(&format!("/xend/domain/{name}"), "op=start");
    }
}

impl Drop for Machine<'_> {
    fn drop(&mut self) {
        self.lose_power();
        if let Some(keeper) = self.keeper.take() {
            keeper.join().ok();
        }
        lock(&self.daemon).wait().ok();
    }
}

fn until(limit: Duration, what: &str, is_so: impl Fn() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < limit, "not before the limit: {what}");
        thread::sleep(Duration::from_millis(100));
    }
}

/// Hosts that have joined, each with its own way to etcd. The first one is reached by `first`.
fn joined<const N: usize>(server: &EtcdServer, first: Option<&Cable>) -> [Host; N] {
    let hosts = std::array::from_fn(|number| {
        let url = first.filter(|_| number == 0).map_or_else(|| server.url(), Cable::url);
        Host::new(&format!("xen{}", number + 1), &url)
    });
    hosts[0].fleet(&["init"]).ok();
    for host in &hosts[1..] {
        let token = hosts[0].fleet(&["token"]).ok();
        host.fleet(&["join", token.trim()]).ok();
    }
    hosts
}

/// On the first of these machines web1 runs, which is protected, and web2, which is not.
fn protect(machines: &[Machine<'_>], takers: &[&str]) {
    let [first, ..] = machines else { panic!("there are machines") };
    first.run("web1", WEB1);
    first.run("web2", WEB2);
    first.host.fleet(&[&["takers"], takers].concat()).ok();
    let protected = first.host.fleet(&["policy", "web1", "always"]);
    assert_eq!(protected.status, Some(0), "{protected:?}");
    until(GENEROUS, "it is guarded", || {
        let guard = lock(&first.guard);
        guard.as_ref().is_some_and(|guard| guard.say("status").contains(" domains 1"))
            && !first.host.fleet(&["status"]).out.contains("does not guard it")
    });
}

#[test]
fn a_host_that_loses_power() {
    let Some(server) = EtcdServer::start() else { return };
    let hosts: [Host; 2] = joined(&server, None);
    let machines = hosts.each_ref().map(Machine::start);
    protect(&machines, &["xen1", "xen2"]);
    machines[0].lose_power();
    until(TAKEOVER, "web1 runs on xen2", || machines[1].runs("web1"));
    assert!(!machines[1].runs("web2"), "it is lost until its host is back");
    let status = hosts[1].fleet(&["status"]).out;
    assert!(status.contains("xen1 is silent"), "{status}");
    assert!(status.contains("xend fleet confirm-dead xen1"), "{status}");
    // It is guarded there.
    let policy = hosts[1].fleet(&["policy", "web1"]).ok();
    assert!(policy.contains("always"), "{policy}");
    assert!(lock(&machines[1].guard).as_ref().unwrap().say("status").contains(" domains 1"));
}

#[test]
fn a_daemon_that_is_killed_while_its_guard_lives() {
    let Some(server) = EtcdServer::start() else { return };
    let hosts: [Host; 2] = joined(&server, None);
    let machines = hosts.each_ref().map(Machine::start);
    protect(&machines, &["xen1", "xen2"]);
    machines[0].kill_daemon();
    until(GENEROUS, "its next daemon has both", || {
        machines[0].runs("web1") && machines[0].runs("web2")
    });
    let guard = lock(&machines[0].guard).as_ref().unwrap().say("status");
    assert!(guard.starts_with("status guarding ") && guard.contains(" domains 1"), "{guard}");
    machines[0].post("/xend/domain/web1", "op=destroy");
    until(GENEROUS, "the guard lets it go", || {
        lock(&machines[0].guard).as_ref().unwrap().say("status").starts_with("status idle ")
    });
}

#[test]
fn a_guard_that_is_killed() {
    let Some(server) = EtcdServer::start() else { return };
    let hosts: [Host; 2] = joined(&server, None);
    let machines = hosts.each_ref().map(Machine::start);
    protect(&machines, &["xen1", "xen2"]);
    // The watchdog ends the host, which stays off.
    *lock(&machines[0].guard) = None;
    machines[0].is_on.store(false, Ordering::SeqCst);
    until(GENEROUS, "the host is reset", || machines[0].get("/xend/node").is_none());
    assert!(!machines[1].runs("web1"), "nobody has waited yet");
    until(TAKEOVER, "web1 runs on xen2", || machines[1].runs("web1"));
    assert!(!machines[1].runs("web2"));
}

#[test]
fn a_host_that_is_cut_off_from_etcd() {
    let Some(server) = EtcdServer::start() else { return };
    let cable = Cable::to(server.port);
    let hosts: [Host; 2] = joined(&server, Some(&cable));
    let machines = hosts.each_ref().map(Machine::start);
    protect(&machines, &["xen1", "xen2"]);
    cable.cut();
    until(GENEROUS, "web1 is destroyed, web2 goes on", || {
        machines[0].runs("web2") && !machines[0].runs("web1")
    });
    assert!(!machines[1].runs("web1"), "nobody has waited yet");
    until(TAKEOVER, "web1 runs on xen2", || machines[1].runs("web1"));
    assert!(machines[0].runs("web2") && !machines[0].runs("web1"));
    // It guards nothing any more: it takes part again without a boot.
    cable.mend();
    until(GENEROUS, "xen1 gets domains again", || {
        let form =
            "op=create&config=(vm (name web3) (memory 64) (image (linux (kernel /boot/vmlinuz))))";
        machines[0].answer(&post("/xend/domain", form)).is_some_and(|(status, _)| status == 201)
    });
    assert!(machines[0].runs("web2") && !machines[0].runs("web1"));
    assert!(machines[1].runs("web1"));
}

#[test]
fn all_of_etcd_is_away() {
    let Some(server) = EtcdServer::start() else { return };
    let hosts: [Host; 2] = joined(&server, None);
    let machines = hosts.each_ref().map(Machine::start);
    protect(&machines, &["xen1", "xen2"]);
    server.freeze();
    until(GENEROUS, "web1 stops, web2 goes on", || {
        machines[0].runs("web2") && !machines[0].runs("web1")
    });
    assert!(!machines[1].runs("web1"));
    server.thaw();
    until(TAKEOVER, "web1 runs again", || machines.iter().any(|machine| machine.runs("web1")));
    assert!(machines[0].runs("web2"));
}

#[test]
fn a_taker_that_is_killed_while_it_waits() {
    let Some(server) = EtcdServer::start() else { return };
    let hosts: [Host; 3] = joined(&server, None);
    let machines = hosts.each_ref().map(Machine::start);
    protect(&machines, &["xen2", "xen3"]);
    machines[0].lose_power();
    until(TAKEOVER, "xen1 is fenced", || {
        hosts[2].fleet(&["status"]).out.contains("takers wait until its protected domains")
    });
    machines[1].lose_power();
    until(TAKEOVER, "web1 runs on xen3", || machines[2].runs("web1"));
}
