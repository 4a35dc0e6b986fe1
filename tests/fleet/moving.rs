//! Two daemons in one fleet: domains go from one to the other, and are found where they are.

use crate::commands::Host;
use crate::etcd_server::EtcdServer;
use crate::process::post;
use crate::two_daemons::{Daemon, WEB1};
use std::fs::OpenOptions;
use std::io::Write as _;

/// The hosts xen1 and xen2, which have joined.
fn two_hosts(server: &EtcdServer) -> [Host; 2] {
    let hosts = ["xen1", "xen2"].map(|name| Host::new(name, &server.url()));
    let [xen1, xen2] = &hosts;
    xen1.fleet(&["init"]).ok();
    let token = xen1.fleet(&["token"]).ok();
    xen2.fleet(&["join", token.trim()]).ok();
    hosts
}

/// A call of XML-RPC by its name and the text of its parameters.
fn call(daemon: &Daemon<'_>, method: &str, parameters: &str) -> String {
    let body = format!(
        "<methodCall><methodName>{method}</methodName><params>{parameters}</params></methodCall>"
    );
    let length = body.len();
    let request = format!(
        "POST /RPC2 HTTP/1.0\r\nContent-Type: text/xml\r\nContent-Length: {length}\r\n\r\n{body}"
    );
    daemon.ask(&request).unwrap()
}

/// Creates web1, paused.
fn create(daemon: &Daemon<'_>) {
    let form = format!("op=create&config={WEB1}");
    let (status, text) = daemon.answer(&post("/xend/domain", &form)).unwrap();
    assert_eq!(status, 201, "{text}");
}

fn both_are_alive(daemon: &Daemon<'_>) {
    daemon.until("both are alive", || {
        let alive = |name| daemon.sees(name).is_some_and(|(is_alive, _)| is_alive);
        alive("xen1") && alive("xen2")
    });
}

#[test]
fn a_domain_goes_to_a_host_by_its_name_and_back() {
    let Some(server) = EtcdServer::start() else { return };
    let [xen1, xen2] = two_hosts(&server);
    let [first, second] = [&xen1, &xen2].map(Daemon::start);
    both_are_alive(&first);
    create(&first);
    assert_eq!(first.op("op=unpause").0, 200);
    assert_eq!(first.op("op=migrate&destination=xen2&live=1"), (200, String::new()));
    assert!(second.get("/xend/domain").unwrap().contains("web1"));
    let (status, text) =
        first.answer(&post("/xend/domain", &format!("op=create&config={WEB1}"))).unwrap();
    assert!(status == 500 && text.contains("belongs to xen2"), "{text}");
    // xm of xend's time: without a port, and without encryption.
    let string = |text: &str| format!("<param><value><string>{text}</string></value></param>");
    let int = |number: i32| format!("<param><value><int>{number}</int></value></param>");
    let parameters = [string("web1"), string("xen1"), int(1), int(0), int(-1), int(0)].concat();
    let answer = call(&second, "xend.domain.migrate", &parameters);
    assert!(!answer.contains("<fault>"), "{answer}");
    assert!(!second.get("/xend/domain").unwrap().contains("web1"));
    assert_eq!(first.op("op=pause").0, 200);
    // A host that has ended takes nothing, and the domain goes on.
    assert_eq!(first.op("op=unpause").0, 200);
    drop(second);
    // etcd ends its lease some seconds later, and the first host hears of that after etcd knows it.
    first.until("its end is known", || {
        let (status, text) = first.op("op=migrate&destination=xen2&live=1");
        assert_eq!(status, 500, "{text}");
        let is_silent = text.contains("destination: xen2 is silent");
        assert!(is_silent || text.contains("nothing listens there"), "{text}");
        is_silent
    });
    assert_eq!(first.op("op=pause").0, 200);
}

#[test]
fn a_domain_is_found_on_the_host_that_has_it() {
    let Some(server) = EtcdServer::start() else { return };
    let [xen1, xen2] = two_hosts(&server);
    let file = xen1.dir.path().join("config.sxp");
    let mut config = OpenOptions::new().append(true).open(file).unwrap();
    config.write_all(b"\n(xend-fleet-route yes)\n").unwrap();
    let [first, second] = [&xen1, &xen2].map(Daemon::start);
    both_are_alive(&first);
    create(&second);
    first.until("the domain is found", || first.op("op=unpause").0 == 200);
    let own = second.get("/xend/domain/web1").unwrap();
    assert!(own.contains("(state -b----)") || own.contains("(state r-----)"), "{own}");
    let list = "GET /xend/domain?host=all HTTP/1.0\r\nAccept: application/json\r\n\r\n";
    first.until("it is listed with its host", || {
        let all: serde_json::Value = serde_json::from_str(&first.ask(list).unwrap()).unwrap();
        let mut all = all.as_array().unwrap().iter();
        all.any(|one| one["name"] == "web1" && one["host"] == "xen2" && one["is_stale"] == false)
    });
    // It is found where it has gone, and where the option is off it is not looked for.
    assert_eq!(first.op("op=migrate&destination=xen1"), (200, String::new()));
    assert_eq!(first.op("op=pause"), (200, String::new()));
    assert_eq!(second.op("op=pause").0, 404);
}
