//! The way of logins to their check, and the room that strangers have on it.
//!
//! A stranger is a login from a source where its account has not logged in before. Attempts from
//! many addresses at once can take all the room of strangers, but none of what others need.

use super::turns::Turns;
use std::time::Duration;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::timeout;

/// The number of strangers that wait for their check, and that wait because of earlier failures.
/// Further ones fail.
const MAX_STRANGERS_WAITING: usize = 192;

/// The number of others that wait because of earlier failures. They wait for their check with
/// nobody but the strangers that are being checked.
const MAX_KNOWN_SLOWED: usize = 64;

/// The number of strangers that are checked at the same time. Hashes and PAM have limits of their
/// own.
const MAX_STRANGERS_CHECKED: usize = 16;

/// Time limit of waiting for other strangers.
const LONGEST_WAIT: Duration = Duration::from_secs(20);

/// The way of logins to one kind of check.
pub(super) struct Lane {
    pub(super) turns: Turns,
    waiting: Semaphore,
    checked: Semaphore,
}

impl Default for Lane {
    fn default() -> Self {
        Self {
            turns: Turns::default(),
            waiting: Semaphore::new(MAX_STRANGERS_WAITING),
            checked: Semaphore::new(MAX_STRANGERS_CHECKED),
        }
    }
}

impl Lane {
    /// Waits until a stranger may be checked; `None` if too many wait or it takes too long. The
    /// permit is for the time of the check.
    pub(super) async fn enter(&self) -> Option<SemaphorePermit<'_>> {
        let _place = self.waiting.try_acquire().ok()?;
        timeout(LONGEST_WAIT, self.checked.acquire()).await.ok()?.ok()
    }
}

/// The places of logins that wait because of earlier failures.
pub(super) struct Slowed {
    strangers: Semaphore,
    known: Semaphore,
}

impl Default for Slowed {
    fn default() -> Self {
        Self {
            strangers: Semaphore::new(MAX_STRANGERS_WAITING),
            known: Semaphore::new(MAX_KNOWN_SLOWED),
        }
    }
}

impl Slowed {
    /// A place; `None` if all are taken.
    pub(super) fn take(&self, is_known: bool) -> Option<SemaphorePermit<'_>> {
        let places = if is_known { &self.known } else { &self.strangers };
        places.try_acquire().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt as _;

    #[tokio::test(start_paused = true)]
    async fn strangers_wait_up_to_a_limit() {
        let lane = Lane::default();
        let mut checked = Vec::new();
        for _ in 0..MAX_STRANGERS_CHECKED {
            checked.push(lane.enter().await.unwrap());
        }
        let mut waiting: Vec<_> =
            (0..MAX_STRANGERS_WAITING).map(|_| Box::pin(lane.enter())).collect();
        for stranger in &mut waiting {
            assert!(stranger.now_or_never().is_none());
        }
        assert!(lane.enter().await.is_none(), "too many wait");
        drop(checked.pop());
        assert!(waiting.remove(0).await.is_some());
        drop(waiting);
        let _last = lane.enter().await.unwrap();
        assert!(lane.enter().await.is_none(), "it waits no longer than the limit");
    }

    #[test]
    fn strangers_leave_places_to_others() {
        let slowed = Slowed::default();
        let strangers: Vec<_> = std::iter::from_fn(|| slowed.take(false)).collect();
        let known: Vec<_> = std::iter::from_fn(|| slowed.take(true)).collect();
        assert_eq!((strangers.len(), known.len()), (MAX_STRANGERS_WAITING, MAX_KNOWN_SLOWED));
    }
}
