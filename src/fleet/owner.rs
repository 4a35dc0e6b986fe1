//! Which domains belong to this host, and their definitions: the port [`Ownership`] on etcd.
//!
//! ```text
//! state         what there is, and what it is told of the host
//! step          one change of what etcd has of a domain
//! locals        the domains that are here, and what the fleet has not been told of them
//! writer        tells it as soon as etcd answers
//! definitions   what clients define, rename and delete
//! compare       definitions here and in the fleet, made the same; judge: which one is right
//! note          of which version a definition here is; news: which are to be compared
//! clashes       what the fleet and this host do not agree about
//! text          definitions as text; sealed: as etcd has it
//! place         whether the host is a member
//! protection    the guard, and what is to be started here; takeover: how that is done
//! registrations what the guard has, and what is wanted here
//! absence       the host is away on purpose, and comes back; departure: how it goes
//! ```
//!
//! A domain that is halted has no key. That the key may go, and come again, takes nothing from what
//! a comparison of its revision says: a transaction compares the host's own record as well, which
//! is written anew before a change in doubt is given up.

mod absence;
mod clashes;
mod compare;
mod definitions;
mod departure;
mod judge;
mod locals;
mod news;
mod note;
mod place;
mod protection;
mod registrations;
mod sealed;
mod state;
mod step;
mod takeover;
mod text;
mod writer;

pub use note::Notes;
pub use state::Owner;

use crate::core::error::{Error, Place};
use crate::core::fleet::ClusterName;
use crate::core::fleet_domain::{Act, DefinitionStep, Refusal};
use crate::core::model::{CompleteConfig, DomName, Uuid};
use crate::core::ownership::{Answer, NotOurs, Sender, Step};
use crate::core::ports::{Arrived, Disputes, Handover, Leave, Ownership, PendingCopy};
use async_trait::async_trait;
use definitions::Change;
use locals::Stage;
use news::News;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use step::{Done, Failed, STEP_LIMIT, Scope};
use tokio::sync::watch;
use tokio::time::{Instant, timeout};

/// How long an operation waits until the fleet knows that a domain has come or gone.
const TELLING_LIMIT: Duration = Duration::from_secs(2);

const MAY_HAVE_RUN: &str = "The fleet says that it is nobody's, and the other host knows nothing of \
                            the migration, so that it may have run there";

impl Owner {
    /// The error for the caller, as on a host alone. A change in doubt is made right later.
    fn failure(&self, domain: Uuid, failed: Failed, is_rename: bool) -> Error {
        match failed {
            Failed::Refused(Refusal::NotOurs(NotOurs { owner: Some(host) })) => {
                Error::OwnedElsewhere { domain, host: host.to_string() }
            }
            Failed::Refused(Refusal::NotOurs(NotOurs { owner: None })) => {
                let reason = "The fleet says that it is nobody's".to_owned();
                Error::OwnerUnknown { domain, reason }
            }
            Failed::Refused(Refusal::DefinedAt { home, name }) => {
                Error::UuidTaken { uuid: domain, owner: name.to_string(), at: home.into() }
            }
            Failed::Refused(Refusal::NameTaken { name, host, .. }) => {
                let (name, at) = (name.to_string(), Place::from(host));
                if is_rename { Error::NameTaken { name, at } } else { Error::Exists { name, at } }
            }
            Failed::TooLong(invalid) => invalid.into(),
            Failed::NoKey(reason) | Failed::Unguarded(reason) => Error::FleetUnavailable { reason },
            Failed::Refused(Refusal::Undefined) => Error::NoSuchDomain(domain.to_string()),
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
    async fn advance(&self, change: Change<'_>, stage: Stage) -> Result<Done, Failed> {
        let domain = change.domain;
        let before = {
            let mut locals = self.locals();
            let before = locals.set(domain, Some(stage));
            if let Some(name) = &change.act.name {
                locals.call(domain, name);
            }
            before
        };
        let begins = matches!(change.act.own, Some(Step::Claim | Step::Receive { .. }));
        let ready = if begins { self.guard_if_protected(domain).await } else { Ok(()) };
        let done = match ready {
            Ok(()) => self.change_definition(change).await,
            Err(failed) => Err(failed),
        };
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

    fn sender(&self, arrived: &Arrived<'_>) -> Sender {
        let is_member = arrived.fleet == Some(self.keys.cluster());
        if is_member { Sender::Member } else { Sender::Stranger }
    }

    /// Undoes what may have come of the question for a domain that another host has handed over.
    async fn give_back(&self, arrived: &Arrived<'_>) -> Result<Done, Failed> {
        let definition = match self.sender(arrived) {
            Sender::Member => DefinitionStep::GiveBack,
            Sender::Stranger => DefinitionStep::Remove,
        };
        let definition = arrived.brings_definition.then_some(definition);
        let act = Act { own: Some(Step::GiveBack { id: arrived.id }), definition, name: None };
        self.act(arrived.domain, &act, None).await
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

    async fn claim(&self, domain: Uuid, name: &DomName) -> Result<(), Error> {
        let _turn = self.turn(domain).await;
        if self.has(domain) {
            return self.guard_again(domain).await;
        }
        let claim = Change::own(domain, Step::Claim, Some(name.clone()));
        let claimed = self.advance(claim, Stage::Starting).await;
        claimed.map(drop).map_err(|failed| {
            if self.registrations().contains(domain) {
                self.tell(domain);
            }
            self.failure(domain, failed, false)
        })
    }

    async fn run(&self, domain: Uuid) -> Result<(), Error> {
        let _turn = self.turn(domain).await;
        if !self.has(domain) {
            let run = Change::own(domain, Step::Run, self.locals().name(domain));
            let runs = self.advance(run, Stage::Running).await;
            runs.map_err(|failed| self.failure(domain, failed, false))?;
        }
        self.end_build(domain).await;
        Ok(())
    }

    fn hold(&self, domain: Uuid, name: &DomName) {
        let is_news = {
            let mut locals = self.locals();
            let before = locals.set(domain, Some(Stage::Running));
            locals.call(domain, name) || before != Some(Stage::Running)
        };
        if is_news {
            self.tell(domain);
        }
    }

    fn renamed(&self, domain: Uuid, name: &DomName) {
        let is_news = self.locals().call(domain, name);
        if is_news {
            self.tell(domain);
        }
    }

    fn release(&self, domain: Uuid) {
        let before = self.locals().set(domain, None);
        self.note_dispute(domain, None);
        if before.is_some() || self.registrations().contains(domain) {
            self.tell(domain);
        }
        if before == Some(Stage::Moving) && self.place.is_member() {
            self.announce(domain, News::Compare(None));
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
        match self.step(domain, step).await {
            Ok(Done::Outside) => Ok(None),
            Ok(Done::Same | Done::Written(_)) => Ok(Some(self.keys.cluster().clone())),
            Err(failed) => {
                let error = self.failure(domain, failed, false);
                // Nobody was told to take it: it is here.
                self.locals().set(domain, Some(Stage::Running));
                self.tell(domain);
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
        let name = self.locals().name(domain);
        let back = Change::own(domain, Step::TakeBack { after }, name);
        match self.advance(back, Stage::Running).await {
            Ok(done) => {
                if !matches!(done, Done::Outside) {
                    // Its definition may have no home, since it was given back.
                    self.announce(domain, News::Compare(None));
                }
                Ok(true)
            }
            Err(Failed::Refused(Refusal::NotOurs(NotOurs { owner: Some(_) }))) => Ok(false),
            Err(Failed::Refused(Refusal::NotOurs(NotOurs { owner: None }))) => {
                Err(Error::OwnerUnknown { domain, reason: MAY_HAVE_RUN.to_owned() })
            }
            Err(failed) => Err(self.failure(domain, failed, false)),
        }
    }

    async fn receive(
        &self,
        arrived: Arrived<'_>,
        name: &DomName,
        definition: Option<&Arc<CompleteConfig>>,
    ) -> Result<Leave, Error> {
        let Arrived { domain, id, .. } = arrived;
        let _turn = self.turn(domain).await;
        let act = Act {
            own: Some(Step::Receive { id, from: self.sender(&arrived) }),
            definition: definition.map(|definition| DefinitionStep::Bring(definition.name.clone())),
            name: Some(name.clone()),
        };
        let before = self.locals().stage(domain);
        let received = self.advance(Change { domain, act, definition }, Stage::Running).await;
        let (in_doubt, scope, failed) = match received {
            Ok(_) => {
                self.end_build(domain).await;
                return Ok(Leave::Granted);
            }
            Err(failed @ Failed::Refused(_)) => {
                return Ok(Leave::Refused(self.failure(domain, failed, false)));
            }
            Err(Failed::Unavailable { reason, in_doubt, scope }) => {
                // What was asked for before can have happened as well.
                let in_doubt = in_doubt || before == Some(Stage::Moving);
                (in_doubt, scope, Failed::Unavailable { reason, in_doubt: false, scope })
            }
            Err(failed @ (Failed::TooLong(_) | Failed::NoKey(_) | Failed::Unguarded(_))) => {
                (before == Some(Stage::Moving), Scope::Domain, failed)
            }
        };
        let error = self.failure(domain, failed, false);
        if !in_doubt {
            return Ok(Leave::Refused(error));
        }
        self.locals().set(domain, Some(Stage::Moving));
        if scope != Scope::Silence && self.give_back(&arrived).await.is_ok() {
            return Ok(Leave::Refused(error));
        }
        Err(error)
    }

    async fn renounce(&self, arrived: Arrived<'_>) -> Result<(), Error> {
        let _turn = self.turn(arrived.domain).await;
        let renounced = self.give_back(&arrived).await;
        renounced.map(drop).map_err(|failed| self.failure(arrived.domain, failed, false))
    }

    async fn define(
        &self,
        definition: &Arc<CompleteConfig>,
    ) -> Result<Box<dyn PendingCopy>, Error> {
        let domain = definition.uuid();
        let act = Act::definition(DefinitionStep::Put(definition.name.clone()));
        self.begin_copy(Change { domain, act, definition: Some(definition) }, None).await
    }

    async fn rename(
        &self,
        domain: Uuid,
        name: &DomName,
        definition: Option<&Arc<CompleteConfig>>,
    ) -> Result<Box<dyn PendingCopy>, Error> {
        let is_here = self.locals().stage(domain).is_some();
        let act = Act {
            own: is_here.then_some(Step::Hold),
            definition: definition.map(|_| DefinitionStep::Put(name.clone())),
            name: Some(name.clone()),
        };
        self.begin_copy(Change { domain, act, definition }, Some(name)).await
    }

    async fn delete(&self, domain: Uuid) -> Result<Box<dyn PendingCopy>, Error> {
        let act = Act::definition(DefinitionStep::Remove);
        self.begin_copy(Change { domain, act, definition: None }, None).await
    }

    fn changed(&self, domain: Uuid, definition: Option<&Arc<CompleteConfig>>) {
        self.announce(domain, News::Changed(definition.cloned()));
    }

    async fn go_away(&self, now: SystemTime, until: SystemTime) -> Result<(), Error> {
        self.leave_for_operator(now, until).await
    }

    async fn come_back(&self) -> Result<(), Error> {
        self.return_for_operator().await
    }
}

#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
