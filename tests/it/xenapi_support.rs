//! A client of the Xen-API on a daemon of its own.

use crate::http_support::{Daemon, Listener, ask, encoded, guest};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use xend::wire::xmlrpc::Value;
use xend::wire::xmlrpc::codec::{self, XmlLimits};

/// The answer to a call: a value, or an error code with its parameters.
pub(crate) type CallResult = Result<Value, Vec<String>>;

pub(crate) struct Client {
    pub daemon: Daemon,
    pub listener: Listener,
    pub session: Value,
}

pub(crate) fn text(text: &str) -> Value {
    Value::text(text)
}

/// A call over a listener: its value, or its fault.
pub(crate) fn raw_call(
    listener: &Listener,
    method: &str,
    params: &[Value],
) -> Result<Value, (i64, String)> {
    let body = codec::call(method, params);
    let head = "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/xml";
    let request = format!("{head}\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    codec::read_answer(&ask(listener, request.as_bytes()).text(), &XmlLimits::default()).unwrap()
}

/// A call of the Xen-API over a listener, with all its parameters.
pub(crate) fn api_call(listener: &Listener, method: &str, params: &[Value]) -> CallResult {
    let answer = raw_call(listener, method, params);
    let Ok(Value::Struct(members)) = answer else { panic!("{answer:?}") };
    // libxen takes the first member for the status, and wants no third.
    assert_eq!((members.len(), members[0].0.as_str()), (2, "Status"));
    match (members[0].1 == text("Success"), members[1].0.as_str()) {
        (true, "Value") => Ok(members[1].1.clone()),
        (false, "ErrorDescription") => Err(strings(&members[1].1)),
        _ => panic!("{members:?}"),
    }
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

    /// A client of a daemon with these options.
    pub(crate) fn with(options: &[&str]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let socket = dir.path().join("xen-api");
        let daemon =
            Daemon::start_in(dir, &[&["--xen-api", socket.to_str().unwrap()], options].concat());
        Self::of(daemon, socket)
    }

    /// A client of a daemon that serves the Xen-API on this socket.
    pub(crate) fn of(daemon: Daemon, socket: PathBuf) -> Self {
        let mut client = Self { daemon, listener: Listener::Unix(socket), session: Value::Nil };
        client.session =
            client.bare("session.login_with_password", &[text("root"), text("")]).unwrap();
        client
    }

    /// A call of any method: its value, or its fault.
    pub(crate) fn raw(&self, method: &str, params: &[Value]) -> Result<Value, (i64, String)> {
        raw_call(&self.listener, method, params)
    }

    /// A call of the Xen-API with all its parameters.
    pub(crate) fn bare(&self, method: &str, params: &[Value]) -> CallResult {
        api_call(&self.listener, method, params)
    }

    /// A call in the client's session.
    pub(crate) fn call(&self, method: &str, params: &[Value]) -> CallResult {
        let mut all = vec![self.session.clone()];
        all.extend_from_slice(params);
        self.bare(method, &all)
    }

    /// The only element of an answer.
    pub(crate) fn one(&self, method: &str, params: &[Value]) -> Value {
        match self.call(method, params).unwrap() {
            Value::Array(mut all) if all.len() == 1 => all.remove(0),
            other => panic!("{method}: {other:?}"),
        }
    }

    pub(crate) fn vm(&self, name: &str) -> Value {
        self.one("VM.get_by_name_label", &[text(name)])
    }

    /// The storage repository that xm uses.
    pub(crate) fn sr(&self) -> Value {
        self.one("SR.get_by_name_label", &[text("Local")])
    }

    pub(crate) fn power_state(&self, vm: &Value) -> String {
        match self.call("VM.get_power_state", std::slice::from_ref(vm)).unwrap() {
            Value::Text(state) => state,
            other => panic!("{other:?}"),
        }
    }

    /// A client of a host with a running VM that has several devices.
    pub(crate) fn populated() -> Self {
        let client = Self::new();
        let config = guest("web", "(device (vfb (vnc 1) (vncdisplay 3) (vncpasswd secret)))");
        assert_eq!(client.daemon.create(&config).code, 201);
        assert_eq!(client.daemon.post("/xend/domain/web", "op=unpause").code, 200);
        client
    }
}

/// A managed and running VM that takes 10 seconds to save.
pub(crate) fn slow_vm(client: &Client) -> Value {
    let config = guest("saveslow", "").replace("(memory 64)", "(memory 1024)");
    let define = format!("op=new&config={}", encoded(&config));
    assert_eq!(client.daemon.post("/xend/domain", &define).code, 200);
    let vm = client.vm("saveslow");
    client.call("VM.start", &[vm.clone(), Value::Bool(false)]).unwrap();
    vm
}

pub(crate) fn record(entries: &[(&str, Value)]) -> Value {
    Value::Struct(entries.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect())
}

pub(crate) fn records(client: &Client, class: &str) -> BTreeMap<String, BTreeMap<String, Value>> {
    let all = members(client.call(&format!("{class}.get_all_records"), &[]).unwrap());
    all.into_iter().map(|(reference, record)| (reference, members(record))).collect()
}

pub(crate) fn as_text(value: &Value) -> &str {
    let Value::Text(text) = value else { panic!("{value:?}") };
    text
}

/// A table of classes: `field` has a getter, `field=` a setter, too, `field{}` is a map whose
/// entries can be set one by one, `method()` is a call.
pub(crate) fn table(file: &str) -> Vec<(String, String)> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("sexpr-fixtures/xmlrpc").join(file);
    let text = std::fs::read_to_string(path).unwrap();
    let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    let names = lines.flat_map(|line| {
        let (class, names) = line.split_once(':').unwrap();
        names.split_whitespace().map(|name| (class.to_owned(), name.to_owned()))
    });
    names.collect()
}

/// The fields of a class's records in xend 4.1.6.
pub(crate) fn fields_of_416(class: &str) -> Vec<String> {
    let own = table("xend-4.1.6.txt")
        .into_iter()
        .filter(|(of, name)| of == class && !name.ends_with("()"));
    own.map(|(_, name)| name.trim_end_matches('=').to_owned()).collect()
}
