//! Which domains belong to this host: the port [`Ownership`] on etcd.
//!
//! ```text
//! state     what there is, and what it is told of the host
//! step      one change of own/U
//! locals    the domains that are here, and what the fleet has not been told of them
//! writer    tells it as soon as etcd answers
//! place     whether the host is a member
//! ```
//!
//! A domain that is halted has no key. That the key may go, and come again, takes nothing from what
//! a comparison of its revision says: a transaction compares the host's own record as well, which
//! is written anew before a change in doubt is given up.

mod locals;
mod place;
mod record;
mod state;
mod step;
mod writer;

pub(super) use record::OwnRecord;
pub use state::Owner;

use crate::core::error::Error;
use crate::core::model::Uuid;
use crate::core::ownership::Step;
use crate::core::ports::{Handover, Ownership};
use async_trait::async_trait;
use locals::Stage;
use std::time::Duration;
use step::{Failed, STEP_LIMIT};
use tokio::time::{Instant, timeout};

/// How long an operation waits until the fleet knows that a domain has gone.
const RELEASE_WAIT: Duration = Duration::from_secs(2);

impl Owner {
    /// The error for the caller. A change in doubt is made right later.
    fn failure(&self, domain: Uuid, failed: Failed) -> Error {
        match failed {
            Failed::NotOurs(not_ours) => {
                let host = not_ours.owner.map_or("no host".to_owned(), |host| host.to_string());
                Error::OwnedElsewhere { domain, host }
            }
            Failed::Unavailable { reason, in_doubt, .. } => {
                if in_doubt {
                    self.tell(domain);
                }
                Error::FleetUnavailable { reason }
            }
        }
    }

    /// Makes a change, after which the domain is at `stage` here.
    async fn advance(&self, domain: Uuid, step: &Step, stage: Stage) -> Result<(), Error> {
        self.step(domain, step).await.map_err(|failed| self.failure(domain, failed))?;
        self.locals().set(domain, stage);
        Ok(())
    }
}

#[async_trait]
impl Ownership for Owner {
    async fn ready(&self) {
        self.place.known().await;
    }

    async fn check(&self) -> Result<(), Error> {
        let unavailable = |reason| Error::FleetUnavailable { reason };
        let deadline = Instant::now() + STEP_LIMIT;
        if self.place.membership(deadline).await.map_err(unavailable)?.is_some() {
            let asked = self.kv.get(&self.keys.host(&self.host)).await;
            asked.map_err(|error| unavailable(format!("The fleet's {error}")))?;
        }
        Ok(())
    }

    async fn claim(&self, domain: Uuid) -> Result<(), Error> {
        let _turn = self.turn(domain).await;
        if self.locals().stage(domain) == Some(Stage::Running) {
            return Ok(());
        }
        self.advance(domain, &Step::Claim, Stage::Starting).await
    }

    async fn run(&self, domain: Uuid) -> Result<(), Error> {
        let _turn = self.turn(domain).await;
        if self.locals().stage(domain) == Some(Stage::Running) {
            return Ok(());
        }
        self.advance(domain, &Step::Run, Stage::Running).await
    }

    fn hold(&self, domain: Uuid) {
        self.locals().set(domain, Stage::Running);
        self.tell(domain);
    }

    fn release(&self, domain: Uuid) {
        let was_here = self.locals().remove(domain);
        if was_here {
            self.tell(domain);
        }
    }

    async fn released(&self, domain: Uuid) {
        // Without the writer, which ends before the last domains are stopped with the daemon.
        if self.locals().is_unwritten(domain) && self.place.is_member() {
            timeout(RELEASE_WAIT, self.settle(domain)).await.ok();
        }
    }

    async fn hand_over(&self, domain: Uuid, handover: &Handover) -> Result<(), Error> {
        let _turn = self.turn(domain).await;
        let step = Step::Move { to: handover.to.to_string(), id: handover.id };
        // Whatever comes of it, only the driver says where the domain is.
        self.locals().set(domain, Stage::Moving);
        let done = self.step(domain, &step).await.map_err(|failed| self.failure(domain, failed));
        if done.is_err() {
            // Nobody was told to take it: it is here.
            self.hold(domain);
        }
        done
    }

    fn doubt(&self, domain: Uuid) {
        self.locals().set(domain, Stage::Moving);
    }

    async fn take_back(&self, domain: Uuid) -> Result<bool, Error> {
        let _turn = self.turn(domain).await;
        match self.step(domain, &Step::TakeBack).await {
            Ok(()) => {
                self.locals().set(domain, Stage::Running);
                Ok(true)
            }
            Err(Failed::NotOurs(_)) => Ok(false),
            Err(failed) => Err(self.failure(domain, failed)),
        }
    }

    async fn receive(&self, domain: Uuid, id: Uuid) -> Result<(), Error> {
        let _turn = self.turn(domain).await;
        self.advance(domain, &Step::Receive { id }, Stage::Running).await
    }
}

#[cfg(test)]
mod tests;
