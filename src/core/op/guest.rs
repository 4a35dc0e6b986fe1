//! Operations that the agent inside a guest carries out.

use crate::core::model::{Password, StorePath};
use std::time::Duration;

/// A request to the agent inside a guest.
#[derive(Debug, Clone)]
pub enum GuestOp {
    /// Ask for the agent's version.
    AgentVersion,
    /// Ask for the names of the agent's commands.
    AgentFeatures,
    /// Set the password of a user in the guest.
    SetPassword { user: String, password: Password },
    /// Write a file in the guest.
    InjectFile {
        /// An absolute path in the guest.
        path: String,
        content: Content,
    },
    /// Write the guest's network settings, and have the guest apply them.
    ResetNetwork {
        /// The settings of interfaces: the name of the node below `vm-data/networking`, and JSON.
        /// Interfaces that are left out keep theirs, and those that the domain no longer has lose
        /// them.
        interfaces: Vec<(String, String)>,
        /// `None` leaves the guest's name.
        host_name: Option<String>,
    },
    /// One request of the protocol itself, as a client of the Xen-API composed it. The outcome is
    /// the agent's response, whatever it says.
    Call(GuestCall),
    /// Write a file in the way that the agent can: `file_inject`, else `injectfile`. Both texts are
    /// base64, as a client of the Xen-API composed them.
    InjectEncoded { path: Content, content: Content },
}

/// A request of the protocol.
#[derive(Debug, Clone)]
pub struct GuestCall {
    /// The agent's command.
    pub name: &'static str,
    pub value: Content,
}

/// Text that is passed on to the guest and shown nowhere else.
#[derive(Clone, PartialEq, Eq)]
pub struct Content(pub Vec<u8>);

impl std::fmt::Debug for Content {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} bytes", self.0.len())
    }
}

impl GuestOp {
    /// The time that an agent has for an answer, unless the client says otherwise.
    pub const DEFAULT_LIMIT: Duration = Duration::from_secs(30);

    /// The shortest time that it may have; a shorter one becomes this one.
    pub const MIN_LIMIT: Duration = Duration::from_secs(1);
    /// The longest time that it may have; a longer one becomes this one.
    pub const MAX_LIMIT: Duration = Duration::from_secs(600);

    /// The name for logs.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::AgentVersion => "agent_version",
            Self::AgentFeatures => "agent_features",
            Self::SetPassword { .. } => "set_password",
            Self::InjectFile { .. } | Self::InjectEncoded { .. } => "inject_file",
            Self::ResetNetwork { .. } => "reset_network",
            Self::Call(call) => call.name,
        }
    }

    /// Whether it only asks the agent what it is, and what it can do.
    pub fn is_read(&self) -> bool {
        match self {
            Self::AgentVersion | Self::AgentFeatures => true,
            Self::Call(call) => matches!(call.name, "version" | "features"),
            Self::SetPassword { .. }
            | Self::InjectFile { .. }
            | Self::InjectEncoded { .. }
            | Self::ResetNetwork { .. } => false,
        }
    }
}

/// A change of nodes below a domain's directory in XenStore.
#[derive(Debug, Clone)]
pub enum StoreOp {
    Write {
        path: StorePath,
        value: Content,
    },
    /// Removes the node and all below it. A missing node is no error.
    Remove(StorePath),
}

impl StoreOp {
    /// The name for logs.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Write { .. } => "xenstore write",
            Self::Remove(_) => "xenstore remove",
        }
    }
}

/// What an agent answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GuestAnswer {
    /// What the agent said after success.
    Message(String),
    /// The response as it came, for clients that speak the protocol themselves.
    Response(Vec<u8>),
}
