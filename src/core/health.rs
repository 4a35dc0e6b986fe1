//! Whether the hypervisor answers and the store can be written, as last seen.

use super::error::Error;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{Instant, timeout};

/// How long a check of the store counts.
const STORE_CHECK_AGE: Duration = Duration::from_secs(10);

/// How long one that failed counts: whoever mends the store wants to see it at once.
const STORE_FAILURE_AGE: Duration = Duration::from_secs(1);

/// When a store that cannot be written is checked again, if nobody asks before.
pub(super) const STORE_RECHECK: Duration = Duration::from_secs(11);

/// How long a reader waits for a check of the store.
const STORE_PATIENCE: Duration = Duration::from_secs(2);

/// The error of a check that has not ended.
const NO_ANSWER: &str = "The state directory cannot be written: its disk does not answer";

/// What was last seen of the hypervisor and the store.
#[derive(Debug, Default)]
pub(super) struct Health {
    /// The error of the last sweep.
    sweep: Mutex<Option<String>>,
    store: watch::Sender<Option<StoreCheck>>,
    is_checking: AtomicBool,
}

/// What a check of the store says that the one before did not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum StoreNews {
    None,
    /// It cannot be written any more.
    Fails,
    /// It can be written again.
    IsWell,
}

/// The end of a check of the store.
#[derive(Debug, Clone)]
struct StoreCheck {
    at: Instant,
    error: Option<String>,
}

impl StoreCheck {
    fn is_fresh(&self) -> bool {
        let age = if self.error.is_none() { STORE_CHECK_AGE } else { STORE_FAILURE_AGE };
        self.at.elapsed() <= age
    }
}

impl Health {
    pub(super) fn record_sweep(&self, swept: &Result<(), Error>) {
        *self.lock() = swept.as_ref().err().map(ToString::to_string);
    }

    /// The error of the last sweep; `None` if it succeeded.
    pub(super) fn sweep_error(&self) -> Option<String> {
        self.lock().clone()
    }

    /// Whether the caller must check the store, and call [`record_store`](Self::record_store)
    /// then. There is one check at a time, however long it takes.
    pub(super) fn begin_store_check(&self) -> bool {
        let is_fresh = self.store.borrow().as_ref().is_some_and(StoreCheck::is_fresh);
        !is_fresh && !self.is_checking.swap(true, Ordering::AcqRel)
    }

    /// The same at once, since something failed: the last check may be out of date. One that failed
    /// is repeated anyhow.
    pub(super) fn begin_store_check_after_failure(&self) -> bool {
        self.store_is_writable() != Some(false) && !self.is_checking.swap(true, Ordering::AcqRel)
    }

    /// Returns what is new since the last check.
    pub(super) fn record_store(&self, checked: &Result<(), Error>) -> StoreNews {
        let error = checked.as_ref().err().map(ToString::to_string);
        let is_well = error.is_none();
        let last = self.store.send_replace(Some(StoreCheck { at: Instant::now(), error }));
        self.is_checking.store(false, Ordering::Release);
        match (last.is_none_or(|last| last.error.is_none()), is_well) {
            (true, false) => StoreNews::Fails,
            (false, true) => StoreNews::IsWell,
            (true, true) | (false, false) => StoreNews::None,
        }
    }

    /// Whether the last check of the store succeeded; `None` before the first.
    pub(super) fn store_is_writable(&self) -> Option<bool> {
        self.store.borrow().as_ref().map(|check| check.error.is_none())
    }

    /// The error of the check of the store that counts; `None` if it succeeded. Waits a moment for
    /// a check that has begun.
    pub(super) async fn store_error(&self) -> Option<String> {
        let mut checks = self.store.subscribe();
        let fresh = checks.wait_for(|check| check.as_ref().is_some_and(StoreCheck::is_fresh));
        match timeout(STORE_PATIENCE, fresh).await {
            Ok(Ok(check)) => check.as_ref().and_then(|check| check.error.clone()),
            Ok(Err(_)) | Err(_) => Some(NO_ANSWER.to_owned()),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<String>> {
        self.sweep.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_check_of_the_store_counts_for_some_seconds() {
        let health = Health::default();
        assert!(health.begin_store_check());
        assert!(!health.begin_store_check(), "one at a time");
        assert!(!health.begin_store_check_after_failure());
        assert_eq!(health.store_is_writable(), None);
        assert_eq!(health.store_error().await.unwrap(), NO_ANSWER);
        assert_eq!(health.record_store(&Err(Error::Stopping)), StoreNews::Fails);
        assert_eq!(health.record_store(&Err(Error::Stopping)), StoreNews::None);
        assert_eq!(health.store_error().await.unwrap(), "Xend is shutting down");
        assert_eq!((health.store_is_writable(), health.begin_store_check()), (Some(false), false));
        assert!(!health.begin_store_check_after_failure());
        tokio::time::advance(STORE_FAILURE_AGE + Duration::from_millis(1)).await;
        assert!(health.begin_store_check());
        assert_eq!(health.record_store(&Ok(())), StoreNews::IsWell);
        assert_eq!(health.record_store(&Ok(())), StoreNews::None);
        assert_eq!((health.store_error().await, health.store_is_writable()), (None, Some(true)));
        tokio::time::advance(STORE_FAILURE_AGE * 2).await;
        assert!(!health.begin_store_check());
        assert!(health.begin_store_check_after_failure(), "it may be out of date");
        assert_eq!(health.record_store(&Ok(())), StoreNews::None);
        tokio::time::advance(STORE_CHECK_AGE + Duration::from_millis(1)).await;
        assert!(health.begin_store_check());
    }
}
