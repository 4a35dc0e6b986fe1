//! Permits for streams of `/xend/events`: a bound for operators, and one for each user.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The most streams of operators at a time.
pub(super) const MAX_OF_OPERATORS: usize = 200;
/// The most streams of one user at a time.
pub(super) const MAX_OF_USER: usize = 20;

/// Permits for streams.
pub(super) struct EventPermits {
    operators: Arc<Semaphore>,
    /// By the names of users. Users without a stream are left out.
    users: Mutex<HashMap<String, Arc<Semaphore>>>,
}

impl Default for EventPermits {
    fn default() -> Self {
        let operators = Arc::new(Semaphore::new(MAX_OF_OPERATORS));
        Self { operators, users: Mutex::default() }
    }
}

impl EventPermits {
    /// A permit for one more stream of a user, or of an operator without an account; `None` if
    /// there are too many.
    pub(super) fn acquire(&self, user: Option<&str>) -> Option<OwnedSemaphorePermit> {
        let Some(user) = user else { return self.operators.clone().try_acquire_owned().ok() };
        let mut users = self.users.lock().unwrap_or_else(PoisonError::into_inner);
        users.retain(|_, permits| Arc::strong_count(permits) > 1);
        let permits = users.entry(user.to_owned());
        let permits = permits.or_insert_with(|| Arc::new(Semaphore::new(MAX_OF_USER))).clone();
        permits.try_acquire_owned().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_takes_no_stream_from_others() {
        let permits = EventPermits::default();
        let mut of_steve: Vec<_> =
            (0..MAX_OF_USER).map(|_| permits.acquire(Some("steve"))).collect();
        assert!(of_steve.iter().all(Option::is_some) && permits.acquire(Some("steve")).is_none());
        assert!(permits.acquire(Some("ann")).is_some() && permits.acquire(None).is_some());
        of_steve.pop();
        assert!(permits.acquire(Some("steve")).is_some());
        drop(of_steve);
        assert!(permits.acquire(Some("ann")).is_some());
        assert_eq!(permits.users.lock().unwrap().len(), 1, "only ann's are kept");
    }
}
