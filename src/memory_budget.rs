//! Budgets of memory: one for what clients send, with the values that are read from it, and one for
//! answers on their way to clients.
//!
//! Whoever keeps bytes of a client reserves their room before it is allocated. Beyond the budget
//! nothing waits: the request fails, and the client may try again.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The default budget, in bytes.
const DEFAULT: usize = 256 << 20;

/// What has reserved more than this, in bytes, leaves a quarter of the budget to all others: large
/// requests keep no small one out. An ordinary configuration with its tree is small.
const SMALL: usize = 1 << 20;

/// The first allocation of a [`ReservedBuffer`], in bytes.
const FIRST_ALLOCATION: usize = 4 << 10;

/// The budgets of a daemon. Clones share them.
#[derive(Debug, Clone, Default)]
pub struct MemoryBudgets {
    /// For what clients send.
    pub requests: MemoryBudget,
    /// For what clients are sent. It is apart, so that clients who send nothing more and clients
    /// who read nothing more do not harm the others.
    pub answers: MemoryBudget,
}

impl MemoryBudgets {
    /// Budgets of so many bytes each.
    pub fn new(limit: usize) -> Self {
        Self { requests: MemoryBudget::new(limit), answers: MemoryBudget::new(limit) }
    }
}

/// A budget of memory. Clones share it.
#[derive(Debug, Clone)]
pub struct MemoryBudget(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    limit: usize,
    reserved: AtomicUsize,
}

/// The budget does not allow for more memory now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OverBudget;

impl fmt::Display for OverBudget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Too many large requests or answers at a time: try again in a few seconds")
    }
}

impl std::error::Error for OverBudget {}

impl Default for MemoryBudget {
    fn default() -> Self {
        Self::new(DEFAULT)
    }
}

impl MemoryBudget {
    /// A budget of so many bytes.
    pub fn new(limit: usize) -> Self {
        Self(Arc::new(Shared { limit, reserved: AtomicUsize::new(0) }))
    }

    /// A budget without a limit, for texts that come from no client.
    pub fn unlimited() -> Self {
        Self::new(usize::MAX)
    }

    /// A reservation of nothing, which can grow.
    pub fn reservation(&self) -> Reservation {
        Reservation { budget: self.clone(), bytes: 0 }
    }

    /// A reservation of so many bytes.
    pub fn reserve(&self, bytes: usize) -> Result<Reservation, OverBudget> {
        let mut reservation = self.reservation();
        reservation.grow(bytes)?;
        Ok(reservation)
    }

    /// An empty buffer.
    pub fn buffer(&self) -> ReservedBuffer {
        ReservedBuffer { bytes: Vec::new(), reservation: self.reservation() }
    }

    /// The size of the budget in bytes.
    pub fn limit(&self) -> usize {
        self.0.limit
    }

    /// What is reserved now, in bytes.
    pub fn reserved(&self) -> usize {
        self.0.reserved.load(Ordering::Relaxed)
    }
}

/// Memory that is reserved until this is dropped.
#[derive(Debug)]
pub struct Reservation {
    budget: MemoryBudget,
    bytes: usize,
}

impl Reservation {
    /// Reserves more bytes, or nothing.
    pub fn grow(&mut self, bytes: usize) -> Result<(), OverBudget> {
        let Shared { limit, reserved } = &*self.budget.0;
        let grown = self.bytes.saturating_add(bytes);
        let limit = if grown <= SMALL { *limit } else { limit - limit / 4 };
        let add = |all: usize| all.checked_add(bytes).filter(|all| *all <= limit);
        reserved.fetch_update(Ordering::Relaxed, Ordering::Relaxed, add).map_err(|_| OverBudget)?;
        self.bytes = grown;
        Ok(())
    }

    /// What is reserved, in bytes.
    pub fn bytes(&self) -> usize {
        self.bytes
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.budget.0.reserved.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

/// Bytes that arrive in pieces. The whole allocation is reserved, not only what is filled.
pub struct ReservedBuffer {
    bytes: Vec<u8>,
    reservation: Reservation,
}

/// Never shows the bytes: there can be a password among them.
impl fmt::Debug for ReservedBuffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReservedBuffer").field("len", &self.len()).finish_non_exhaustive()
    }
}

impl ReservedBuffer {
    /// Adds a piece. After an error the buffer is as it was.
    pub fn extend(&mut self, piece: &[u8]) -> Result<(), OverBudget> {
        let needed = self.bytes.len().saturating_add(piece.len());
        let room = self.bytes.capacity();
        if needed > room {
            self.reserve(needed.max(room.saturating_mul(2)).max(FIRST_ALLOCATION))?;
        }
        self.bytes.extend_from_slice(piece);
        Ok(())
    }

    /// Makes room for this many bytes in all, if there are fewer.
    pub fn reserve(&mut self, capacity: usize) -> Result<(), OverBudget> {
        let room = self.bytes.capacity();
        if capacity > room {
            self.reservation.grow(capacity - room)?;
            self.bytes.reserve_exact(capacity - self.bytes.len());
        }
        Ok(())
    }

    /// The bytes, which are not reserved any more.
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// The bytes so far.
    pub fn as_slice(&self) -> &[u8] {
        &self.bytes
    }

    /// The number of bytes so far.
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether nothing was added yet.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_reserved_is_given_back() {
        let budget = MemoryBudget::new(1000);
        let mut one = budget.reservation();
        let mut other = budget.reservation();
        one.grow(600).unwrap();
        assert_eq!(other.grow(401), Err(OverBudget));
        assert_eq!((other.bytes(), budget.reserved()), (0, 600));
        other.grow(400).unwrap();
        drop(one);
        assert_eq!(budget.reserved(), 400);
        other.grow(600).unwrap();
        drop(other);
        assert_eq!(budget.reserved(), 0);
    }

    #[test]
    fn large_reservations_leave_a_quarter_to_small_ones() {
        let budget = MemoryBudget::new(64 * SMALL);
        let mut large = budget.reservation();
        assert_eq!(large.grow(48 * SMALL + 1), Err(OverBudget));
        large.grow(48 * SMALL).unwrap();
        let mut small: Vec<_> = (0..16).map(|_| budget.reservation()).collect();
        for one in &mut small {
            one.grow(SMALL).unwrap();
            assert_eq!(one.grow(1), Err(OverBudget), "it would be a large one");
        }
        assert_eq!(budget.reservation().grow(1), Err(OverBudget));
        assert_eq!(budget.reserved(), 64 * SMALL);
    }

    #[test]
    fn no_number_overflows() {
        let unlimited = MemoryBudget::unlimited();
        let mut all = unlimited.reservation();
        all.grow(usize::MAX / 2).unwrap();
        assert_eq!(all.grow(usize::MAX), Err(OverBudget));
        assert_eq!(all.bytes(), usize::MAX / 2);
    }

    #[test]
    fn the_room_of_a_buffer_is_reserved_before_it_is_filled() {
        let budget = MemoryBudget::new(16 << 10);
        let mut buffer = budget.buffer();
        assert!(buffer.is_empty());
        buffer.extend(b"a").unwrap();
        assert_eq!(budget.reserved(), FIRST_ALLOCATION);
        for _ in 0..8 {
            buffer.extend(&[b'b'; 1000]).unwrap();
            assert_eq!(budget.reserved(), buffer.bytes.capacity());
        }
        assert_eq!((buffer.len(), budget.reserved()), (8001, 8 << 10));
        assert_eq!(buffer.extend(&[b'c'; 16 << 10]), Err(OverBudget));
        assert_eq!((buffer.len(), buffer.as_slice().last()), (8001, Some(&b'b')));
        drop(buffer);
        assert_eq!(budget.reserved(), 0);
    }
}
