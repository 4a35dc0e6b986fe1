//! The machine's clock and randomness, as the core's ports.

use crate::core::ports::{Clock, Entropy};
use std::time::SystemTime;

/// The machine's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[allow(clippy::disallowed_methods, reason = "the one place where the time comes from")]
    fn now(&self) -> SystemTime {
        SystemTime::now()
    }
}

/// The machine's randomness.
#[derive(Debug, Clone, Copy, Default)]
pub struct OsEntropy;

impl Entropy for OsEntropy {
    fn fill(&self, bytes: &mut [u8]) {
        // uuid's own source is the operating system's, and it is linked in anyway.
        for chunk in bytes.chunks_mut(6) {
            // The last six bytes of a version 4 UUID are all random.
            chunk.copy_from_slice(&uuid::Uuid::new_v4().as_bytes()[10..10 + chunk.len()]);
        }
    }
}
