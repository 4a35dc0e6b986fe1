//! A call of a plug-in.

use crate::core::model::StorePath;
use crate::core::op::{Content, GuestOp};
use std::time::Duration;

/// A call of a plug-in: its function, and what the function does.
pub(crate) struct PluginCall {
    /// The name in failures.
    pub(super) function: &'static str,
    pub(super) work: Work,
}

/// Who gets the answer of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Asker {
    /// The client that waits for it.
    Client,
    /// A task, whose result others can read.
    Task,
}

/// What a function does.
pub(super) enum Work {
    /// The answer is known.
    Answer(&'static str),
    /// Something about a domain.
    OfDomain { dom_id: i64, work: DomainWork },
}

/// What a function does with a domain.
pub(super) enum DomainWork {
    /// Ask the agent in the guest.
    Ask { op: GuestOp, limit: Duration },
    /// Read a node; `if_missing` is the answer for one that is missing, which else is a failure.
    Read { path: StorePath, if_missing: Option<&'static str> },
    /// Read the nodes below a node.
    List(StorePath),
    /// Write a node. The value is the answer.
    Write { path: StorePath, value: Content },
    /// Remove a node.
    Remove(StorePath),
}

impl DomainWork {
    /// Whether the answer repeats what the client sent, which can be a secret.
    pub(super) const fn repeats_arguments(&self) -> bool {
        match self {
            Self::Write { .. } => true,
            Self::Ask { .. } | Self::Read { .. } | Self::List(_) | Self::Remove(_) => false,
        }
    }

    /// The answer if there is no such node, or no such domain; `None` if that is a failure.
    pub(super) fn if_missing(&self) -> Option<&'static str> {
        match self {
            Self::Ask { .. } | Self::Write { .. } => None,
            Self::Read { if_missing, .. } => *if_missing,
            Self::List(_) => Some("{}"),
            Self::Remove(_) => Some(""),
        }
    }
}
