//! Turns: each guest is asked one thing at a time.

use crate::core::error::Error;
use crate::core::model::DomId;
use crate::core::op::GuestOp;
use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

/// Requests that may wait for one guest.
const MOST_WAITING: usize = 16;

/// Requests without an answer that are remembered for one guest.
const MOST_UNANSWERED: usize = 32;

/// How long they are remembered. Agents remove what hosts left behind themselves after ten minutes.
const UNANSWERED_FOR: Duration = Duration::from_secs(15 * 60);

/// The turns of all guests.
#[derive(Default)]
pub(in crate::core) struct Turns(Mutex<HashMap<DomId, Arc<Queue>>>);

#[derive(Default)]
struct Queue {
    waiting: AtomicUsize,
    unanswered: tokio::sync::Mutex<Unanswered>,
}

/// How long a caller waits.
#[derive(Clone)]
pub(in crate::core) struct Patience {
    /// For each answer.
    pub(in crate::core) limit: Duration,
    /// Cancelled when the caller is not there any more.
    pub(in crate::core) hung_up: CancellationToken,
    /// Cancelled when the daemon stops.
    pub(in crate::core) stopping: CancellationToken,
}

impl Patience {
    /// For work that no caller waits for.
    pub(in crate::core) fn to_clean_up(stopping: &CancellationToken) -> Self {
        Self {
            limit: GuestOp::MAX_LIMIT,
            hung_up: CancellationToken::new(),
            stopping: stopping.clone(),
        }
    }

    /// Waits until nobody waits for the answer any more, and returns the error that says why. If
    /// the caller has gone, nobody reads it but the log.
    pub(super) async fn ended(&self) -> Error {
        tokio::select! {
            biased;
            () = self.stopping.cancelled() => Error::Stopping,
            () = self.hung_up.cancelled() => Error::Cancelled("The request to the agent"),
        }
    }
}

/// The requests that a guest did not answer in time, the oldest first. A response that comes later
/// is removed.
#[derive(Debug, Default)]
pub(in crate::core) struct Unanswered(VecDeque<(String, Instant)>);

impl Unanswered {
    pub(super) fn add(&mut self, id: &str) {
        if self.0.len() == MOST_UNANSWERED {
            self.0.pop_front();
        }
        self.0.push_back((id.to_owned(), Instant::now()));
    }

    pub(super) fn remove(&mut self, id: &str) {
        self.0.retain(|(known, _)| known != id);
    }

    /// The names of those that are not too old; the others are forgotten.
    pub(super) fn names(&mut self) -> Vec<String> {
        self.0.retain(|(_, since)| since.elapsed() < UNANSWERED_FOR);
        self.0.iter().map(|(id, _)| id.clone()).collect()
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
            biased;
            error = patience.ended() => return Err(error),
            unanswered = queue.unanswered.lock() => unanswered,
            () = sleep(patience.limit) => return Err(Error::Busy(name.to_owned())),
        };
        work(&mut unanswered).await
    }

    /// Forgets guests that have gone.
    pub(in crate::core) fn retain(&self, is_on_host: impl Fn(DomId) -> bool) {
        self.lock().retain(|domid, queue| Arc::strong_count(queue) > 1 || is_on_host(*domid));
    }

    /// The number of requests to guests that wait for a turn or an answer.
    pub(in crate::core) fn waiting(&self) -> usize {
        self.lock().values().map(|queue| queue.waiting.load(Ordering::Relaxed)).sum()
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
    use tokio::sync::oneshot;

    fn patience() -> Patience {
        Patience::to_clean_up(&CancellationToken::new())
    }

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
                turns.take(DomId(1), "a", &patience(), work).await
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

    /// A request that waits for its turn does not keep the daemon from stopping.
    #[tokio::test(start_paused = true)]
    async fn a_stop_ends_the_waiting() {
        let turns = Turns::default();
        let patience = patience();
        let (tell, told) = oneshot::channel();
        let first = turns.take(DomId(1), "a", &patience, async |_: &mut Unanswered| {
            let _ = tell.send(());
            Err::<(), _>(patience.ended().await)
        });
        let second = async {
            let _ = told.await;
            let work = async |_: &mut Unanswered| Ok(());
            turns.take(DomId(1), "a", &patience, work).await
        };
        let stop = async {
            sleep(Duration::from_secs(1)).await;
            patience.stopping.cancel();
        };
        let (first, second, ()) = tokio::join!(first, second, stop);
        for ended in [first, second] {
            assert!(matches!(ended, Err(Error::Stopping)), "{ended:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn late_responses_are_remembered_within_limits() {
        let mut unanswered = Unanswered::default();
        for n in 0..=MOST_UNANSWERED {
            unanswered.add(&n.to_string());
        }
        let names = unanswered.names();
        assert_eq!((names.len(), names[0].as_str()), (MOST_UNANSWERED, "1"));
        let moment = Duration::from_secs(1);
        sleep(UNANSWERED_FOR.saturating_sub(moment)).await;
        unanswered.remove("1");
        unanswered.add("late");
        assert_eq!(unanswered.names().len(), MOST_UNANSWERED);
        sleep(Duration::from_secs(1)).await;
        assert_eq!(unanswered.names(), ["late"]);
    }
}
