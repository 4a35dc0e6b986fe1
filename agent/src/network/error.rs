//! Why the network was not reset. The texts are answers to the host; those that it may know from
//! older agents are theirs.

use super::hostname::BadName;
use super::plan::Subnet;
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
    #[error("vm-data has neither networking nor hostname: there is nothing to set")]
    NoSettings,
    /// A node below `vm-data/networking` is empty.
    #[error("vm-data/networking/{0} is empty")]
    EmptyInterface(String),
    /// A node below `vm-data/networking` is not understood.
    #[error("vm-data/networking/{node}: {error}")]
    BadInterface { node: String, error: BadInterface },
    #[error("vm-data/networking has two nodes for MAC {0} that differ: remove one")]
    TwoNodes(Mac),
    #[error("vm-data/networking has more than {0} interfaces")]
    TooManyInterfaces(usize),
    #[error("{}", unknown_mac(*.0))]
    UnknownMac(Mac),
    #[error("More than one interface of the guest has MAC {0}")]
    AmbiguousMac(Mac),
    #[error("The interface with MAC {0} has a name that configuration files cannot hold")]
    OddName(Mac),
    #[error("{NO_ADDRESSES}")]
    NoAddresses,
    #[error("Couldn't find out how this guest configures its network: no known tool is there")]
    NoWriter,
    #[error("Couldn't find out how this guest configures its network: {0}")]
    NoAnswer(Failed),
    #[error("Couldn't restart network: there is no program {0}")]
    NoProgram(&'static str),
    #[error("{}", replaces_no_link(.0))]
    Link(String),
    /// The file is in the error's words.
    #[error("Couldn't read the network's configuration: {}", words(.0))]
    Read(io::Error),
    #[error("Couldn't write {path}: {}", words(.error))]
    Write { path: String, error: io::Error },
    /// The host name is none.
    #[error("Couldn't set hostname: {0}")]
    Hostname(BadName),
    /// The kernel did not take the host name.
    #[error("Couldn't set hostname: {}", words(.0))]
    Rename(io::Error),
    #[error("Couldn't restart network: {0}")]
    Restart(Failed),
    #[error("Couldn't restart network: {interface} did not get {address}")]
    Missing { interface: String, address: Subnet },
    #[error("Couldn't ask the kernel for addresses: {}", words(.0))]
    Kernel(io::Error),
    /// Files were not put back; they are in the error's words.
    #[error("Couldn't put back {}", words(.0))]
    PutBack(io::Error),
    /// An agent was killed in the middle of an earlier change.
    #[error("Couldn't take back a change in which an agent was killed: {0}")]
    Recovery(Box<ResetError>),
    /// It was taken back, and the host would not wait for more.
    #[error("Took back a change in which an agent was killed, and had no time for more: try again")]
    RecoveryTookLong,
    /// The change failed, and was taken back.
    #[error("{error}. The old {what} is back")]
    TakenBack { error: Box<ResetError>, what: &'static str },
    /// The change failed, and taking it back did.
    #[error("{error}. The old {what} is not back: {rollback}")]
    RollbackFailed { error: Box<ResetError>, what: &'static str, rollback: Box<ResetError> },
}
