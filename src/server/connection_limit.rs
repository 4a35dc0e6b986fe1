//! The limit of a listener's connections, and the connection to close at the limit.

use super::activity::Activity;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

/// How long a new connection waits for another one to close, before it is refused.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(2);

/// Interval at which a waiting connection looks for one to close.
const EVICTION_INTERVAL: Duration = Duration::from_millis(100);

/// The connection limit of one listener.
///
/// Each listener has a limit of its own, so connections over TCP cannot lock out the administrator
/// on the unix socket. At the limit, the connection whose client is waited for longest makes
/// room for a new one; connections whose requests are being handled stay.
#[derive(Debug, Clone)]
pub(super) struct ConnectionLimit {
    free: Arc<Semaphore>,
    connections: Arc<Mutex<Connections>>,
}

#[derive(Debug, Default)]
struct Connections {
    next_id: u64,
    by_id: HashMap<u64, Connection>,
}

#[derive(Debug)]
struct Connection {
    activity: Arc<Activity>,
    evicted: CancellationToken,
}

/// The right to a connection, which is returned when dropped.
#[derive(Debug)]
pub(super) struct ConnectionPermit {
    id: u64,
    connections: Arc<Mutex<Connections>>,
    pub(super) activity: Arc<Activity>,
    /// Cancelled when the connection should make room for another.
    pub(super) evicted: CancellationToken,
    _permit: OwnedSemaphorePermit,
}

impl ConnectionLimit {
    pub(super) fn new(max: usize) -> Self {
        let free = Arc::new(Semaphore::new(max.min(Semaphore::MAX_PERMITS)));
        Self { free, connections: Arc::default() }
    }

    /// A permit within [`ACQUIRE_TIMEOUT`]; `None` when all connections are busy for that long.
    pub(super) async fn acquire(&self) -> Option<ConnectionPermit> {
        let permit = match Arc::clone(&self.free).try_acquire_owned() {
            Ok(permit) => permit,
            Err(_) => timeout(ACQUIRE_TIMEOUT, self.make_room()).await.ok()??,
        };
        let activity = Arc::new(Activity::new());
        let evicted = CancellationToken::new();
        let mut connections = lock(&self.connections);
        let id = connections.next_id;
        connections.next_id += 1;
        let connection = Connection { activity: Arc::clone(&activity), evicted: evicted.clone() };
        connections.by_id.insert(id, connection);
        let connections = Arc::clone(&self.connections);
        Some(ConnectionPermit { id, connections, activity, evicted, _permit: permit })
    }

    async fn make_room(&self) -> Option<OwnedSemaphorePermit> {
        loop {
            self.evict_most_idle();
            let permit = Arc::clone(&self.free).acquire_owned();
            if let Ok(permit) = timeout(EVICTION_INTERVAL, permit).await {
                return permit.ok();
            }
        }
    }

    fn evict_most_idle(&self) {
        let now = Instant::now();
        let connections = lock(&self.connections);
        let most_idle = connections
            .by_id
            .values()
            .filter(|connection| !connection.evicted.is_cancelled())
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
        let first = limit.acquire().await.unwrap();
        let second = limit.acquire().await.unwrap();
        first.activity.request_received();
        let (third, ()) = tokio::join!(limit.acquire(), async {
            second.evicted.cancelled().await;
            drop(second);
        });
        assert!(!first.evicted.is_cancelled());

        let third = third.unwrap();
        third.activity.request_received();
        assert!(limit.acquire().await.is_none(), "all are busy");
        drop(first);
        assert!(limit.acquire().await.is_some());
    }
}
