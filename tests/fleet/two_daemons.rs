//! Two daemons in one fleet show each other's domains.

use crate::GENEROUS;
use crate::commands::Host;
use crate::etcd_server::EtcdServer;
use crate::process::{ask, post, spawn};
use serde_json::Value;
use std::process::{Child, Command};
use std::thread;
use std::time::{Duration, Instant};
use tokio::runtime::Builder;
use xend::fleet::{Entry, Etcd, Kv as _};

/// A daemon of a host.
pub(crate) struct Daemon<'a> {
    host: &'a Host,
    child: Child,
}

impl<'a> Daemon<'a> {
    pub(crate) fn start(host: &'a Host) -> Self {
        let mut command = host.xend(&["--http", "off", "--unix", "socket"]);
        let child = spawn(&mut command, &host.dir.path().join("log"));
        let daemon = Self { host, child };
        daemon.until("it listens", || daemon.get("/xend/node").is_some());
        daemon
    }

    /// Stops it as a service manager does.
    pub(crate) fn stop(mut self) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
        assert!(self.child.wait().unwrap().success());
    }

    pub(crate) fn get(&self, target: &str) -> Option<String> {
        self.ask(&format!("GET {target} HTTP/1.0\r\n\r\n"))
    }

    pub(crate) fn ask(&self, request: &str) -> Option<String> {
        let (status, body) = self.answer(request)?;
        assert_eq!(status, 200, "{request}: {body}");
        Some(body)
    }

    pub(crate) fn answer(&self, request: &str) -> Option<(u16, String)> {
        let socket = self.host.dir.path().join("socket");
        ask(&socket, request, GENEROUS).ok()
    }

    /// Whether a domain is defined or runs there.
    fn has(&self, domain: &str) -> bool {
        self.answer(&format!("GET /xend/domain/{domain} HTTP/1.0\r\n\r\n")).unwrap().0 == 200
    }

    /// Carries out an operation on the domain web1: status and text.
    pub(crate) fn op(&self, form: &str) -> (u16, String) {
        self.answer(&post("/xend/domain/web1", form)).unwrap()
    }

    /// What `xend fleet status` says of a member: whether it is alive, and its number of domains.
    pub(crate) fn sees(&self, name: &str) -> Option<(bool, u64)> {
        let status: Value =
            serde_json::from_str(&self.host.fleet(&["status", "--json"]).out).unwrap();
        let members = status["members"].as_array().unwrap();
        let member = members.iter().find(|member| member["name"] == name)?;
        Some((member["is_alive"].as_bool().unwrap(), member["domains"].as_u64().unwrap()))
    }

    pub(crate) fn until(&self, what: &str, is_so: impl Fn() -> bool) {
        let began = Instant::now();
        while !is_so() {
            let log = || std::fs::read_to_string(self.host.dir.path().join("log")).unwrap();
            assert!(began.elapsed() < GENEROUS, "not before the limit: {what}\n{}", log());
            thread::sleep(Duration::from_millis(100));
        }
    }
}

impl Drop for Daemon<'_> {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

#[test]
fn two_daemons_are_alive_and_count_each_others_domains() {
    let Some(server) = EtcdServer::start() else { return };
    let [xen1, xen2] = ["xen1", "xen2"].map(|name| Host::new(name, &server.url()));
    // A daemon that is no member yet serves, and takes part as soon as its host has joined.
    let first = Daemon::start(&xen1);
    xen1.fleet(&["init"]).ok();
    let token = xen1.fleet(&["token"]).ok();
    xen2.fleet(&["join", token.trim()]).ok();
    let second = Daemon::start(&xen2);
    first.until("both are alive", || {
        let alive = |name| second.sees(name).is_some_and(|(is_alive, _)| is_alive);
        alive("xen1") && alive("xen2")
    });
    let (_, before) = second.sees("xen1").unwrap();
    let config = "(vm (name web1) (memory 64) (image (linux (kernel /boot/vmlinuz))))";
    first.ask(&post("/xend/domain", &format!("op=new&config={config}"))).unwrap();
    second.until("the new domain is seen", || {
        second.sees("xen1").is_some_and(|(_, domains)| domains == before + 1)
    });
    xen1.fleet(&["status"]).ok();
    let found = xen2.fleet(&["doctor"]).ok();
    for part in ["etcd answers", "xen1 answers this host", "xen2 answers this host", "All is well."]
    {
        assert!(found.contains(part), "{part}: {found}");
    }
    // A daemon that ends is silent, and its domains stay where they are.
    drop(first);
    let found = xen2.fleet(&["doctor", "--json"]);
    let json: Value = serde_json::from_str(&found.out).unwrap();
    assert_eq!(found.status, Some(1));
    // While its lease is still there, only who asks it can tell. A slow machine is too late for
    // that.
    let is_alive = json["members"][0]["is_alive"] == true;
    let told = if is_alive { "nothing listens there" } else { "xen1 is silent" };
    assert!(json["problems"].to_string().contains(told), "{json}");
    second.until("its end is seen", || second.sees("xen1") == Some((false, before + 1)));
}

#[test]
fn a_host_that_was_forgotten_says_so_when_it_comes_back() {
    let Some(server) = EtcdServer::start() else { return };
    let [xen1, xen2] = ["xen1", "xen2"].map(|name| Host::new(name, &server.url()));
    xen1.fleet(&["init"]).ok();
    let token = xen1.fleet(&["token"]).ok();
    xen2.fleet(&["join", token.trim()]).ok();
    let first = Daemon::start(&xen1);
    let second = Daemon::start(&xen2);
    first.until("both are alive", || {
        let alive = |name| first.sees(name).is_some_and(|(is_alive, _)| is_alive);
        alive("xen1") && alive("xen2")
    });
    let error = xen1.fleet(&["forget", "xen2", "--yes"]).error();
    assert!(error.contains("xen2 is alive"), "{error}");
    let error = xen1.fleet(&["forget", "xen1", "--yes"]).error();
    assert!(error.contains("xend fleet leave"), "{error}");
    drop(second);
    first.until("its end is seen", || first.sees("xen2").is_some_and(|(is_alive, _)| !is_alive));
    let status = xen1.fleet(&["status"]).out;
    assert!(status.contains("if it is gone for good, xend fleet forget xen2"), "{status}");
    // Nobody is there to be asked.
    let error = xen1.fleet(&["forget", "xen2"]).error();
    assert!(error.contains("give --yes"), "{error}");
    let forgotten = xen1.fleet(&["forget", "xen2", "--yes"]).ok();
    assert!(forgotten.contains("they still run there"), "{forgotten}");
    xen1.fleet(&["status"]).ok();
    assert!(xen1.fleet(&["forget", "xen2", "--yes"]).error().contains("no host xen2"));
    let status = xen2.fleet(&["status"]).out;
    assert!(status.contains("This host, xen2, has been forgotten on xen1"), "{status}");
    let second = Daemon::start(&xen2);
    let log = || std::fs::read_to_string(xen2.dir.path().join("log")).unwrap();
    second.until("it says so", || log().contains("This host has been forgotten on xen1"));
    let token = xen1.fleet(&["token"]).ok();
    xen2.fleet(&["join", token.trim()]).ok();
    first.until("it is back", || first.sees("xen2").is_some_and(|(is_alive, _)| is_alive));
}

#[test]
fn a_daemon_serves_without_etcd() {
    let host = Host::new("xen1", "http://127.0.0.1:1");
    let daemon = Daemon::start(&host);
    assert!(daemon.get("/xend/domain").unwrap().contains("Domain-0"));
    assert_eq!(daemon.sees("xen1"), None);
}

/// The configuration of web1.
pub(crate) const WEB1: &str = "(vm (name web1) (uuid 11111111-2222-3333-4444-555555555555) (memory 64) \
                    (image (linux (kernel /boot/vmlinuz))))";

#[test]
fn a_domain_runs_on_one_of_two_daemons() {
    let Some(server) = EtcdServer::start() else { return };
    let [xen1, xen2] = ["xen1", "xen2"].map(|name| Host::new(name, &server.url()));
    xen1.fleet(&["init"]).ok();
    let token = xen1.fleet(&["token"]).ok();
    xen2.fleet(&["join", token.trim()]).ok();
    let [first, second] = [&xen1, &xen2].map(Daemon::start);
    let ask = |daemon: &Daemon<'_>, op: &str| {
        daemon.answer(&post("/xend/domain", &format!("op={op}&config={WEB1}"))).unwrap()
    };
    let answers = thread::scope(|scope| {
        let creates = [&first, &second].map(|daemon| scope.spawn(|| ask(daemon, "create")));
        creates.map(|create| create.join().unwrap())
    });
    let [one, two] = &answers;
    let first_has_it = one.0 < 300;
    let (winner, loser) = if first_has_it { (first, second) } else { (second, first) };
    let (status, text) = if first_has_it { two } else { one };
    let owner = if first_has_it { "xen1" } else { "xen2" };
    assert_eq!(*status, 500, "{answers:?}");
    assert!(text.contains(&format!("belongs to {owner}")), "{answers:?}");
    // A daemon that is killed leaves its domains to the next one.
    let host = winner.host;
    drop(winner);
    let winner = Daemon::start(host);
    assert_eq!(ask(&loser, "create").0, 500);
    assert_eq!(winner.op("op=destroy").0, 202);
    // A daemon that has just begun tells the fleet later what has ended there.
    loser.until("it is free", || ask(&loser, "new").0 < 300);
    let (status, text) = ask(&winner, "new");
    let loser_name = if first_has_it { "xen2" } else { "xen1" };
    assert_eq!(status, 500, "{text}");
    assert!(text.contains(&format!("on {loser_name}")), "{text}");
    assert_eq!(loser.op("op=start").0, 202);
    assert!(loser.host.fleet(&["leave"]).error().contains("domains of the fleet (1)"));
    // Without etcd, what is there goes on and ends.
    drop(server);
    let form =
        format!("op=create&config={}", WEB1.replace("web1", "new").replace("1111-2", "1112-2"));
    let accept = "HTTP/1.0\r\nAccept: application/json\r\n";
    let request = post("/xend/domain", &form).replacen("HTTP/1.0\r\n", accept, 1);
    let (status, text) = loser.answer(&request).unwrap();
    assert_eq!(status, 503, "{text}");
    assert!(text.contains("fleet_unavailable") && text.contains("etcd"), "{text}");
    assert_eq!(loser.op("op=pause").0, 200);
    assert_eq!(loser.op("op=destroy").0, 202);
}

/// All that etcd has of the fleet, as text.
fn contents(server: &EtcdServer) -> String {
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    let listing = runtime.block_on(Etcd::new(server.settings()).list("/xend/1/lab/")).unwrap();
    let one = |entry: &Entry| format!("{}: {}\n", entry.key, String::from_utf8_lossy(&entry.value));
    listing.entries.iter().map(one).collect()
}

#[test]
fn a_definition_outlives_its_host() {
    let Some(server) = EtcdServer::start() else { return };
    let [xen1, xen2, xen3] = ["xen1", "xen2", "xen3"].map(|name| Host::new(name, &server.url()));
    xen1.fleet(&["init"]).ok();
    let token = xen1.fleet(&["token"]).ok();
    let sealed = contents(&server);
    assert!(sealed.contains("sealed:1:") && !sealed.contains(token.trim()), "{sealed}");
    xen2.fleet(&["join", token.trim()]).ok();
    let [first, second] = [&xen1, &xen2].map(Daemon::start);
    let secret = WEB1.replace("(memory 64)", "(memory 64) (vncpasswd geheim)");
    second.ask(&post("/xend/domain", &format!("op=new&config={secret}"))).unwrap();
    assert!(second.op("op=maxmem_set&memory=96").0 < 300);
    second.until("etcd has the change", || contents(&server).contains("(maxmem 96)"));
    let all = contents(&server);
    assert!(!all.contains("geheim") && all.contains("(vncpasswd sealed:1:"), "{all}");
    // A host whose domains clash does not join.
    let third = Daemon::start(&xen3);
    let other = WEB1.replace("11111111-", "31111111-");
    third.ask(&post("/xend/domain", &format!("op=new&config={other}"))).unwrap();
    let token = xen1.fleet(&["token"]).ok();
    let error = xen3.fleet(&["join", token.trim()]).error();
    assert!(error.contains("web1 (31111111-") && error.contains("on xen2"), "{error}");
    assert!(error.contains("xm rename"), "{error}");
    assert!(third.op("op=rename&name=web3").0 < 300);
    xen3.fleet(&["join", token.trim()]).ok();
    third
        .until("its domain is the fleet's", || contents(&server).contains("/name/web3: 31111111-"));
    let refused = third.answer(&post("/xend/domain/web3", "op=rename&name=web1")).unwrap();
    assert!(refused.1.contains("already exists on xen2"), "{refused:?}");
    // The host of web1 is gone for good.
    assert!(xen1.fleet(&["adopt", "web1"]).error().contains("defined on xen2"));
    drop(second);
    first.until("its end is seen", || first.sees("xen2").is_some_and(|(is_alive, _)| !is_alive));
    let forgotten = xen1.fleet(&["forget", "xen2", "--yes"]).ok();
    assert!(forgotten.contains("Its definitions (1) wait for a host"), "{forgotten}");
    let status = xen1.fleet(&["status"]).out;
    assert!(status.contains("last on xen2, is defined in the fleet and on no host"), "{status}");
    let adopted = xen1.fleet(&["adopt", "web1"]).ok();
    assert!(adopted.contains("is defined on xen1 from now on"), "{adopted}");
    first.until("it is there", || first.has("web1"));
    assert_eq!(first.op("op=start").0, 202);
    let file = "state/domains/11111111-2222-3333-4444-555555555555/config.sxp";
    let copy = std::fs::read_to_string(xen1.dir.path().join(file)).unwrap();
    assert!(copy.contains("geheim") && copy.contains("(maxmem 96)"), "{copy}");
    // What the forgotten host still has is set aside when it comes back.
    let token = xen1.fleet(&["token"]).ok();
    xen2.fleet(&["join", token.trim()]).ok();
    let second = Daemon::start(&xen2);
    second.until("it is set aside", || !second.has("web1"));
    let aside = "state/domains/11111111-2222-3333-4444-555555555555.elsewhere-1/config.sxp";
    assert!(xen2.dir.path().join(aside).exists());
    // Who leaves keeps its definitions, and gives up their names.
    assert!(xen3.fleet(&["leave"]).ok().contains("Its definitions stay on it"));
    assert!(!contents(&server).contains("web3"));
    assert!(third.has("web3"));
}
