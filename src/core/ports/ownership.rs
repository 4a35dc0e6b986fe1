//! Which domains belong to this host.

use super::migration::Handover;
use crate::core::error::Error;
use crate::core::fleet::{ClusterName, HostName};
use crate::core::model::Uuid;
use async_trait::async_trait;
use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::Arc;
use tokio::sync::watch;

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

/// The fleet's leave to run domains here: a domain belongs to one host at most.
///
/// What a domain does that is on this host already needs no leave: it is paused, shut down,
/// destroyed and restarted in place without an answer of the fleet.
#[async_trait]
pub trait Ownership: Debug + Send + Sync + 'static {
    /// Waits until it is known whether this host is a member of a fleet, without a limit.
    async fn ready(&self);

    /// Fails if the fleet cannot be asked now: what needs its leave is not even begun.
    async fn check(&self) -> Result<(), Error>;

    /// Asks for a domain before it is built. One that is here already is granted at once.
    async fn claim(&self, domain: Uuid) -> Result<(), Error>;

    /// Asks to let a domain run that was claimed and built. Without leave it is to be destroyed.
    async fn run(&self, domain: Uuid) -> Result<(), Error>;

    /// A domain is on this host, whatever led to that. The fleet learns it as soon as it can.
    fn hold(&self, domain: Uuid);

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

    /// Asks for a domain that another host has handed over, before it runs here. `id` is the
    /// migration, and `fleet` the one in which the sender says that the domain is moving. After an
    /// error the domain may be this host's: the question is to be repeated.
    async fn receive(
        &self,
        domain: Uuid,
        id: Uuid,
        fleet: Option<&ClusterName>,
    ) -> Result<Leave, Error>;

    /// A domain that another host has handed over is not here: after this, the fleet does not say
    /// that it is.
    async fn renounce(&self, domain: Uuid) -> Result<(), Error>;
}

/// A host in no fleet: all domains on it are its own.
#[derive(Debug, Clone, Copy, Default)]
pub struct Alone;

#[async_trait]
impl Ownership for Alone {
    async fn ready(&self) {}

    async fn check(&self) -> Result<(), Error> {
        Ok(())
    }

    async fn claim(&self, _domain: Uuid) -> Result<(), Error> {
        Ok(())
    }

    async fn run(&self, _domain: Uuid) -> Result<(), Error> {
        Ok(())
    }

    fn hold(&self, _domain: Uuid) {}

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
        _domain: Uuid,
        _id: Uuid,
        _fleet: Option<&ClusterName>,
    ) -> Result<Leave, Error> {
        Ok(Leave::Granted)
    }

    async fn renounce(&self, _domain: Uuid) -> Result<(), Error> {
        Ok(())
    }
}
