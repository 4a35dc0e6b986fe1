//! Why the network was not reset. The texts are answers to the host; those that it may know from
//! older agents are theirs.

use super::writer::Failed;
use crate::root::{replaces_no_link, words};
use std::io;
use thiserror::Error;
use xend_guest_protocol::command::{NO_ADDRESSES, unknown_mac};
use xend_guest_protocol::network::{BadInterface, Mac};

/// Why the network was not reset. The guest is as it was before, but for
/// [`ResetError::RollbackFailed`].
#[derive(Debug, Error)]
pub enum ResetError {
    #[error("Couldn't read vm-data: {}", words(.0))]
    Settings(io::Error),
    /// A node below `vm-data/networking` is not understood.
    #[error("vm-data/networking/{node}: {error}")]
    BadInterface { node: String, error: BadInterface },
    #[error("vm-data/networking has more than {0} interfaces")]
    TooManyInterfaces(usize),
    #[error("{}", unknown_mac(*.0))]
    UnknownMac(Mac),
    #[error("More than one interface has MAC {0}")]
    AmbiguousMac(Mac),
    #[error("The interface with MAC {0} has a name that cannot stand in files")]
    OddName(Mac),
    #[error("{NO_ADDRESSES}")]
    NoAddresses,
    #[error("Couldn't find out how this guest configures its network")]
    NoWriter,
    #[error("{}", replaces_no_link(.0))]
    Link(String),
    #[error("Couldn't read the network's files: {}", words(.0))]
    Read(io::Error),
    #[error("Couldn't write {path}: {}", words(.error))]
    Write { path: String, error: io::Error },
    #[error("Couldn't set hostname: {0}")]
    Hostname(String),
    #[error("Couldn't restart network: {0}")]
    Restart(Failed),
    #[error("Couldn't restart network: no {0}")]
    Missing(String),
    #[error("Couldn't ask the kernel for addresses: {}", words(.0))]
    Kernel(io::Error),
    /// The change failed, and taking it back did.
    #[error("{error}. The old configuration could not be restored: {rollback}")]
    RollbackFailed { error: Box<ResetError>, rollback: Box<ResetError> },
}
