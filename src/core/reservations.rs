//! Amounts that were promised and are not taken yet: memory for domains that are being built, room
//! for disk images that are being written.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// The sum of all reservations, in one unit.
#[derive(Debug, Default)]
pub(super) struct Reservations {
    sum: Arc<AtomicU64>,
}

/// What is reserved for one domain or image, until it is dropped: when it has all of it, or does
/// not need it any more.
#[derive(Debug)]
pub(super) struct Reservation {
    sum: Arc<AtomicU64>,
    amount: u64,
}

impl Reservations {
    /// Reserves an amount. Returns the new sum, too.
    pub(super) fn reserve(&self, amount: u64) -> (Reservation, u64) {
        let others = self.sum.fetch_add(amount, Ordering::Relaxed);
        (Reservation { sum: self.sum.clone(), amount }, others.saturating_add(amount))
    }
}

impl Reservation {
    /// A part of the amount was taken, and is not reserved any more.
    pub(super) fn take(&mut self, part: u64) {
        let part = part.min(self.amount);
        self.amount -= part;
        self.sum.fetch_sub(part, Ordering::Relaxed);
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.sum.fetch_sub(self.amount, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_taken_or_not_needed_is_not_reserved() {
        let all = Reservations::default();
        let (mut first, sum) = all.reserve(10);
        assert_eq!(sum, 10);
        first.take(4);
        let (second, sum) = all.reserve(1);
        assert_eq!(sum, 7);
        first.take(100);
        drop(second);
        assert_eq!(all.reserve(2).1, 2);
        drop(first);
        assert_eq!(all.reserve(3).1, 3);
    }
}
