//! The time of day.

use std::time::SystemTime;

/// The time of day.
pub trait Clock: Send + Sync + 'static {
    /// The present time.
    fn now(&self) -> SystemTime;
}
