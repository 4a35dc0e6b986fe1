//! How many programs run at a time.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::{AcquireError, OwnedSemaphorePermit, Semaphore, SemaphorePermit};

/// Programs that run at a time.
const MAX_RUNNING: usize = 4;
/// Programs of one user that run at a time, so that nobody takes all slots.
const MAX_OF_USER: usize = 2;

/// The slots in which programs run.
pub(super) struct Slots {
    all: Semaphore,
    /// The slots of users who have a program or wait for a slot.
    of_users: Mutex<HashMap<String, Arc<Semaphore>>>,
}

/// A slot, until this is dropped.
pub(super) struct Slot<'a> {
    _of_user: OwnedSemaphorePermit,
    _of_all: SemaphorePermit<'a>,
}

impl Slots {
    pub(super) fn new() -> Self {
        Self { all: Semaphore::new(MAX_RUNNING), of_users: Mutex::default() }
    }

    /// Waits for a slot for `user`. The first who waits is the first who gets one.
    pub(super) async fn acquire(&self, user: &str) -> Result<Slot<'_>, AcquireError> {
        let of_user = self.of_user(user).acquire_owned().await?;
        Ok(Slot { _of_user: of_user, _of_all: self.all.acquire().await? })
    }

    fn of_user(&self, user: &str) -> Arc<Semaphore> {
        let mut users = self.of_users.lock().unwrap_or_else(PoisonError::into_inner);
        // Every slot and everybody who waits for one has a reference.
        users.retain(|_, slots| Arc::strong_count(slots) > 1);
        let slots = users.entry(user.to_owned());
        slots.or_insert_with(|| Arc::new(Semaphore::new(MAX_OF_USER))).clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;

    #[tokio::test]
    async fn a_user_leaves_slots_to_others() {
        let slots = Slots::new();
        let now = |user| slots.acquire(user).now_or_never().map(Result::unwrap);
        let ann = [now("ann").unwrap(), now("ann").unwrap()];
        assert!(now("ann").is_none());
        let bob = [now("bob").unwrap(), now("bob").unwrap()];
        assert!(now("eve").is_none(), "all are taken");
        drop(bob);
        assert!(now("ann").is_none());
        assert!(now("eve").is_some());
        drop(ann);
        assert!(now("ann").is_some());
        assert_eq!(slots.of_users.lock().unwrap().len(), 1, "users who have left are forgotten");
    }
}
