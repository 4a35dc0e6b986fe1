//! The machine's clock and randomness, as ports of the core.

use crate::core::ports::{Clock, Entropy};
use std::fs;
use std::io;
use std::sync::LazyLock;
use std::time::{Duration, Instant, SystemTime};
use uuid::Uuid;

/// The machine's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the implementation of the port")]
    fn now(&self) -> SystemTime {
        SystemTime::now()
    }

    fn monotonic(&self) -> Duration {
        static FIRST: LazyLock<Instant> = LazyLock::new(Instant::now);
        FIRST.elapsed()
    }
}

/// Which boot of the machine this is, as the kernel says.
pub fn boot_id() -> io::Result<Uuid> {
    let id = fs::read_to_string("/proc/sys/kernel/random/boot_id")?;
    Uuid::try_parse(id.trim()).map_err(io::Error::other)
}

/// The machine's randomness.
#[derive(Debug, Clone, Copy, Default)]
pub struct OsEntropy;

impl Entropy for OsEntropy {
    #[expect(clippy::disallowed_methods, reason = "the implementation of the port")]
    fn fill(&self, bytes: &mut [u8]) {
        // The uuid crate reads the operating system's randomness, and is linked in anyway. The last
        // six bytes of a version 4 UUID are all random.
        for chunk in bytes.chunks_mut(6) {
            chunk.copy_from_slice(&Uuid::new_v4().as_bytes()[10..10 + chunk.len()]);
        }
    }
}
