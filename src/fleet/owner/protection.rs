//! Domains that are protected: they are guarded as long as they are here, and started here when
//! another host has ended that had them.
//!
//! The guard has a domain before etcd says that it is guarded, and lets it go after etcd has said
//! that it is not. The rules are in `docs/fleet-model.md`.

use super::locals::Stage;
use super::registrations::Absence;
use super::state::Owner;
use super::step::{Failed, STEP_LIMIT, Scope};
use super::takeover::Run;
use crate::core::error::Error;
use crate::core::model::Uuid;
use crate::core::ownership::{Boot, Own};
use crate::core::ports::Copies;
use crate::fleet::backoff::Backoff;
use crate::fleet::domain::OwnRecord;
use crate::fleet::followed::{list_all, watch_all};
use crate::fleet::guard::GuardFailure;
use crate::fleet::kv::{KvError, KvEvent, Watched};
use crate::fleet::membership::{Ended, Membership};
use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use std::convert::Infallible;
use tokio::time::Instant;
use tracing::{debug, error, warn};

const AWAY: &str = "The domain is protected, and this host is away (xend fleet away --end)";

/// How many domains are started at a time that other hosts had, or that have ended.
const RUNS: usize = 4;

impl Owner {
    /// Has a domain guarded that is about to be built, if it is protected.
    pub(super) async fn guard_if_protected(&self, domain: Uuid) -> Result<(), Failed> {
        let is_guarded = self.registrations().contains(domain);
        if is_guarded || self.has_policy(domain).await? {
            if !self.registrations().is_present() {
                return Err(Failed::Unguarded(AWAY.to_owned()));
            }
            self.register(domain).await.map_err(Failed::Unguarded)?;
        }
        Ok(())
    }

    /// Whether etcd has a policy of a domain. A host in no fleet has none.
    async fn has_policy(&self, domain: Uuid) -> Result<bool, Failed> {
        if self.place.is_outside() {
            return Ok(false);
        }
        let key = self.keys.policy(domain);
        let deadline = Instant::now() + STEP_LIMIT;
        if let Ok(policy) = self.kv.get(&key).await {
            return Ok(policy.is_some());
        }
        let unavailable =
            |reason| Failed::Unavailable { reason, in_doubt: false, scope: Scope::Silence };
        if self.place.membership(deadline).await.map_err(unavailable)?.is_none() {
            return Ok(false);
        }
        let policy = self.kv.get(&key).await;
        Ok(policy.map_err(|error| unavailable(format!("The fleet's {error}")))?.is_some())
    }

    /// Has a domain guarded anew that is guarded, and is about to be built again.
    pub(super) async fn guard_again(&self, domain: Uuid) -> Result<(), Error> {
        if !self.registrations().contains(domain) {
            return Ok(());
        }
        if self.registrations().rebuild_while_away(domain) {
            return Ok(());
        }
        match self.register(domain).await {
            // The host has gone away just now.
            Err(_) if self.registrations().rebuild_while_away(domain) => Ok(()),
            registered => registered.map_err(|reason| Error::FleetUnavailable { reason }),
        }
    }

    async fn register(&self, domain: Uuid) -> Result<(), String> {
        let epoch = self.guard.register(domain).await.map_err(|failure| unguarded(&failure))?;
        self.registrations().add(domain, epoch, false);
        Ok(())
    }

    /// The build of a domain is over, if it is guarded.
    pub(super) async fn end_build(&self, domain: Uuid) {
        if !self.registrations().contains(domain) {
            return;
        }
        let is_told = self.guard.built(domain).await.is_ok();
        self.registrations().end_build(domain, is_told);
        if !is_told {
            self.guard_news.notify_one();
        }
    }

    /// Whether the guard of this host has a domain and keeps it. As long as the guard was not
    /// asked, etcd is believed.
    pub(super) fn is_guarded(&self, domain: Uuid, by: &Boot, own: Option<&Own>) -> bool {
        let table = self.registrations();
        let is_own = || own.is_some_and(|own| own.by == *by && own.guarded);
        table.epoch_of(domain) == Some(by.epoch) || (!table.is_known() && is_own())
    }

    /// etcd knows what a domain does here: at `stage`, or not here any more.
    pub(super) fn let_go_if_told(&self, domain: Uuid, stage: Option<Stage>) {
        let mut table = self.registrations();
        if table.contains(domain) && (stage.is_none() || table.is_going(domain)) {
            table.set_free(domain);
            self.guard_news.notify_one();
        }
    }

    /// Whether the guard has nothing: what this boot of the host had guarded has ended.
    pub(in crate::fleet) async fn guards_nothing(&self) -> bool {
        let status = self.guard.status().await;
        status.is_ok_and(|here| !here.is_ending && here.domains.is_empty())
    }

    /// A domain has gone that the guard has: whether the guard has ended it, so that it is to run
    /// again. Fails if the guard cannot be asked.
    pub(super) async fn has_guard_ended(&self, domain: Uuid) -> Result<bool, GuardFailure> {
        if !self.registrations().is_known() {
            match self.guard.status().await {
                Ok(here) => self.registrations().restore(&here),
                Err(failure) if self.is_guarded_in_etcd(domain).await => return Err(failure),
                Err(_) => {}
            }
        }
        if self.registrations().absence() == Absence::Away {
            return Ok(false);
        }
        let is_registered = self.registrations().contains(domain);
        let has_ended = if is_registered {
            self.guard.status().await?.has_ended(domain)
        } else {
            // It did so before this daemon began.
            self.is_guarded_in_etcd(domain).await
        };
        if has_ended {
            warn!(%domain, "The guard has ended a domain: it is started again where that may be");
            let mut table = self.registrations();
            table.remove(domain);
            table.want(domain);
            self.guard_news.notify_one();
        }
        Ok(has_ended)
    }

    async fn is_guarded_in_etcd(&self, domain: Uuid) -> bool {
        let entry = self.kv.get(&self.keys.own(domain)).await.ok().flatten();
        let own = entry.and_then(|entry| OwnRecord::decode(&entry.value).ok());
        own.is_some_and(|own| own.guarded && own.by.host == self.host)
    }

    /// Ends the membership of a boot that is fenced, when its guard has nothing any more: the next
    /// one has another epoch.
    async fn leave_fenced_epoch(&self, membership: Membership) -> Result<(), KvError> {
        let fence = self.kv.get(&self.keys.fence(&self.host, membership.epoch)).await?;
        if fence.is_some() && self.guards_nothing().await {
            self.place.end(membership, Ended::Changed);
        }
        Ok(())
    }

    /// Keeps the guard what the policies say, and starts what is to be started here.
    pub(super) async fn protect(&self, membership: Membership, copies: &dyn Copies) -> Infallible {
        let mut backoff = Backoff::default();
        let mut runs = FuturesUnordered::new();
        self.registrations().forget_runs();
        loop {
            let error =
                match self.follow_protection(membership, copies, &mut runs, &mut backoff).await {
                    Ok(never) => match never {},
                    Err(error) => error,
                };
            debug!(%error, "What is protected is listed anew");
            backoff.wait().await;
        }
    }

    async fn follow_protection<'a>(
        &'a self,
        membership: Membership,
        copies: &'a dyn Copies,
        runs: &mut FuturesUnordered<Run<'a>>,
        backoff: &mut Backoff,
    ) -> Result<Infallible, KvError> {
        let prefixes = [self.keys.policies(), self.keys.takeovers()];
        let [policies, takeovers] = list_all(&*self.kv, &prefixes).await?;
        let keys = policies.entries.iter().filter_map(|entry| self.keys.parse_policy(&entry.key));
        self.registrations().set_all_protected(keys.collect());
        takeovers.entries.iter().for_each(|entry| self.note_takeover(entry));
        let listed = [policies.revision, takeovers.revision];
        let mut changes = watch_all(&*self.kv, &prefixes, &listed).await?;
        let mut told = None;
        loop {
            let failure = self.adjust_guard().await.err();
            if let Some(failure) = &failure {
                let text = failure.to_string();
                if told.as_ref() != Some(&text) {
                    error!("Protected domains on this host are not guarded: {text}");
                    told = Some(text);
                }
            }
            if !self.registrations().wanted().is_empty() {
                self.leave_fenced_epoch(membership).await?;
            }
            self.begin_runs(copies, runs);
            let is_all = failure.is_none() && self.registrations().wanted().is_empty();
            if is_all {
                told = None;
                backoff.reset();
            }
            tokio::select! {
                change = changes.next() => match change.map(|(_, change)| change) {
                    Some(Ok(Watched::Events(events))) => self.note_changes(&events),
                    Some(Ok(Watched::Progress(_))) => {}
                    Some(Err(error)) => return Err(error),
                    None => return Err(KvError::Unreachable("the watches have ended".to_owned())),
                },
                Some(()) = runs.next(), if !runs.is_empty() => {}
                () = self.guard_news.notified() => {}
                () = backoff.wait(), if !is_all => {}
            }
        }
    }

    fn note_changes(&self, events: &[KvEvent]) {
        for event in events {
            if let Some(domain) = self.keys.parse_policy(event.key()) {
                let is_protected = matches!(event, KvEvent::Put(_));
                self.registrations().set_protected(domain, is_protected);
            } else if let KvEvent::Put(entry) = event {
                self.note_takeover(entry);
            }
        }
    }

    fn begin_runs<'a>(&'a self, copies: &'a dyn Copies, runs: &mut FuturesUnordered<Run<'a>>) {
        // A host that is away gets no protected domains.
        let may_begin = self.registrations().is_present();
        let wanted = if may_begin { self.registrations().wanted() } else { Vec::new() };
        for domain in wanted {
            if runs.len() >= RUNS {
                return;
            }
            if self.registrations().begin_run(domain) {
                runs.push(Box::pin(self.run_wanted(domain, copies)));
            }
        }
    }

    /// Tells the guard what it does not know.
    async fn adjust_guard(&self) -> Result<(), GuardFailure> {
        if !self.registrations().is_known() {
            let is_idle = {
                let running: Vec<Uuid> = self.locals().running().collect();
                self.registrations().unguarded(running.into_iter()).is_empty()
            };
            match self.guard.status().await {
                Ok(here) => self.registrations().restore(&here),
                // Nothing here needs it.
                Err(_) if is_idle => return Ok(()),
                Err(failure) => return Err(failure),
            }
        }
        let running: Vec<Uuid> = {
            let locals = self.locals();
            let disputed = locals.disputed();
            locals.running().filter(|domain| !disputed.contains_key(domain)).collect()
        };
        let is_present = self.registrations().is_present();
        let unguarded = self.registrations().unguarded(running.iter().copied());
        for domain in unguarded.into_iter().filter(|_| is_present) {
            let turn = self.turn(domain).await;
            if self.locals().stage(domain) == Some(Stage::Running) {
                let epoch = self.guard.register(domain).await?;
                self.registrations().add(domain, epoch, true);
                self.tell(domain);
            }
            drop(turn);
        }
        let going = self.registrations().let_go(running.into_iter());
        for domain in going {
            self.tell(domain);
        }
        let untold = self.registrations().untold();
        for domain in untold {
            self.guard.built(domain).await?;
            self.registrations().end_build(domain, true);
        }
        let free = self.registrations().free();
        for domain in free {
            let _turn = self.turn(domain).await;
            if self.registrations().free().contains(&domain) {
                self.guard.release(domain).await?;
                self.registrations().remove_free(domain);
            }
        }
        Ok(())
    }
}

fn unguarded(failure: &GuardFailure) -> String {
    format!(
        "The domain is protected, and {failure} (or type xend fleet policy DOMAIN none, and it \
         runs without)"
    )
}

#[cfg(test)]
mod tests;
