//! The time of the last read, kept without a lock.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::time::Instant;

pub(super) struct LastRead {
    origin: Instant,
    /// Milliseconds from `origin` to the last read.
    millis: AtomicU64,
}

impl LastRead {
    /// Counts the start as a read.
    pub(super) fn new() -> Self {
        Self { origin: Instant::now(), millis: AtomicU64::new(0) }
    }

    pub(super) fn set(&self, now: Instant) {
        let millis = now.duration_since(self.origin).as_millis();
        self.millis.store(u64::try_from(millis).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// The time since the last read.
    pub(super) fn elapsed(&self) -> Duration {
        (self.origin + Duration::from_millis(self.millis.load(Ordering::Relaxed))).elapsed()
    }
}
