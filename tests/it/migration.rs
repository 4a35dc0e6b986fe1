//! Migration between two daemons, with a proxy between them that can cut the connection.

use crate::engine_support::TestHost;
use crate::http_support::{Answer, Daemon, GENEROUS, Listener, encoded, guest, post, try_ask};
use crate::proxy_support::{Cut, Proxy};
use rustix::process::Signal;
use std::io::Read as _;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;
use xend::server::Identities;
use xend::wire::relocation::RelocationServer;

fn host() -> Daemon {
    Daemon::start(&["--relocation", "127.0.0.1:0"])
}

fn migrate(from: &Daemon, name: &str, to: SocketAddr, live: bool) -> Answer {
    let form =
        format!("op=migrate&destination={}&port={}&live={}", to.ip(), to.port(), u8::from(live));
    from.post(&format!("/xend/domain/{name}"), &form)
}

fn start_guest(daemon: &Daemon, name: &str) {
    assert_eq!(daemon.create(&guest(name, "")).code, 201);
    assert_eq!(daemon.post(&format!("/xend/domain/{name}"), "op=unpause").code, 200);
}

/// Waits until the domain runs on exactly one of two hosts. Returns whether it is on each.
fn wait_until_on_one(one: &Daemon, other: &Daemon, name: &str) -> (bool, bool) {
    let runs = |daemon: &Daemon| {
        daemon.domain(name).is_some_and(|domain| {
            let state = domain.value("state").and_then(|s| s.as_str()).unwrap_or("none");
            !state.contains(['p', 's', 'd', 'c'])
        })
    };
    let started = Instant::now();
    loop {
        let there = (one.domain(name).is_some(), other.domain(name).is_some());
        if there.0 != there.1 && runs(if there.0 { one } else { other }) {
            return there;
        }
        assert!(started.elapsed() < GENEROUS, "{name}: {there:?}\n{}\n{}", one.log(), other.log());
        thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_migrated_domain_keeps_its_settings_and_runs() {
    let a = host();
    let b = host();
    start_guest(&a, "web");
    a.until("boots", |a| a.value("web", "online_vcpus") == "2");
    a.post("/xend/domain/web", "op=mem_target_set&target=48");
    let before = a.domain("web").unwrap();
    for live in [false, true] {
        let (from, to) = if live { (&b, &a) } else { (&a, &b) };
        let answer = migrate(from, "web", to.relocation.unwrap(), live);
        assert_eq!(
            (answer.status().as_str(), answer.body.len()),
            ("200 OK", 0),
            "{}",
            answer.text()
        );
        assert!(from.domain("web").is_none());
        let after = to.domain("web").unwrap();
        for key in ["uuid", "memory", "maxmem", "vcpus", "on_crash"] {
            assert_eq!(after.value(key), before.value(key), "{key}");
        }
        assert!(!after.value("state").unwrap().as_str().unwrap().contains('p'));
    }
    assert_eq!(a.post("/xend/domain/web", "op=destroy").code, 202);
}

#[test]
fn the_definition_of_a_managed_domain_migrates_too() {
    let a = host();
    let b = host();
    let config = guest("web", "(uuid 11111111-2222-3333-4444-555555555555)");
    assert_eq!(a.post("/xend/domain", &format!("op=new&config={}", encoded(&config))).code, 200);
    assert_eq!(a.post("/xend/domain/web", "op=start").code, 202);
    assert_eq!(migrate(&a, "web", b.relocation.unwrap(), true).code, 200);
    assert_eq!(a.get("/xend/domain?state=all").text(), "(Domain-0)");
    assert_eq!(b.post("/xend/domain/web", "op=destroy").code, 202);
    assert_eq!(b.get("/xend/domain?state=halted").text(), "(web)");
    let b = b.killed_and_restarted();
    assert_eq!(b.get("/xend/domain?state=halted").text(), "(web)");
    let a = a.killed_and_restarted();
    assert_eq!(a.get("/xend/domain?state=all").text(), "(Domain-0)");
}

/// The new UUID is the same in the definition.
#[test]
fn a_device_whose_uuid_is_taken_on_the_other_host_gets_a_new_one() {
    const VIF: &str = "22222222-2222-3333-4444-555555555555";
    let a = host();
    let b = host();
    let define = |daemon: &Daemon, name: &str| {
        let vif = format!("(device (vif (bridge xenbr0) (uuid {VIF})))");
        let config =
            format!("(vm (name {name}) (memory 64) (image (linux (kernel /boot/vmlinuz))) {vif})");
        let form = format!("op=new&config={}", encoded(&config));
        assert_eq!(daemon.post("/xend/domain", &form).code, 200);
    };
    define(&a, "web");
    define(&b, "other");
    assert_eq!(a.post("/xend/domain/web", "op=start").code, 202);
    let shown = |name: &str| b.get(&format!("/xend/domain/{name}")).text();
    let vif = |name: &str| {
        let shown = shown(name);
        let vif = shown.split("(vif").nth(1).and_then(|vif| vif.split("(uuid ").nth(1));
        vif.map(|uuid| uuid[..36].to_owned()).unwrap()
    };
    assert_eq!(migrate(&a, "web", b.relocation.unwrap(), true).code, 200);
    let new = vif("web");
    assert_ne!(new, VIF);
    assert_eq!(vif("other"), VIF);
    assert_eq!(b.post("/xend/domain/web", "op=destroy").code, 202);
    assert_eq!(vif("web"), new);
}

#[test]
fn a_refused_domain_stays_where_it_is() {
    let a = host();
    let b = host();
    start_guest(&a, "web");
    start_guest(&b, "web");
    let domid = a.value("web", "domid");
    let answer = migrate(&a, "web", b.relocation.unwrap(), false);
    assert_eq!(answer.status(), "500 Request failed: migrate");
    assert!(answer.text().contains("already exists"), "{}", answer.text());
    assert_eq!(a.value("web", "domid"), domid);
    // Each of the hosts logs it once.
    for host in [&a, &b] {
        let log = host.log();
        let about: Vec<_> = log.lines().filter(|line| line.contains("already exists")).collect();
        assert_eq!(about.len(), 1, "{log}");
    }
    // To itself.
    assert!(migrate(&a, "web", a.relocation.unwrap(), false).text().contains("already exists"));
    // To a closed port.
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let said = migrate(&a, "web", closed, false).text();
    assert!(
        said.contains("cannot be reached") && said.contains("see xend-relocation-server"),
        "{said}"
    );
    // To a port with another service.
    assert_eq!(migrate(&a, "web", b.tcp, false).code, 500);
    for form in [
        "op=migrate",
        "op=migrate&destination=",
        "op=migrate&destination=x&ssl=1",
        "op=migrate&destination=x&ssl=maybe",
        "op=migrate&destination=a%20b",
    ] {
        assert_eq!(a.post("/xend/domain/web", form).code, 500, "{form}");
    }
    assert!(a.post("/xend/domain/0", "op=migrate&destination=x").text().contains("privileged"));
    assert_eq!(a.value("web", "domid"), domid);
    assert!(
        a.value("web", "state").contains(['b', 'r', '-']) && !a.value("web", "state").contains('s')
    );
    // A paused domain cannot be sent, as with save.
    a.post("/xend/domain/web", "op=pause");
    assert!(migrate(&a, "web", b.relocation.unwrap(), false).text().contains("it is paused"));
}

#[test]
fn a_host_that_is_not_allowed_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("c.sxp");
    std::fs::write(&file, "(xend-relocation-hosts-allow '^192\\.0\\.2\\.')\n").unwrap();
    let b = Daemon::start_with_config(
        tempfile::tempdir().unwrap(),
        &file,
        &["--relocation", "127.0.0.1:0"],
    );
    let a = host();
    start_guest(&a, "web");
    let answer = migrate(&a, "web", b.relocation.unwrap(), false);
    assert!(answer.text().contains("not allowed"), "{}", answer.text());
    assert_eq!(wait_until_on_one(&a, &b, "web"), (true, false));
}

#[test]
fn a_cut_anywhere_leaves_the_domain_on_exactly_one_host() {
    let a = host();
    let b = host();
    let proxy = Proxy::to(b.relocation.unwrap());
    // Once without a cut, to learn the number of bytes in each direction.
    start_guest(&a, "web");
    proxy.cut(&[]);
    assert_eq!(migrate(&a, "web", proxy.address, true).code, 200);
    let there = proxy.there.load(Ordering::SeqCst);
    let back = proxy.back.load(Ordering::SeqCst);
    assert_eq!(back, "(ready)\n(arrived)\n(taken)\n".len());
    b.post("/xend/domain/web", "op=destroy");

    // The number of bytes to the receiver varies a little: for a cut near the end, either host may
    // have the domain.
    let stays = Some(false);
    let moves = Some(true);
    let either = None;
    let mut cuts = vec![
        (Cut::AtOnce, stays),
        (Cut::There(0), stays),
        (Cut::There(1), stays),
        (Cut::There(200), stays),
        (Cut::Back(0), stays),
        (Cut::Back(4), stays),
        (Cut::There(there / 2), stays),
        (Cut::There(there - 100), stays),
        (Cut::Back(8), stays),
        (Cut::Back(12), stays),
        (Cut::Back(18), stays),
        (Cut::Back(19), moves),
        (Cut::Back(25), moves),
    ];
    cuts.extend((1..8).map(|n| (Cut::There(there * n / 9), stays)));
    cuts.extend((there - 10..there + 2).map(|n| (Cut::There(n), either)));
    for (cut, expected) in cuts {
        start_guest(&a, "web");
        proxy.cut(&[cut]);
        let answer = migrate(&a, "web", proxy.address, true);
        let (on_a, on_b) = wait_until_on_one(&a, &b, "web");
        assert!(
            on_a != on_b && expected.is_none_or(|expected| expected == on_b),
            "{cut:?}: {}",
            answer.text()
        );
        assert_eq!(answer.code, if on_b { 200 } else { 500 }, "{cut:?}: {}", answer.text());
        let at = if on_b { &b } else { &a };
        assert_eq!(at.post("/xend/domain/web", "op=destroy").code, 202);
        // A busy host may still show the domain of the cut connection.
        for host in [&a, &b] {
            host.until(&format!("{cut:?}: the domain is gone"), |host| {
                host.domain("web").is_none()
            });
        }
    }
}

#[test]
fn a_domain_in_doubt_stays_suspended_until_the_other_host_answers() {
    let a = host();
    let b = host();
    let proxy = Proxy::to(b.relocation.unwrap());
    start_guest(&a, "web");
    // The last message is lost, and the host is unreachable for a while.
    proxy.cut(&[[Cut::Back(19)].as_slice(), &[Cut::AtOnce; 4]].concat());
    let answer = migrate(&a, "web", proxy.address, false);
    assert_eq!(answer.code, 500);
    assert!(answer.text().contains("xend keeps it suspended"), "{}", answer.text());
    assert!(a.value("web", "state").contains('s') && b.domain("web").is_some());
    // Only destroy is possible meanwhile, also after a restart.
    assert_eq!(a.post("/xend/domain/web", "op=unpause").code, 500);
    let a = {
        let (_, dir) = a.end(Signal::KILL);
        Daemon::start_in(dir, &["--relocation", "127.0.0.1:0"])
    };
    assert_eq!(wait_until_on_one(&a, &b, "web"), (false, true));
}

#[test]
fn a_killed_receiver_loses_nothing() {
    let a = host();
    let b = host();
    start_guest(&a, "saveslow");
    let to = b.relocation.unwrap();
    let (a, b) = thread::scope(|scope| {
        let sending = scope.spawn(|| migrate(&a, "saveslow", to, true));
        b.until("the migration begins", |b| !arrivals(b).is_empty());
        let (_, dir) = b.end(Signal::KILL);
        let answer = sending.join().unwrap();
        let said =
            format!("was lost while the domain was sent to {to}: it goes on here, try again");
        assert!(answer.code == 500 && answer.text().contains(&said), "{}", answer.text());
        (&a, Daemon::start_in(dir, &["--relocation", "127.0.0.1:0"]))
    });
    assert_eq!(wait_until_on_one(a, &b, "saveslow"), (true, false));
    assert!(arrivals(&b).is_empty());
}

#[test]
fn the_domain_of_a_killed_sender_stays_there() {
    let a = host();
    let b = host();
    start_guest(&a, "saveslow");
    let to = b.relocation.unwrap();
    let from = a.tcp;
    let a = thread::scope(|scope| {
        scope.spawn(move || {
            let form = format!("op=migrate&destination=127.0.0.1&port={}&live=0", to.port());
            try_ask(&Listener::Tcp(from), &post("/xend/domain/saveslow", &form))
        });
        b.until("the migration begins", |b| !arrivals(b).is_empty());
        let (_, dir) = a.end(Signal::KILL);
        Daemon::start_in(dir, &["--relocation", "127.0.0.1:0"])
    });
    assert_eq!(wait_until_on_one(&a, &b, "saveslow"), (true, false));
    b.until("the arrival ends", |b| arrivals(b).is_empty());
}

#[tokio::test]
async fn a_stopping_server_closes_connections_without_a_request() {
    let host = TestHost::new().await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut idle = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    idle.set_read_timeout(Some(GENEROUS)).unwrap();
    let stop = CancellationToken::new();
    let callers = Arc::new(Identities::new(Arc::default(), Arc::default()));
    let engine = host.engine.clone();
    let server = RelocationServer::new(engine, Arc::default(), callers, 10 * GENEROUS);
    let serving = tokio::spawn(server.serve(listener, stop.clone()));
    tokio::task::yield_now().await;
    stop.cancel();
    tokio::time::timeout(GENEROUS, serving).await.unwrap().unwrap();
    assert_eq!(idle.read(&mut [0]).unwrap_or(0), 0);
}

/// The files in which a host records arrivals.
fn arrivals(daemon: &Daemon) -> Vec<PathBuf> {
    let dir = std::fs::read_dir(daemon.dir.path().join("state/moves")).unwrap();
    let paths = dir.map(|entry| entry.unwrap().path());
    paths.filter(|path| path.extension().is_some_and(|ending| ending == "arrival")).collect()
}
