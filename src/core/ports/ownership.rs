//! Which domains belong to this host, and their definitions in the fleet.

use super::migration::Handover;
use crate::core::error::Error;
use crate::core::fleet::{ClusterName, HostName};
use crate::core::model::{CompleteConfig, DomName, Invalid, Uuid};
use async_trait::async_trait;
use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::Arc;
use std::time::SystemTime;
use tokio::sync::watch;

/// A domain that another host has handed over to this one.
#[derive(Debug, Clone, Copy)]
pub struct Arrived<'a> {
    pub domain: Uuid,
    /// The migration.
    pub id: Uuid,
    /// The fleet in which the sender says that the domain is moving.
    pub fleet: Option<&'a ClusterName>,
    /// Whether a definition came along, which this host had not.
    pub brings_definition: bool,
}

/// What the fleet says of a domain that was handed over to this host.
#[derive(Debug)]
pub enum Leave {
    /// The domain belongs to this host.
    Granted,
    /// It does not, and never will by this migration.
    Refused(Error),
}

/// Domains of which the fleet says that they belong to other hosts, with these.
pub type Disputes = Arc<BTreeMap<Uuid, HostName>>;

/// The fleet's leave to run domains here, and to define them: a domain belongs to one host at most,
/// and so does a name.
///
/// What a domain does that is on this host already needs no leave: it is paused, shut down,
/// destroyed and restarted in place without an answer of the fleet.
#[async_trait]
pub trait Ownership: Debug + Send + Sync + 'static {
    /// Waits until it is known whether this host is a member of a fleet, without a limit.
    async fn ready(&self);

    /// Fails if the fleet cannot be asked now: what needs its leave is not even begun.
    async fn check(&self) -> Result<(), Error>;

    /// Asks for a domain and its name before it is built. One that is here already is granted at
    /// once.
    async fn claim(&self, domain: Uuid, name: &DomName) -> Result<(), Error>;

    /// Asks to let a domain run that was claimed and built. Without leave it is to be destroyed.
    async fn run(&self, domain: Uuid) -> Result<(), Error>;

    /// A domain is on this host under this name, whatever led to that. The fleet learns it as soon
    /// as it can.
    fn hold(&self, domain: Uuid, name: &DomName);

    /// A domain on this host was given another name by another toolstack. The fleet learns it as
    /// soon as it can.
    fn renamed(&self, domain: Uuid, name: &DomName);

    /// A domain is not on this host any more, or did not get here. The fleet learns it as soon as
    /// it can.
    fn release(&self, domain: Uuid);

    /// Waits a moment until the fleet knows what was [released](Self::release), if it answers.
    async fn released(&self, domain: Uuid);

    /// Fails if the fleet says that a domain on this host belongs to another one. A fleet that has
    /// not been told of the domain yet is waited for a moment; without an answer, all is well.
    async fn check_dispute(&self, domain: Uuid) -> Result<(), Error>;

    /// The domains on this host that belong to other hosts, as they change.
    fn disputes(&self) -> watch::Receiver<Disputes>;

    /// A domain is suspended and was sent; the other host may take it from now on. Returns the
    /// fleet in which that is noted; `None` on a host in no fleet.
    async fn hand_over(
        &self,
        domain: Uuid,
        handover: &Handover,
    ) -> Result<Option<ClusterName>, Error>;

    /// A domain here was handed over in an earlier run of the daemon, by this host or to it, and it
    /// is still to be found out which host has it.
    fn doubt(&self, domain: Uuid);

    /// The other host says that it did not take the domain. `is_refused` tells that it never will,
    /// so that a domain that is nobody's may go on here. Tells whether the domain belongs to this
    /// host again: otherwise another host has it, and it must not go on here.
    async fn take_back(&self, domain: Uuid, is_refused: bool) -> Result<bool, Error>;

    /// Asks for a domain that another host has handed over, before it runs here, and for the
    /// definition that this host then has of it. After an error the domain may be this host's: the
    /// question is to be repeated.
    async fn receive(
        &self,
        arrived: Arrived<'_>,
        name: &DomName,
        definition: Option<&Arc<CompleteConfig>>,
    ) -> Result<Leave, Error>;

    /// A domain that another host has handed over is not here: after this, the fleet does not say
    /// that it is. A definition that came along is the other host's again.
    async fn renounce(&self, arrived: Arrived<'_>) -> Result<(), Error>;

    /// Defines a domain, or changes its definition, before this host does.
    async fn define(&self, definition: &Arc<CompleteConfig>)
    -> Result<Box<dyn PendingCopy>, Error>;

    /// Gives a domain another name, before this host does. `definition` is what it is then; `None`
    /// of a domain that is not managed.
    async fn rename(
        &self,
        domain: Uuid,
        name: &DomName,
        definition: Option<&Arc<CompleteConfig>>,
    ) -> Result<Box<dyn PendingCopy>, Error>;

    /// Deletes a definition, before this host does.
    async fn delete(&self, domain: Uuid) -> Result<Box<dyn PendingCopy>, Error>;

    /// This host has changed the definition of a domain, or has it no more. The fleet learns it as
    /// soon as it can.
    fn changed(&self, domain: Uuid, definition: Option<&Arc<CompleteConfig>>);

    /// An operator wants the fleet not to take this host for dead, though it may be silent. At
    /// this time it comes back by itself, if it can.
    async fn go_away(&self, now: SystemTime, until: SystemTime) -> Result<(), Error>;

    /// Ends that. A host that is not away is back.
    async fn come_back(&self) -> Result<(), Error>;
}

/// A change of a definition that the fleet has, and this host is about to make. Dropped before it
/// is [`done`](Self::done), what this host has counts, and the fleet learns it as soon as it can.
pub trait PendingCopy: Send + Sync {
    /// This host has made and published it.
    fn done(self: Box<Self>);
}

/// The definitions of this host, for its part in a fleet: they are copies of what the fleet has.
#[async_trait]
pub trait Copies: Send + Sync {
    /// The domains that are defined here.
    fn defined(&self) -> Vec<Uuid>;

    /// The definition of a domain, if it is defined here.
    fn definition(&self, domain: Uuid) -> Option<Arc<CompleteConfig>>;

    /// Whether the domain is here, defined or not.
    fn is_here(&self, domain: Uuid) -> bool;

    /// Defines a domain that is not here. Tells whether it has done so: the name may be taken.
    async fn add(&self, definition: Arc<CompleteConfig>) -> Result<bool, Error>;

    /// Replaces a definition. Tells whether it has done so: it does not if another one is here than
    /// `instead_of`.
    async fn replace(
        &self,
        definition: Arc<CompleteConfig>,
        instead_of: Option<Arc<CompleteConfig>>,
    ) -> Result<bool, Error>;

    /// Starts a domain that is defined here and is not on the host.
    async fn start(&self, domain: Uuid) -> Result<(), Error>;

    /// Sets a definition aside that another host has now: its file stays, and the domain is not
    /// defined here any more. Tells whether it has done so: it does not if another one is here, or
    /// if the domain is on the host.
    async fn set_aside(&self, definition: Arc<CompleteConfig>) -> Result<bool, Error>;
}

/// A host in no fleet: all domains on it are its own.
#[derive(Debug, Clone, Copy, Default)]
pub struct Alone;

impl PendingCopy for Alone {
    fn done(self: Box<Self>) {}
}

#[async_trait]
impl Ownership for Alone {
    async fn ready(&self) {}

    async fn check(&self) -> Result<(), Error> {
        Ok(())
    }

    async fn claim(&self, _domain: Uuid, _name: &DomName) -> Result<(), Error> {
        Ok(())
    }

    async fn run(&self, _domain: Uuid) -> Result<(), Error> {
        Ok(())
    }

    fn hold(&self, _domain: Uuid, _name: &DomName) {}

    fn renamed(&self, _domain: Uuid, _name: &DomName) {}

    fn release(&self, _domain: Uuid) {}

    async fn released(&self, _domain: Uuid) {}

    async fn check_dispute(&self, _domain: Uuid) -> Result<(), Error> {
        Ok(())
    }

    fn disputes(&self) -> watch::Receiver<Disputes> {
        watch::channel(Disputes::default()).1
    }

    async fn hand_over(
        &self,
        _domain: Uuid,
        _handover: &Handover,
    ) -> Result<Option<ClusterName>, Error> {
        Ok(None)
    }

    fn doubt(&self, _domain: Uuid) {}

    async fn take_back(&self, _domain: Uuid, _is_refused: bool) -> Result<bool, Error> {
        Ok(true)
    }

    async fn receive(
        &self,
        _arrived: Arrived<'_>,
        _name: &DomName,
        _definition: Option<&Arc<CompleteConfig>>,
    ) -> Result<Leave, Error> {
        Ok(Leave::Granted)
    }

    async fn renounce(&self, _arrived: Arrived<'_>) -> Result<(), Error> {
        Ok(())
    }

    async fn define(
        &self,
        _definition: &Arc<CompleteConfig>,
    ) -> Result<Box<dyn PendingCopy>, Error> {
        Ok(Box::new(Self))
    }

    async fn rename(
        &self,
        _domain: Uuid,
        _name: &DomName,
        _definition: Option<&Arc<CompleteConfig>>,
    ) -> Result<Box<dyn PendingCopy>, Error> {
        Ok(Box::new(Self))
    }

    async fn delete(&self, _domain: Uuid) -> Result<Box<dyn PendingCopy>, Error> {
        Ok(Box::new(Self))
    }

    fn changed(&self, _domain: Uuid, _definition: Option<&Arc<CompleteConfig>>) {}

    async fn go_away(&self, _now: SystemTime, _until: SystemTime) -> Result<(), Error> {
        Err(Self::in_no_fleet())
    }

    async fn come_back(&self) -> Result<(), Error> {
        Err(Self::in_no_fleet())
    }
}

impl Alone {
    fn in_no_fleet() -> Error {
        Invalid::new("This host is in no fleet").into()
    }
}
