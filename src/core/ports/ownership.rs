//! Which domains belong to this host.

use super::migration::Handover;
use crate::core::error::Error;
use crate::core::model::Uuid;
use async_trait::async_trait;
use std::fmt::Debug;

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

    /// A domain is suspended and was sent; the other host may take it from now on.
    async fn hand_over(&self, domain: Uuid, handover: &Handover) -> Result<(), Error>;

    /// A domain here was handed over in an earlier run of the daemon, and the other host is asked
    /// which of the two has it.
    fn doubt(&self, domain: Uuid);

    /// The other host says that it did not take the domain. Tells whether the domain belongs to
    /// this host again: otherwise it must not go on here.
    async fn take_back(&self, domain: Uuid) -> Result<bool, Error>;

    /// Takes a domain that another host has handed over, before it runs here. `id` is the
    /// migration.
    async fn receive(&self, domain: Uuid, id: Uuid) -> Result<(), Error>;
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

    async fn hand_over(&self, _domain: Uuid, _handover: &Handover) -> Result<(), Error> {
        Ok(())
    }

    fn doubt(&self, _domain: Uuid) {}

    async fn take_back(&self, _domain: Uuid) -> Result<bool, Error> {
        Ok(true)
    }

    async fn receive(&self, _domain: Uuid, _id: Uuid) -> Result<(), Error> {
        Ok(())
    }
}
