//! What a connection is doing, and since when.
//!
//! ```text
//!          first byte              all of it arrived
//!   Idle ────────────▶ Receiving ────────────────────▶ Handling
//!    ▲                                                    │
//!    └──────────────────── answer made ───────────────────┘
//! ```
//!
//! Only `Handling` may last: it is the daemon's own time. The others are the client's, and bounded.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The client's turn or ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// Between requests; the last answer may still be on its way out.
    Idle,
    /// A request has begun to arrive.
    Receiving,
    /// A whole request is here and its answer is not made yet.
    Handling,
}

/// The phase of one connection, shared by those who see its bytes and those who see its requests.
#[derive(Debug)]
pub(super) struct Activity(Mutex<(Phase, Instant)>);

impl Activity {
    pub(super) fn new() -> Self {
        Self(Mutex::new((Phase::Idle, Instant::now())))
    }

    fn with<T>(&self, change: impl FnOnce(&mut (Phase, Instant)) -> T) -> T {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Bytes came in. Those that continue a request do not buy it more time.
    pub(super) fn read_some(&self) {
        self.with(|(phase, since)| {
            if *phase == Phase::Idle {
                (*phase, *since) = (Phase::Receiving, Instant::now());
            }
        });
    }

    /// Bytes went out: a client that takes its answer is not idle.
    pub(super) fn wrote_some(&self) {
        self.with(|(phase, since)| {
            if *phase == Phase::Idle {
                *since = Instant::now();
            }
        });
    }

    /// A request has all arrived.
    pub(super) fn received(&self) {
        self.with(|state| *state = (Phase::Handling, Instant::now()));
    }

    /// The head of a request has arrived, and a body is to follow. The clock runs on from the first
    /// byte, unless the request came right behind another one, in the same read.
    pub(super) fn received_head(&self) {
        self.read_some();
    }

    /// The answer is made.
    pub(super) fn answered(&self) {
        self.with(|state| *state = (Phase::Idle, Instant::now()));
    }

    /// The moment at which the client's time is up, if it is the client's turn.
    pub(super) fn deadline(&self, patience: Duration) -> Option<Instant> {
        self.with(|(phase, since)| (*phase != Phase::Handling).then(|| *since + patience))
    }

    /// The phase now.
    pub(super) fn phase(&self) -> Phase {
        self.with(|(phase, _)| *phase)
    }

    /// How long the client has kept us waiting: `None` while we keep the client waiting, and while
    /// the wait is too short to hold it against anybody.
    pub(super) fn waiting(&self, now: Instant) -> Option<Duration> {
        let (phase, since) = self.with(|state| *state);
        let grace = match phase {
            // A connection just made, whose request is on its way or not yet looked at.
            Phase::Idle => Duration::from_millis(250),
            // A request of ordinary size over a slow line.
            Phase::Receiving => Duration::from_secs(1),
            Phase::Handling => return None,
        };
        let waited = now.saturating_duration_since(since);
        (waited > grace).then_some(waited)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_drip_buys_no_time_and_an_answer_taken_does() {
        let patience = Duration::from_secs(30);
        let activity = Activity::new();
        activity.read_some();
        let deadline = activity.deadline(patience);
        activity.read_some();
        activity.received_head();
        activity.wrote_some();
        assert_eq!(activity.deadline(patience), deadline);

        activity.received();
        activity.read_some();
        assert_eq!(activity.phase(), Phase::Handling);
        assert_eq!(activity.deadline(patience), None, "our own time is not bounded here");

        activity.answered();
        let deadline = activity.deadline(patience);
        std::thread::sleep(Duration::from_millis(2));
        activity.wrote_some();
        assert!(activity.deadline(patience) > deadline);
    }

    #[test]
    fn only_who_keeps_us_waiting_is_a_candidate_to_leave() {
        let later = Instant::now() + Duration::from_secs(10);
        let activity = Activity::new();
        assert!(activity.waiting(Instant::now()).is_none(), "a connection just made");
        assert!(activity.waiting(later).is_some(), "a silent one");
        activity.read_some();
        assert!(activity.waiting(Instant::now()).is_none(), "a request that has just begun");
        assert!(activity.waiting(later).is_some(), "a request that takes for ever");
        activity.received();
        assert!(activity.waiting(later).is_none());
    }
}
