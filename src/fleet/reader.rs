//! The fleet as this host shows it: it is followed while somebody reads it.

use super::backoff::Backoff;
use super::followed::{Watches, list_all, watch_all};
use super::gathered::Gathered;
use super::keys::Keys;
use super::kv::{CALL_LIMIT, Kv, KvError, Watched};
use super::records::HostRecord;
use crate::core::error::Error;
use crate::core::fleet::{FleetView, HostName, Member, Presence};
use crate::core::ports::Fleet;
use arc_swap::ArcSwapOption;
use async_trait::async_trait;
use futures_util::StreamExt as _;
use std::fmt;
use std::future::pending;
use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::yield_now;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::sync::{CancellationToken, DropGuard};
use tracing::debug;

/// How long the fleet is followed after somebody has read it.
const INTEREST: Duration = Duration::from_secs(60);
/// The shortest time between two views.
const PUBLISHING: Duration = Duration::from_millis(100);
/// How long one host is looked up before what is shown counts.
const LOOK_UP: Duration = Duration::from_secs(2);
/// Watches that lasted this long were no failure.
const STABLE: Duration = Duration::from_secs(30);
/// The domains that are read at once, in about a millisecond.
const BATCH: usize = 500;

/// A fleet that is listed when somebody reads it, and followed from then on by watches. A minute
/// after the last read the watches end.
pub struct FleetReader {
    follower: Arc<Follower>,
    _stop: DropGuard,
}

struct Follower {
    kv: Arc<dyn Kv>,
    keys: Keys,
    own: HostName,
    /// The last view.
    shown: ArcSwapOption<FleetView>,
    interest: Mutex<Interest>,
    progress: watch::Sender<Progress>,
    stopped: CancellationToken,
}

struct Interest {
    /// The last read.
    asked: Instant,
    /// What the next task begins with; `None` while a task follows the fleet.
    at_rest: Option<Gathered>,
}

/// How far a task is that follows the fleet.
#[derive(Debug, Clone, PartialEq)]
enum Progress {
    /// It lists the fleet for the first time.
    Listing,
    Following,
    /// etcd does not answer. It tries again.
    Failed(KvError),
}

impl FleetReader {
    /// A reader of the fleet with these keys, on the host `own`. Nothing is read until somebody
    /// asks.
    pub fn new(kv: Arc<dyn Kv>, keys: Keys, own: HostName) -> Arc<Self> {
        let stopped = CancellationToken::new();
        let at_rest = Some(Gathered::new(keys.clone()));
        let follower = Follower {
            kv,
            keys,
            own,
            shown: ArcSwapOption::empty(),
            interest: Mutex::new(Interest { asked: Instant::now(), at_rest }),
            progress: watch::Sender::new(Progress::Listing),
            stopped: stopped.clone(),
        };
        Arc::new(Self { follower: Arc::new(follower), _stop: stopped.drop_guard() })
    }
}

impl fmt::Debug for FleetReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("FleetReader").field(self.follower.keys.cluster()).finish()
    }
}

#[async_trait]
impl Fleet for FleetReader {
    fn own(&self) -> HostName {
        self.follower.own.clone()
    }

    async fn view(&self) -> Result<Arc<FleetView>, Error> {
        let mut progress = self.follower.ask();
        let listed = progress.wait_for(|progress| *progress != Progress::Listing);
        let failure = match timeout(CALL_LIMIT, listed).await {
            Ok(Ok(progress)) => match &*progress {
                Progress::Failed(error) => Some(error.clone()),
                Progress::Listing | Progress::Following => None,
            },
            Ok(Err(_)) | Err(_) => None,
        };
        self.follower.shown.load_full().ok_or_else(|| {
            let limit = CALL_LIMIT.as_secs();
            let unlisted = || KvError::Unreachable(format!("nothing was listed within {limit} s"));
            let failure = failure.unwrap_or_else(unlisted);
            Error::backend("The fleet cannot be shown: its etcd does not answer", failure)
        })
    }

    async fn member(&self, host: &HostName) -> Result<Option<Member>, Error> {
        match timeout(LOOK_UP, self.follower.look_up(host)).await {
            Ok(Ok(found)) => Ok(found),
            // etcd answers, and says no: what it said before is no answer.
            Ok(Err(refused @ KvError::Refused(_))) => Err(unknown(host, refused)),
            Ok(Err(_)) | Err(_) => Ok(self.view().await?.members.get(host).cloned()),
        }
    }

    async fn member_now(&self, host: &HostName) -> Result<Option<Member>, Error> {
        self.follower.look_up(host).await.map_err(|error| unknown(host, error))
    }
}

fn unknown(host: &HostName, error: KvError) -> Error {
    Error::backend(format!("etcd does not tell whether {host} is a member of the fleet"), error)
}

impl Follower {
    /// A host as etcd has it now. Ends within [`CALL_LIMIT`].
    async fn look_up(&self, host: &HostName) -> Result<Option<Member>, KvError> {
        let Some(entry) = self.kv.get(&self.keys.host(host)).await? else { return Ok(None) };
        let shown = self.shown.load_full();
        let shown = shown.as_ref().and_then(|shown| shown.members.get(host));
        let presence = shown.map_or(Presence::Silent { since: None }, |shown| shown.presence);
        Ok(HostRecord::decode(&entry.value).ok().map(|record| record.member(presence)))
    }

    /// Somebody reads: the fleet is followed from now on.
    fn ask(self: &Arc<Self>) -> watch::Receiver<Progress> {
        let mut interest = self.interest();
        interest.asked = Instant::now();
        if let Some(gathered) = interest.at_rest.take() {
            self.progress.send_replace(Progress::Listing);
            let follower = self.clone();
            tokio::spawn(async move {
                let stopped = &follower.stopped;
                stopped.run_until_cancelled(follower.follow(gathered)).await;
            });
        }
        self.progress.subscribe()
    }

    fn interest(&self) -> MutexGuard<'_, Interest> {
        self.interest.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Follows the fleet until nobody reads it any more.
    async fn follow(&self, mut gathered: Gathered) {
        let mut backoff = Backoff::default();
        loop {
            let error = match self.list(&mut gathered).await {
                Ok(watches) => {
                    let listed = Instant::now();
                    let Some(error) = self.attend(&mut gathered, watches).await else {
                        return;
                    };
                    if listed.elapsed() >= STABLE {
                        backoff.reset();
                    }
                    error
                }
                Err(error) => error,
            };
            debug!(%error, "The fleet is listed anew");
            if error != KvError::Compacted {
                self.progress.send_replace(Progress::Failed(error));
            }
            backoff.wait().await;
            if self.rest(&mut gathered) {
                return;
            }
        }
    }

    /// When interest ends, unless somebody reads until then.
    fn read_until(&self) -> Instant {
        self.interest().asked + INTEREST
    }

    /// Leaves the fleet to the next task, if nobody reads it any more.
    fn rest(&self, gathered: &mut Gathered) -> bool {
        let mut interest = self.interest();
        let is_unread = interest.asked + INTEREST <= Instant::now();
        if is_unread {
            interest.at_rest = Some(mem::replace(gathered, Gathered::new(self.keys.clone())));
        }
        is_unread
    }

    /// Lists the fleet, shows it, and watches what changes from then on.
    async fn list(&self, gathered: &mut Gathered) -> Result<Watches, KvError> {
        let keys = &self.keys;
        let prefixes = [keys.hosts(), keys.alives(), keys.views(), keys.aways()];
        let [hosts, alives, views, aways] = list_all(&*self.kv, &prefixes).await?;
        let heard = Instant::now();
        let revisions = [&hosts, &alives, &views, &aways].map(|listing| listing.revision);
        let before = mem::replace(gathered, Gathered::new(self.keys.clone()));
        *gathered = before.listed_anew([&hosts.entries, &alives.entries, &aways.entries], heard);
        for domains in views.entries.chunks(BATCH) {
            gathered.put_all(domains);
            yield_now().await;
        }
        let watches = watch_all(&*self.kv, &prefixes, &revisions).await?;
        self.show(gathered, heard);
        self.progress.send_replace(Progress::Following);
        Ok(watches)
    }

    /// Takes in what the watches tell until one fails; `None` if nobody reads any more.
    async fn attend(&self, gathered: &mut Gathered, mut watches: Watches) -> Option<KvError> {
        let mut shown = Instant::now();
        // What is shown is as old as the watch that was silent for the longest time.
        let mut heard = [shown; 4];
        let mut due: Option<Instant> = None;
        loop {
            let told = tokio::select! {
                told = watches.next() => told,
                () = until(due) => {
                    shown = Instant::now();
                    due = None;
                    self.show(gathered, heard.into_iter().min().unwrap_or(shown));
                    continue;
                }
                () = sleep_until(self.read_until()) => {
                    if self.rest(gathered) {
                        return None;
                    }
                    continue;
                }
            };
            let now = Instant::now();
            match told {
                Some((number, Ok(news))) => {
                    heard[number] = now;
                    due = due.or(Some(now.max(shown + PUBLISHING)));
                    if let Watched::Events(events) = news {
                        for event in events {
                            gathered.apply(event, now);
                        }
                    }
                }
                Some((_, Err(error))) => {
                    self.show(gathered, heard.into_iter().min().unwrap_or(shown));
                    return Some(error);
                }
                None => return Some(KvError::Unreachable("the watches have ended".to_owned())),
            }
        }
    }

    fn show(&self, gathered: &Gathered, heard: Instant) {
        self.shown.store(Some(Arc::new(gathered.view(&self.own, heard))));
    }
}

async fn until(time: Option<Instant>) {
    match time {
        Some(time) => sleep_until(time).await,
        None => pending().await,
    }
}

#[cfg(test)]
mod tests;
