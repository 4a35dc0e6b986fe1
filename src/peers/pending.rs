//! Connections that are not admitted yet: whose host is being looked up, or whose greeting or TLS
//! handshake has not come.
//!
//! They have places of their own, so that clients that say nothing take none from those that are
//! through. A new connection always gets one of these places soon: the oldest connection of the
//! client that has most of them makes room, at once if that client still has as many as the new one
//! afterwards.
//!
//! Where that is not so, each client has as many as the new one: many on this machine, since a
//! proxy with a crowd behind it counts as one client, or as many clients as there are places. Then
//! the oldest has its second: connections that push out each other at once would all be lost. The
//! new one waits, and with it all that come after it.

use super::shares::{AddressGroup, ShareLimits};
use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::Notify;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

/// How long each connection has at least to be admitted, on a slow machine as well.
const GRACE: Duration = Duration::from_secs(1);

/// The connections of a listener that are not admitted yet.
#[derive(Debug, Clone)]
pub struct PendingConnections {
    limits: ShareLimits,
    open: Arc<Mutex<Open>>,
    freed: Arc<Notify>,
}

#[derive(Debug, Default)]
struct Open {
    next_id: u64,
    /// In the order of their arrival.
    by_id: BTreeMap<u64, Entry>,
}

#[derive(Debug)]
struct Entry {
    group: Option<AddressGroup>,
    since: Instant,
    evicted: CancellationToken,
}

/// The place of a connection that is not admitted yet, which is returned when dropped.
#[derive(Debug)]
pub struct PendingPlace {
    id: u64,
    evicted: CancellationToken,
    open: Arc<Mutex<Open>>,
    freed: Arc<Notify>,
}

/// The result of asking for a place.
enum Attempt {
    Added(PendingPlace),
    /// All places are taken by connections that came a moment ago, of clients that have no more
    /// than this one. The first of them makes room after this time.
    Wait(Duration),
    /// The client has too many new connections.
    Refused,
}

impl PendingConnections {
    /// At most `max` connections, a quarter of them of one client.
    pub fn new(max: usize) -> Self {
        let limits = ShareLimits::quarter_of(max.max(1));
        Self { limits, open: Arc::default(), freed: Arc::default() }
    }

    /// A place for a new connection; `None` if its client has too many that came a moment ago.
    /// Waits no longer than those need to be no longer new.
    pub async fn add(&self, address: Option<IpAddr>) -> Option<PendingPlace> {
        loop {
            match self.try_add(address, Instant::now()) {
                Attempt::Added(place) => return Some(place),
                Attempt::Refused => return None,
                Attempt::Wait(time) => {
                    timeout(time, self.freed.notified()).await.ok();
                }
            }
        }
    }

    fn try_add(&self, address: Option<IpAddr>, now: Instant) -> Attempt {
        let group = address.map(AddressGroup::of);
        let mut open = lock(&self.open);
        let share = group.map_or(self.limits.total(), |group| self.limits.share_of(group));
        let has_share = open.count(group) >= share;
        let oldest = if has_share {
            open.oldest(|entry| entry.group == group)
        } else if open.by_id.len() >= self.limits.total() {
            open.oldest_of_largest_group()
        } else {
            None
        };
        if let Some((oldest, entry)) = oldest {
            let rest = GRACE.saturating_sub(now.saturating_duration_since(entry.since));
            let has_more = open.count(entry.group) > open.count(group) + 1;
            if rest.is_zero() || has_more {
                open.evict(oldest);
            } else if has_share && share < self.limits.total() {
                return Attempt::Refused;
            } else {
                return Attempt::Wait(rest);
            }
        }
        let id = open.next_id;
        open.next_id += 1;
        let evicted = CancellationToken::new();
        open.by_id.insert(id, Entry { group, since: now, evicted: evicted.clone() });
        Attempt::Added(PendingPlace {
            id,
            evicted,
            open: Arc::clone(&self.open),
            freed: Arc::clone(&self.freed),
        })
    }
}

impl Open {
    /// How many connections a client has.
    fn count(&self, group: Option<AddressGroup>) -> usize {
        self.by_id.values().filter(|entry| entry.group == group).count()
    }

    /// The oldest of some connections.
    fn oldest(&self, is_one: impl Fn(&Entry) -> bool) -> Option<(u64, &Entry)> {
        self.by_id.iter().find(|(_, entry)| is_one(entry)).map(|(id, entry)| (*id, entry))
    }

    fn oldest_of_largest_group(&self) -> Option<(u64, &Entry)> {
        let mut counts: HashMap<_, usize> = HashMap::new();
        for entry in self.by_id.values() {
            *counts.entry(entry.group).or_default() += 1;
        }
        let most = counts.values().max()?;
        self.oldest(|entry| counts.get(&entry.group) == Some(most))
    }

    fn evict(&mut self, id: u64) {
        if let Some(entry) = self.by_id.remove(&id) {
            entry.evicted.cancel();
        }
    }
}

impl PendingPlace {
    /// Waits until the connection has to make room for another.
    pub async fn evicted(&self) {
        self.evicted.cancelled().await;
    }
}

impl Drop for PendingPlace {
    fn drop(&mut self) {
        lock(&self.open).by_id.remove(&self.id);
        self.freed.notify_one();
    }
}

fn lock(open: &Mutex<Open>) -> MutexGuard<'_, Open> {
    open.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(number: u8) -> IpAddr {
        IpAddr::from([192, 0, 2, number])
    }

    fn added(attempt: Attempt) -> PendingPlace {
        match attempt {
            Attempt::Added(place) => place,
            Attempt::Wait(time) => panic!("it waits {time:?}"),
            Attempt::Refused => panic!("it is refused"),
        }
    }

    #[test]
    fn the_oldest_of_the_client_with_most_makes_room() {
        let pending = PendingConnections::new(8);
        let now = Instant::now();
        let lonely = added(pending.try_add(Some(address(1)), now));
        let many: Vec<_> =
            (0..7).map(|n| added(pending.try_add(Some(address(2 + n / 2)), now))).collect();
        let is_evicted = |at: usize| many[at].evicted.is_cancelled();
        // At once: three clients have two.
        let new = added(pending.try_add(Some(address(9)), now));
        assert!(is_evicted(0) && !lonely.evicted.is_cancelled());
        assert_eq!((0..7).filter(|at| is_evicted(*at)).count(), 1);
        // The client would have as many as those that make room for it.
        assert!(matches!(pending.try_add(Some(address(9)), now), Attempt::Wait(GRACE)));
        let second = added(pending.try_add(Some(address(9)), now + GRACE));
        assert!(is_evicted(2) && !new.evicted.is_cancelled());
        drop((lonely, many, new, second));
        assert!(lock(&pending.open).by_id.is_empty());
    }

    #[test]
    fn a_client_with_its_share_replaces_its_own() {
        let pending = PendingConnections::new(8);
        let now = Instant::now();
        let other = added(pending.try_add(Some(address(1)), now));
        let own = [(); 2].map(|()| added(pending.try_add(Some(address(2)), now)));
        assert!(matches!(pending.try_add(Some(address(2)), now), Attempt::Refused));
        let _new = added(pending.try_add(Some(address(2)), now + GRACE));
        assert!(own[0].evicted.is_cancelled() && !own[1].evicted.is_cancelled());
        assert!(!other.evicted.is_cancelled());
    }

    #[test]
    fn a_crowd_on_this_machine_keeps_no_other_client_waiting() {
        let pending = PendingConnections::new(8);
        let now = Instant::now();
        let loopback = Some(IpAddr::from([127, 0, 0, 1]));
        let crowd: Vec<_> = (0..8).map(|_| added(pending.try_add(loopback, now))).collect();
        assert!(matches!(pending.try_add(loopback, now), Attempt::Wait(GRACE)));
        let _other = added(pending.try_add(Some(address(1)), now));
        assert!(crowd[0].evicted.is_cancelled() && !crowd[1].evicted.is_cancelled());
        assert!(matches!(pending.try_add(loopback, now), Attempt::Wait(GRACE)));
    }

    #[test]
    fn as_many_clients_as_places_do_not_push_out_each_other() {
        let pending = PendingConnections::new(8);
        let now = Instant::now();
        let all: Vec<_> = (0..8).map(|n| added(pending.try_add(Some(address(n)), now))).collect();
        assert!(matches!(pending.try_add(Some(address(9)), now), Attempt::Wait(GRACE)));
        assert!(all.iter().all(|place| !place.evicted.is_cancelled()));
    }

    #[tokio::test(start_paused = true)]
    async fn a_crowd_on_this_machine_waits_and_is_served() {
        let pending = PendingConnections::new(2);
        let first = pending.add(None).await.unwrap();
        let second = pending.add(None).await.unwrap();
        let free_one = async {
            tokio::task::yield_now().await;
            drop(second);
        };
        let (third, ()) = tokio::join!(pending.add(None), free_one);
        assert!(third.is_some() && !first.evicted.is_cancelled());
    }
}
