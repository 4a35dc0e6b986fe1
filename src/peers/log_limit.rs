//! Messages that clients can cause as often as they like.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The shortest time between two messages.
const INTERVAL: Duration = Duration::from_secs(10);

/// Lets a message through at most once in ten seconds, and counts those in between.
#[derive(Debug, Default)]
pub struct LogLimit(Mutex<Messages>);

#[derive(Debug, Default)]
struct Messages {
    last: Option<Instant>,
    left_out: u64,
}

impl LogLimit {
    /// Whether a message is to be logged now: `Some` with the number of messages that were left out
    /// since the last one.
    pub fn pass(&self) -> Option<u64> {
        self.pass_at(Instant::now())
    }

    fn pass_at(&self, now: Instant) -> Option<u64> {
        let mut messages = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if messages.last.is_some_and(|last| now.saturating_duration_since(last) < INTERVAL) {
            messages.left_out += 1;
            return None;
        }
        messages.last = Some(now);
        Some(std::mem::take(&mut messages.left_out))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_in_between_are_counted() {
        let limit = LogLimit::default();
        let now = Instant::now();
        assert_eq!(limit.pass_at(now), Some(0));
        assert_eq!(limit.pass_at(now), None);
        assert_eq!(limit.pass_at(now + INTERVAL / 2), None);
        assert_eq!(limit.pass_at(now + INTERVAL), Some(2));
        assert_eq!(limit.pass_at(now + INTERVAL * 2), Some(0));
    }
}
