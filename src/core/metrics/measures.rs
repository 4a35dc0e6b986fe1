//! The measures of one kind of change or call.

use super::ending::Ending;
use super::histogram::{Durations, Histogram};
use crate::core::error::Error;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::time::Instant;

/// How often something ended, by its ending, and how long it took.
#[derive(Debug, Default)]
pub(in crate::core) struct Measures {
    endings: [AtomicU64; Ending::ALL.len()],
    durations: Histogram,
}

/// What was measured since the daemon started.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Measurement {
    endings: [u64; Ending::ALL.len()],
    /// How long it took, whatever its ending.
    pub durations: Durations,
}

impl Measurement {
    /// Each ending, and how often it was that.
    pub fn endings(&self) -> impl Iterator<Item = (Ending, u64)> {
        Ending::ALL.into_iter().zip(self.endings)
    }
}

impl Measures {
    /// Does some work, and measures it. Work that is dropped before its end is abandoned.
    pub(in crate::core) async fn run<T>(
        &self,
        work: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        let mut run = Run { measures: self, began: Instant::now(), ending: Ending::Abandoned };
        let result = work.await;
        run.ending = Ending::of(&result);
        result
    }

    /// What was measured until now; `None` if there was nothing to measure.
    pub(super) fn measurement(&self) -> Option<Measurement> {
        let durations = self.durations.durations();
        let count = |ending: Ending| {
            self.endings.get(ending as usize).map_or(0, |count| count.load(Ordering::Relaxed))
        };
        (durations.count() > 0).then(|| Measurement { endings: Ending::ALL.map(count), durations })
    }
}

/// Work that is under way.
struct Run<'a> {
    measures: &'a Measures,
    began: Instant,
    ending: Ending,
}

impl Drop for Run<'_> {
    fn drop(&mut self) {
        if let Some(count) = self.measures.endings.get(self.ending as usize) {
            count.fetch_add(1, Ordering::Relaxed);
        }
        self.measures.durations.add(self.began.elapsed());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;
    use tokio::time::{sleep, timeout};

    #[tokio::test(start_paused = true)]
    async fn every_ending_is_counted() {
        let measures = Measures::default();
        assert_eq!(measures.measurement(), None);
        let limit = Duration::from_secs(3);
        measures.run(async { Ok(()) }).await.unwrap();
        measures.run::<()>(async { Err(Error::Stopping) }).await.unwrap_err();
        measures.run::<()>(async { Err(Error::Timeout { what: "It", limit }) }).await.unwrap_err();
        let endless = measures.run(async {
            sleep(Duration::from_secs(60)).await;
            Ok(())
        });
        timeout(limit, endless).await.unwrap_err();
        let found = measures.measurement().unwrap();
        let seen: Vec<_> = found.endings().filter(|(_, count)| *count > 0).collect();
        let endings = [Ending::Done, Ending::Conflict, Ending::Timeout, Ending::Abandoned];
        assert_eq!(seen, endings.map(|ending| (ending, 1)));
        assert_eq!((found.durations.count(), found.durations.sum), (4, limit));
    }

    #[test]
    fn each_ending_has_its_own_place() {
        for (place, ending) in Ending::ALL.into_iter().enumerate() {
            assert_eq!(ending as usize, place, "{ending:?}");
        }
    }
}
