//! A client that asks for JSON.

use crate::http_support::{Answer, Daemon, Listener, ask};
use serde_json::{Value, json};

pub(crate) const JSON: &str = "Accept: application/json\r\n";

pub(crate) fn get(daemon: &Daemon, target: &str, headers: &str) -> Answer {
    let head = format!("GET {target} HTTP/1.1\r\nHost: localhost\r\n{JSON}{headers}\r\n");
    ask(&Listener::Tcp(daemon.tcp), head.as_bytes())
}

pub(crate) fn post(daemon: &Daemon, target: &str, headers: &str, body: &str) -> Answer {
    let head = format!(
        "POST {target} HTTP/1.1\r\nHost: localhost\r\n{JSON}{headers}Content-Type: application/json\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    );
    ask(&Listener::Tcp(daemon.tcp), head.as_bytes())
}

/// The status and the body of an operation on a domain.
pub(crate) fn perform(daemon: &Daemon, name: &str, body: &Value) -> (u16, Value) {
    let answer = post(daemon, &format!("/xend/domain/{name}"), "", &body.to_string());
    (answer.code, parsed(&answer))
}

pub(crate) fn parsed(answer: &Answer) -> Value {
    if answer.body.is_empty() {
        return Value::Null;
    }
    serde_json::from_slice(&answer.body).unwrap_or_else(|error| panic!("{error}: {answer:?}"))
}

pub(crate) fn config(name: &str) -> Value {
    json!({
        "name": name,
        "memory_mib": 64,
        "vcpus": 2,
        "image": {"type": "linux", "kernel": "/boot/vmlinuz"},
        "devices": {
            "vbd": [{"dev": "xvda", "uname": format!("phy:/dev/vg0/{name}"), "mode": "w"}],
            "vif": [{"bridge": "xenbr0"}]
        }
    })
}

pub(crate) fn create(daemon: &Daemon, name: &str) -> Answer {
    let body = json!({"op": "create", "config": config(name)});
    post(daemon, "/xend/domain", "", &body.to_string())
}
