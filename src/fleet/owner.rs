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
use crate::core::fleet::ClusterName;
use crate::core::model::Uuid;
use crate::core::ownership::{Answer, NotOurs, Sender, Step};
use crate::core::ports::{Disputes, Handover, Leave, Ownership};
use crate::fleet::membership::Membership;
use async_trait::async_trait;
use locals::Stage;
use std::time::Duration;
use step::{Failed, STEP_LIMIT, Scope};
use tokio::sync::watch;
use tokio::time::{Instant, timeout};

/// How long an operation waits until the fleet knows that a domain has come or gone.
const TELLING_LIMIT: Duration = Duration::from_secs(2);

impl Owner {
    /// The error for the caller. A change in doubt is made right later.
    fn failure(&self, domain: Uuid, failed: Failed) -> Error {
        match failed {
            Failed::NotOurs(NotOurs { owner: Some(host) }) => {
                Error::OwnedElsewhere { domain, host: host.to_string() }
            }
            Failed::NotOurs(NotOurs { owner: None }) => {
                let reason = "The fleet says that it is nobody's".to_owned();
                Error::OwnerUnknown { domain, reason }
            }
            Failed::Unavailable { reason, in_doubt, scope } => {
                if in_doubt {
                    self.tell(domain);
                }
                match scope {
                    Scope::Silence | Scope::Host => Error::FleetUnavailable { reason },
                    Scope::Domain => Error::OwnerUnknown { domain, reason },
                }
            }
        }
    }

    /// Makes a change. The domain is at `stage` from before that on, so that a host that joins
    /// meanwhile tells the fleet, and at its earlier one after a failure.
    async fn advance(
        &self,
        domain: Uuid,
        step: &Step,
        stage: Stage,
    ) -> Result<Option<Membership>, Failed> {
        let before = self.locals().set(domain, Some(stage));
        let done = self.step(domain, step).await;
        if done.is_err() {
            self.locals().set(domain, before);
        }
        done
    }

    /// Whether a domain is here, and is nobody else's as far as is known.
    fn has(&self, domain: Uuid) -> bool {
        let locals = self.locals();
        let is_disputed = locals.disputed().contains_key(&domain);
        locals.stage(domain) == Some(Stage::Running) && !is_disputed
    }

    /// Tells the fleet now what a domain does, if that is still to be done and etcd answers in a
    /// moment.
    async fn tell_now(&self, domain: Uuid) {
        let is_to_be_told = {
            let locals = self.locals();
            locals.is_unwritten(domain) && !locals.is_silent()
        };
        // Without the writer, which ends before the last domains are stopped with the daemon.
        if is_to_be_told
            && self.place.is_member()
            && timeout(TELLING_LIMIT, self.settle(domain)).await.is_err()
        {
            // What was sent may come later.
            self.place.end_in_doubt();
            self.locals().note_answer(false);
        }
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
        if self.has(domain) {
            return Ok(());
        }
        let claimed = self.advance(domain, &Step::Claim, Stage::Starting).await;
        claimed.map(drop).map_err(|failed| self.failure(domain, failed))
    }

    async fn run(&self, domain: Uuid) -> Result<(), Error> {
        let _turn = self.turn(domain).await;
        if self.has(domain) {
            return Ok(());
        }
        let runs = self.advance(domain, &Step::Run, Stage::Running).await;
        runs.map(drop).map_err(|failed| self.failure(domain, failed))
    }

    fn hold(&self, domain: Uuid) {
        let before = self.locals().set(domain, Some(Stage::Running));
        if before != Some(Stage::Running) {
            self.tell(domain);
        }
    }

    fn release(&self, domain: Uuid) {
        let before = self.locals().set(domain, None);
        self.note_dispute(domain, None);
        if before.is_some() {
            self.tell(domain);
        }
    }

    async fn released(&self, domain: Uuid) {
        self.tell_now(domain).await;
    }

    async fn check_dispute(&self, domain: Uuid) -> Result<(), Error> {
        self.tell_now(domain).await;
        match self.locals().disputed().get(&domain) {
            Some(host) => Err(Error::OwnedElsewhere { domain, host: host.to_string() }),
            None => Ok(()),
        }
    }

    fn disputes(&self) -> watch::Receiver<Disputes> {
        self.disputes.subscribe()
    }

    async fn hand_over(
        &self,
        domain: Uuid,
        handover: &Handover,
    ) -> Result<Option<ClusterName>, Error> {
        let _turn = self.turn(domain).await;
        let to = match &handover.to.member {
            Some(member) => member.name.to_string(),
            None => handover.to.to_string(),
        };
        let step = Step::Move { to, id: handover.id };
        // Whatever comes of it, only the driver says where the domain is.
        self.locals().set(domain, Some(Stage::Moving));
        match self.step(domain, &step).await {
            Ok(membership) => Ok(membership.map(|_| self.keys.cluster().clone())),
            Err(failed) => {
                let error = self.failure(domain, failed);
                // Nobody was told to take it: it is here.
                self.hold(domain);
                Err(error)
            }
        }
    }

    fn doubt(&self, domain: Uuid) {
        self.locals().set(domain, Some(Stage::Moving));
    }

    async fn take_back(&self, domain: Uuid, is_refused: bool) -> Result<bool, Error> {
        let _turn = self.turn(domain).await;
        let after = if is_refused { Answer::Refused } else { Answer::Unknown };
        match self.advance(domain, &Step::TakeBack { after }, Stage::Running).await {
            Ok(_) => Ok(true),
            Err(Failed::NotOurs(not_ours)) if not_ours.owner.is_some() => Ok(false),
            Err(Failed::NotOurs(_)) => {
                let reason =
                    "The fleet says that it is nobody's, and the other host knows nothing \
                              of the migration, so that it may have run there"
                        .to_owned();
                Err(Error::OwnerUnknown { domain, reason })
            }
            Err(failed) => Err(self.failure(domain, failed)),
        }
    }

    async fn receive(
        &self,
        domain: Uuid,
        id: Uuid,
        fleet: Option<&ClusterName>,
    ) -> Result<Leave, Error> {
        let _turn = self.turn(domain).await;
        let is_member = fleet == Some(self.keys.cluster());
        let from = if is_member { Sender::Member } else { Sender::Stranger };
        let before = self.locals().stage(domain);
        let received = self.advance(domain, &Step::Receive { id, from }, Stage::Running).await;
        let (in_doubt, scope, failed) = match received {
            Ok(_) => return Ok(Leave::Granted),
            Err(failed @ Failed::NotOurs(_)) => {
                return Ok(Leave::Refused(self.failure(domain, failed)));
            }
            Err(Failed::Unavailable { reason, in_doubt, scope }) => {
                // What was asked for before can have happened as well.
                let in_doubt = in_doubt || before == Some(Stage::Moving);
                (in_doubt, scope, Failed::Unavailable { reason, in_doubt: false, scope })
            }
        };
        let error = self.failure(domain, failed);
        if !in_doubt {
            return Ok(Leave::Refused(error));
        }
        self.locals().set(domain, Some(Stage::Moving));
        if scope != Scope::Silence && self.step(domain, &Step::Halt).await.is_ok() {
            return Ok(Leave::Refused(error));
        }
        Err(error)
    }

    async fn renounce(&self, domain: Uuid) -> Result<(), Error> {
        let _turn = self.turn(domain).await;
        let renounced = self.step(domain, &Step::Halt).await;
        renounced.map(drop).map_err(|failed| self.failure(domain, failed))
    }
}

#[cfg(test)]
mod tests;
