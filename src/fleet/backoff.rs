//! Waiting between tries.

use std::time::Duration;
use tokio::time::sleep;

/// The wait before the next try: twice as long each time, up to a bound.
#[derive(Debug, Default)]
pub(super) struct Backoff {
    tries: u32,
}

impl Backoff {
    const FIRST: Duration = Duration::from_millis(500);
    const LONGEST: Duration = Duration::from_secs(5);

    pub(super) async fn wait(&mut self) {
        let wait = Self::FIRST.saturating_mul(1 << self.tries.min(10)).min(Self::LONGEST);
        self.tries = self.tries.saturating_add(1);
        sleep(wait).await;
    }

    /// The next wait is a short one.
    pub(super) fn reset(&mut self) {
        self.tries = 0;
    }
}
