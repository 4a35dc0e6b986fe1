//! What can go wrong, as the caller may know it.

use super::model::{DomId, Invalid, Uuid};
use super::transfer::Stage;
use std::time::Duration;

/// What sort of failure it is, for whoever turns it into a status code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// There is no such thing.
    NotFound,
    /// It can't be done in the present state, or somebody else is in the way.
    Conflict,
    /// The caller may not.
    Denied,
    /// The request makes no sense.
    Invalid,
    /// This hypervisor or scheduler has nothing of the kind.
    Unsupported,
    /// The hypervisor, or a device, failed.
    Backend,
}

/// A failed operation. Display is what the caller may read: short, capitalised, never a secret;
/// what only the log may know is the source chain.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No domain has this name, domid or UUID.
    #[error("No such domain {0}")]
    NoSuchDomain(String),
    /// There is no such object.
    #[error("No such {class} {name}")]
    NoSuchObject {
        /// The Xen-API's class.
        class: &'static str,
        /// Its UUID or name.
        name: String,
    },
    /// Something cannot go while somebody uses it.
    #[error("{what} is used by {by}")]
    InUse {
        /// What it is.
        what: &'static str,
        /// Who uses it.
        by: String,
    },
    /// A CPU pool is not in the state that it would have to be in.
    #[error("The CPU pool is {0}")]
    PoolState(&'static str),
    /// A CPU that cannot be had.
    #[error("{0}")]
    NoSuchCpu(String),
    /// A pool that has domains keeps its last CPU.
    #[error("CPU pool {0} has domains and keeps its last CPU")]
    LastCpu(String),
    /// Too few CPUs are in no pool.
    #[error("Not enough free CPUs: {needed} are needed and {available} are free")]
    NotEnoughCpus {
        /// What the pool wants.
        needed: u32,
        /// What there is.
        available: u32,
    },
    /// No virtual network has this id.
    #[error("No such vnet {0}")]
    NoSuchVnet(String),
    /// A virtual network of this id is known already.
    #[error("Vnet {0} already exists")]
    VnetExists(String),
    /// A migration that is over, or never was.
    #[error("Migration {0} is over")]
    NoSuchMigration(Uuid),
    /// The other host of a migration failed, or refused.
    #[error("The other host says: {reason}")]
    Remote {
        /// In its words.
        reason: String,
    },
    /// The connection was lost at the one moment at which only the other host knows who has the
    /// domain.
    #[error(
        "The connection to {to} was lost when domain {name} had been handed over: xend keeps it suspended and goes on \
         asking {to} who has it; destroy it to give it up here"
    )]
    InDoubt {
        /// The domain.
        name: String,
        /// The other host.
        to: String,
    },
    /// There is a domain with the name of a new one.
    #[error("Domain {name:?} already exists{}", id(" with ID ", *domid))]
    Exists {
        /// The name that was asked for.
        name: String,
        /// The domid of the domain that has it; `None` if that is not on the host.
        domid: Option<DomId>,
    },
    /// There is a domain with the UUID of a new one, and with another name.
    #[error("A domain with UUID {uuid} already exists: {owner:?}{}", id(" with ID ", *domid))]
    UuidTaken {
        /// The UUID that was asked for.
        uuid: Uuid,
        /// The name of the domain that has it.
        owner: String,
        /// The domid of that domain; `None` if it is not on the host.
        domid: Option<DomId>,
    },
    /// There is a domain with the new name of another one.
    #[error("VM name {name:?} already exists{}", id(" as domain ", *domid))]
    NameTaken {
        /// The name that was asked for.
        name: String,
        /// The domid of the domain that has it; `None` if that is not on the host.
        domid: Option<DomId>,
    },
    /// A name by which clients already reach a domain: its domid or UUID.
    #[error("VM name {name:?} already exists as the {what} of domain {owner:?}, use another name")]
    NameMeansDomain {
        /// The name that was asked for.
        name: String,
        /// `domid` or `UUID`.
        what: &'static str,
        /// The name of the domain.
        owner: String,
    },
    /// There is a CPU pool with the name.
    #[error("CPU pool {0:?} already exists")]
    PoolExists(String),
    /// Domain-0 cannot be treated like a guest.
    #[error("Cannot {0} privileged domain 0")]
    Privileged(&'static str),
    /// Domain-0 is switched off with its host.
    #[error("Domain 0 cannot be shutdown")]
    Dom0Shutdown,
    /// The operation does not fit the state that the domain is in.
    #[error("Cannot {verb} domain {name}: it is {state}")]
    BadState {
        /// What was asked for.
        verb: &'static str,
        /// Whose.
        name: String,
        /// What it is.
        state: &'static str,
    },
    /// The domain is defined and not on the host.
    #[error("Domain '{0}' is not started")]
    NotStarted(String),
    /// The operation is for domains whose definition is stored.
    #[error("Domain {0} is not managed: define it with op=new first, or save it to a file")]
    NotManaged(String),
    /// The domain has no such device.
    #[error("Device {0} not connected")]
    NotConnected(String),
    /// Many requests are waiting for the same domain.
    #[error("Domain {0} is busy: too many operations are waiting for it, try again")]
    Busy(String),
    /// A value makes no sense.
    #[error("{0}")]
    Invalid(#[from] Invalid),
    /// This host has nothing of the kind.
    #[error("{0}")]
    Unsupported(String),
    /// The memory that is free does not suffice.
    #[error("Not enough free memory: {needed_kib} KiB are needed and {free_kib} KiB are free")]
    NoMemory {
        /// What the domain takes.
        needed_kib: u64,
        /// What there is.
        free_kib: u64,
    },
    /// A file that the domain boots from is not there.
    #[error("{what} does not exist: {path}")]
    Missing {
        /// `Kernel image`, `Initial RAM disk`, ...
        what: &'static str,
        /// Its path.
        path: String,
    },
    /// A device did not connect.
    #[error("Device {device} ({class}) could not be connected. {reason}")]
    Device {
        /// The device's number.
        device: u32,
        /// `vbd`, `vif`, ...
        class: String,
        /// What the hotplug script said.
        reason: String,
    },
    /// The guest keeps a device that is to be unplugged.
    #[error("Device {device} ({class}) could not be disconnected: the guest does not let go of it")]
    DeviceBusy {
        /// The device's number.
        device: u32,
        /// `vbd`, `vif`, `pci`, ...
        class: String,
    },
    /// The disk is full, or takes no more.
    #[error("{0}: no space is left on the disk")]
    NoRoom(String),
    /// Somebody did not want it any more.
    #[error("{0} was cancelled, the domain goes on")]
    Cancelled(&'static str),
    /// The domain went away while something waited for it.
    #[error("Domain {0} has gone")]
    Gone(String),
    /// The hypervisor did not answer in time.
    #[error("{what} timed out after {} s", limit.as_secs())]
    Timeout {
        /// What was being done.
        what: &'static str,
        /// How long it was waited for.
        limit: Duration,
    },
    /// A long call of the hypervisor did not get on.
    #[error("{what} stood still for {} s while {}{}", limit.as_secs(), stage.name(), in_brackets(detail))]
    Stalled {
        /// `Restoring`, `Create`, ...
        what: &'static str,
        /// How long nothing changed.
        limit: Duration,
        /// The stage that did not end.
        stage: Stage,
        /// What was last seen of it.
        detail: String,
    },
    /// The gateway is being stopped.
    #[error("Xend is shutting down")]
    Stopping,
    /// The hypervisor failed.
    #[error("{message}")]
    Backend {
        /// What the caller may know.
        message: String,
        /// What the log may know.
        #[source]
        source: Option<Box<dyn std::error::Error + Send + Sync>>,
    },
}

impl Error {
    /// What sort of failure it is.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::NoSuchDomain(_)
            | Self::NoSuchObject { .. }
            | Self::NoSuchVnet(_)
            | Self::NoSuchMigration(_)
            | Self::Gone(_) => ErrorKind::NotFound,
            Self::Exists { .. }
            | Self::UuidTaken { .. }
            | Self::NameMeansDomain { .. }
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
            | Self::NotConnected(_)
            | Self::Busy(_)
            | Self::Cancelled(_)
            | Self::Stopping => ErrorKind::Conflict,
            Self::Privileged(_) | Self::Dom0Shutdown => ErrorKind::Denied,
            Self::Invalid(_) | Self::Missing { .. } | Self::NoSuchCpu(_) => ErrorKind::Invalid,
            Self::Unsupported(_) => ErrorKind::Unsupported,
            Self::NoMemory { .. }
            | Self::Remote { .. }
            | Self::InDoubt { .. }
            | Self::Device { .. }
            | Self::DeviceBusy { .. }
            | Self::NoRoom(_)
            | Self::Timeout { .. }
            | Self::Stalled { .. }
            | Self::Backend { .. } => ErrorKind::Backend,
        }
    }

    /// A failure of the hypervisor or the store that the caller reads as `message`. A disk that is
    /// full is the caller's business, too.
    pub fn backend(
        message: impl Into<String>,
        source: impl std::error::Error + Send + Sync + 'static,
    ) -> Self {
        let io = (&source as &dyn std::any::Any)
            .downcast_ref::<std::io::Error>()
            .map(std::io::Error::kind);
        if matches!(io, Some(std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded)) {
            return Self::NoRoom(message.into());
        }
        Self::Backend { message: message.into(), source: Some(Box::new(source)) }
    }
}

fn in_brackets(detail: &str) -> String {
    if detail.is_empty() { String::new() } else { format!(" ({detail})") }
}

/// The end of a message about a domain that has a domid.
fn id(words: &str, domid: Option<DomId>) -> String {
    domid.map_or_else(String::new, |id| format!("{words}{id}"))
}
