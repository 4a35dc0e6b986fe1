//! What listeners did with connections, for metrics.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

/// Why a listener refused a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// Its host may not connect, or the name service does not answer in time.
    Host,
    /// Its user may not.
    User,
    /// The encryption failed, or took too long.
    Tls,
    /// It did not say what it wants in time, or not in the right way.
    Greeting,
    /// Too many connections are new, or it had to make room for a newer one.
    Pending,
    /// All places are busy, or all of its host.
    Busy,
}

impl Refusal {
    /// All reasons.
    pub const ALL: [Self; 6] =
        [Self::Host, Self::User, Self::Tls, Self::Greeting, Self::Pending, Self::Busy];

    /// The name in metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Host => "host",
            Self::User => "user",
            Self::Tls => "tls",
            Self::Greeting => "greeting",
            Self::Pending => "pending",
            Self::Busy => "busy",
        }
    }
}

/// The counts of one listener since it was opened.
#[derive(Debug, Default)]
pub struct ConnectionCounts {
    accepted: AtomicU64,
    open: AtomicU64,
    refused: [AtomicU64; Refusal::ALL.len()],
}

/// An admitted connection, which is open until this is dropped.
#[derive(Debug)]
pub struct OpenConnection(Arc<ConnectionCounts>);

impl ConnectionCounts {
    /// Counts a connection of a client, whether it is refused later or not.
    pub fn accepted(&self) {
        self.accepted.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a refusal.
    pub fn refused(&self, reason: Refusal) {
        if let Some(count) = self.refused.get(reason as usize) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Counts a connection as open.
    #[must_use]
    pub fn open(self: &Arc<Self>) -> OpenConnection {
        self.open.fetch_add(1, Ordering::Relaxed);
        OpenConnection(Arc::clone(self))
    }
}

impl Drop for OpenConnection {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The counts of all listeners that are open; clones share them.
#[derive(Debug, Clone, Default)]
pub struct ListenerCounts(Arc<Mutex<Vec<Listed>>>);

#[derive(Debug)]
struct Listed {
    listener: String,
    counts: Weak<ConnectionCounts>,
}

/// The counts of a listener at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnectionFigures {
    /// The listener's address, as it is announced.
    pub listener: String,
    /// All connections since it was opened.
    pub accepted: u64,
    /// Those that are open and admitted.
    pub open: u64,
    /// Those that were refused, by the reason.
    pub refused: [(Refusal, u64); Refusal::ALL.len()],
}

impl ListenerCounts {
    /// The counts of a listener, which are listed until they are dropped. One that is opened again
    /// before its last connections have ended goes on with its counts.
    pub fn add(&self, listener: String) -> Arc<ConnectionCounts> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|one| one.counts.strong_count() > 0);
        let known = all.iter().find(|one| one.listener == listener);
        if let Some(counts) = known.and_then(|one| one.counts.upgrade()) {
            return counts;
        }
        let counts = Arc::default();
        all.push(Listed { listener, counts: Arc::downgrade(&counts) });
        counts
    }

    /// The figures of all listeners, in the order in which they were opened.
    pub fn figures(&self) -> Vec<ConnectionFigures> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let figures = |Listed { listener, counts }: &Listed| {
            let counts = counts.upgrade()?;
            let refused = |reason: Refusal| {
                let count = counts.refused.get(reason as usize);
                (reason, count.map_or(0, |count| count.load(Ordering::Relaxed)))
            };
            Some(ConnectionFigures {
                listener: listener.clone(),
                accepted: counts.accepted.load(Ordering::Relaxed),
                open: counts.open.load(Ordering::Relaxed),
                refused: Refusal::ALL.map(refused),
            })
        };
        all.iter().filter_map(figures).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listener_is_listed_until_it_is_closed() {
        let listeners = ListenerCounts::default();
        let first = listeners.add("a".to_owned());
        let second = listeners.add("b".to_owned());
        first.accepted();
        first.accepted();
        first.refused(Refusal::Busy);
        let open = first.open();
        let figures = listeners.figures();
        assert_eq!(figures.len(), 2);
        assert_eq!((figures[0].accepted, figures[0].open), (2, 1));
        let refused: Vec<_> = figures[0].refused.iter().filter(|(_, count)| *count > 0).collect();
        assert_eq!(refused, [&(Refusal::Busy, 1)]);
        assert_eq!((figures[1].listener.as_str(), figures[1].accepted), ("b", 0));
        listeners.add("a".to_owned()).accepted();
        let figures = listeners.figures();
        assert_eq!((figures.len(), figures[0].accepted), (2, 3), "opened again");
        drop((open, second));
        let figures = listeners.figures();
        assert_eq!((figures.len(), figures[0].open), (1, 0));
    }

    #[test]
    fn each_reason_has_its_own_place() {
        for (place, reason) in Refusal::ALL.into_iter().enumerate() {
            assert_eq!(reason as usize, place, "{reason:?}");
        }
    }
}
