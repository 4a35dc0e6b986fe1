//! A guest with an agent: a directory as its root, and domain 1 of an in-memory XenStore.

use crate::machine::{Machine, returncode_and_message, wait};
use serde_json::Value;
use std::ops::{Deref, DerefMut};
use std::path::PathBuf;
use std::process::Command;
use xend_guest_protocol::request::Request;
use xend_xenstore::{Access, Connection, Identity, Nodes, Permission, Server, Store};

pub(crate) const DOMID: u32 = 1;
pub(crate) const HOME: &str = "/local/domain/1";

/// A guest. The agent is killed at its end.
pub(crate) struct Guest {
    machine: Machine,
    pub(crate) store: Store,
    pub(crate) host: Connection,
    server: Option<Server>,
    requests: u32,
}

impl Deref for Guest {
    type Target = Machine;

    fn deref(&self) -> &Machine {
        &self.machine
    }
}

impl DerefMut for Guest {
    fn deref_mut(&mut self) -> &mut Machine {
        &mut self.machine
    }
}

impl Guest {
    /// A guest whose agent does not run yet.
    pub(crate) fn new() -> Self {
        let store = Store::new();
        store.introduce(DOMID).unwrap();
        let mut host = store.connect(Identity::Host).unwrap();
        let guests = |access| [Permission::new(access, DOMID)];
        let hosts = [Permission::new(Access::None, 0), Permission::new(Access::Read, DOMID)];
        host.mkdir(HOME).unwrap();
        host.set_permissions(HOME, &hosts).unwrap();
        for name in ["data", "attr", "feature", "vm-data"] {
            let path = format!("{HOME}/{name}");
            host.mkdir(&path).unwrap();
            host.set_permissions(&path, &guests(Access::None)).unwrap();
        }
        host.set_permissions(&format!("{HOME}/vm-data"), &hosts).unwrap();
        let machine = Machine::new();
        let mut guest = Self { machine, store, host, server: None, requests: 0 };
        guest.start_server();
        guest
    }

    /// A guest whose agent runs with this configuration.
    pub(crate) fn with(config: &str) -> Self {
        let mut guest = Self::new();
        guest.configure(config);
        guest.start();
        guest
    }

    pub(crate) fn start_server(&mut self) {
        let mut server = Server::start(self.store.clone()).unwrap();
        server.listen(&self.socket(), Identity::Guest(DOMID)).unwrap();
        self.server = Some(server);
    }

    pub(crate) fn stop_server(&mut self) {
        self.server = None;
    }

    fn socket(&self) -> PathBuf {
        self.outside("xenstore")
    }

    /// The agent as it is started, for more arguments and variables.
    pub(crate) fn command(&self) -> Command {
        self.machine.command(&self.socket())
    }

    pub(crate) fn start(&mut self) {
        let command = self.command();
        self.start_command(command);
    }

    /// Puts a request and returns its id.
    pub(crate) fn put(&mut self, text: impl AsRef<[u8]>) -> String {
        self.requests += 1;
        let id = format!("00000000-0000-0000-0000-{:012}", self.requests);
        self.host.write(&format!("{HOME}/data/host/{id}"), text.as_ref()).unwrap();
        id
    }

    pub(crate) fn put_request(&mut self, name: &str, value: impl Into<Value>) -> String {
        self.put(Request::new(name, value).to_json())
    }

    /// Waits for a response: its bytes, which stay where they are.
    pub(crate) fn wait_for(&mut self, id: &str) -> Vec<u8> {
        let path = format!("{HOME}/data/guest/{id}");
        let found = wait(|| self.host.read_if_exists(&path).unwrap());
        found.unwrap_or_else(|| panic!("No response to {id}: {}", self.log()))
    }

    /// Whether the host sees a request still.
    pub(crate) fn has_request(&mut self, id: &str) -> bool {
        self.host.read_if_exists(&format!("{HOME}/data/host/{id}")).unwrap().is_some()
    }

    pub(crate) fn ask_raw(&mut self, text: impl AsRef<[u8]>) -> (String, String) {
        let id = self.put(text);
        let response = self.wait_for(&id);
        // The agent removes the request before.
        assert!(!self.has_request(&id));
        returncode_and_message(&response)
    }

    pub(crate) fn ask(&mut self, name: &str, value: impl Into<Value>) -> (String, String) {
        self.ask_raw(Request::new(name, value).to_json())
    }
}
