//! Memory reserved for domains that are being built.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// The sum of all reservations, in MiB.
#[derive(Debug, Default)]
pub(super) struct Reservations {
    mib: Arc<AtomicU64>,
}

/// Memory reserved for one domain, until it is dropped: when the domain has the memory, or does not
/// need it any more.
pub(super) struct Reservation {
    sum: Arc<AtomicU64>,
    mib: u64,
}

impl Reservations {
    /// Reserves memory. Returns the new sum, too.
    pub(super) fn reserve(&self, mib: u64) -> (Reservation, u64) {
        let others = self.mib.fetch_add(mib, Ordering::Relaxed);
        (Reservation { sum: self.mib.clone(), mib }, others.saturating_add(mib))
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.sum.fetch_sub(self.mib, Ordering::Relaxed);
    }
}
