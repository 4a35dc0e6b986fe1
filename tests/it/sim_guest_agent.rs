//! The agent in a simulated guest, and the core that asks it.

use crate::engine_support::TestHost;
use crate::sim_support::{
    TestClock, advance, completed, config, device, facts, host, open, settings, with_devices,
};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tempfile::TempDir;
use tokio::time::Instant;
use xend::backend::sim::Sim;
use xend::core::caller::Caller;
use xend::core::error::Error;
use xend::core::model::{DomId, DomainConfig, DomainRef, Password, ShutdownReason, StorePath};
use xend::core::op::{Change, Content, DomainOp, GuestAnswer, GuestOp, Outcome};
use xend::core::ports::{GuestStore, Hypervisor, TreeLimits};
use xend_guest_protocol::keys::{Digest, Private, Public};
use xend_guest_protocol::password::Password as GuestPassword;
use xend_guest_protocol::request::Request;
use xend_guest_protocol::response::Response;

const MAC: &str = "00:16:3e:00:00:05";

/// A guest with a network interface.
fn guest(name: &str) -> DomainConfig {
    with_devices(config(name, 64), [device(&format!("(vif (mac {MAC}) (ip 203.0.113.5))"))])
}

/// A running domain on a new host. It has booted if it boots.
async fn running(config: &DomainConfig) -> (TempDir, Sim, DomId) {
    let (dir, sim) = host(settings());
    let domid = start(&sim, config).await;
    advance(500).await;
    (dir, sim, domid)
}

async fn start(sim: &Sim, config: &DomainConfig) -> DomId {
    let domid = sim.create(&completed(config), Arc::default()).await.unwrap().domid;
    sim.unpause(domid).await.unwrap();
    domid
}

fn path(text: &str) -> StorePath {
    StorePath::new(text).unwrap()
}

async fn read(sim: &Sim, domid: DomId, node: &str) -> Option<String> {
    let value = sim.read_node(domid, &path(node)).await.unwrap();
    value.map(|value| String::from_utf8(value).unwrap())
}

async fn below(sim: &Sim, domid: DomId, node: &str) -> BTreeMap<String, String> {
    let limits = TreeLimits { depth: 9, nodes: 999 };
    let nodes = sim.read_tree(domid, &path(node), limits).await.unwrap();
    let text = |value| String::from_utf8(value).unwrap();
    nodes.into_iter().map(|(path, value)| (path, text(value))).collect()
}

async fn write(sim: &Sim, domid: DomId, node: &str, value: &str) {
    sim.write_node(domid, &path(node), value.as_bytes()).await.unwrap();
}

/// The response of this name, if it comes within ten seconds.
async fn response(sim: &Sim, domid: DomId, id: &str) -> Option<String> {
    let end = Instant::now() + Duration::from_secs(10);
    while Instant::now() < end {
        if let Some(text) = read(sim, domid, &format!("data/guest/{id}")).await {
            assert_eq!(read(sim, domid, &format!("data/host/{id}")).await, None);
            return Some(text);
        }
        advance(5).await;
    }
    None
}

/// Sends a request, and reads the text of the response.
async fn ask_for_text(sim: &Sim, domid: DomId, name: &str, value: Value) -> Option<String> {
    let id = format!("id-{name}");
    sim.remove_node(domid, &path(&format!("data/guest/{id}"))).await.unwrap();
    write(sim, domid, &format!("data/host/{id}"), &Request::new(name, value).to_json()).await;
    response(sim, domid, &id).await
}

async fn ask(sim: &Sim, domid: DomId, name: &str, value: impl Into<Value>) -> Response {
    let text = ask_for_text(sim, domid, name, value.into()).await.unwrap();
    Response::parse(text.as_bytes()).unwrap()
}

/// Makes a key with the agent and encrypts a password with it.
async fn encrypted(sim: &Sim, domid: DomId, password: &str, digest: Digest) -> String {
    let own = Private::from_random(&mut [7; 16]);
    let response = ask(sim, domid, "keyinit", own.public().to_string()).await;
    assert_eq!(response.returncode, "D0", "{response:?}");
    let key = own.shared_with(Public::parse(&response.message).unwrap());
    key.encrypt(&GuestPassword::new(password).unwrap(), digest)
}

#[tokio::test(start_paused = true)]
async fn a_guest_reports_once_it_has_booted() {
    let (_dir, sim) = host(settings());
    let mut reports = sim.subscribe_reports();
    let config = with_devices(guest("web1"), [device("(vif (mac 00:16:3e:01:02:03))")]);
    let domid = sim.create(&completed(&config), Arc::default()).await.unwrap().domid;
    advance(5_000).await;
    assert!(reports.try_recv().is_err());
    assert_eq!(below(&sim, domid, "attr").await, BTreeMap::new());

    let started = Instant::now();
    sim.unpause(domid).await.unwrap();
    assert_eq!(reports.recv().await, Some(domid));
    let took = started.elapsed();
    assert!((Duration::from_millis(425)..Duration::from_millis(435)).contains(&took), "{took:?}");
    let attr = below(&sim, domid, "attr").await;
    for (node, value) in [
        ("attr/vif/0/ipv4/0", "203.0.113.5"),
        ("attr/vif/0/ipv6/0", "fe80::216:3eff:fe00:5"),
        ("attr/vif/1/ipv4/0", "10.1.2.3"),
        ("attr/PVAddons/MajorVersion", "1"),
    ] {
        assert_eq!(attr.get(node).map(String::as_str), Some(value), "{node}");
    }
    let data = below(&sim, domid, "data").await;
    assert_eq!(data["data/host_name_dns"], "web1");
    assert_eq!(data["data/os_distro"], "debian");
    assert_eq!(data["data/meminfo_total"], "65536");
    assert_eq!(read(&sim, domid, "control/feature-suspend").await.as_deref(), Some("1"));
    advance(60_000).await;
    assert!(reports.try_recv().is_err(), "nothing is new");

    sim.set_memory_target(domid, 32).await.unwrap();
    assert_eq!(reports.recv().await, Some(domid));
    assert_eq!(read(&sim, domid, "data/meminfo_total").await.as_deref(), Some("32768"));
    sim.detach_device(domid, &completed(&config).devices[0], false).await.unwrap();
    assert_eq!(reports.recv().await, Some(domid));
    assert_eq!(read(&sim, domid, "attr/vif/0/ipv4/0").await, None);
    let mut again = sim.subscribe_reports();
    assert_eq!(again.try_recv(), Ok(domid), "what is there comes once");
    assert!(again.try_recv().is_err());
}

#[tokio::test(start_paused = true)]
async fn an_agent_answers_one_request_after_the_other() {
    let (_dir, sim, domid) = running(&guest("web1")).await;
    assert_eq!(ask(&sim, domid, "version", "agent").await, Response::ok("1.0.0"));
    let features = ask(&sim, domid, "features", "").await;
    assert!(features.message.split(',').any(|name| name == "file_inject"), "{features:?}");
    assert_eq!(
        ask(&sim, domid, "kmsactivate", "").await,
        Response::new("404", "No such agent command 'kmsactivate'")
    );
    assert_eq!(ask(&sim, domid, "agentupdate", "").await.returncode, "500");
    for (request, message) in [
        ("{", "Request is malformed"),
        ("[1]", "Request is malformed"),
        ("{}", "Request is missing 'name' key"),
    ] {
        write(&sim, domid, "data/host/bad", request).await;
        let text = response(&sim, domid, "bad").await.unwrap();
        assert_eq!(Response::parse(text.as_bytes()).unwrap(), Response::failed(message));
        sim.remove_node(domid, &path("data/guest/bad")).await.unwrap();
    }

    let before = below(&sim, domid, "data/guest").await.len();
    for n in 0..40 {
        write(&sim, domid, &format!("data/host/{n:02}"), r#"{"name":"version"}"#).await;
    }
    advance(100).await;
    let answered = below(&sim, domid, "data/guest").await.len() - before;
    assert!((2..6).contains(&answered), "{answered} at once");
    advance(1_000).await;
    assert_eq!(below(&sim, domid, "data/host").await, BTreeMap::new());
    assert_eq!(below(&sim, domid, "data/guest").await.len(), 32, "the agent tidies up");
}

#[tokio::test(start_paused = true)]
async fn a_password_is_set_after_a_key_exchange() {
    let (dir, sim, domid) = running(&guest("web1")).await;
    for digest in [Digest::Md5, Digest::Sha256] {
        let password = format!("hunter2-{digest:?}");
        let sent = encrypted(&sim, domid, &password, digest).await;
        assert_eq!(ask(&sim, domid, "password", sent.clone()).await, Response::ok(""));
        let stored = sim.guest_password(domid, "root").unwrap().unwrap();
        assert_eq!(stored.reveal(), password.as_str());
        // The key is for one password.
        let again = ask(&sim, domid, "password", sent).await;
        assert_eq!(again, Response::failed("Password without key exchange"));
    }
    let sent = encrypted(&sim, domid, "of ann", Digest::Md5).await;
    let value = json!({ "user": "ann", "password": sent });
    assert_eq!(ask(&sim, domid, "password", value).await, Response::ok(""));
    assert_eq!(sim.guest_password(domid, "ann").unwrap(), Password::new("of ann".into()));
    assert_eq!(sim.guest_password(domid, "bob").unwrap(), None);

    let sent = encrypted(&sim, domid, "late", Digest::Md5).await;
    advance(61_000).await;
    let late = ask(&sim, domid, "password", sent).await;
    assert_eq!(late, Response::failed("Password without key exchange"));
    encrypted(&sim, domid, "x", Digest::Md5).await;
    let bad = ask(&sim, domid, "password", "AAAA").await;
    assert_eq!(bad, Response::failed("Invalid password data received"));
    assert_eq!(ask(&sim, domid, "keyinit", "1").await.returncode, "500");

    assert!(!contains(dir.path(), b"hunter2") && !contains(dir.path(), b"of ann"));
    sim.destroy(domid, Arc::default()).await.unwrap();
    assert!(sim.guest_password(domid, "root").is_err());
}

/// Whether a file below the directory has these bytes.
fn contains(dir: &Path, bytes: &[u8]) -> bool {
    fs::read_dir(dir).unwrap().any(|entry| {
        let path = entry.unwrap().path();
        if path.is_dir() {
            contains(&path, bytes)
        } else {
            fs::read(&path).unwrap().windows(bytes.len()).any(|window| window == bytes)
        }
    })
}

#[tokio::test(start_paused = true)]
async fn files_are_written_in_two_ways() {
    let (_dir, sim, domid) = running(&guest("web1")).await;
    // "/etc/motd,Hello, world"
    let sent = "L2V0Yy9tb3RkLEhlbGxvLCB3b3JsZA==";
    assert_eq!(ask(&sim, domid, "injectfile", sent).await, Response::ok(""));
    let file = |name| sim.guest_file(domid, name).unwrap();
    assert_eq!(file("/etc/motd").unwrap(), b"Hello, world");
    // "/root/a,b" and three bytes that are no text.
    let value = json!({ "b64_path": "L3Jvb3QvYSxi", "b64_file": "/wD+" });
    assert_eq!(ask(&sim, domid, "file_inject", value).await, Response::ok(""));
    assert_eq!(file("/root/a,b").unwrap(), b"\xff\x00\xfe");
    assert_eq!(file("/etc/passwd"), None);
    let bad = ask(&sim, domid, "injectfile", "?").await;
    assert_eq!(bad, Response::failed("Error doing base64 decoding of data"));
    // "../x,y"
    assert_eq!(ask(&sim, domid, "injectfile", "Li4veCx5").await.returncode, "500");
}

#[tokio::test(start_paused = true)]
async fn the_network_is_set_from_vm_data() {
    let (_dir, sim, domid) = running(&guest("web1")).await;
    let mut reports = sim.subscribe_reports();
    reports.recv().await.unwrap();
    assert_eq!(ask(&sim, domid, "resetnetwork", "").await, Response::ok(""));
    let settings = json!({
        "label": "public", "mac": MAC, "gateway": "198.51.100.1",
        "ips": [{ "ip": "198.51.100.7", "netmask": "255.255.255.0", "enabled": "1" }],
        "ip6s": [{ "ip": "2001:db8::7", "netmask": 64, "enabled": "1" }],
    });
    write(&sim, domid, "vm-data/networking/00163E000005", &settings.to_string()).await;
    write(&sim, domid, "vm-data/hostname", "web9").await;
    assert!(reports.try_recv().is_err());
    assert_eq!(ask(&sim, domid, "resetnetwork", "").await, Response::ok(""));
    assert_eq!(reports.try_recv(), Ok(domid));
    let attr = below(&sim, domid, "attr/vif").await;
    assert_eq!(attr["attr/vif/0/ipv4/0"], "198.51.100.7");
    assert_eq!(attr["attr/vif/0/ipv6/0"], "2001:db8::7");
    assert_eq!(attr["attr/vif/0/ipv6/1"], "fe80::216:3eff:fe00:5");
    assert_eq!(read(&sim, domid, "data/host_name_dns").await.as_deref(), Some("web9"));

    write(&sim, domid, "vm-data/hostname", "no name").await;
    let refused = ask(&sim, domid, "resetnetwork", "").await;
    assert!(refused.message.starts_with("Couldn't set hostname: "), "{refused:?}");
    let foreign = settings.to_string().replace(MAC, "00:16:3e:99:99:99");
    write(&sim, domid, "vm-data/networking/00163E999999", &foreign).await;
    let refused = ask(&sim, domid, "resetnetwork", "").await;
    assert_eq!(refused, Response::failed("Unknown interface MAC 00:16:3e:99:99:99"));
    assert_eq!(below(&sim, domid, "attr/vif").await, attr);
    assert!(reports.try_recv().is_err());
}

#[tokio::test(start_paused = true)]
async fn an_old_agent_knows_less() {
    let (_dir, sim, domid) = running(&guest("agentold")).await;
    assert_eq!(below(&sim, domid, "attr").await, BTreeMap::new());
    let text = ask_for_text(&sim, domid, "features", "".into()).await.unwrap();
    let response: Value = serde_json::from_str(&text).unwrap();
    let message = "No such agent command 'features'";
    assert_eq!(response, json!({ "returncode": 404, "message": message }));
    assert_eq!(ask(&sim, domid, "version", "").await, Response::ok("1.39.1"));
    assert_eq!(ask(&sim, domid, "nosuch", "").await, Response::ok(""));
    let value = json!({ "b64_path": "L3Jvb3QvYSxi", "b64_file": "/wD+" });
    assert_eq!(ask(&sim, domid, "file_inject", value).await, Response::ok(""));
    assert_eq!(sim.guest_file(domid, "/root/a,b").unwrap(), None);
    ask(&sim, domid, "injectfile", "L2V0Yy9tb3RkLEhlbGxvLCB3b3JsZA==").await;
    assert!(sim.guest_file(domid, "/etc/motd").unwrap().is_some());
    // Nothing removes its responses, and XenStore refuses those that do not fit.
    for n in 0..60 {
        let id = format!("{n:08}-89ab-cdef-0123-456789abcdef");
        write(&sim, domid, &format!("data/host/{id}"), r#"{"name":"version"}"#).await;
    }
    advance(2_000).await;
    assert_eq!(below(&sim, domid, "data/host").await, BTreeMap::new());
    let left = below(&sim, domid, "data/guest").await.len();
    assert!((50..60).contains(&left), "{left} responses");
}

#[tokio::test(start_paused = true)]
async fn agents_misbehave_on_request() {
    let (_dir, sim, domid) = running(&guest("agentslow")).await;
    assert_eq!(below(&sim, domid, "attr").await, BTreeMap::new());
    advance(3_000).await;
    let started = Instant::now();
    ask(&sim, domid, "version", "").await;
    assert!(started.elapsed() >= Duration::from_secs(3));

    let domid = start(&sim, &guest("agentabsent")).await;
    assert_eq!(ask_for_text(&sim, domid, "version", "".into()).await, None);
    assert!(read(&sim, domid, "data/host/id-version").await.is_some());
    assert_eq!(below(&sim, domid, "attr").await, BTreeMap::new());

    let domid = start(&sim, &guest("agentbroken")).await;
    let text = ask_for_text(&sim, domid, "version", "".into()).await.unwrap();
    assert!(Response::parse(text.as_bytes()).is_err(), "{text}");
    assert!(!below(&sim, domid, "attr").await.is_empty());

    let mut config = guest("agentreboots");
    let domid = start(&sim, &config).await;
    assert_eq!(ask_for_text(&sim, domid, "version", "".into()).await, None);
    assert_eq!(facts(&sim, domid).await.flags.shutdown, Some(ShutdownReason::Reboot));
    config.restarts = 1;
    let domid = start(&sim, &config).await;
    assert_eq!(ask(&sim, domid, "version", "").await, Response::ok("1.0.0"));
}

#[tokio::test(start_paused = true)]
async fn a_guest_answers_only_while_it_runs() {
    let (_dir, sim) = host(settings());
    let domid = sim.create(&completed(&guest("a")), Arc::default()).await.unwrap().domid;
    assert_eq!(ask_for_text(&sim, domid, "version", "".into()).await, None);
    sim.unpause(domid).await.unwrap();
    assert!(response(&sim, domid, "id-version").await.is_some());
    sim.pause(domid).await.unwrap();
    assert_eq!(ask_for_text(&sim, domid, "version", "".into()).await, None);
    sim.unpause(domid).await.unwrap();
    assert!(response(&sim, domid, "id-version").await.is_some());
    sim.shutdown(domid, ShutdownReason::Poweroff).await.unwrap();
    advance(1_000).await;
    assert_eq!(ask_for_text(&sim, domid, "version", "".into()).await, None);
}

#[tokio::test(start_paused = true)]
async fn an_agent_works_while_the_daemon_is_down() {
    let dir = tempfile::tempdir().unwrap();
    let clock = TestClock::new();
    let sim = open(dir.path(), &clock);
    let domid = start(&sim, &guest("web1")).await;
    advance(500).await;
    ask(&sim, domid, "injectfile", "L2V0Yy9tb3RkLEhlbGxvLCB3b3JsZA==").await;
    write(&sim, domid, "vm-data/note", "kept").await;
    for id in ["one", "two"] {
        write(&sim, domid, &format!("data/host/{id}"), r#"{"name":"version"}"#).await;
    }
    drop(sim);
    advance(5_000).await;

    let sim = open(dir.path(), &clock);
    let mut reports = sim.subscribe_reports();
    assert_eq!(reports.try_recv(), Ok(domid));
    assert!(response(&sim, domid, "one").await.is_some());
    assert!(response(&sim, domid, "two").await.is_some());
    assert_eq!(read(&sim, domid, "vm-data/note").await.as_deref(), Some("kept"));
    assert_eq!(sim.guest_file(domid, "/etc/motd").unwrap().unwrap(), b"Hello, world");
    sim.destroy(domid, Arc::default()).await.unwrap();
    assert!(matches!(sim.read_node(domid, &path("name")).await, Err(Error::Gone(_))));
}

#[tokio::test(start_paused = true)]
async fn a_save_takes_the_system_along_and_no_nodes() {
    let host = TestHost::new().await;
    host.create(guest("web1")).await.unwrap();
    host.change("web1", DomainOp::Unpause).await.unwrap();
    advance(500).await;
    let sim = &host.hypervisor.sim;
    let domid = host.find("web1").await.unwrap().domid().unwrap();
    write(sim, domid, "vm-data/hostname", "web9").await;
    ask(sim, domid, "resetnetwork", "").await;
    ask(sim, domid, "injectfile", "L2V0Yy9tb3RkLEhlbGxvLCB3b3JsZA==").await;
    let file = host.dir.path().join("saved");
    let save = DomainOp::Save { file: file.clone(), checkpoint: false, replace: true };
    host.change("web1", save).await.unwrap();
    let restore = Change::Restore { file, paused: false };
    host.engine.execute(&Caller::internal(), restore).await.unwrap();
    let domid = host.find("web1").await.unwrap().domid().unwrap();
    advance(500).await;
    assert_eq!(read(sim, domid, "vm-data/hostname").await, None);
    assert_eq!(read(sim, domid, "data/host_name_dns").await.as_deref(), Some("web9"));
    assert_eq!(sim.guest_file(domid, "/etc/motd").unwrap().unwrap(), b"Hello, world");
    assert_eq!(ask(sim, domid, "version", "").await, Response::ok("1.0.0"));
}

/// Has the engine ask the agent, within five seconds.
async fn through_engine(host: &TestHost, domain: &str, op: GuestOp) -> Result<String, Error> {
    let limit = Duration::from_secs(5);
    let change = Change::Guest { domain: DomainRef::new(domain), op, limit };
    match host.engine.execute(&Caller::internal(), change).await? {
        Outcome::Guest(GuestAnswer::Message(message)) => Ok(message),
        outcome => panic!("{outcome:?}"),
    }
}

/// A host with a guest that has booted.
async fn host_with(config: DomainConfig) -> (TestHost, DomId) {
    let host = TestHost::new().await;
    let name = config.name.to_string();
    host.create(config).await.unwrap();
    host.change(&name, DomainOp::Unpause).await.unwrap();
    advance(1_000).await;
    let domid = host.find(&name).await.unwrap().domid().unwrap();
    (host, domid)
}

#[tokio::test(start_paused = true)]
async fn the_engine_asks_the_agent() {
    let (host, domid) = host_with(guest("web1")).await;
    let sim = &host.hypervisor.sim;
    assert_eq!(through_engine(&host, "web1", GuestOp::AgentVersion).await.unwrap(), "1.0.0");
    for (user, password) in [("root", "one"), ("ann", "two")] {
        let password = Password::new(password.into()).unwrap();
        let op = GuestOp::SetPassword { user: user.to_owned(), password: password.clone() };
        through_engine(&host, "web1", op).await.unwrap();
        assert_eq!(sim.guest_password(domid, user).unwrap(), Some(password));
    }
    let op = GuestOp::InjectFile { path: "/a,b".to_owned(), content: Content(b"x\0".to_vec()) };
    through_engine(&host, "web1", op).await.unwrap();
    assert_eq!(sim.guest_file(domid, "/a,b").unwrap().unwrap(), b"x\0");

    let report = host.find("web1").await.unwrap().report.clone().unwrap();
    assert_eq!(report.host_name.as_deref(), Some("web1"));
    assert_eq!(report.reachable().map(|ip| ip.to_string()).collect::<Vec<_>>(), ["203.0.113.5"]);
    let op = GuestOp::ResetNetwork { interfaces: vec![], host_name: Some("web9".to_owned()) };
    through_engine(&host, "web1", op).await.unwrap();
    advance(2_000).await;
    let report = host.find("web1").await.unwrap().report.clone().unwrap();
    assert_eq!(report.host_name.as_deref(), Some("web9"));
    let limits = TreeLimits { depth: 9, nodes: 99 };
    for node in ["data/host", "data/guest"] {
        assert!(sim.read_tree(domid, &path(node), limits).await.unwrap().is_empty(), "{node}");
    }
    host.change("web1", DomainOp::Destroy).await.unwrap();
    let gone = through_engine(&host, "web1", GuestOp::AgentVersion).await;
    assert!(gone.is_err(), "{gone:?}");
}

#[tokio::test(start_paused = true)]
async fn a_report_that_was_not_read_is_read_again() {
    let host = TestHost::new().await;
    host.hypervisor.trees_fail.store(true, Ordering::Relaxed);
    host.create(guest("web1")).await.unwrap();
    host.change("web1", DomainOp::Unpause).await.unwrap();
    advance(2_000).await;
    assert!(host.find("web1").await.unwrap().report.is_none());
    // The agent has nothing new to report.
    host.hypervisor.trees_fail.store(false, Ordering::Relaxed);
    advance(10_000).await;
    assert!(host.find("web1").await.unwrap().report.is_some());
}

/// What a guest reports costs little, however much it is and however often it changes.
#[tokio::test(start_paused = true)]
async fn reports_are_read_within_limits() {
    let (host, domid) = host_with(guest("web1")).await;
    let sim = &host.hypervisor.sim;
    for n in 0..300 {
        write(sim, domid, &format!("attr/x{n}"), "").await;
    }
    let read = || host.hypervisor.nodes_read.swap(0, Ordering::Relaxed);
    read();
    advance(60_000).await;
    assert_eq!(read(), 0, "nothing is new");
    sim.set_memory_target(domid, 48).await.unwrap();
    advance(2_000).await;
    let once = read();
    assert!(once > 0 && once % 256 == 0, "{once}");
    let report = host.find("web1").await.unwrap().report.clone().unwrap();
    assert_eq!(report.host_name.as_deref(), Some("web1"), "the rest is not lost");

    // It changes each second for ten minutes.
    advance(400_000).await;
    for n in 0..600 {
        sim.set_memory_target(domid, 40 + n % 2).await.unwrap();
        advance(1_000).await;
    }
    let readings = read() / 256;
    assert!((20..=35).contains(&readings), "{readings}");
    advance(60_000).await;
    let report = host.find("web1").await.unwrap().report.clone().unwrap();
    assert_eq!(report.memory.map(|memory| memory.total_kib), Some(41 * 1024));
}

#[tokio::test(start_paused = true)]
async fn settings_of_interfaces_that_have_gone_are_removed() {
    let json = |address: &str| format!(r#"{{"ips":[{{"ip":"{address}","netmask":24}}]}}"#);
    let reset = || GuestOp::ResetNetwork {
        interfaces: vec![("00163E000005".to_owned(), json("203.0.113.6"))],
        host_name: None,
    };
    let nodes = [
        // Of an interface that the guest does not have, and another spelling of its own.
        ("vm-data/networking/00163E0000FF", json("203.0.113.7")),
        ("vm-data/networking/00163e000005", json("203.0.113.8")),
        ("vm-data/user-metadata/role", "web".to_owned()),
    ];
    let (host, domid) = host_with(guest("web1")).await;
    let sim = &host.hypervisor.sim;
    for (node, value) in &nodes {
        write(sim, domid, node, value).await;
    }
    through_engine(&host, "web1", reset()).await.unwrap();
    let left = below(sim, domid, "vm-data").await;
    let expected = [
        "vm-data/networking",
        "vm-data/networking/00163E000005",
        "vm-data/user-metadata",
        "vm-data/user-metadata/role",
    ];
    assert_eq!(left.keys().collect::<Vec<_>>(), expected);

    // A reset that fails changes nothing.
    let (host, domid) = host_with(guest("agentabsent")).await;
    let sim = &host.hypervisor.sim;
    for (node, value) in &nodes {
        write(sim, domid, node, value).await;
    }
    let before = below(sim, domid, "vm-data").await;
    through_engine(&host, "agentabsent", reset()).await.unwrap_err();
    assert_eq!(below(sim, domid, "vm-data").await, before);
}

#[tokio::test(start_paused = true)]
async fn the_engine_copes_with_agents_that_misbehave() {
    let file = || GuestOp::InjectFile { path: "/a".to_owned(), content: Content(b"x".to_vec()) };
    let (host, domid) = host_with(guest("agentold")).await;
    through_engine(&host, "agentold", file()).await.unwrap();
    assert!(host.hypervisor.sim.guest_file(domid, "/a").unwrap().is_some());
    let unknown = through_engine(&host, "agentold", GuestOp::AgentFeatures).await.unwrap_err();
    assert!(matches!(&unknown, Error::AgentFailed { returncode, .. } if returncode == "404"));
    assert!(host.find("agentold").await.unwrap().report.is_none());

    let (host, _) = host_with(guest("agentbroken")).await;
    let broken = through_engine(&host, "agentbroken", GuestOp::AgentVersion).await.unwrap_err();
    assert!(matches!(broken, Error::AgentResponse(_)), "{broken}");
    if let Some(report) = &host.find("agentbroken").await.unwrap().report {
        assert!(report.addresses.is_empty() && report.memory.is_none(), "{report:?}");
    }

    let (host, domid) = host_with(guest("agentabsent")).await;
    let sim = &host.hypervisor.sim;
    let absent = through_engine(&host, "agentabsent", GuestOp::AgentVersion).await.unwrap_err();
    assert!(matches!(absent, Error::AgentTimeout { seconds: 5 }), "{absent}");
    assert!(below(sim, domid, "data/host").await.is_empty(), "no request is left");

    // A response that comes after its time is removed later.
    let (host, domid) = host_with(guest("agentslow")).await;
    advance(3_000).await;
    let sim = &host.hypervisor.sim;
    let change = Change::Guest {
        domain: DomainRef::new("agentslow"),
        op: GuestOp::AgentVersion,
        limit: Duration::from_secs(2),
    };
    let late = host.engine.execute(&Caller::internal(), change).await.unwrap_err();
    assert!(matches!(late, Error::AgentTimeout { seconds: 2 }), "{late}");
    advance(5_000).await;
    assert_eq!(below(sim, domid, "data/guest").await.len(), 1);
    advance(700_000).await;
    assert!(below(sim, domid, "data/guest").await.is_empty(), "no response is left");
}

#[tokio::test(start_paused = true)]
async fn a_guest_that_reboots_is_asked_again() {
    let (host, first) = host_with(guest("agentreboots")).await;
    // A restart now is not taken for a loop.
    advance(61_000).await;
    let rebooted = through_engine(&host, "agentreboots", GuestOp::AgentVersion).await.unwrap_err();
    assert!(matches!(rebooted, Error::Rebooted(domid) if domid == first), "{rebooted}");
    advance(1_000).await;
    let view = host.find("agentreboots").await.unwrap();
    assert_ne!(view.domid(), Some(first));
    assert_eq!(
        through_engine(&host, "agentreboots", GuestOp::AgentVersion).await.unwrap(),
        "1.0.0"
    );
}
