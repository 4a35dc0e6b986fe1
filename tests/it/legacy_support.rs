//! A client of `xend.*` with a daemon of its own.

use crate::http_support::{Daemon, Listener, ask};
use rustix::process::Signal;
use std::collections::HashMap;
use xend::wire::xmlrpc::Value;
use xend::wire::xmlrpc::codec::{self, XmlLimits};

/// A value, or the code and text of a fault.
pub(crate) type Answer = Result<Value, (i64, String)>;

pub(crate) struct LegacyClient {
    pub daemon: Daemon,
    pub listener: Listener,
}

impl LegacyClient {
    pub(crate) fn new(options: &[&str]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let socket = dir.path().join("rpc");
        let mut all = vec!["--xmlrpc", socket.to_str().unwrap()];
        all.extend(options);
        let daemon = Daemon::start_in(dir, &all);
        Self { daemon, listener: Listener::Unix(socket) }
    }

    /// Kills the daemon and starts a new one on the same host.
    pub(crate) fn killed_and_restarted(self) -> Self {
        let (_, dir) = self.daemon.end(Signal::KILL);
        let socket = dir.path().join("rpc");
        Self {
            daemon: Daemon::start_in(dir, &["--xmlrpc", socket.to_str().unwrap()]),
            listener: self.listener,
        }
    }

    /// Sends the text of a call like xm.
    pub(crate) fn post(&self, text: &str) -> Answer {
        let head = "POST /RPC2 HTTP/1.1\r\nHost: /var/run/xend/xmlrpc.sock\r\n\
                    Accept-Encoding: gzip\r\n\
                    User-Agent: xmlrpclib.py/1.0.1 (by www.pythonware.com)\r\n\
                    Content-Type: text/xml";
        let request = format!("{head}\r\nContent-Length: {}\r\n\r\n{text}", text.len());
        let answer = ask(&self.listener, request.as_bytes());
        assert_eq!(
            (answer.status().as_str(), answer.header("content-type")),
            ("200 OK", Some("text/xml"))
        );
        codec::read_answer(&answer.text(), &XmlLimits::default()).unwrap()
    }

    pub(crate) fn call(&self, method: &str, params: &[Value]) -> Answer {
        self.post(&codec::call(method, params))
    }
}

pub(crate) fn text(text: &str) -> Value {
    Value::text(text)
}

pub(crate) fn array(values: impl IntoIterator<Item = Value>) -> Value {
    Value::Array(values.into_iter().collect())
}

pub(crate) fn field(key: &str, value: Value) -> Value {
    array([text(key), value])
}

/// The fields of a record by name.
pub(crate) fn fields(record: &Value) -> HashMap<&str, &Value> {
    let Value::Array(parts) = record else { panic!("{record:?}") };
    let mut fields = HashMap::new();
    for part in parts {
        if let Value::Array(pair) = part {
            if let [Value::Text(key), value, ..] = pair.as_slice() {
                fields.insert(key.as_str(), value);
            }
        }
    }
    fields
}

/// A configuration with a kernel and more fields.
pub(crate) fn vm(name: &str, more: impl IntoIterator<Item = Value>) -> Value {
    let image = array([text("linux"), field("kernel", text("/boot/vmlinuz"))]);
    let head = [
        text("vm"),
        field("name", text(name)),
        field("memory", Value::Int(64)),
        field("image", image),
    ];
    array(head.into_iter().chain(more))
}

pub(crate) fn device(parts: impl IntoIterator<Item = Value>) -> Value {
    field("device", array(parts))
}
