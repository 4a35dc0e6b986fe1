//! How far something large has got.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Bytes that have been written or read, and how many there will be. Shared by whoever moves them and whoever looks.
#[derive(Debug, Default)]
pub struct Transfer {
    done: AtomicU64,
    total: AtomicU64,
    cancelled: AtomicBool,
}

impl Transfer {
    /// Says how many bytes there will be. A live migration can come to need more.
    pub fn expect(&self, total: u64) {
        self.total.store(total, Ordering::Relaxed);
    }

    /// Says that so many more bytes have been moved.
    pub fn advance(&self, bytes: u64) {
        self.done.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Somebody does not want it any more: whoever writes a domain stops at the next piece.
    pub fn cancel(&self) {
        self.cancelled.store(true, Ordering::Relaxed);
    }

    /// Whether that was said.
    pub fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::Relaxed)
    }

    /// An error if that was said, for whoever writes.
    pub fn check(&self) -> io::Result<()> {
        if self.is_cancelled() { Err(io::Error::other("It was cancelled")) } else { Ok(()) }
    }

    /// How far it is.
    pub fn progress(&self, what: &'static str) -> Progress {
        let done = self.done.load(Ordering::Relaxed);
        Progress { what, done, total: self.total.load(Ordering::Relaxed).max(done) }
    }
}

/// How far something was at one moment, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// What is going on: `Saving`, `Restoring`, ...
    pub what: &'static str,
    /// What has been moved.
    pub done: u64,
    /// What there is to be moved, as far as that is known.
    pub total: u64,
}

impl Progress {
    /// In percent, 0 to 100.
    pub fn percent(&self) -> u8 {
        let percent = u128::from(self.done) * 100 / u128::from(self.total.max(1));
        u8::try_from(percent).unwrap_or(100).min(100)
    }
}
