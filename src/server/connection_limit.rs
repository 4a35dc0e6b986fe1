//! The limit of a listener's connections, and the connection to close at the limit.

use super::activity::Activity;
use crate::peers::{AddressGroup, Full, Share, ShareLimits, Shares};
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::Notify;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

/// How long a new connection waits for another one to close, before it is refused.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(2);

/// Interval at which a waiting connection looks for one to close.
const EVICTION_INTERVAL: Duration = Duration::from_millis(100);

/// The connection limit of one listener, and that of each client.
///
/// Each listener has a limit of its own, so connections over TCP cannot lock out the administrator
/// on the unix socket. At the limit, the connection whose client is waited for longest makes
/// room for a new one; at the limit of a client, that client's own. Connections whose requests are
/// being handled stay.
#[derive(Debug, Clone)]
pub(super) struct ConnectionLimit {
    shares: Shares,
    connections: Arc<Mutex<Connections>>,
    freed: Arc<Notify>,
}

#[derive(Debug, Default)]
struct Connections {
    next_id: u64,
    by_id: HashMap<u64, Connection>,
}

#[derive(Debug)]
struct Connection {
    group: Option<AddressGroup>,
    activity: Arc<Activity>,
    evicted: CancellationToken,
}

/// The right to a connection, which is returned when dropped.
#[derive(Debug)]
pub(super) struct ConnectionPermit {
    id: u64,
    connections: Arc<Mutex<Connections>>,
    freed: Arc<Notify>,
    pub(super) activity: Arc<Activity>,
    /// Cancelled when the connection should make room for another.
    pub(super) evicted: CancellationToken,
    /// `None` once it is returned.
    share: Option<Share>,
}

impl ConnectionLimit {
    /// At most `max` connections, a quarter of them of one client.
    pub(super) fn new(max: usize) -> Self {
        let shares = Shares::new(ShareLimits::quarter_of(max));
        Self { shares, connections: Arc::default(), freed: Arc::default() }
    }

    /// A permit for a client within [`ACQUIRE_TIMEOUT`]; `None` when all connections that could
    /// make room are busy for that long. A client on a unix socket has no address.
    pub(super) async fn acquire(&self, address: Option<IpAddr>) -> Option<ConnectionPermit> {
        let share = match self.shares.take(address) {
            Ok(share) => share,
            Err(_) => timeout(ACQUIRE_TIMEOUT, self.make_room(address)).await.ok()?,
        };
        let activity = Arc::new(Activity::new());
        let evicted = CancellationToken::new();
        let connection = Connection {
            group: share.group(),
            activity: Arc::clone(&activity),
            evicted: evicted.clone(),
        };
        let mut connections = lock(&self.connections);
        let id = connections.next_id;
        connections.next_id += 1;
        connections.by_id.insert(id, connection);
        Some(ConnectionPermit {
            id,
            connections: Arc::clone(&self.connections),
            freed: Arc::clone(&self.freed),
            activity,
            evicted,
            share: Some(share),
        })
    }

    async fn make_room(&self, address: Option<IpAddr>) -> Share {
        let group = address.map(AddressGroup::of);
        loop {
            match self.shares.take(address) {
                Ok(share) => return share,
                Err(Full::Share) => self.evict_most_idle(|connection| connection.group == group),
                Err(Full::Total) => self.evict_most_idle(|_| true),
            }
            // One that closes between the attempt and here is seen after the interval.
            timeout(EVICTION_INTERVAL, self.freed.notified()).await.ok();
        }
    }

    /// Ends the connection, among some, whose client is waited for longest.
    fn evict_most_idle(&self, is_one: impl Fn(&Connection) -> bool) {
        let now = Instant::now();
        let connections = lock(&self.connections);
        let most_idle = connections
            .by_id
            .values()
            .filter(|connection| is_one(connection) && !connection.evicted.is_cancelled())
            .filter_map(|connection| Some((connection.activity.waiting(now)?, connection)))
            .max_by_key(|(waiting, _)| *waiting);
        if let Some((_, connection)) = most_idle {
            connection.evicted.cancel();
        }
    }
}

impl Drop for ConnectionPermit {
    fn drop(&mut self) {
        lock(&self.connections).by_id.remove(&self.id);
        self.share = None;
        self.freed.notify_one();
    }
}

fn lock(connections: &Mutex<Connections>) -> MutexGuard<'_, Connections> {
    connections.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn idle_connections_make_room_and_busy_ones_stay() {
        let limit = ConnectionLimit::new(2);
        let first = limit.acquire(None).await.unwrap();
        let second = limit.acquire(None).await.unwrap();
        first.activity.request_received();
        let (third, ()) = tokio::join!(limit.acquire(None), async {
            second.evicted.cancelled().await;
            drop(second);
        });
        assert!(!first.evicted.is_cancelled());

        let third = third.unwrap();
        third.activity.request_received();
        assert!(limit.acquire(None).await.is_none(), "all are busy");
        drop(first);
        assert!(limit.acquire(None).await.is_some());
    }

    #[tokio::test]
    async fn a_client_with_its_share_makes_room_itself() {
        let address = |number| Some(IpAddr::from([192, 0, 2, number]));
        let limit = ConnectionLimit::new(8);
        let other = limit.acquire(address(1)).await.unwrap();
        let busy = limit.acquire(address(2)).await.unwrap();
        let idle = limit.acquire(address(2)).await.unwrap();
        busy.activity.request_received();
        let (new, ()) = tokio::join!(limit.acquire(address(2)), async {
            idle.evicted.cancelled().await;
            drop(idle);
        });
        let new = new.unwrap();
        new.activity.request_received();
        assert!(!other.evicted.is_cancelled() && !busy.evicted.is_cancelled());
        assert!(limit.acquire(address(2)).await.is_none(), "its own are busy");
        assert!(limit.acquire(address(3)).await.is_some(), "there is room for others");
    }
}
