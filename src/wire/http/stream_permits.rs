//! Permits for answers that do not end: a bound for operators, and one for each user.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The most streams of one kind at a time.
#[derive(Debug, Clone, Copy)]
pub(super) struct StreamLimits {
    /// Of all operators together.
    pub(super) operators: usize,
    /// Of each user.
    pub(super) user: usize,
}

impl StreamLimits {
    /// For `/xend/events`.
    pub(super) const EVENTS: Self = Self { operators: 200, user: 20 };
    /// For consoles.
    pub(super) const CONSOLES: Self = Self { operators: 100, user: 10 };
    /// For screens.
    pub(super) const SCREENS: Self = Self { operators: 100, user: 10 };
    /// For disk images that are sent.
    pub(super) const UPLOADS: Self = Self { operators: 8, user: 2 };
}

/// There are as many streams as there may be.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct TooManyStreams {
    pub(super) most: usize,
}

/// Permits for streams of one kind.
pub(super) struct StreamPermits {
    limits: StreamLimits,
    operators: Arc<Semaphore>,
    /// By the names of users. Users without a stream are left out.
    users: Mutex<HashMap<String, Arc<Semaphore>>>,
}

impl StreamPermits {
    pub(super) fn new(limits: StreamLimits) -> Self {
        let operators = Arc::new(Semaphore::new(limits.operators));
        Self { limits, operators, users: Mutex::default() }
    }

    /// A permit for one more stream of a user, or of an operator without an account.
    pub(super) fn acquire(
        &self,
        user: Option<&str>,
    ) -> Result<OwnedSemaphorePermit, TooManyStreams> {
        let StreamLimits { operators, user: of_user } = self.limits;
        let Some(user) = user else {
            let permit = self.operators.clone().try_acquire_owned();
            return permit.map_err(|_| TooManyStreams { most: operators });
        };
        let mut users = self.users.lock().unwrap_or_else(PoisonError::into_inner);
        users.retain(|_, permits| Arc::strong_count(permits) > 1);
        let permits = users.entry(user.to_owned());
        let permits = permits.or_insert_with(|| Arc::new(Semaphore::new(of_user))).clone();
        permits.try_acquire_owned().map_err(|_| TooManyStreams { most: of_user })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_takes_no_stream_from_others() {
        let permits = StreamPermits::new(StreamLimits { operators: 1, user: 2 });
        let mut of_steve: Vec<_> = (0..2).map(|_| permits.acquire(Some("steve"))).collect();
        assert!(of_steve.iter().all(Result::is_ok));
        assert_eq!(permits.acquire(Some("steve")).unwrap_err(), TooManyStreams { most: 2 });
        let of_operator = permits.acquire(None).unwrap();
        assert_eq!(permits.acquire(None).unwrap_err(), TooManyStreams { most: 1 });
        assert!(permits.acquire(Some("ann")).is_ok());
        of_steve.pop();
        assert!(permits.acquire(Some("steve")).is_ok());
        drop((of_steve, of_operator));
        assert!(permits.acquire(Some("ann")).is_ok() && permits.acquire(None).is_ok());
        assert_eq!(permits.users.lock().unwrap().len(), 1, "only ann's are kept");
    }
}
