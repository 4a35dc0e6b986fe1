//! The time.

use std::time::{Duration, SystemTime};

/// The time of day, and a time to measure with.
pub trait Clock: Send + Sync + 'static {
    /// The present time of day, which somebody can set.
    fn now(&self) -> SystemTime;

    /// The time since some moment before the daemon's start. Nobody can set it, and it never goes
    /// back.
    fn monotonic(&self) -> Duration;
}
