//! How far a long call of the hypervisor has got.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// What the hypervisor is at while it builds or writes a domain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Stage {
    /// The memory of the domain is written, read or populated.
    #[default]
    Memory,
    /// The device model starts.
    DeviceModel,
    /// Backends and hotplug scripts connect the devices.
    Devices,
    /// The memory of the domain is freed.
    Freeing,
}

impl Stage {
    /// The stage in words, as they follow "while".
    pub const fn name(self) -> &'static str {
        match self {
            Self::Memory => "moving its memory",
            Self::DeviceModel => "starting its device model",
            Self::Devices => "connecting its devices",
            Self::Freeing => "freeing its memory",
        }
    }
}

/// The progress of a long call, shared by the thread that makes it and those that watch it.
#[derive(Debug, Default)]
pub struct Transfer {
    done: AtomicU64,
    total: AtomicU64,
    cancelled: AtomicBool,
    seen: Mutex<Seen>,
}

/// What is seen of the call beside the bytes that it moves.
#[derive(Debug, Default, Clone)]
struct Seen {
    stage: Stage,
    detail: String,
    changes: u64,
}

impl Transfer {
    /// Sets how many bytes there will be. A live migration can come to need more.
    pub fn expect(&self, total: u64) {
        self.total.store(total, Ordering::Relaxed);
    }

    /// Adds bytes that have been moved.
    pub fn advance(&self, bytes: u64) {
        self.done.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Sets what can be seen of the call: the stage that it is in, and figures that change while it
    /// gets on.
    pub fn observe(&self, stage: Stage, detail: String) {
        let mut seen = self.seen();
        if seen.stage != stage || seen.detail != detail {
            *seen = Seen { stage, detail, changes: seen.changes + 1 };
        }
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The stage that the call is in.
    pub fn stage(&self) -> Stage {
        self.seen().stage
    }

    /// What was last seen of the call.
    pub fn detail(&self) -> String {
        self.seen().detail.clone()
    }

    /// Has the domain's being written stop at the next piece.
    pub fn cancel(&self) {
        self.cancelled.store(true, Ordering::Relaxed);
    }

    /// Whether [`cancel`](Self::cancel) was called.
    pub fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::Relaxed)
    }

    /// Fails after [`cancel`](Self::cancel).
    pub fn check(&self) -> io::Result<()> {
        if self.is_cancelled() { Err(io::Error::other("It was cancelled")) } else { Ok(()) }
    }

    /// How far the call is.
    pub fn progress(&self, what: &'static str) -> Progress {
        let done = self.done.load(Ordering::Relaxed);
        Progress { what, done, total: self.total.load(Ordering::Relaxed).max(done) }
    }

    /// A value that changes whenever the call gets on.
    pub fn pulse(&self) -> (u64, u64) {
        (self.done.load(Ordering::Relaxed), self.seen().changes)
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
