//! Durations, counted without a lock.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// The upper ends of the buckets, each included. A last bucket has what takes longer.
pub const BOUNDS: [Duration; 9] = [
    Duration::from_millis(1),
    Duration::from_millis(5),
    Duration::from_millis(25),
    Duration::from_millis(100),
    Duration::from_millis(500),
    Duration::from_secs(2),
    Duration::from_secs(10),
    Duration::from_secs(60),
    Duration::from_secs(300),
];

const BUCKETS: usize = BOUNDS.len() + 1;

/// A count of durations by their length.
#[derive(Debug, Default)]
pub(super) struct Histogram {
    buckets: [AtomicU64; BUCKETS],
    /// The sum of all, in microseconds.
    micros: AtomicU64,
}

/// The counts of a histogram at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Durations {
    /// How many durations are in each bucket of [`BOUNDS`], and in the last one.
    pub buckets: [u64; BUCKETS],
    /// The sum of all.
    pub sum: Duration,
}

impl Histogram {
    pub(super) fn add(&self, duration: Duration) {
        let bucket = BOUNDS.iter().position(|bound| duration <= *bound).unwrap_or(BOUNDS.len());
        if let Some(count) = self.buckets.get(bucket) {
            count.fetch_add(1, Ordering::Relaxed);
        }
        let micros = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        self.micros.fetch_add(micros, Ordering::Relaxed);
    }

    pub(super) fn durations(&self) -> Durations {
        Durations {
            buckets: std::array::from_fn(|bucket| {
                self.buckets.get(bucket).map_or(0, |count| count.load(Ordering::Relaxed))
            }),
            sum: Duration::from_micros(self.micros.load(Ordering::Relaxed)),
        }
    }
}

impl Durations {
    /// How many there are.
    pub fn count(&self) -> u64 {
        self.buckets.iter().sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_counted_by_their_length() {
        let histogram = Histogram::default();
        let lengths = [0, 1_000, 1_001, 5_000, 300_000_000, 300_000_001];
        for micros in lengths {
            histogram.add(Duration::from_micros(micros));
        }
        let durations = histogram.durations();
        assert_eq!(durations.buckets, [2, 2, 0, 0, 0, 0, 0, 0, 1, 1]);
        assert_eq!(durations.count(), 6);
        assert_eq!(durations.sum, Duration::from_micros(lengths.iter().sum()));
        assert!(BOUNDS.is_sorted());
    }
}
