//! What the fleet is told later: of domains that have left while etcd was away, that were here
//! before the host joined, or that a daemon was killed with.

use super::locals::Stage;
use super::state::Owner;
use super::step::{Done, Failed, Scope};
use crate::core::fleet::HostName;
use crate::core::fleet_domain::{Act, Refusal};
use crate::core::model::Uuid;
use crate::core::ownership::{Boot, NotOurs, Phase, Step};
use crate::core::ports::Copies;
use crate::fleet::backoff::Backoff;
use crate::fleet::domain::OwnRecord;
use crate::fleet::kv::KvError;
use crate::fleet::membership::{Ended, Membership};
use std::collections::BTreeMap;
use std::convert::Infallible;
use tracing::{debug, error, warn};

/// Whether the fleet knows what a domain does.
pub(super) enum Settled {
    Yes,
    NotYet,
    /// etcd does not answer.
    Silence,
}

impl Owner {
    /// Tells the fleet what it does not know yet, as long as the membership lasts.
    pub(in crate::fleet) async fn keep(
        &self,
        membership: Membership,
        copies: &dyn Copies,
    ) -> Ended {
        tokio::select! {
            never = self.follow_definitions(membership, copies) => match never {},
            ended = self.place.ended(membership) => ended,
            never = self.write_for_ever(membership) => match never {},
            never = self.protect(membership, copies) => match never {},
        }
    }

    async fn write_for_ever(&self, membership: Membership) -> Infallible {
        let mut backoff = Backoff::default();
        let mut is_refused = false;
        loop {
            let compared = self.compare(membership).await;
            if let (Err(error @ KvError::Refused(_)), false) = (&compared, is_refused) {
                is_refused = true;
                warn!(%error, "This host cannot read which domains of the fleet are its own");
            }
            let is_all = compared.is_ok() && self.write().await;
            if is_all && self.locals().compared_in != Some(membership.epoch) {
                // More has changed than was remembered.
            } else if is_all {
                backoff.reset();
                self.news.notified().await;
            } else {
                tokio::select! {
                    () = backoff.wait() => {}
                    () = self.news.notified() => {}
                }
            }
        }
    }

    /// Once an epoch, and when more has changed than was remembered: looks for domains that belong
    /// to this host and are not here, or the other way round.
    async fn compare(&self, membership: Membership) -> Result<(), KvError> {
        if self.locals().compared_in == Some(membership.epoch) {
            return Ok(());
        }
        // Before etcd is read, so that what changes meanwhile is compared again.
        self.locals().compared_in = Some(membership.epoch);
        let listed = self.kv.list(&self.keys.owns()).await;
        let listing = listed.inspect_err(|_| self.locals().compared_in = None)?;
        let by = Boot { host: self.host.clone(), epoch: membership.epoch };
        let mut owned = BTreeMap::new();
        let mut locals = self.locals();
        for entry in listing.entries {
            let own = OwnRecord::decode(&entry.value).ok().filter(|own| own.by.host == self.host);
            if let (Some(domain), Some(own)) = (self.keys.parse_own(&entry.key), own) {
                let is_called = own.name == locals.name(domain);
                let is_here = locals.stage(domain).is_some();
                // It has ended with its boot, or before it ran.
                if own.guarded && !is_here && (own.by != by || own.phase == Phase::Starting) {
                    self.registrations().want(domain);
                    self.guard_news.notify_one();
                }
                owned.insert(domain, own.by == by && own.phase == Phase::Running && is_called);
            }
        }
        locals.mark_differences(&owned);
        Ok(())
    }

    /// Writes what is not written yet, and tells whether all is.
    async fn write(&self) -> bool {
        let mut is_all = true;
        let unwritten = self.locals().unwritten();
        for domain in unwritten {
            match self.settle(domain).await {
                Settled::Yes => {}
                Settled::NotYet => is_all = false,
                Settled::Silence => return false,
            }
        }
        is_all
    }

    /// Tells the fleet what a domain does now.
    pub(super) async fn settle(&self, domain: Uuid) -> Settled {
        let _turn = self.turn(domain).await;
        let stage = {
            let mut locals = self.locals();
            let stage = locals.stage(domain);
            if matches!(stage, Some(Stage::Starting | Stage::Moving)) {
                // Its driver tells it.
                locals.written(domain);
                return Settled::Yes;
            }
            stage
        };
        let done = match stage {
            Some(_) => self.hold_now(domain).await,
            // It is started again, here or elsewhere.
            None if self.registrations().is_wanted(domain) => {
                self.locals().written(domain);
                return Settled::Yes;
            }
            None => match self.has_guard_ended(domain).await {
                Ok(false) => self.step(domain, Step::Halt).await,
                // A guard that does not answer takes the host with it, and others start the domain.
                Ok(true) | Err(_) => return Settled::NotYet,
            },
        };
        let is_same = self.locals().stage(domain) == stage;
        match done {
            Ok(_) if is_same => {
                let mut locals = self.locals();
                locals.written(domain);
                locals.note_answer(true);
                drop(locals);
                self.let_go_if_told(domain, stage);
                self.note_dispute(domain, None);
                Settled::Yes
            }
            // It has come or gone meanwhile; and no definition is put.
            Ok(_) | Err(Failed::TooLong(_) | Failed::NoKey(_) | Failed::Unguarded(_)) => {
                Settled::NotYet
            }
            Err(Failed::Refused(refusal)) => {
                if let (Refusal::NotOurs(NotOurs { owner }), true) = (refusal, is_same) {
                    self.note_dispute(domain, owner);
                }
                Settled::NotYet
            }
            Err(Failed::Unavailable { reason, scope, .. }) => {
                debug!(%domain, reason, "The fleet is told later whether this host has a domain");
                if scope == Scope::Silence {
                    self.locals().note_answer(false);
                    return Settled::Silence;
                }
                Settled::NotYet
            }
        }
    }

    /// Tells the fleet that a domain is here. If another one has its name, it is here without.
    async fn hold_now(&self, domain: Uuid) -> Result<Done, Failed> {
        let name = self.locals().name(domain);
        let held = self.step(domain, Step::Hold).await;
        if held.is_ok() {
            self.locals().has_name(domain);
        }
        let Err(Failed::Refused(Refusal::NameTaken { host, .. })) = held else { return held };
        if self.locals().share_name(domain, host.clone()) {
            let name = name.map(|name| name.to_string());
            let host = host.map(|host| host.to_string());
            error!(
                %domain, name, host,
                "A domain on this host has the name of a domain on another one: rename one of them"
            );
        }
        self.act(domain, &Act::own(Step::Hold, None), None).await
    }

    /// Notes whether a domain here belongs to another host.
    pub(super) fn note_dispute(&self, domain: Uuid, owner: Option<HostName>) {
        let mut locals = self.locals();
        if !locals.dispute(domain, owner.clone()) {
            return;
        }
        if let Some(owner) = owner {
            error!(
                %domain, %owner,
                "A domain on this host belongs to another one, and may run on both: destroy one of \
                 them"
            );
        }
        self.disputes.send_replace(locals.disputed().clone().into());
    }
}
