//! Turns: each guest is asked one thing at a time.

use crate::core::error::Error;
use crate::core::model::DomId;
use crate::core::op::GuestOp;
use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

/// Requests that may wait for one guest.
const MOST_WAITING: usize = 16;

/// Requests without an answer that are remembered for one guest.
const MOST_UNANSWERED: usize = 64;

/// The turns of all guests.
#[derive(Default)]
pub(in crate::core) struct Turns(Mutex<HashMap<DomId, Arc<Queue>>>);

#[derive(Default)]
struct Queue {
    waiting: AtomicUsize,
    unanswered: tokio::sync::Mutex<Unanswered>,
}

/// How long a caller waits.
pub(in crate::core) struct Patience {
    /// For each answer.
    pub(in crate::core) limit: Duration,
    /// Cancelled when the caller is not there any more.
    pub(in crate::core) hung_up: CancellationToken,
}

impl Patience {
    /// For work that no caller waits for.
    pub(in crate::core) fn to_clean_up() -> Self {
        Self { limit: GuestOp::MAX_LIMIT, hung_up: CancellationToken::new() }
    }

    /// The error that nobody reads but the log.
    pub(super) const fn given_up() -> Error {
        Error::Cancelled("The request to the agent")
    }
}

/// The requests that a guest did not answer in time. A response that comes later is removed.
#[derive(Debug, Default)]
pub(in crate::core) struct Unanswered(Vec<String>);

impl Unanswered {
    pub(super) fn add(&mut self, id: &str) {
        if self.0.len() == MOST_UNANSWERED {
            self.0.remove(0);
        }
        self.0.push(id.to_owned());
    }

    pub(super) fn take(&mut self) -> Vec<String> {
        std::mem::take(&mut self.0)
    }
}

/// Counts a request as waiting as long as it lives.
struct Waiting<'a>(&'a AtomicUsize);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Turns {
    /// Does `work` when it is the guest's turn, which may take as long as an answer. `name` is the
    /// domain's, for the error.
    pub(in crate::core) async fn take<T>(
        &self,
        domid: DomId,
        name: &str,
        patience: &Patience,
        work: impl AsyncFnOnce(&mut Unanswered) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let queue = self.queue(domid);
        let before = queue.waiting.fetch_add(1, Ordering::AcqRel);
        let _waiting = Waiting(&queue.waiting);
        if before >= MOST_WAITING {
            return Err(Error::Busy(name.to_owned()));
        }
        let mut unanswered = tokio::select! {
            unanswered = queue.unanswered.lock() => unanswered,
            () = sleep(patience.limit) => return Err(Error::Busy(name.to_owned())),
            () = patience.hung_up.cancelled() => return Err(Patience::given_up()),
        };
        work(&mut unanswered).await
    }

    /// Forgets guests that have gone.
    pub(in crate::core) fn retain(&self, is_on_host: impl Fn(DomId) -> bool) {
        self.lock().retain(|domid, queue| Arc::strong_count(queue) > 1 || is_on_host(*domid));
    }

    fn queue(&self, domid: DomId) -> Arc<Queue> {
        self.lock().entry(domid).or_default().clone()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<DomId, Arc<Queue>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[tokio::test(start_paused = true)]
    async fn a_guest_is_asked_one_thing_at_a_time() {
        let turns = Arc::new(Turns::default());
        let running = Arc::new(AtomicUsize::new(0));
        let mut tasks = Vec::new();
        for _ in 0..=MOST_WAITING {
            let turns = turns.clone();
            let running = running.clone();
            tasks.push(tokio::spawn(async move {
                let work = async |_: &mut Unanswered| {
                    assert_eq!(running.fetch_add(1, Ordering::SeqCst), 0);
                    tokio::time::sleep(Duration::from_secs(1)).await;
                    running.fetch_sub(1, Ordering::SeqCst);
                    Ok(())
                };
                turns.take(DomId(1), "a", &Patience::to_clean_up(), work).await
            }));
        }
        let mut refused = 0;
        for task in tasks {
            match task.await.unwrap() {
                Ok(()) => {}
                Err(error) => {
                    assert!(matches!(error, Error::Busy(_)), "{error}");
                    refused += 1;
                }
            }
        }
        assert_eq!(refused, 1);
        turns.retain(|_| false);
        assert!(turns.lock().is_empty());
    }

    #[test]
    fn late_responses_are_remembered_within_limits() {
        let mut unanswered = Unanswered::default();
        for n in 0..=MOST_UNANSWERED {
            unanswered.add(&n.to_string());
        }
        let names = unanswered.take();
        assert_eq!((names.len(), names[0].as_str()), (MOST_UNANSWERED, "1"));
        assert!(unanswered.take().is_empty());
    }
}
