//! Progress of a long hypervisor call.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Stage of building, saving or destroying a domain.
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
    /// The stage in words that follow "while".
    pub const fn name(self) -> &'static str {
        match self {
            Self::Memory => "moving its memory",
            Self::DeviceModel => "starting its device model",
            Self::Devices => "connecting its devices",
            Self::Freeing => "freeing its memory",
        }
    }
}

/// Progress of a long call, shared by the thread that makes the call and those that watch it.
#[derive(Debug, Default)]
pub struct Transfer {
    done: AtomicU64,
    total: AtomicU64,
    cancelled: AtomicBool,
    observation: Mutex<Observation>,
}

/// Signs of progress beside the bytes that the call moves.
#[derive(Debug, Default, Clone)]
struct Observation {
    stage: Stage,
    detail: String,
    changes: u64,
}

impl Transfer {
    /// Sets the expected number of bytes. A live migration can need more later.
    pub fn expect(&self, total: u64) {
        self.total.store(total, Ordering::Relaxed);
    }

    /// Adds bytes that have been moved.
    pub fn advance(&self, bytes: u64) {
        self.done.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Sets the stage of the call, and figures that change while the stage makes progress.
    pub fn observe(&self, stage: Stage, detail: String) {
        let mut last = self.observation();
        if last.stage != stage || last.detail != detail {
            *last = Observation { stage, detail, changes: last.changes + 1 };
        }
    }

    fn observation(&self) -> MutexGuard<'_, Observation> {
        self.observation.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The stage that the call is in.
    pub fn stage(&self) -> Stage {
        self.observation().stage
    }

    /// The figures of the last [`observe`](Self::observe).
    pub fn detail(&self) -> String {
        self.observation().detail.clone()
    }

    /// Makes a save stop at its next piece.
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

    /// The progress of the call, which is named `what`.
    pub fn progress(&self, what: &'static str) -> Progress {
        let done = self.done.load(Ordering::Relaxed);
        Progress { what, done, total: self.total.load(Ordering::Relaxed).max(done) }
    }

    /// Counters of bytes moved and of other changes. Either grows with every progress.
    pub fn counters(&self) -> (u64, u64) {
        (self.done.load(Ordering::Relaxed), self.observation().changes)
    }
}

/// Progress of a long call at one moment, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// `Saving`, `Restoring`, ...
    pub what: &'static str,
    /// Bytes moved.
    pub done: u64,
    /// Bytes to be moved in all, as far as known.
    pub total: u64,
}

impl Progress {
    /// In percent, 0 to 100.
    pub fn percent(&self) -> u8 {
        let percent = u128::from(self.done) * 100 / u128::from(self.total.max(1));
        u8::try_from(percent).unwrap_or(100).min(100)
    }
}
