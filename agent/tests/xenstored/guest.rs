//! Domain 7 of Debian's xenstored, with an agent, and its host.

use crate::machine::{Machine, returncode_and_message, wait};
use crate::xenstore_tools::{plug_in_answer, write};
use crate::xenstored::{Xenstored, directory_of};
use serde_json::Value;
use std::ops::{Deref, DerefMut};
use std::process::Command;
use std::time::Duration;
use xend_guest_protocol::request::Request;
use xend_xenstore::{Client, Nodes};

pub(crate) const DOMID: u32 = 7;
pub(crate) const HOME: &str = "/local/domain/7";

/// A guest. Dropped in this order: the agent is killed first.
pub(crate) struct Guest {
    machine: Machine,
    /// Domain 0.
    pub(crate) host: Client,
    pub(crate) xenstored: Xenstored,
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
    /// A guest whose agent does not run yet; `None` without xenstored: the test is to be skipped.
    pub(crate) fn new() -> Option<Self> {
        let mut xenstored = Xenstored::start()?;
        xenstored.introduce(DOMID);
        let host = xenstored.client();
        Some(Self { machine: Machine::new(), host, xenstored, requests: 0 })
    }

    /// A guest whose agent runs with this configuration.
    pub(crate) fn with(config: &str) -> Option<Self> {
        let mut guest = Self::new()?;
        guest.configure(config);
        guest.start();
        Some(guest)
    }

    pub(crate) fn command(&self) -> Command {
        self.machine.command(&self.xenstored.guest_socket(DOMID))
    }

    /// The agent started by another program, which becomes the agent.
    pub(crate) fn command_within(&self, program: &[&str]) -> Command {
        self.machine.command_within(program, &self.xenstored.guest_socket(DOMID))
    }

    pub(crate) fn start(&mut self) {
        let command = self.command();
        self.start_command(command);
    }

    /// Another program of the guest, run by its root.
    pub(crate) fn other_program(&self) -> Client {
        self.xenstored.guest_client(DOMID)
    }

    /// The id of a new request.
    pub(crate) fn new_id(&mut self) -> String {
        self.requests += 1;
        format!("00000000-0000-4000-8000-{:012}", self.requests)
    }

    /// Puts a request byte for byte, and returns its id.
    pub(crate) fn put_raw(&mut self, bytes: impl AsRef<[u8]>) -> String {
        let id = self.new_id();
        self.host.write(&format!("{HOME}/data/host/{id}"), bytes.as_ref()).unwrap();
        id
    }

    /// Puts a request through `xenstore-write`, and returns its id.
    pub(crate) fn put_text(&mut self, json: &str) -> String {
        self.put_raw(write(json))
    }

    pub(crate) fn put(&mut self, name: &str, value: impl Into<Value>) -> String {
        self.put_text(&Request::new(name, value).to_json())
    }

    /// Waits for a response, which stays where it is, and reads it as the plug-in reads it through
    /// `xenstore-read`, and as strictly as the most particular host.
    pub(crate) fn wait_for(&mut self, id: &str) -> (String, String) {
        let path = format!("{HOME}/data/guest/{id}");
        let found = wait(|| self.host.read_if_exists(&path).unwrap());
        let response = found.unwrap_or_else(|| panic!("No response to {id}"));
        let (returncode, message) = returncode_and_message(&response);
        let object = serde_json::json!({ "returncode": returncode, "message": message });
        assert_eq!(plug_in_answer(&response), Some(object));
        (returncode, message)
    }

    /// The response to a request that the agent has removed.
    fn answer_to(&mut self, id: &str) -> (String, String) {
        let answer = self.wait_for(id);
        assert!(!self.has_request(id));
        answer
    }

    pub(crate) fn ask_raw(&mut self, bytes: impl AsRef<[u8]>) -> (String, String) {
        let id = self.put_raw(bytes);
        self.answer_to(&id)
    }

    pub(crate) fn ask_text(&mut self, json: &str) -> (String, String) {
        let id = self.put_text(json);
        self.answer_to(&id)
    }

    pub(crate) fn ask(&mut self, name: &str, value: impl Into<Value>) -> (String, String) {
        let id = self.put(name, value);
        self.answer_to(&id)
    }

    /// The agent answers.
    pub(crate) fn check(&mut self) {
        assert_eq!(self.ask("version", "agent"), ("0".to_owned(), "1.39.1".to_owned()));
    }

    /// Whether the host sees a request still.
    pub(crate) fn has_request(&mut self, id: &str) -> bool {
        self.read_node(&format!("data/host/{id}")).is_some()
    }

    /// Waits until a request is gone, whether it is answered or not.
    pub(crate) fn wait_until_taken(&mut self, id: &str) {
        assert!(wait(|| (!self.has_request(id)).then_some(())).is_some(), "{id} is stuck");
    }

    /// The ids of the responses that are there, in the order in which they were put.
    pub(crate) fn responses(&mut self) -> Vec<String> {
        let path = format!("{HOME}/data/guest");
        self.host.directory_if_exists(&path).unwrap().unwrap_or_default()
    }

    /// A node of the guest as the host sees it, as text.
    pub(crate) fn read_node(&mut self, path: &str) -> Option<String> {
        let value = self.host.read_if_exists(&format!("{HOME}/{path}")).unwrap();
        value.map(|value| String::from_utf8_lossy(&value).into_owned())
    }

    /// The host writes a node of the guest.
    pub(crate) fn write_node(&mut self, path: &str, value: &str) {
        self.host.write(&format!("{HOME}/{path}"), value.as_bytes()).unwrap();
    }

    /// The host removes a node of the guest, if it is there.
    pub(crate) fn remove_node(&mut self, path: &str) {
        if let Err(error) = self.host.remove(&format!("{HOME}/{path}")) {
            assert!(error.is_not_found(), "{error}");
        }
    }

    /// xenstored is killed and started again while the agent waits.
    pub(crate) fn restart_xenstored(&mut self) {
        // What it does after an answer or a report.
        std::thread::sleep(Duration::from_millis(300));
        self.xenstored.restart();
        self.host = self.xenstored.client();
    }

    /// The domain ends, and another one with its number begins.
    pub(crate) fn reboot(&mut self) {
        self.xenstored.destroy(DOMID);
        self.xenstored.introduce(DOMID);
        assert_eq!(directory_of(DOMID), HOME);
    }
}
