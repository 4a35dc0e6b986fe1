//! What the host asks of the agent in a guest.

use super::text::printable;
use super::turns::{Patience, Unanswered};
use crate::core::context::Core;
use crate::core::error::Error;
use crate::core::model::{Device, DomId, Invalid, Password, StorePath};
use crate::core::op::{Content, GuestAnswer, GuestCall, GuestOp};
use crate::core::ports::TreeLimits;
use serde_json::{Value, json};
use std::fmt::Display;
use std::time::Duration;
use xend_guest_protocol::command;
use xend_guest_protocol::file::GuestFile;
use xend_guest_protocol::keys::{Digest, Private, Public};
use xend_guest_protocol::limits::max_host_value;
use xend_guest_protocol::network::Mac;
use xend_guest_protocol::nodes::{HOSTNAME, NETWORKING, REQUESTS};
use xend_guest_protocol::password::Password as GuestPassword;
use xend_guest_protocol::path::GuestPath;
use xend_guest_protocol::request::Request;
use xend_guest_protocol::response::Response;

/// The user whose password the protocol sets. Agents with the feature
/// [`command::PASSWORD_USER`] set those of others, too.
const ROOT: &str = "root";

/// The most nodes of network settings that are looked through.
const MOST_SETTINGS: usize = 256;

/// How long the host of the Xen-API waits for the agent's features, whatever its client's limit is.
const FEATURES_LIMIT: Duration = Duration::from_secs(30);

impl Core {
    /// Does what the operation asks for. The limit is for each answer of the agent.
    pub(in crate::core) async fn carry_out_in_guest(
        &self,
        domid: DomId,
        unanswered: &mut Unanswered,
        op: GuestOp,
        patience: &Patience,
    ) -> Result<GuestAnswer, Error> {
        let mut agent = Agent { core: self, domid, unanswered, patience };
        match op {
            GuestOp::AgentVersion => agent.ask(command::VERSION, "agent").await,
            GuestOp::AgentFeatures => agent.ask(command::FEATURES, "").await,
            GuestOp::SetPassword { user, password } => agent.set_password(&user, &password).await,
            GuestOp::InjectFile { path, content } => agent.inject_file(&path, content).await,
            GuestOp::ResetNetwork { interfaces, host_name } => {
                agent.reset_network(&interfaces, host_name.as_deref()).await
            }
            GuestOp::Call(GuestCall { name, value }) => {
                let value = String::from_utf8_lossy(&value.0).into_owned();
                return agent.send(name, value.into()).await.map(GuestAnswer::Response);
            }
            GuestOp::InjectEncoded { path, content } => {
                return agent.inject_encoded(&path, &content).await.map(GuestAnswer::Response);
            }
        }
        .map(GuestAnswer::Message)
    }
}

/// The agent in a guest, while it is the guest's turn.
struct Agent<'a> {
    core: &'a Core,
    domid: DomId,
    unanswered: &'a mut Unanswered,
    patience: &'a Patience,
}

impl Agent<'_> {
    /// Sends a request and returns the response as it came.
    async fn send(&mut self, name: &str, value: Value) -> Result<Vec<u8>, Error> {
        let request = Request::new(name, value).to_json();
        let id = self.core.request_id();
        let most = max_host_value(&format!("/local/domain/{}/{REQUESTS}/{id}", self.domid));
        if request.len() > most {
            let reason = format!("the request has {} bytes, at most {most}", request.len());
            return Err(Invalid::new(format!("{name}: {reason} fit into XenStore")).into());
        }
        let text = request.as_bytes();
        self.core.exchange(self.domid, self.unanswered, &id, text, self.patience).await
    }

    /// Sends a request and reads the response.
    async fn request(&mut self, name: &str, value: Value) -> Result<Response, Error> {
        let response = self.send(name, value).await?;
        Response::parse(&response).map_err(unusable)
    }

    /// The message of the response, which must be a success.
    async fn ask(&mut self, name: &str, value: impl Into<Value>) -> Result<String, Error> {
        succeeded(self.request(name, value.into()).await?)
    }

    /// The features that the agent says it has. The first agents do not know the question.
    async fn features(&mut self) -> Result<String, Error> {
        let response = self.request(command::FEATURES, "".into()).await?;
        Ok(if response.returncode == Response::OK { response.message } else { String::new() })
    }

    async fn has_feature(&mut self, name: &str) -> Result<bool, Error> {
        Ok(command::has_feature(&self.features().await?, name))
    }

    async fn set_password(&mut self, user: &str, password: &Password) -> Result<String, Error> {
        let password = String::from_utf8(password.reveal().to_vec())
            .map_err(|_| Invalid::new("password: it must be UTF-8"))?;
        let password = GuestPassword::new(&password)
            .map_err(|reason| Invalid::new(format!("password: {reason}")))?;
        if user != ROOT && !self.has_feature(command::PASSWORD_USER).await? {
            return Err(Error::AgentLacks("passwords of users other than root"));
        }
        let mut random = [0; 16];
        self.core.entropy.fill(&mut random);
        let own = Private::from_random(&mut random);
        let response = self.request(command::KEYINIT, own.public().to_string().into()).await?;
        // Agents answer `D0`, and the first ones failures as plain numbers.
        let key = if response.returncode == Response::KEY_OK {
            Public::parse(&response.message).map_err(unusable)?
        } else {
            return Err(refusal(response));
        };
        let encrypted = own.shared_with(key).encrypt(&password, Digest::Md5);
        let value = if user == ROOT {
            encrypted.into()
        } else {
            json!({ "user": user, "password": encrypted })
        };
        self.ask(command::PASSWORD, value).await
    }

    async fn inject_file(&mut self, path: &str, content: Content) -> Result<String, Error> {
        let path =
            GuestPath::new(path).map_err(|reason| Invalid::new(format!("file: {reason}")))?;
        let file = GuestFile { path, contents: content.0 };
        if self.has_feature(command::FILE_INJECT).await? {
            return self.ask(command::FILE_INJECT, file.to_file_inject()).await;
        }
        let value = file.to_injectfile();
        let value = value.map_err(|reason| Invalid::new(format!("file: {reason}")))?;
        self.ask(command::INJECTFILE, value).await
    }

    async fn reset_network(
        &mut self,
        interfaces: &[(String, String)],
        host_name: Option<&str>,
    ) -> Result<String, Error> {
        let mut settings = Vec::new();
        let mut name = Vec::new();
        let reset = async {
            for (node, json) in interfaces {
                let path = StorePath::new(format!("{NETWORKING}/{node}"))?;
                self.change_node(&mut settings, path, Some(json)).await?;
            }
            for path in self.stale_settings().await? {
                self.change_node(&mut settings, path, None).await?;
            }
            if let Some(value) = host_name {
                self.change_node(&mut name, StorePath::new(HOSTNAME)?, Some(value)).await?;
            }
            self.ask(command::RESETNETWORK, "").await
        };
        let answer = reset.await;
        if answer.is_ok() {
            settings.clear();
        }
        // The name is for this time: the guest keeps it, and its administrator may change it.
        for (path, value) in settings.into_iter().chain(name) {
            let restored = match value {
                Some(value) => self.core.hypervisor.write_node(self.domid, &path, &value).await,
                None => self.core.hypervisor.remove_node(self.domid, &path).await,
            };
            if let Err(error) = restored {
                tracing::debug!(domid = %self.domid, %path, %error, "A node was not restored");
            }
        }
        answer
    }

    /// Writes a node, or removes it, and keeps the value that it had in `before`.
    async fn change_node(
        &self,
        before: &mut Vec<(StorePath, Option<Vec<u8>>)>,
        path: StorePath,
        value: Option<&str>,
    ) -> Result<(), Error> {
        let hypervisor = &self.core.hypervisor;
        let old = hypervisor.read_node(self.domid, &path).await?;
        before.push((path.clone(), old));
        match value {
            Some(value) => hypervisor.write_node(self.domid, &path, value.as_bytes()).await,
            None => hypervisor.remove_node(self.domid, &path).await,
        }
    }

    /// The nodes of network settings that the guest would refuse, and all others with them.
    async fn stale_settings(&self) -> Result<Vec<StorePath>, Error> {
        let snapshot = self.core.snapshot();
        let Some(view) = snapshot.by_domid(self.domid) else { return Ok(Vec::new()) };
        let parent = StorePath::new(NETWORKING)?;
        let limits = TreeLimits { depth: 1, nodes: MOST_SETTINGS };
        let nodes = self.core.hypervisor.read_tree(self.domid, &parent, limits).await?;
        let name = |path: &str| StorePath::new(path).map(|path| path.name().to_owned());
        let names: Vec<String> = nodes.iter().filter_map(|(path, _)| name(path).ok()).collect();
        let stale = stale_names(&names, &view.config.devices);
        let path = |name| StorePath::new(format!("{NETWORKING}/{name}"));
        stale.map(|name| path(name).map_err(Error::from)).collect()
    }

    /// As the host's part of the original agent did it: the features are asked for under a name of
    /// their own, always with the same limit.
    async fn inject_encoded(
        &mut self,
        path: &Content,
        content: &Content,
    ) -> Result<Vec<u8>, Error> {
        let patience = &Patience { limit: FEATURES_LIMIT, ..self.patience.clone() };
        let mut first = Agent { unanswered: self.unanswered, patience, ..*self };
        let features = first.features().await?;
        let text = |content: &Content| String::from_utf8_lossy(&content.0).into_owned();
        let value = json!({ "b64_path": text(path), "b64_file": text(content) });
        if command::has_feature(&features, command::FILE_INJECT) {
            return self.send(command::FILE_INJECT, value).await;
        }
        if !command::has_feature(&features, command::INJECTFILE) {
            return Err(Error::AgentLacks("file injection"));
        }
        let file = GuestFile::from_file_inject(&value)
            .and_then(|file| file.to_injectfile())
            .map_err(|reason| Invalid::new(reason.to_string()))?;
        self.send(command::INJECTFILE, file).await
    }
}

/// The names of nodes below `vm-data/networking` that are of no present interface: those of
/// interfaces that were detached, and other spellings of a name that is there as well. What is no
/// MAC address is another program's.
fn stale_names<'a>(names: &'a [String], devices: &[Device]) -> impl Iterator<Item = &'a String> {
    let vifs = devices.iter().filter_map(Device::as_vif);
    let macs: Vec<Mac> = vifs.filter_map(|vif| Some(Mac(vif.mac?.octets()))).collect();
    // A PCI device can be a network card, whose address is not known here.
    let has_card = devices.iter().any(|device| device.as_pci().is_some());
    names.iter().filter(move |name| {
        let Some(mac) = Mac::parse(name) else { return false };
        let node = mac.node_name();
        let is_there_twice = **name != node && names.contains(&node);
        is_there_twice || !(has_card || macs.contains(&mac))
    })
}

fn succeeded(response: Response) -> Result<String, Error> {
    if response.returncode == Response::OK {
        Ok(printable(&response.message).collect())
    } else {
        Err(refusal(response))
    }
}

fn refusal(response: Response) -> Error {
    let Response { returncode, message } = response;
    let short = |text: &str, most| {
        let text: String = printable(text).take(most).collect();
        text.trim().to_owned()
    };
    Error::AgentFailed { returncode: short(&returncode, 16), message: short(&message, 500) }
}

fn unusable(reason: impl Display) -> Error {
    Error::AgentResponse(reason.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::model::{PciDevice, Vif};

    #[test]
    fn settings_of_no_interface_are_stale() {
        let mac = |text: &str| Some(text.parse().unwrap());
        let vif = Device::Vif(Vif { mac: mac("00:16:3e:00:00:05"), ..Vif::default() });
        let names = |names: &[&str]| -> Vec<String> {
            names.iter().map(|name| (*name).to_owned()).collect()
        };
        let stale = |there: &[&str], devices: &[Device]| -> Vec<String> {
            stale_names(&names(there), devices).cloned().collect()
        };
        let vifs = [vif.clone()];
        assert_eq!(stale(&["00163E000005", "00163E0000FF"], &vifs), ["00163E0000FF"]);
        assert_eq!(stale(&["00163e000005", "00163E000005"], &vifs), ["00163e000005"]);
        // It is the only one: the guest reads it.
        assert_eq!(stale(&["00163e000005"], &vifs), names(&[]));
        assert_eq!(stale(&["eth0", "notes", "00163E00000500"], &vifs), names(&[]));
        assert_eq!(stale(&["00163E000005"], &[]), ["00163E000005"]);
        let card =
            PciDevice { functions: vec![], backend: None, id: None, uuid: None, rest: vec![] };
        let with_card = [vif, Device::Pci(card)];
        assert_eq!(stale(&["00163E0000FF", "00163e000005"], &with_card), names(&[]));
    }
}
