//! Work on large requests and answers, beside the threads that serve the others.
//!
//! A thread of the runtime that reads a megabyte serves nothing else for milliseconds, and some
//! clients send such requests without a pause. So the thread hands its queue to another one first.
//! As only a few do so at a time, the other processors are left to the rest.

use std::future::poll_fn;
use std::num::NonZero;
use std::pin::pin;
use std::sync::Arc;
#[cfg(test)]
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::ready;
use std::thread;
use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::sync::Semaphore;
use tokio::task::block_in_place;
use tokio_util::sync::PollSemaphore;

/// The size in bytes up to which work is done at once. Reading a configuration of this size takes
/// some 0.1 ms, and most have 1 to 4 KiB: handing a queue over would take as long.
pub(super) const SMALL: usize = 8 << 10;

/// How many times faster bytes are printed than read and checked.
const PRINTING_SPEED: usize = 8;

/// The daemon's places for work that takes more than a moment; clones share them. Requests and
/// answers have places of their own, so that reads do not wait for changes. Together they leave a
/// quarter of the processors to others; with one or two, the kernel has to share them.
#[derive(Debug, Clone)]
pub struct Offload {
    requests: Arc<Semaphore>,
    answers: Arc<Semaphore>,
    /// How many answers were printed in a place.
    #[cfg(test)]
    printed: Arc<AtomicUsize>,
}

impl Default for Offload {
    /// A place for requests for every second processor and one for answers for every fourth, and
    /// one of each at least.
    fn default() -> Self {
        let processors = thread::available_parallelism().map_or(1, NonZero::get);
        Self::with_places((processors / 2).max(1), (processors / 4).max(1))
    }
}

impl Offload {
    fn with_places(requests: usize, answers: usize) -> Self {
        let places = |count| Arc::new(Semaphore::new(count));
        Self {
            requests: places(requests),
            answers: places(answers),
            #[cfg(test)]
            printed: Arc::default(),
        }
    }

    /// Carries out work on a request, in a place if its bytes are more than [`SMALL`]. Work that
    /// waits for something gives its place up until it goes on.
    ///
    /// Work must not be polled within other work of this kind: it would wait for the place that it
    /// has. In a task of its own it can be waited for, as `Engine::offload` does.
    pub(super) async fn request<F: Future>(&self, bytes: usize, work: F) -> F::Output {
        run(&self.requests, bytes, work).await
    }

    /// Prints an answer of about this many bytes, in a place if these are many. Work on a request
    /// may do so.
    pub async fn print<T>(&self, bytes: usize, print: impl FnOnce() -> T) -> T {
        let bytes = bytes / PRINTING_SPEED;
        #[cfg(test)]
        self.printed.fetch_add(usize::from(bytes > SMALL), Ordering::Relaxed);
        run(&self.answers, bytes, async { print() }).await
    }

    /// How many answers were printed in a place.
    #[cfg(test)]
    pub(crate) fn printed(&self) -> usize {
        self.printed.load(Ordering::Relaxed)
    }
}

async fn run<F: Future>(places: &Arc<Semaphore>, bytes: usize, work: F) -> F::Output {
    if bytes <= SMALL || !has_other_threads() {
        return work.await;
    }
    let mut work = pin!(work);
    let mut places = PollSemaphore::new(places.clone());
    poll_fn(|context| {
        let _place = ready!(places.poll_acquire(context));
        block_in_place(|| work.as_mut().poll(context))
    })
    .await
}

/// Whether there is another thread that can take over. Tests can run in a single one.
fn has_other_threads() -> bool {
    Handle::try_current().is_ok_and(|handle| handle.runtime_flavor() == RuntimeFlavor::MultiThread)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;
    use std::time::Duration;
    use tokio::sync::oneshot;
    use tokio::task::JoinSet;

    const LARGE: usize = SMALL + 1;

    /// Ends a test that would wait for ever.
    const LIMIT: Duration = Duration::from_secs(60);

    #[tokio::test(flavor = "multi_thread", worker_threads = 1)]
    async fn others_are_served_during_large_work() {
        let (begun, has_begun) = oneshot::channel();
        let (end, is_to_end) = mpsc::channel();
        let work = tokio::spawn(async move {
            let work = async move {
                begun.send(()).unwrap();
                is_to_end.recv_timeout(LIMIT)
            };
            Offload::default().request(LARGE, work).await
        });
        // On the only thread of the runtime, which the work would keep.
        let other = tokio::spawn(async move {
            has_begun.await.unwrap();
            end.send(()).unwrap();
        });
        assert_eq!(work.await.unwrap(), Ok(()));
        other.await.unwrap();
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn work_has_few_places() {
        static RUNNING: AtomicUsize = AtomicUsize::new(0);
        static MOST: AtomicUsize = AtomicUsize::new(0);
        let offload = Offload::with_places(2, 1);
        let mut all = JoinSet::new();
        for _ in 0..16 {
            let offload = offload.clone();
            all.spawn(async move {
                let step = || {
                    let running = RUNNING.fetch_add(1, Ordering::SeqCst) + 1;
                    MOST.fetch_max(running, Ordering::SeqCst);
                    thread::yield_now();
                    RUNNING.fetch_sub(1, Ordering::SeqCst);
                };
                let work = async {
                    for _ in 0..100 {
                        step();
                        tokio::task::yield_now().await;
                    }
                };
                offload.request(LARGE, work).await;
            });
        }
        all.join_all().await;
        assert!((1..=2).contains(&MOST.load(Ordering::SeqCst)));
        assert_eq!(offload.requests.available_permits(), 2);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn work_that_waits_leaves_its_place_to_others() {
        let offload = Offload::with_places(1, 1);
        let (done, is_done) = oneshot::channel();
        let waiting = offload.request(LARGE, async { is_done.await.unwrap() });
        let working = offload.request(LARGE, async { done.send(7).unwrap() });
        let both = async { tokio::join!(waiting, working).0 };
        assert_eq!(tokio::time::timeout(LIMIT, both).await, Ok(7));
    }

    #[tokio::test]
    async fn a_single_thread_does_all_work_itself() {
        let offload = Offload::with_places(1, 1);
        let thread_of = async || thread::current().id();
        for bytes in [0, LARGE] {
            assert_eq!(offload.request(bytes, thread_of()).await, thread::current().id());
        }
    }

    /// Reads are answered while requests have all of their places, and within them.
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn answers_do_not_wait_for_requests() {
        let offload = Offload::with_places(1, 1);
        let (begun, has_begun) = oneshot::channel();
        let (end, is_to_end) = mpsc::channel();
        let busy = offload.clone();
        let printing = offload.clone();
        let request = tokio::spawn(async move {
            let work = async move {
                let inside = printing.print(LARGE * PRINTING_SPEED, || 7).await;
                begun.send(()).unwrap();
                is_to_end.recv_timeout(LIMIT).map(|()| inside)
            };
            busy.request(LARGE, work).await
        });
        has_begun.await.unwrap();
        assert_eq!(offload.print(LARGE * PRINTING_SPEED, || 8).await, 8);
        end.send(()).unwrap();
        assert_eq!(request.await.unwrap(), Ok(7));
    }
}
