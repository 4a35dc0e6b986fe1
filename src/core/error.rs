//! Failures of operations, as the caller may see them.

pub use super::error_kind::ErrorKind;
pub use super::place::Place;

use super::error_text::{
    after_colon, agent_failed, and_free, describe_agent_failure, describe_refusal, in_brackets,
    of_place, with_name, with_place,
};
use super::model::{DomId, Invalid, PciAddress, Uuid};
use super::rights::{Need, Right};
use super::transfer::Stage;
use std::borrow::Cow;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

/// A failed operation. The `Display` text is for the caller: short, capitalised, without secrets.
/// The source chain is for the log.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No domain has this name, domid or UUID.
    #[error("No such domain {0}")]
    NoSuchDomain(String),
    /// No object has this UUID or name.
    #[error("No such {class} {name}")]
    NoSuchObject {
        /// The class in the Xen-API.
        class: &'static str,
        /// The UUID or name that the caller sent.
        name: String,
    },
    /// An object of the kind `what` cannot be deleted while it is used.
    #[error("{what} is used by {by}")]
    InUse { what: &'static str, by: String },
    /// The operation does not fit the state of the CPU pool.
    #[error("The CPU pool is {0}")]
    PoolState(&'static str),
    /// The CPU does not exist or is not available.
    #[error("{0}")]
    NoSuchCpu(String),
    /// The last CPU of a pool with domains cannot be removed.
    #[error("CPU pool {0} has domains and keeps its last CPU")]
    LastCpu(String),
    /// Fewer CPUs are free than the pool needs.
    #[error("Not enough free CPUs: {needed} are needed and {available} are free")]
    NotEnoughCpus {
        /// The number of CPUs that the pool needs.
        needed: u32,
        available: u32,
    },
    /// No virtual network has this id.
    #[error("No such vnet {0}")]
    NoSuchVnet(String),
    /// A virtual network with this id exists already.
    #[error("Vnet {0} already exists")]
    VnetExists(String),
    /// The migration is over or unknown.
    #[error("Migration {0} is over")]
    NoSuchMigration(Uuid),
    /// The other host of a migration failed or refused, with this message.
    #[error("The other host says: {reason}")]
    Remote { reason: String },
    /// The connection to the other host was lost before the domain was handed over.
    #[error("{message}")]
    ConnectionLost {
        /// The text for the caller.
        message: String,
        /// The text for the log.
        #[source]
        source: Option<Box<dyn std::error::Error + Send + Sync>>,
    },
    /// The other host of a migration cannot be reached, or does not answer.
    #[error("{message}")]
    Unreachable {
        /// The text for the caller.
        message: String,
        /// The text for the log.
        #[source]
        source: Option<Box<dyn std::error::Error + Send + Sync>>,
    },
    /// The connection was lost when only the other host knew which of the two has the domain.
    #[error(
        "The connection to {to} was lost while domain {name} was handed over: xend keeps it \
         suspended and asks {to} again; destroy the domain to give it up here"
    )]
    InDoubt {
        name: String,
        /// The other host.
        to: String,
    },
    /// It is not known yet whether this host may have a domain that another host has handed over.
    /// `what` is the domain or the migration, with the word for it.
    #[error("Whether {what} is this host's is not decided yet: the fleet's etcd must answer first")]
    Undecided { what: String },
    /// Another domain has the name of a new domain.
    #[error("Domain {name:?} already exists{}", with_place(" with ID ", at))]
    Exists {
        /// The requested name.
        name: String,
        /// Where the other domain is.
        at: Place,
    },
    /// A domain with another name has the UUID of a new domain.
    #[error("A domain with UUID {uuid} already exists: {owner:?}{}", with_place(" with ID ", at))]
    UuidTaken {
        /// The requested UUID.
        uuid: Uuid,
        /// The name of the other domain.
        owner: String,
        /// Where the other domain is.
        at: Place,
    },
    /// Another domain has the new name of a domain.
    #[error("VM name {name:?} already exists{}", with_place(" as domain ", at))]
    NameTaken {
        /// The requested name.
        name: String,
        /// Where the other domain is.
        at: Place,
    },
    /// The name is the domid or UUID of another domain, or Domain-0's first name, by which clients
    /// reach that domain.
    #[error("VM name {name:?} already exists as the {what} of domain {owner:?}, use another name")]
    NameIsIdentifier {
        /// The requested name.
        name: String,
        /// `domid`, `UUID` or `first name`.
        what: &'static str,
        owner: String,
    },
    /// Another CPU pool has the name.
    #[error("CPU pool {0:?} already exists")]
    PoolExists(String),
    /// The caller does not have the right to the operation.
    #[error("Not allowed: {}", describe_refusal(op, target, *right))]
    NotPermitted {
        op: &'static str,
        /// The domain; empty for the host.
        target: String,
        /// The right that the operation needs; `None` if it is for operators alone.
        right: Option<Right>,
    },
    /// The account of the caller does not allow a value. The text names the key.
    #[error("Not allowed: {0}")]
    BeyondLimits(String),
    /// Domain-0 does not support the operation.
    #[error("Cannot {0} privileged domain 0")]
    Privileged(&'static str),
    /// Domain-0 is shut down together with the host.
    #[error("Domain 0 cannot be shutdown")]
    Dom0Shutdown,
    /// The operation does not fit the state of the domain.
    #[error("Cannot {verb} domain {name}: it is {state}")]
    BadState {
        /// The operation.
        verb: &'static str,
        name: String,
        state: &'static str,
    },
    /// The domain is defined, but not on the host.
    #[error("Domain '{0}' is not started")]
    NotStarted(String),
    /// The operation needs a stored definition of the domain.
    #[error("Domain {0} is not managed: define it first (op=new, xm new), or save it to a file")]
    NotManaged(String),
    /// The domain has no such device.
    #[error("Device {device} not connected{}", after_colon(present))]
    NotConnected {
        /// The name or number.
        device: String,
        /// The devices of its class that the domain has, in words; empty if they are not told.
        present: String,
    },
    /// The domain's queue of operations is full.
    #[error("Domain {0} is busy: too many operations are waiting for it, try again")]
    Busy(String),
    /// Disks are being read, and perhaps do not answer.
    #[error("Too many disks are being read, try again")]
    DisksBusy,
    /// A value is invalid.
    #[error("{0}")]
    Invalid(#[from] Invalid),
    /// This host does not have the feature.
    #[error("{0}")]
    Unsupported(String),
    /// The free memory does not suffice.
    #[error("Not enough free memory: {needed_kib} KiB are needed{}", and_free(*free_kib))]
    NoMemory {
        /// The memory that the domain needs.
        needed_kib: u64,
        /// `None` if the caller may not know the host's memory.
        free_kib: Option<u64>,
    },
    /// A file that the domain boots from does not exist.
    #[error("{what} does not exist: {path}")]
    Missing {
        /// `Kernel image`, `Initial RAM disk`, ...
        what: &'static str,
        path: String,
    },
    /// A device did not connect.
    #[error("Device {device} ({}) could not be connected. {reason}", with_name(class, *device))]
    Device {
        device: u32,
        /// `vbd`, `vif`, ...
        class: String,
        /// The message of the hotplug script.
        reason: String,
    },
    /// Another domain on the host has a PCI function.
    #[error(
        "Device {device} (pci) could not be connected. {address} is handed through to {owner} \
         already"
    )]
    PciTaken {
        device: u32,
        /// The function.
        address: PciAddress,
        owner: String,
    },
    /// The guest does not release a device that is detached.
    #[error(
        "Device {device} ({}) could not be disconnected: the guest does not let go of it",
        with_name(class, *device)
    )]
    DeviceBusy {
        device: u32,
        /// `vbd`, `vif`, `pci`, ...
        class: String,
    },
    /// A disk is full, or the quota on it is used up.
    #[error("{what}: {reason}{}", of_place(place.as_deref()))]
    NoRoom {
        /// What could not be written.
        what: String,
        reason: &'static str,
        /// The directory on the disk; `None` if it is unknown.
        place: Option<PathBuf>,
    },
    /// There are as many objects of a kind as there can be.
    #[error("{0}")]
    LimitReached(String),
    /// No save or migration of the domain is under way.
    #[error("The domain is not being saved or migrated")]
    NoTransfer,
    /// The operation was cancelled by a caller.
    #[error("{0} was cancelled, the domain continues to run")]
    Cancelled(&'static str),
    /// The domain disappeared during the operation.
    #[error("Domain {0} no longer exists")]
    Gone(String),
    /// The hypervisor did not answer in time.
    #[error("{what} timed out after {} s", limit.as_secs())]
    Timeout {
        /// The call.
        what: &'static str,
        limit: Duration,
    },
    /// A long call of the hypervisor made no progress.
    #[error(
        "{what} made no progress for {} s while {}{}",
        limit.as_secs(), stage.name(), in_brackets(detail)
    )]
    Stalled {
        /// `Restoring`, `Create`, ...
        what: &'static str,
        /// The time without progress.
        limit: Duration,
        /// The stage that did not end.
        stage: Stage,
        /// The last observed progress within the stage.
        detail: String,
    },
    /// The agent inside a guest did not answer in time.
    #[error("No response from agent within {seconds} seconds")]
    AgentTimeout { seconds: u64 },
    /// The guest has gone while its agent was asked: it has another domid after a reboot.
    #[error("Domain {0} was rebooted or has gone: ask its agent again")]
    Rebooted(DomId),
    /// The agent inside a guest cannot do it.
    #[error("Agent does not support {0}")]
    AgentLacks(&'static str),
    /// The agent inside a guest failed, in its own words. Each of the two can be empty.
    #[error("{}", describe_agent_failure(message, returncode))]
    AgentFailed { returncode: String, message: String },
    /// The agent inside a guest answered what no agent answers.
    #[error("The response of the agent in the guest cannot be used: {0}")]
    AgentResponse(String),
    /// In a fleet: it cannot be asked, or does not permit what another host might do as well. The
    /// reason is a clause.
    #[error(
        "{reason}: until that is over, no domain is created, started, restored, resumed, defined, \
         renamed, migrated, received or deleted here; everything else goes on"
    )]
    FleetUnavailable { reason: String },
    /// In a fleet: to whom one domain belongs cannot be told, or changed. The reason is a clause.
    #[error("{reason}: until that is over, domain {domain} does not begin to run here")]
    OwnerUnknown { domain: Uuid, reason: String },
    /// In a fleet: another host has the domain.
    #[error("Domain {domain} belongs to {host}, where it runs, is being started or was sent from")]
    OwnedElsewhere { domain: Uuid, host: String },
    /// The gateway is being stopped.
    #[error("Xend is shutting down")]
    Stopping,
    /// The hypervisor or the store failed.
    #[error("{message}")]
    Backend {
        /// The text for the caller.
        message: String,
        /// The text for the log.
        #[source]
        source: Option<Box<dyn std::error::Error + Send + Sync>>,
    },
}

impl Error {
    /// The kind of failure.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::NoSuchDomain(_)
            | Self::NoSuchObject { .. }
            | Self::NoSuchVnet(_)
            | Self::NoSuchMigration(_)
            | Self::Gone(_) => ErrorKind::NotFound,
            Self::Exists { .. }
            | Self::UuidTaken { .. }
            | Self::NameIsIdentifier { .. }
            | Self::PoolExists(_)
            | Self::VnetExists(_)
            | Self::InUse { .. }
            | Self::PoolState(_)
            | Self::LastCpu(_)
            | Self::NotEnoughCpus { .. }
            | Self::NameTaken { .. }
            | Self::BadState { .. }
            | Self::NotStarted(_)
            | Self::NotManaged(_)
            | Self::NotConnected { .. }
            | Self::Busy(_)
            | Self::DisksBusy
            | Self::Cancelled(_)
            | Self::NoTransfer
            | Self::LimitReached(_)
            | Self::Rebooted(_)
            | Self::OwnedElsewhere { .. }
            | Self::Undecided { .. }
            | Self::Stopping => ErrorKind::Conflict,
            Self::Privileged(_)
            | Self::Dom0Shutdown
            | Self::NotPermitted { .. }
            | Self::BeyondLimits(_) => ErrorKind::Denied,
            Self::Invalid(_) | Self::Missing { .. } | Self::NoSuchCpu(_) => ErrorKind::Invalid,
            Self::Unsupported(_) | Self::AgentLacks(_) => ErrorKind::Unsupported,
            Self::NoMemory { .. }
            | Self::Remote { .. }
            | Self::Unreachable { .. }
            | Self::ConnectionLost { .. }
            | Self::InDoubt { .. }
            | Self::Device { .. }
            | Self::PciTaken { .. }
            | Self::DeviceBusy { .. }
            | Self::NoRoom { .. }
            | Self::Timeout { .. }
            | Self::AgentTimeout { .. }
            | Self::AgentFailed { .. }
            | Self::AgentResponse(_)
            | Self::Stalled { .. }
            | Self::FleetUnavailable { .. }
            | Self::OwnerUnknown { .. }
            | Self::Backend { .. } => ErrorKind::Backend,
        }
    }

    /// The text for logs, events and histories. An agent can repeat what it was sent, passwords
    /// included, so its own words are for the caller alone.
    pub fn for_record(&self) -> Cow<'_, str> {
        match self {
            Self::AgentFailed { returncode, .. } => agent_failed(returncode).into(),
            error => error.to_string().into(),
        }
    }

    /// A device that the domain does not have. The devices that it has are not told.
    pub fn not_connected(device: &dyn fmt::Display) -> Self {
        Self::NotConnected { device: device.to_string(), present: String::new() }
    }

    /// A refusal of an operation that needs this. `domain` is the domain in question.
    pub fn not_permitted(op: &'static str, need: Need, domain: &str) -> Self {
        let target = if matches!(need, Need::Domain(_)) { domain } else { "" };
        Self::NotPermitted { op, target: target.to_owned(), right: need.right() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_with_an_odd_number_has_its_name_beside_it() {
        let failed = |class: &str, device| {
            let class = class.to_owned();
            Error::Device { device, class, reason: "No.".to_owned() }.to_string()
        };
        assert_eq!(failed("vbd", 51712), "Device 51712 (vbd) could not be connected. No.");
        let odd = "Device 268441856 (vbd xvdz) could not be connected. No.";
        assert_eq!(failed("vbd", 268_441_856), odd);
        assert_eq!(failed("vif", 0), "Device 0 (vif) could not be connected. No.");
        let busy = Error::DeviceBusy { device: 268_441_856, class: "tap".to_owned() };
        assert!(busy.to_string().starts_with("Device 268441856 (tap xvdz) could not be dis"));
    }

    #[test]
    fn a_failed_agent_need_not_have_words() {
        let failed = |returncode: &str, message: &str| {
            let returncode = returncode.to_owned();
            Error::AgentFailed { returncode, message: message.to_owned() }
        };
        for (error, text, record) in [
            (
                failed("500", "disk full"),
                "The agent in the guest says: disk full (500)",
                "The agent in the guest failed (500)",
            ),
            (
                failed("500", ""),
                "The agent gave no reason, only its return code 500",
                "The agent in the guest failed (500)",
            ),
            (
                failed("", "disk full"),
                "The agent in the guest says: disk full",
                "The agent in the guest failed",
            ),
            (
                failed("", ""),
                "The agent gave neither a reason nor a return code",
                "The agent in the guest failed",
            ),
        ] {
            assert_eq!((error.to_string().as_str(), &*error.for_record()), (text, record));
        }
    }
}
