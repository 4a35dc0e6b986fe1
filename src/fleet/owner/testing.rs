//! What the tests of owners and of definitions share.

use crate::core::fleet::HostName;
use crate::core::model::Uuid;
use crate::fleet::guard::{GuardFailure, GuardPort, GuardedHere};
use crate::fleet::keys::Keys;
use crate::fleet::kv::Op;
use async_trait::async_trait;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;
use tokio::time::sleep;

pub(super) fn keys() -> Keys {
    Keys::new("lab".parse().unwrap())
}

pub(super) fn host_name(number: usize) -> HostName {
    format!("xen{number}").parse().unwrap()
}

/// The guard of a host on which none runs.
struct NoGuard;

impl NoGuard {
    fn silent<T>() -> Result<T, GuardFailure> {
        Err(GuardFailure::Silent(io::Error::other("there is none")))
    }
}

#[async_trait]
impl GuardPort for NoGuard {
    async fn register(&self, _domain: Uuid) -> Result<u64, GuardFailure> {
        Self::silent()
    }

    async fn built(&self, _domain: Uuid) -> Result<(), GuardFailure> {
        Self::silent()
    }

    async fn release(&self, _domain: Uuid) -> Result<(), GuardFailure> {
        Self::silent()
    }

    async fn away(&self) -> Result<(), GuardFailure> {
        Self::silent()
    }

    async fn back(&self) -> Result<(), GuardFailure> {
        Self::silent()
    }

    async fn status(&self) -> Result<GuardedHere, GuardFailure> {
        Self::silent()
    }
}

/// A host on which no guard runs.
pub(super) fn no_guard() -> Arc<dyn GuardPort> {
    Arc::new(NoGuard)
}

pub(super) fn put(key: String, value: &[u8]) -> Op {
    Op::put(key, value.to_vec())
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap()
}

/// Numbers that are the same for the same seed (splitmix64).
pub(super) struct Random(Mutex<u64>);

impl Random {
    pub(super) fn new(seed: u64) -> Self {
        Self(Mutex::new(seed))
    }

    /// A number below `bound`.
    pub(super) fn below(&self, bound: u64) -> u64 {
        let mut state = lock(&self.0);
        *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = (*state ^ (*state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % bound
    }

    /// Waits for less than `most` milliseconds.
    pub(super) async fn pause(&self, most: u64) {
        sleep(Duration::from_millis(self.below(most))).await;
    }
}
