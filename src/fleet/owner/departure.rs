//! The way into a planned absence, for an operator and for a daemon that stops.

use super::absence::{Stuck, TRIES};
use super::registrations::Absence;
use super::state::Owner;
use super::step::STEP_LIMIT;
use crate::core::error::Error;
use crate::fleet::guard::GuardFailure;
use crate::fleet::kv::{Committed, Compare, Entry, KvError, Op};
use crate::fleet::membership::Membership;
use crate::fleet::protection_records::{AwayCause, AwayRecord};
use crate::fleet::records::unix_seconds;
use std::time::{Duration, SystemTime};
use tokio::time::{Instant, sleep, timeout};
use tracing::{error, info, warn};

/// How long the guard is asked again that is busy with registrations.
const BUSY_LIMIT: Duration = Duration::from_secs(10);
const BUSY_PERIOD: Duration = Duration::from_millis(200);
/// How long a daemon that stops tries to have its host away.
const STOP_LIMIT: Duration = Duration::from_secs(5);
/// How long a host is to be away whose daemon has stopped.
const STOP_TIME: Duration = Duration::from_secs(10 * 60);

impl Owner {
    /// Has etcd say that the host is away, and then the guard unset its timers.
    async fn leave(
        &self,
        cause: AwayCause,
        since: SystemTime,
        until: SystemTime,
    ) -> Result<(), Stuck> {
        let _turn = self.absence_turn.lock().await;
        self.registrations().begin_absence();
        let (since, until) = (unix_seconds(since), unix_seconds(until));
        let record = AwayRecord { cause, since, until, op: self.entropy.uuid() };
        let put = self.put_away(&record).await;
        // If it is in doubt, it is looked at what has come of it.
        self.absence_news.notify_one();
        let membership = put?;
        self.registrations().acknowledge_absence();
        if let Err(refusal) = self.unset_timers().await {
            let entry = self.kv.get(&self.keys.away(&self.host, membership.epoch)).await?;
            let back = self.return_from(membership, entry.as_ref()).await;
            return Err(match back {
                Ok(()) => refusal,
                Err(stuck) => Stuck::Reason(format!(
                    "{refusal}; and the fleet is still told that this host is away, since {stuck} \
                     (xend fleet away --end)"
                )),
            });
        }
        self.registrations().set_absence(Absence::Away);
        Ok(())
    }

    async fn put_away(&self, record: &AwayRecord) -> Result<Membership, Stuck> {
        let deadline = Instant::now() + STEP_LIMIT;
        for _ in 0..TRIES {
            let membership = self.place.membership(deadline).await.map_err(Stuck::Reason)?;
            let no_member = || Stuck::Reason("this host is in no fleet".to_owned());
            let membership = membership.ok_or_else(no_member)?;
            let key = self.keys.away(&self.host, membership.epoch);
            let found = self.kv.get(&key).await?;
            let is_done = |entry: &Entry| AwayRecord::decode(&entry.value).as_ref() == Ok(record);
            if found.as_ref().is_some_and(is_done) {
                return Ok(membership);
            }
            let fence = self.keys.fence(&self.host, membership.epoch);
            let as_found = match found {
                Some(found) => Compare::Modified(found.key, found.modified),
                None => Compare::Absent(key.clone()),
            };
            let compares = vec![as_found, Compare::Absent(fence.clone())];
            let op = Op::put(key, record.encode());
            match self.commit_absence(membership, compares, op).await {
                Ok(Committed::Yes(_)) => return Ok(membership),
                Ok(Committed::No) if self.kv.get(&fence).await?.is_some() => {
                    return Err(Stuck::Reason(format!("it is fenced ({fence} in etcd)")));
                }
                Ok(Committed::No) | Err(KvError::InDoubt(_)) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(Stuck::Changed)
    }

    /// Has the guard unset its timers: etcd says that the host is away.
    pub(super) async fn unset_timers(&self) -> Result<(), Stuck> {
        let began = Instant::now();
        loop {
            match self.guard.away().await {
                Ok(()) => return Ok(()),
                // Nothing here needs it.
                Err(GuardFailure::Silent(_)) if !self.registrations().has_some() => return Ok(()),
                Err(GuardFailure::Refused(_)) if began.elapsed() < BUSY_LIMIT => {
                    sleep(BUSY_PERIOD).await;
                }
                Err(failure) => return Err(failure.into()),
            }
        }
    }

    /// An operator wants the host to be away.
    pub(super) async fn leave_for_operator(
        &self,
        now: SystemTime,
        until: SystemTime,
    ) -> Result<(), Error> {
        self.leave(AwayCause::Operator, now, until).await.map_err(|stuck| {
            let message = format!("This host is not away: {stuck}");
            Error::Backend { message, source: None }
        })?;
        warn!("This host is away: its protected domains are not started elsewhere");
        Ok(())
    }

    /// Has the host away while no daemon runs, if it guards something: its end is no death. The
    /// membership was not ended, and nobody keeps it any more.
    pub(in crate::fleet) async fn leave_for_stop(&self, now: SystemTime) {
        let is_here = self.registrations().absence() == Absence::Present;
        if !is_here || !self.place.is_member() {
            return;
        }
        let leaving = async {
            let known = self.registrations().count_if_known();
            let has_some = match known {
                Some(count) => count > 0,
                None => self.guard.status().await.is_ok_and(|here| !here.domains.is_empty()),
            };
            if has_some {
                self.leave(AwayCause::Stop, now, now + STOP_TIME).await?;
                info!("This host is away until xend runs again");
            }
            Ok::<(), Stuck>(())
        };
        let stuck = match timeout(STOP_LIMIT, leaving).await {
            Ok(Ok(())) => return,
            Ok(Err(stuck)) => stuck.to_string(),
            Err(_) => format!("it takes longer than {} s", STOP_LIMIT.as_secs()),
        };
        error!("This host may be taken for dead while xend does not run: {stuck}");
    }
}
