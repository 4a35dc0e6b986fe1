//! Advice on failures, for people.

use super::operations::save::RESTORE;
use crate::core::error::{Error, ErrorKind};

/// Advice on the failure of an operation. A saved domain has its name and its UUID already.
pub(super) fn hint_on(op: &str, error: &Error, is_operator: bool) -> &'static str {
    match error {
        Error::Exists { .. } | Error::NameTaken { .. } | Error::UuidTaken { .. }
            if op == RESTORE.name =>
        {
            "It may have been restored before: see the list of domains."
        }
        // It is the guest that has none.
        Error::Unsupported(_) if op == "screen" => "",
        _ => hint(error, is_operator),
    }
}

/// Advice on a failure. Users of accounts do not see the host's pages.
pub(super) fn hint(error: &Error, is_operator: bool) -> &'static str {
    match error {
        // No account has what is for operators alone.
        Error::NotPermitted { right: None, .. } => "",
        Error::NotPermitted { .. } => "An operator of the host can give the account this right.",
        Error::BeyondLimits(_) if is_operator => {
            "xend-file-dirs in xend-config.sxp has the directories of such files."
        }
        Error::BeyondLimits(_) => {
            "The account has limits. Choose another value, or ask an operator of the host."
        }
        Error::NoMemory { .. } if !is_operator => "Give the domain less memory.",
        Error::NoRoom { .. } | Error::Timeout { .. } | Error::Stalled { .. } if !is_operator => {
            "Check the domain before you try again. An operator of the host can read xend's log."
        }
        Error::NoMemory { .. } => {
            "Give the domain less memory, or free some. The host's page shows which domains use it."
        }
        Error::Exists { .. } | Error::NameTaken { .. } | Error::NameIsIdentifier { .. } => {
            "Choose another name."
        }
        Error::UuidTaken { .. } => {
            "Choose another UUID, or leave it out and xend will generate one."
        }
        Error::NoSuchObject { .. } => "It may have been removed. Check the list that it was in.",
        Error::InUse { .. } => "Shut down what uses it, or detach it there, and try again.",
        Error::LimitReached(_) => "Remove what is not needed any more, and try again.",
        Error::NoRoom { .. } => "Free space on the host's disk and try again.",
        Error::AgentTimeout { .. } => {
            "The guest has no agent, or the agent is busy. What was asked may still be done: check \
             before you try again."
        }
        Error::Rebooted(_) => "Wait until the guest has booted, then try again.",
        Error::AgentLacks(_) => "An agent of a later version may support it.",
        Error::AgentFailed { .. } | Error::AgentResponse(_) => "The log in the guest may say more.",
        Error::DeviceBusy { .. } => "Shut down the guest, or detach the device by force.",
        Error::Missing { .. } => "Paths are on the host, not on this computer.",
        Error::Busy(_) | Error::DisksBusy | Error::Stopping => {
            "Nothing was changed. Try again in a moment."
        }
        Error::FleetUnavailable { .. } | Error::OwnerUnknown { .. } | Error::Undecided { .. } => {
            "xend fleet status on the host says what is wrong. A start that failed may be tried again."
        }
        Error::OwnedElsewhere { .. } => "Destroy it there, or migrate it from there.",
        Error::Timeout { .. } | Error::Stalled { .. } => {
            "The operation may still complete. Check the domain before you try again. xend's log \
             on the host's page may say more."
        }
        _ => match error.kind() {
            ErrorKind::NotFound => {
                "It may have been removed or renamed. Check the list of domains."
            }
            ErrorKind::Conflict => {
                "The domain's page offers the operations that its current state allows."
            }
            ErrorKind::Denied => "Domain-0 controls the host and cannot be treated like a guest.",
            ErrorKind::Invalid => {
                "Go back, fix the error and try again. The reference describes all parameters."
            }
            ErrorKind::Unsupported if !is_operator => "The host does not support this.",
            ErrorKind::Backend if !is_operator => "An operator of the host can read xend's log.",
            ErrorKind::Unsupported => {
                "The host does not support this. The host's page shows its scheduler and the \
                 types of guests that it can run."
            }
            ErrorKind::Backend => "xend's log on the host's page may say more.",
        },
    }
}
