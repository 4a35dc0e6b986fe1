//! The agent inside a guest: it reports, and answers the host's requests one by one.
//!
//! As everything in a guest it happens at a run time (see [`AgentWork`]), whether a daemon runs or
//! not; the daemon catches up when it comes back.

use super::guest::{AgentKind, Behaviour};
use super::record::{AgentWork, Record};
use super::report::{VERSION, write_features, write_report};
use super::settings::SimSettings;
use super::system::mac;
use crate::core::model::{Device, Password, ShutdownReason};
use crate::core::op::Content;
use crate::core::ports::Entropy;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fmt;
use std::mem;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use xend_guest_protocol::command;
use xend_guest_protocol::file::{BadFile, GuestFile};
use xend_guest_protocol::hostname::Hostname;
use xend_guest_protocol::keys::{Private, Public, SharedKey};
use xend_guest_protocol::limits::{KEPT_RESPONSES, KEY_SECONDS};
use xend_guest_protocol::network::Interface;
use xend_guest_protocol::nodes::{HOSTNAME, NETWORKING, REQUESTS, RESPONSES};
use xend_guest_protocol::request::Request;
use xend_guest_protocol::response::Response;

/// The version of an old agent: the last of OpenStack's.
const OLD_VERSION: &str = "1.39.1";

/// What a current agent can do.
const FEATURES: [&str; 8] = [
    command::VERSION,
    command::FEATURES,
    command::KEYINIT,
    command::PASSWORD,
    command::PASSWORD_USER,
    command::RESETNETWORK,
    command::INJECTFILE,
    command::FILE_INJECT,
];

/// The user whose password is meant if none is named.
const ROOT: &str = "root";

/// The most files and users that an agent changes.
const MAX_FILES: usize = 32;
const MAX_USERS: usize = 32;

/// What an agent knows beside its guest's record. It is never on a disk, and goes with the daemon.
#[derive(Default)]
pub(super) struct AgentMemory {
    /// The key of the last exchange, and the run time of it.
    key: Option<(SharedKey, Duration)>,
    /// The passwords that were set, by user.
    pub(super) passwords: BTreeMap<String, Password>,
}

impl fmt::Debug for AgentMemory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AgentMemory").finish_non_exhaustive()
    }
}

/// Lets the agent do what is due: answer the request that it works on, take the next one, report.
/// Returns whether it has reported anything new.
pub(super) fn act(
    record: &mut Record,
    memory: &mut AgentMemory,
    now: SystemTime,
    settings: &SimSettings,
    entropy: &dyn Entropy,
) -> bool {
    let run_time = record.guest.run_time_at(now);
    let Some(due) = record.agent.due.filter(|due| *due <= run_time) else { return false };
    let AgentWork { due: _, request } = mem::take(&mut record.agent);
    write_features(Arc::make_mut(&mut record.nodes));
    let Behaviour { agent, answer, .. } = record.guest.behaviour;
    if agent == AgentKind::Absent {
        return false;
    }
    if let Some((id, Content(request))) = request {
        let response = Agent { record, memory, due, entropy }.answer(&request);
        respond(record, &id, &response);
    }
    let next = record.nodes.children(REQUESTS).next();
    let next = next.map(|(id, request)| (id.to_owned(), Content(request.to_vec())));
    if next.is_some() {
        if agent == AgentKind::Reboots && record.config.restarts == 0 {
            record.advance(now, settings);
            record.stop(ShutdownReason::Reboot);
            return false;
        }
        record.agent = AgentWork { due: Some(due.saturating_add(answer)), request: next };
    }
    write_report(record)
}

/// Removes a request and writes its response. An agent that is not one of the oldest keeps the
/// number of responses that hosts left behind within limits.
fn respond(record: &mut Record, id: &str, response: &Response) {
    let agent = record.guest.behaviour.agent;
    let nodes = Arc::make_mut(&mut record.nodes);
    let mut removed = vec![format!("{REQUESTS}/{id}")];
    if agent != AgentKind::Old && nodes.children(RESPONSES).count() >= KEPT_RESPONSES {
        let left = nodes.children(RESPONSES).next();
        removed.extend(left.map(|(name, _)| format!("{RESPONSES}/{name}")));
    }
    let removed = removed.iter().try_for_each(|path| nodes.guest_remove(path));
    let path = format!("{RESPONSES}/{id}");
    let text = encode(agent, response);
    if let Err(refusal) = removed.and_then(|()| nodes.guest_write(&path, &text)) {
        tracing::debug!(path, ?refusal, "XenStore refused the response of a simulated guest");
    }
}

/// The text of a response.
fn encode(agent: AgentKind, response: &Response) -> Vec<u8> {
    match agent {
        AgentKind::Broken => br#"{"returncode":"0","mess"#.to_vec(),
        AgentKind::Old => {
            let code = response.returncode.parse::<u16>().ok().filter(|code| *code != 0);
            let code = code.map_or_else(|| json!(response.returncode), |code| json!(code));
            json!({ "returncode": code, "message": response.message }).to_string().into_bytes()
        }
        AgentKind::Current | AgentKind::Reboots | AgentKind::Absent => {
            response.to_json().into_bytes()
        }
    }
}

/// The agent, while it carries out a request. Failures are texts for the host.
struct Agent<'a> {
    record: &'a mut Record,
    memory: &'a mut AgentMemory,
    /// The run time of the answer.
    due: Duration,
    entropy: &'a dyn Entropy,
}

impl Agent<'_> {
    fn answer(&mut self, request: &[u8]) -> Response {
        match Request::parse(request) {
            Ok(Request { name, value }) => {
                self.run(&name, &value.unwrap_or_default()).unwrap_or_else(Response::failed)
            }
            Err(bad) => bad.response(),
        }
    }

    fn run(&mut self, name: &str, value: &Value) -> Result<Response, String> {
        let is_old = self.record.guest.behaviour.agent == AgentKind::Old;
        match name {
            command::VERSION if is_old => Ok(Response::ok(OLD_VERSION)),
            command::VERSION => Ok(Response::ok(VERSION.join("."))),
            command::KEYINIT => self.exchange_keys(value),
            command::PASSWORD => self.set_password(value),
            command::RESETNETWORK => self.reset_network(),
            command::INJECTFILE => self.write_file(GuestFile::from_injectfile(value)),
            command::FEATURES if !is_old => Ok(Response::ok(command::features(FEATURES))),
            command::FILE_INJECT if !is_old => self.write_file(GuestFile::from_file_inject(value)),
            command::AGENTUPDATE if !is_old => Err("agentupdate is not supported".to_owned()),
            // One of the old agents took any other name for a command that does nothing.
            _ if is_old && name != command::FEATURES => Ok(Response::ok("")),
            _ => Ok(Response::no_such_command(name)),
        }
    }

    fn exchange_keys(&mut self, value: &Value) -> Result<Response, String> {
        let theirs = Public::from_value(value).map_err(|bad| bad.to_string())?;
        let mut random = [0; 16];
        self.entropy.fill(&mut random);
        let own = Private::from_random(&mut random);
        self.memory.key = Some((own.shared_with(theirs), self.due));
        Ok(Response::new(Response::KEY_OK, own.public().to_string()))
    }

    fn set_password(&mut self, value: &Value) -> Result<Response, String> {
        // The key is for one attempt.
        let key = self.memory.key.take();
        let is_valid =
            |since: Duration| self.due.saturating_sub(since) <= Duration::from_secs(KEY_SECONDS);
        let key = key.filter(|(_, since)| is_valid(*since));
        let (key, _) = key.ok_or(command::NO_KEY_EXCHANGE)?;
        let (user, encrypted) = match value {
            Value::Object(fields) => (fields.get("user"), fields.get("password")),
            encrypted => (None, Some(encrypted)),
        };
        let user = user.and_then(Value::as_str).unwrap_or(ROOT);
        let encrypted = encrypted.and_then(Value::as_str).unwrap_or_default();
        let password = key.decrypt(encrypted).map_err(|bad| bad.to_string())?;
        let passwords = &mut self.memory.passwords;
        if passwords.len() >= MAX_USERS && !passwords.contains_key(user) {
            return Err("Too many users".to_owned());
        }
        let password = Password::new(password.as_str().into());
        passwords.extend(password.map(|password| (user.to_owned(), password)));
        Ok(Response::ok(""))
    }

    /// Reads the settings of `vm-data`, and applies all of them or none.
    fn reset_network(&mut self) -> Result<Response, String> {
        let devices = &self.record.config.devices;
        let macs: Vec<_> = devices.iter().filter_map(Device::as_vif).filter_map(mac).collect();
        let mut addresses = BTreeMap::new();
        for (name, json) in self.record.nodes.children(NETWORKING) {
            let interface = Interface::parse_node(name, json).map_err(|bad| bad.to_string())?;
            if !macs.contains(&interface.mac) {
                return Err(command::unknown_mac(interface.mac));
            }
            if interface.addresses.is_empty() {
                return Err(command::NO_ADDRESSES.to_owned());
            }
            let own = interface.addresses.iter().map(|address| address.ip);
            addresses.insert(interface.mac, own.collect());
        }
        let host_name = self.record.nodes.read(HOSTNAME).map(|name| {
            let name = Hostname::new(&String::from_utf8_lossy(name));
            name.map_err(|bad| format!("Couldn't set hostname: {bad}"))
        });
        let host_name = host_name.transpose()?;
        let system = &mut self.record.guest.system;
        system.addresses.extend(addresses);
        system.addresses.retain(|mac, _| macs.contains(mac));
        if host_name.is_some() {
            system.host_name = host_name;
        }
        Ok(Response::ok(""))
    }

    fn write_file(&mut self, file: Result<GuestFile, BadFile>) -> Result<Response, String> {
        let GuestFile { path, contents } = file.map_err(|bad| bad.to_string())?;
        let files = &mut self.record.guest.system.files;
        if files.len() >= MAX_FILES && !files.contains_key(path.as_str()) {
            return Err("No space left on device".to_owned());
        }
        files.insert(path.as_str().to_owned(), Content(contents));
        Ok(Response::ok(""))
    }
}
