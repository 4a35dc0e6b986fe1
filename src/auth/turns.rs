//! Logins at the same time with the same name and password.
//!
//! A page or a script can send many requests at once, all with the same password. The first of them
//! is checked, the others wait for it and have its result.

use super::verified::Digest;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{Mutex as AsyncMutex, OwnedMutexGuard};
use tokio::time::timeout;

/// The number of logins that wait for one with the same name and password. Further ones fail.
const MAX_WAITING: usize = 32;

/// Time limit of waiting.
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// Whether the login before was refused.
type WasRefused = bool;

/// The turn of a login, which others with the same name and password wait for.
pub(super) type Turn = OwnedMutexGuard<WasRefused>;

/// The logins under way.
#[derive(Default)]
pub(super) struct Turns(Mutex<HashMap<Digest, Arc<AsyncMutex<WasRefused>>>>);

impl Turns {
    /// Waits until no other login with this name and password is under way; `None` if too many wait
    /// or it takes too long.
    pub(super) async fn take(&self, digest: &Digest) -> Option<Turn> {
        let turn = {
            let mut turns = self.lock();
            turns.retain(|_, turn| Arc::strong_count(turn) > 1);
            let turn = turns.entry(*digest).or_default();
            // One is in the table, one with the login under way.
            if Arc::strong_count(turn) > MAX_WAITING + 1 {
                return None;
            }
            turn.clone()
        };
        timeout(LONGEST_WAIT, turn.lock_owned()).await.ok()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Digest, Arc<AsyncMutex<WasRefused>>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt as _;

    #[tokio::test(start_paused = true)]
    async fn logins_wait_for_one_with_the_same_password() {
        let turns = Turns::default();
        let mut first = turns.take(&[1; 64]).await.unwrap();
        assert!(turns.take(&[2; 64]).now_or_never().is_some(), "another one does not wait");
        let mut waiting: Vec<_> =
            (0..MAX_WAITING).map(|_| Box::pin(turns.take(&[1; 64]))).collect();
        for second in &mut waiting {
            assert!(second.now_or_never().is_none());
        }
        assert!(turns.take(&[1; 64]).await.is_none(), "too many wait");
        *first = true;
        drop(first);
        assert!(*waiting.remove(0).await.unwrap());
        drop(waiting);
        assert!(!*turns.take(&[1; 64]).await.unwrap(), "the result is forgotten");
        let _held = turns.take(&[1; 64]).await.unwrap();
        assert!(turns.take(&[1; 64]).await.is_none(), "it waits no longer than the limit");
    }
}
