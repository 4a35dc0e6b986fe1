//! A client of the host's plug-ins that asks as OpenStack's driver does.

use crate::xenapi_support::{CallResult, Client, as_text, record, text};
use crate::xmlrpc_accounts_support::SessionClient;
use serde_json::Value as Json;
use std::cell::Cell;
use std::time::{Duration, Instant};
use xend::wire::xmlrpc::Value;

/// A call of a method in a session.
pub(crate) trait Session {
    fn call(&self, method: &str, params: &[Value]) -> CallResult;
}

impl Session for Client {
    fn call(&self, method: &str, params: &[Value]) -> CallResult {
        self.call(method, params)
    }
}

impl Session for SessionClient {
    fn call(&self, method: &str, params: &[Value]) -> CallResult {
        self.call(method, params)
    }
}

/// A driver of one VM.
pub(crate) struct Driver<'a> {
    session: &'a dyn Session,
    host: Value,
    pub(crate) vm: Value,
    /// The name of the plug-in for the agent.
    agent: &'static str,
    requests: Cell<u32>,
}

/// The failure of a function: the class and the text of its Python's exception.
pub(crate) fn exception(function: &str, class: &str, text: &str) -> CallResult {
    Err(["XENAPI_PLUGIN_FAILURE", function, class, text].map(str::to_owned).to_vec())
}

impl<'a> Driver<'a> {
    /// A driver of the VM with this name.
    pub(crate) fn of(session: &'a dyn Session, name: &str) -> Self {
        let Ok(Value::Array(vms)) = session.call("VM.get_by_name_label", &[text(name)]) else {
            panic!("no VM {name}")
        };
        let Ok(Value::Array(hosts)) = session.call("host.get_all", &[]) else { panic!() };
        Self {
            session,
            host: hosts[0].clone(),
            vm: vms.first().cloned().unwrap_or_else(|| panic!("no VM {name}")),
            agent: "agent.py",
            requests: Cell::new(0),
        }
    }

    /// The same, with another name of the plug-in for the agent.
    pub(crate) fn with_plugin(self, agent: &'static str) -> Self {
        Self { agent, ..self }
    }

    pub(crate) fn on_vm(&self, method: &str) -> Value {
        self.session.call(method, std::slice::from_ref(&self.vm)).unwrap()
    }

    pub(crate) fn dom_id(&self) -> String {
        as_text(&self.on_vm("VM.get_domid")).to_owned()
    }

    /// A call of any plug-in.
    pub(crate) fn plugin(&self, plugin: &str, function: &str, args: &[(&str, &str)]) -> CallResult {
        let args: Vec<_> = args.iter().map(|(key, value)| (*key, text(value))).collect();
        let params = [self.host.clone(), text(plugin), text(function), record(&args)];
        self.session.call("host.call_plugin", &params)
    }

    /// A request to the agent, with what the driver sends with each of them.
    pub(crate) fn ask_within(
        &self,
        seconds: &str,
        function: &str,
        args: &[(&str, &str)],
    ) -> CallResult {
        self.requests.set(self.requests.get() + 1);
        let id = format!("9b1d9d1e-0000-4000-8000-{:012}", self.requests.get());
        let dom_id = self.dom_id();
        let always = [
            ("id", id.as_str()),
            ("dom_id", dom_id.as_str()),
            ("timeout", seconds),
            ("host_uuid", as_text(&self.host)),
        ];
        self.plugin(self.agent, function, &[&always, args].concat())
    }

    pub(crate) fn ask(&self, function: &str, args: &[(&str, &str)]) -> CallResult {
        self.ask_within("30", function, args)
    }

    /// The agent's response: its code and its message.
    pub(crate) fn response(&self, function: &str, args: &[(&str, &str)]) -> (String, String) {
        let response = self.ask(function, args).unwrap();
        let response: Json = serde_json::from_str(as_text(&response)).unwrap();
        let part = |name: &str| response[name].as_str().unwrap().to_owned();
        (part("returncode"), part("message"))
    }

    /// A call of the plug-in for XenStore.
    pub(crate) fn store(&self, function: &str, args: &[(&str, &str)]) -> CallResult {
        let dom_id = self.dom_id();
        self.plugin("xenstore.py", function, &[&[("dom_id", dom_id.as_str())], args].concat())
    }

    /// The value of a node that must be there.
    pub(crate) fn read(&self, path: &str) -> Json {
        let value = self.store("read_record", &[("path", path)]).unwrap();
        serde_json::from_str(as_text(&value)).unwrap()
    }

    /// The nodes below a node.
    pub(crate) fn list(&self, path: &str) -> Json {
        let nodes = self.store("list_records", &[("path", path)]).unwrap();
        serde_json::from_str(as_text(&nodes)).unwrap()
    }

    /// A field of what the guest reports.
    pub(crate) fn reported(&self, field: &str) -> Value {
        let metrics = self.on_vm("VM.get_guest_metrics");
        self.session.call(&format!("VM_guest_metrics.get_{field}"), &[metrics]).unwrap()
    }

    /// Waits until a condition holds.
    pub(crate) fn until(&self, what: &str, mut condition: impl FnMut(&Self) -> bool) {
        let started = Instant::now();
        while !condition(self) {
            assert!(started.elapsed() < Duration::from_secs(60), "timed out waiting for: {what}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}
