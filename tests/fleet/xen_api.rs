//! The Xen-API of two daemons in one fleet.

use crate::GENEROUS;
use crate::commands::Host;
use crate::etcd_server::EtcdServer;
use crate::ports::free_port;
use crate::process::post;
use crate::two_daemons::{Daemon, WEB1};
use std::fs::OpenOptions;
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpStream};
use std::slice::from_ref;
use xend::wire::xmlrpc::Value;
use xend::wire::xmlrpc::codec::{self, XmlLimits};

/// A session at a host.
struct Client {
    port: u16,
    session: Value,
}

/// The answer to a call: its value, or the error.
fn answer(port: u16, method: &str, params: &[Value]) -> Result<Value, Vec<String>> {
    let body = codec::call(method, params);
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
    stream.set_read_timeout(Some(GENEROUS)).unwrap();
    let head = format!("POST / HTTP/1.0\r\nHost: localhost\r\nContent-Length: {}", body.len());
    stream.write_all(format!("{head}\r\n\r\n{body}").as_bytes()).unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    let (_, body) = text.split_once("\r\n\r\n").unwrap();
    let Value::Struct(members) = codec::read_answer(body, &XmlLimits::default()).unwrap().unwrap()
    else {
        panic!("{text}")
    };
    let is_success = members[0].1 == Value::text("Success");
    let value = members[1].1.clone();
    if is_success { Ok(value) } else { Err(texts(&value)) }
}

fn texts(value: &Value) -> Vec<String> {
    let Value::Array(values) = value else { panic!("{value:?}") };
    let text = |value: &Value| match value {
        Value::Text(text) => text.clone(),
        other => panic!("{other:?}"),
    };
    values.iter().map(text).collect()
}

impl Client {
    /// A session at a daemon that serves the Xen-API at this port.
    fn log_in(port: u16) -> Self {
        let login = ["root", ""].map(Value::text);
        Self { port, session: answer(port, "session.login_with_password", &login).unwrap() }
    }

    fn call(&self, method: &str, params: &[Value]) -> Result<Value, Vec<String>> {
        answer(self.port, method, &[from_ref(&self.session), params].concat())
    }

    #[track_caller]
    fn one(&self, method: &str, params: &[Value]) -> Value {
        self.call(method, params).unwrap_or_else(|error| panic!("{method}: {error:?}"))
    }

    /// The objects of a class with this label.
    fn named(&self, class: &str, label: &str) -> Vec<String> {
        texts(&self.one(&format!("{class}.get_by_name_label"), &[Value::text(label)]))
    }
}

/// Lets a host serve a Xen-API that shows the fleet.
fn show_fleet(host: &Host) -> u16 {
    let port = free_port();
    let file = host.dir.path().join("config.sxp");
    let mut config = OpenOptions::new().append(true).open(file).unwrap();
    let keys = format!("\n(xend-fleet-xenapi yes) (xen-api-server ((127.0.0.1:{port} none)))\n");
    config.write_all(keys.as_bytes()).unwrap();
    port
}

#[test]
fn hosts_and_vms_of_the_fleet_are_shown_and_move() {
    let Some(server) = EtcdServer::start() else { return };
    let [xen1, xen2] = ["xen1", "xen2"].map(|name| Host::new(name, &server.url()));
    let ports = [&xen1, &xen2].map(show_fleet);
    xen1.fleet(&["init"]).ok();
    let token = xen1.fleet(&["token"]).ok();
    xen2.fleet(&["join", token.trim()]).ok();
    let [first, second] = [&xen1, &xen2].map(Daemon::start);
    let [one, two] = ports.map(Client::log_in);
    first.until("both are alive", || {
        let alive = |name| first.sees(name).is_some_and(|(is_alive, _)| is_alive);
        alive("xen1") && alive("xen2")
    });
    first.ask(&post("/xend/domain", &format!("op=new&config={WEB1}"))).unwrap();
    second.until("the VM is shown", || two.named("VM", "web1").len() == 1);
    let vm = Value::text(&two.named("VM", "web1")[0]);
    let hosts = ["xen1", "xen2"].map(|name| Value::text(&two.named("host", name)[0]));
    // Each has itself first.
    for (client, at) in [(&one, 0), (&two, 1)] {
        let all = texts(&client.one("host.get_all", &[]));
        let own = client.one("session.get_this_host", from_ref(&client.session));
        assert_eq!((all.len(), Value::text(&all[0]), &own), (2, own.clone(), &hosts[at]));
    }
    // A VM that has just moved is not shown by other hosts for a moment.
    let resident_on = |client: &Client| client.call("VM.get_resident_on", from_ref(&vm)).ok();
    let power_state = |client: &Client| client.one("VM.get_power_state", from_ref(&vm));
    assert_eq!(resident_on(&two).as_ref(), Some(&hosts[0]));
    assert_eq!(power_state(&two), Value::text("Halted"));
    let [no, live] = [Value::Bool(false), Value::text("true")];
    let start_on = |client: &Client, host: &Value| {
        client.call("VM.start_on", &[vm.clone(), host.clone(), no.clone(), no.clone()])
    };
    let elsewhere = start_on(&two, &hosts[0]).unwrap_err();
    assert!(elsewhere[1].contains("The VM web1 is on the host xen1: ask xen1"), "{elsewhere:?}");
    let other = start_on(&one, &hosts[1]).unwrap_err();
    assert!(other[1].contains("starts on no other one"), "{other:?}");
    start_on(&one, &hosts[0]).unwrap();
    let options = Value::Struct(vec![("live".to_owned(), live)]);
    one.one("VM.pool_migrate", &[vm.clone(), hosts[1].clone(), options.clone()]);
    assert!(second.get("/xend/domain").unwrap().contains("web1"));
    assert_eq!(resident_on(&two).as_ref(), Some(&hosts[1]));
    assert_eq!(power_state(&two), Value::text("Running"));
    first.until("it is shown there", || resident_on(&one).as_ref() == Some(&hosts[1]));
    // By its name, to the host that it is on already, and to one that is not there.
    let refused = two.call("VM.pool_migrate", &[vm.clone(), hosts[1].clone(), options.clone()]);
    assert!(refused.unwrap_err().join(" ").contains("is this host"));
    let missing = [vm.clone(), Value::text("xen9"), options];
    assert_eq!(two.call("VM.pool_migrate", &missing).unwrap_err()[..2], ["HANDLE_INVALID", "host"]);
    // What is paused stays, and is named.
    two.one("VM.pause", from_ref(&vm));
    let left = two.call("host.evacuate", from_ref(&hosts[1])).unwrap_err();
    assert_eq!(left[0], "CANNOT_EVACUATE_HOST");
    assert_eq!(left[1], "web1: it is paused, and only running domains migrate");
    two.one("VM.unpause", from_ref(&vm));
    two.one("host.evacuate", from_ref(&hosts[1]));
    assert_eq!(second.get("/xend/domain").unwrap().trim(), "(Domain-0)");
    assert_eq!(resident_on(&one).as_ref(), Some(&hosts[0]));
    assert_eq!(power_state(&one), Value::text("Running"));
    // Without etcd, what is known is shown.
    second.until("it is shown there", || resident_on(&two).as_ref() == Some(&hosts[0]));
    drop(server);
    assert_eq!(two.named("VM", "web1").len(), 1);
}
