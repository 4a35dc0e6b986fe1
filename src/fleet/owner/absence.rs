//! Planned absences: no taker fences a host that is away, so its guard keeps no timer.
//!
//! etcd has acknowledged that the host is away before the guard unsets its timers. On the way back
//! the guard sets one first, and has all domains that are guarded, and only then does etcd say no
//! more that the host is away. In between, a guard may even be stopped: the next one knows nothing,
//! and gets those domains again.

use super::registrations::Absence;
use super::state::Owner;
use super::step::STEP_LIMIT;
use crate::core::error::Error;
use crate::core::model::Uuid;
use crate::core::ownership::Boot;
use crate::fleet::backoff::Backoff;
use crate::fleet::domain::OwnRecord;
use crate::fleet::guard::{GuardFailure, GuardedHere};
use crate::fleet::kv::{Committed, Compare, Entry, KvError, Op, Txn};
use crate::fleet::membership::{Ended, Membership};
use crate::fleet::protection_records::{AwayCause, AwayRecord};
use crate::fleet::records::unix_seconds;
use std::collections::BTreeSet;
use std::convert::Infallible;
use std::time::{Duration, SystemTime};
use tokio::time::{Instant, sleep};
use tracing::{info, warn};

/// How often a host that is away looks whether it still is.
const LOOKING: Duration = Duration::from_secs(5);
/// How often something is tried that others get in the way of.
pub(super) const TRIES: usize = 16;
const PAUSE: Duration = Duration::from_millis(500);

/// Why the host is not away, or not back.
#[derive(Debug, thiserror::Error)]
pub(super) enum Stuck {
    #[error("{0}")]
    Reason(String),
    #[error("the fleet's {0}")]
    Kv(#[from] KvError),
    #[error(transparent)]
    Guard(#[from] GuardFailure),
    #[error("other hosts change what the fleet has of this one")]
    Changed,
}

/// What etcd says.
enum Look {
    Present,
    Away,
}

impl Owner {
    /// Comes back when an absence is over, as long as the membership lasts: also from one that an
    /// earlier run of the daemon has left behind.
    pub(in crate::fleet) async fn keep_absence(
        &self,
        membership: Membership,
        now: &(dyn Fn() -> SystemTime + Sync),
    ) -> Infallible {
        let mut backoff = Backoff::default();
        let mut told = None;
        loop {
            match self.look_at_absence(membership, now).await {
                Ok(look) => {
                    backoff.reset();
                    told = None;
                    let pause = async {
                        match look {
                            Look::Present => std::future::pending().await,
                            Look::Away => sleep(LOOKING).await,
                        }
                    };
                    tokio::select! {
                        () = pause => {}
                        () = self.absence_news.notified() => {}
                    }
                }
                Err(stuck) => {
                    let text = stuck.to_string();
                    if told.as_ref() != Some(&text) {
                        warn!("This host cannot come back from its planned absence yet: {text}");
                        told = Some(text);
                    }
                    backoff.wait().await;
                }
            }
        }
    }

    async fn look_at_absence(
        &self,
        membership: Membership,
        now: &(dyn Fn() -> SystemTime + Sync),
    ) -> Result<Look, Stuck> {
        let _turn = self.absence_turn.lock().await;
        let mut own = None;
        for entry in self.kv.list(&self.keys.aways_of(&self.host)).await?.entries {
            match self.keys.parse_away(&entry.key) {
                Some((_, epoch)) if epoch == membership.epoch => own = Some(entry),
                // That boot has ended.
                Some((_, epoch)) if epoch < membership.epoch => {
                    self.remove_away(membership, &entry).await?;
                }
                Some(_) | None => {}
            }
        }
        let Some(entry) = own else {
            self.be_present(membership).await?;
            return Ok(Look::Present);
        };
        let record = AwayRecord::decode(&entry.value).ok();
        let stays = record.filter(|record| {
            record.cause == AwayCause::Operator && unix_seconds(now()) < record.until
        });
        if stays.is_none() {
            self.return_from(membership, Some(&entry)).await?;
            return Ok(Look::Present);
        }
        if self.registrations().absence() != Absence::Away {
            self.registrations().set_absence(Absence::Acknowledged);
            self.unset_timers().await?;
            self.registrations().set_absence(Absence::Away);
            info!("An operator wants this host to be away still: xend fleet away --end ends that");
        }
        Ok(Look::Away)
    }

    /// etcd does not say that the host is away. It may have been, and somebody has said that it is
    /// dead: then the guard finds the fence.
    async fn be_present(&self, membership: Membership) -> Result<(), Stuck> {
        let is_present = self.registrations().absence() == Absence::Present;
        let is_guard_away = async { self.guard.status().await.is_ok_and(|here| here.is_away) };
        if is_present && !is_guard_away.await {
            return Ok(());
        }
        let back = self.return_from(membership, None).await;
        self.registrations().set_absence(Absence::Present);
        self.guard_news.notify_one();
        back
    }

    /// Comes back. `entry` is what etcd says of the absence, as it was read in this membership.
    pub(super) async fn return_from(
        &self,
        membership: Membership,
        entry: Option<&Entry>,
    ) -> Result<(), Stuck> {
        let before = self.guard.status().await;
        let remembers = before.as_ref().is_ok_and(|here| here.is_away);
        let guarded =
            if remembers { BTreeSet::new() } else { self.guarded_in_etcd(membership).await? };
        match before {
            Ok(here) => self.registrations().restore_once(&here),
            Err(failure) if !guarded.is_empty() || self.registrations().has_some() => {
                return Err(failure.into());
            }
            // Nothing here needs it.
            Err(_) => {}
        }
        if self.registrations().has_some() || !guarded.is_empty() {
            self.guard.back().await?;
            self.regain(membership, &guarded).await?;
        } else if remembers {
            self.guard.back().await?;
        }
        self.registrations().set_absence(Absence::Present);
        self.guard_news.notify_one();
        if let Some(entry) = entry {
            self.remove_away(membership, entry).await?;
            info!("This host is back from its planned absence");
        }
        Ok(())
    }

    /// The domains that are guarded under this boot, as etcd has it.
    async fn guarded_in_etcd(&self, membership: Membership) -> Result<BTreeSet<Uuid>, KvError> {
        let by = Boot { host: self.host.clone(), epoch: membership.epoch };
        let guarded = |entry: &Entry| {
            let own = OwnRecord::decode(&entry.value).ok()?;
            self.keys.parse_own(&entry.key).filter(|_| own.guarded && own.by == by)
        };
        let owned = self.kv.list(&self.keys.owns()).await?.entries;
        let here = owned.iter().filter_map(guarded);
        Ok(here.filter(|domain| self.locals().stage(*domain).is_some()).collect())
    }

    /// Has the guard know all domains that it is to have, and that were built anew meanwhile.
    async fn regain(&self, membership: Membership, guarded: &BTreeSet<Uuid>) -> Result<(), Stuck> {
        for _ in 0..TRIES {
            let GuardedHere { domains, .. } = self.guard.status().await?;
            let lost = self.registrations().lost(&domains, guarded);
            for domain in lost {
                let _turn = self.turn(domain).await;
                if self.locals().stage(domain).is_none() {
                    self.registrations().has_guard(domain, None);
                    continue;
                }
                let epoch = self.guard.register(domain).await?;
                if epoch != membership.epoch {
                    let reason = "the guard of this host guards another boot of it".to_owned();
                    return Err(Stuck::Reason(reason));
                }
                self.registrations().has_guard(domain, Some(epoch));
            }
            if self.registrations().end_absence() {
                return Ok(());
            }
        }
        Err(Stuck::Reason("domains that are guarded reboot all the time".to_owned()))
    }

    async fn remove_away(&self, membership: Membership, entry: &Entry) -> Result<(), Stuck> {
        // By its revision: one that comes late must not end another absence.
        let compares = vec![Compare::Modified(entry.key.clone(), entry.modified)];
        let op = Op::Delete { key: entry.key.clone() };
        match self.commit_absence(membership, compares, op).await? {
            Committed::Yes(_) => Ok(()),
            Committed::No => Err(Stuck::Changed),
        }
    }

    /// Writes, as long as the host's record is what it was. After a write in doubt the record is
    /// written anew.
    pub(super) async fn commit_absence(
        &self,
        membership: Membership,
        mut compares: Vec<Compare>,
        op: Op,
    ) -> Result<Committed, KvError> {
        let host = self.keys.host(&self.host);
        compares.push(Compare::Modified(host.clone(), membership.revision));
        let before = self.told.highest();
        match self.kv.commit(Txn { compares, ops: vec![op] }).await {
            Ok(Committed::Yes(now)) if self.told.has_gone_back(before, now) => {
                self.etcd_was_restored();
                self.place.end(membership, Ended::InDoubt);
                Err(KvError::InDoubt("it was restored from a backup".to_owned()))
            }
            Ok(Committed::No) => {
                let record = self.kv.get(&host).await?;
                if record.is_none_or(|record| record.modified != membership.revision) {
                    self.place.end(membership, Ended::Changed);
                }
                Ok(Committed::No)
            }
            Err(in_doubt @ KvError::InDoubt(_)) => {
                self.place.end(membership, Ended::InDoubt);
                Err(in_doubt)
            }
            done => done,
        }
    }

    /// An operator wants the host to be back.
    pub(super) async fn return_for_operator(&self) -> Result<(), Error> {
        let deadline = Instant::now() + STEP_LIMIT;
        let mut stuck = Stuck::Changed;
        for _ in 0..TRIES {
            match self.try_to_return(deadline).await {
                Ok(()) => return Ok(()),
                Err(reason) => stuck = reason,
            }
            if Instant::now() >= deadline {
                break;
            }
            sleep(PAUSE).await;
        }
        let message = format!("This host is not back, and it is tried again: {stuck}");
        Err(Error::Backend { message, source: None })
    }

    async fn try_to_return(&self, deadline: Instant) -> Result<(), Stuck> {
        let _turn = self.absence_turn.lock().await;
        let membership = self.place.membership(deadline).await.map_err(Stuck::Reason)?;
        let Some(membership) = membership else { return Ok(()) };
        let entry = self.kv.get(&self.keys.away(&self.host, membership.epoch)).await?;
        match entry {
            Some(entry) => self.return_from(membership, Some(&entry)).await,
            None => Ok(()),
        }
    }
}
