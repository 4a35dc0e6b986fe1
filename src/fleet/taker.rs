//! The taker of this host: it follows what etcd says, as long as the host is one of the fleet's
//! takers, and does what the state machine of the core decides.
//!
//! ```text
//! known        what etcd says, one change at a time
//! acts         fences, which are declared and waited for
//! assignment   which host is to start a domain
//! ```
//!
//! All that it writes compares the host's own record, as all writes of a member do, and that this
//! boot of the host is not fenced itself.

mod acts;
mod assignment;
mod known;

use super::backoff::Backoff;
use super::followed::{Watches, list_all, watch_all};
use super::keys::Keys;
use super::kv::{Compare, Kv, KvError, Watched};
use super::member::{Seat, Unwritten};
use super::membership::{Ended, Membership};
use super::reader::FleetReader;
use crate::core::engine::Engine;
use crate::core::fleet::HostName;
use crate::core::model::Uuid;
use crate::core::ownership::Boot;
use crate::core::placement::Wanted;
use crate::core::taker::{Act, Seen, Taker, TooMany};
use futures_util::{FutureExt as _, StreamExt as _};
use known::Known;
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::mem;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep, timeout};
use tracing::{error, info, warn};

/// How often it is looked at what etcd says, if nothing changes.
const LOOKING: Duration = Duration::from_secs(1);
/// How long changes are gathered.
const GATHERING: Duration = Duration::from_millis(100);
/// Watches that lasted this long were no failure.
const STABLE: Duration = Duration::from_secs(30);

/// What a taker knows, which outlives a membership: its waits go on.
pub(super) struct TakerTask {
    /// What hosts have and lack, followed while domains are to be started.
    reader: Arc<FleetReader>,
    taker: Taker,
    /// When its clock began.
    began: Instant,
    /// What the log has said last.
    is_taker: bool,
    too_many: Option<TooMany>,
    /// What domains need that are to be started.
    wanted: BTreeMap<Uuid, Result<Wanted, String>>,
}

/// The taker in a membership.
struct Watch<'a> {
    task: &'a mut TakerTask,
    seat: &'a Seat,
    engine: &'a Engine,
    membership: Membership,
    own: Boot,
}

impl TakerTask {
    pub(super) fn new(kv: Arc<dyn Kv>, keys: Keys, own: HostName) -> Self {
        Self {
            reader: FleetReader::new(kv, keys, own),
            taker: Taker::default(),
            began: Instant::now(),
            is_taker: false,
            too_many: None,
            wanted: BTreeMap::new(),
        }
    }

    /// Watches for hosts that die, as long as the membership lasts.
    pub(super) async fn keep(
        &mut self,
        seat: &Seat,
        engine: &Engine,
        membership: Membership,
    ) -> Ended {
        let own = Boot { host: seat.own.name.clone(), epoch: membership.epoch };
        let mut watch = Watch { task: self, seat, engine, membership, own };
        let mut backoff = Backoff::default();
        let mut is_refused = false;
        loop {
            let began = Instant::now();
            let error = match watch.follow().await {
                Ok(never) => match never {},
                Err(Unwritten::Ended(ended)) => return ended,
                Err(Unwritten::Failed(error)) => error,
            };
            if matches!(error, KvError::Refused(_)) && !is_refused {
                is_refused = true;
                warn!(%error, "This host cannot watch for hosts of the fleet that die");
            }
            if began.elapsed() >= STABLE {
                backoff.reset();
            }
            backoff.wait().await;
        }
    }
}

impl Watch<'_> {
    fn keys(&self) -> &Keys {
        &self.seat.keys
    }

    async fn follow(&mut self) -> Result<Infallible, Unwritten> {
        loop {
            self.until_taker().await?;
            self.take().await?;
        }
    }

    /// Waits until the host is one of the takers.
    async fn until_taker(&mut self) -> Result<(), Unwritten> {
        let prefixes = [self.keys().takers()];
        let (mut known, mut watches) = self.list(&prefixes).await?;
        while !known.seen.takers.contains(&self.own.host) {
            if mem::take(&mut self.task.is_taker) {
                info!("This host does not watch for hosts of the fleet that die any more");
            }
            let told = watches.next().await;
            known.take_in(told.map(|(_, told)| told))?;
        }
        Ok(())
    }

    /// Watches for hosts that die, until the host is no taker any more.
    async fn take(&mut self) -> Result<(), Unwritten> {
        let prefixes = Known::prefixes(self.keys());
        let (mut known, mut watches) = self.list(&prefixes).await?;
        while known.seen.takers.contains(&self.own.host) {
            if !mem::replace(&mut self.task.is_taker, true) {
                info!("This host watches for hosts of the fleet that die");
            }
            self.look(&known.seen).await?;
            hear(&mut known, &mut watches).await?;
        }
        Ok(())
    }

    async fn list<const N: usize>(
        &self,
        prefixes: &[String; N],
    ) -> Result<(Known, Watches), KvError> {
        let kv = &self.seat.kv;
        let listings = list_all(kv, prefixes).await?;
        let revisions: Vec<_> = listings.iter().map(|listing| listing.revision).collect();
        let mut known = Known::new(self.keys().clone(), self.own.clone());
        listings.iter().flat_map(|listing| &listing.entries).for_each(|entry| known.put(entry));
        Ok((known, watch_all(kv, prefixes, &revisions).await?))
    }

    /// Does what is to be done.
    async fn look(&mut self, seen: &Seen) -> Result<(), Unwritten> {
        // The time is read after etcd has said what is looked at.
        let now = self.task.began.elapsed();
        let verdict = self.task.taker.look(now, seen);
        self.tell(verdict.too_many);
        for act in verdict.acts {
            match act {
                Act::Declare(boot) => self.declare(&boot).await?,
                Act::EndWait(boot, op) => self.end_wait(&boot, op).await?,
            }
        }
        for domain in verdict.left_over {
            self.remove_left_over(domain).await?;
        }
        if verdict.due.is_empty() {
            self.task.wanted.clear();
            return Ok(());
        }
        self.assign(now, seen, &verdict.due, &verdict.pending).await
    }

    /// The log has each alarm once.
    fn tell(&mut self, too_many: Option<TooMany>) {
        if self.task.too_many == too_many {
            return;
        }
        if let Some(TooMany { suspects, hosts }) = &too_many {
            let silent = suspects.iter().map(HostName::as_str).collect::<Vec<_>>().join(", ");
            error!(
                %silent,
                "{} of {hosts} hosts of the fleet are silent, more than die at once: none is fenced, \
                 and none of their domains is started elsewhere: see xend fleet status",
                suspects.len()
            );
        }
        self.task.too_many = too_many;
    }

    /// What each write of a taker compares.
    fn compares(&self) -> Vec<Compare> {
        let own_fence = self.keys().fence(&self.own.host, self.own.epoch);
        vec![self.seat.compare(self.membership), Compare::Absent(own_fence)]
    }
}

/// Takes in what etcd tells: for a moment, if it tells something.
async fn hear(known: &mut Known, watches: &mut Watches) -> Result<(), KvError> {
    let Ok(told) = timeout(LOOKING, watches.next()).await else { return Ok(()) };
    let has_changed = matches!(told, Some((_, Ok(Watched::Events(_)))));
    known.take_in(told.map(|(_, told)| told))?;
    if has_changed {
        sleep(GATHERING).await;
    }
    while let Some(told) = watches.next().now_or_never() {
        known.take_in(told.map(|(_, told)| told))?;
    }
    Ok(())
}
