//! A client of the Xen-API on a daemon of its own.

use crate::http_support::{Daemon, Door, ask, guest};
use std::collections::BTreeMap;
use xend::wire::xmlrpc::Value;
use xend::wire::xmlrpc::codec::{self, Limits};

/// What the Xen-API says: a value, or a code with what belongs to it.
pub(crate) type Said = Result<Value, Vec<String>>;

pub(crate) struct Client {
    pub daemon: Daemon,
    pub door: Door,
    pub session: Value,
}

pub(crate) fn text(text: &str) -> Value {
    Value::text(text)
}

pub(crate) fn strings(value: &Value) -> Vec<String> {
    let Value::Array(values) = value else { panic!("{value:?}") };
    let text = |value: &Value| match value {
        Value::Text(text) => text.clone(),
        other => panic!("{other:?}"),
    };
    values.iter().map(text).collect()
}

pub(crate) fn members(value: Value) -> BTreeMap<String, Value> {
    let Value::Struct(members) = value else { panic!("{value:?}") };
    members.into_iter().collect()
}

impl Client {
    pub(crate) fn new() -> Self {
        Self::with(&[])
    }

    /// One of a daemon with options of its own.
    pub(crate) fn with(options: &[&str]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let socket = dir.path().join("xen-api");
        let daemon =
            Daemon::start_in(dir, &[&["--xen-api", socket.to_str().unwrap()], options].concat());
        let mut client = Self { daemon, door: Door::Unix(socket), session: Value::Nil };
        client.session =
            client.bare("session.login_with_password", &[text("root"), text("")]).unwrap();
        client
    }

    /// What is answered: a value, or a fault.
    pub(crate) fn raw(&self, method: &str, params: &[Value]) -> Result<Value, (i64, String)> {
        let body = codec::call(method, params);
        let head = "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/xml";
        let request = format!("{head}\r\nContent-Length: {}\r\n\r\n{body}", body.len());
        let answer = ask(&self.door, request.as_bytes());
        codec::read_answer(&answer.text(), &Limits::default()).unwrap()
    }

    pub(crate) fn bare(&self, method: &str, params: &[Value]) -> Said {
        let answered = self.raw(method, params);
        let Ok(Value::Struct(said)) = answered else { panic!("{answered:?}") };
        // libxen takes the first member for the status, and wants no third.
        assert_eq!((said.len(), said[0].0.as_str()), (2, "Status"));
        match (said[0].1 == text("Success"), said[1].0.as_str()) {
            (true, "Value") => Ok(said[1].1.clone()),
            (false, "ErrorDescription") => Err(strings(&said[1].1)),
            _ => panic!("{said:?}"),
        }
    }

    pub(crate) fn call(&self, method: &str, params: &[Value]) -> Said {
        let mut all = vec![self.session.clone()];
        all.extend_from_slice(params);
        self.bare(method, &all)
    }

    pub(crate) fn one(&self, method: &str, params: &[Value]) -> Value {
        match self.call(method, params).unwrap() {
            Value::Array(mut all) if all.len() == 1 => all.remove(0),
            other => panic!("{method}: {other:?}"),
        }
    }

    pub(crate) fn vm(&self, name: &str) -> Value {
        self.one("VM.get_by_name_label", &[text(name)])
    }

    /// The storage repository that xm takes.
    pub(crate) fn sr(&self) -> Value {
        self.one("SR.get_by_name_label", &[text("Local")])
    }

    pub(crate) fn power_state(&self, vm: &Value) -> String {
        match self.call("VM.get_power_state", std::slice::from_ref(vm)).unwrap() {
            Value::Text(state) => state,
            other => panic!("{other:?}"),
        }
    }

    /// A running VM with all sorts of devices.
    pub(crate) fn populated() -> Self {
        let client = Self::new();
        let config = guest("web", "(device (vfb (vnc 1) (vncdisplay 3) (vncpasswd secret)))");
        assert_eq!(client.daemon.create(&config).code, 201);
        assert_eq!(client.daemon.post("/xend/domain/web", "op=unpause").code, 200);
        client
    }
}
