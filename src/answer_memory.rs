//! The memory of answers on their way to clients.
//!
//! A client that reads slowly holds its answer for as long as it likes. So the bytes of a large
//! answer hold a reservation, until the last of them has been written to the connection. A text
//! that is sent to many clients is reserved once.

use crate::memory_budget::{MemoryBudget, OverBudget, Reservation};
use bytes::Bytes;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError, Weak};

/// Answers of this size in bytes do not count: the number of connections bounds them.
pub const SMALL_ANSWER: usize = 64 << 10;

/// Bytes with their reservation.
struct Holding {
    bytes: Bytes,
    _memory: Arc<Reservation>,
}

impl AsRef<[u8]> for Holding {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

/// These bytes, which hold the reservation for as long as there is a copy of them.
fn holding(bytes: Bytes, memory: Arc<Reservation>) -> Bytes {
    Bytes::from_owner(Holding { bytes, _memory: memory })
}

/// The memory of an answer that no other client is sent: nothing if it is small.
#[derive(Debug, Clone)]
pub struct AnswerMemory(Option<Arc<Reservation>>);

impl AnswerMemory {
    /// That of an answer of this size in bytes.
    pub fn reserve(budget: &MemoryBudget, size: usize) -> Result<Self, OverBudget> {
        if size <= SMALL_ANSWER {
            return Ok(Self(None));
        }
        Ok(Self(Some(Arc::new(budget.reserve(size)?))))
    }

    /// A part of the answer, which holds the memory of the whole.
    pub fn hold(&self, part: impl Into<Bytes>) -> Bytes {
        match &self.0 {
            Some(memory) => holding(part.into(), memory.clone()),
            None => part.into(),
        }
    }
}

/// An answer that no other client is sent, which is reserved if it is large.
pub fn reserved(budget: &MemoryBudget, answer: impl Into<Bytes>) -> Result<Bytes, OverBudget> {
    let bytes = answer.into();
    Ok(AnswerMemory::reserve(budget, bytes.len())?.hold(bytes))
}

/// A text that is kept and sent to any number of clients. It counts while it is on its way to some
/// of them, and whoever keeps it has a limit of its own. Clones are the same text.
#[derive(Debug, Clone)]
pub struct SharedText {
    text: Bytes,
    /// The bytes that are in memory as long as `text` is: more if it is a part of them.
    size: usize,
    /// The reservation of those who are being sent the text or a part of it.
    sent: Arc<Mutex<Weak<Reservation>>>,
}

impl SharedText {
    /// This text.
    pub fn new(text: impl Into<Bytes>) -> Self {
        let text = text.into();
        Self { size: text.len(), text, sent: Arc::default() }
    }

    /// A part of the text, in the same memory. `range` must be within it.
    #[must_use]
    pub fn slice(&self, range: Range<usize>) -> Self {
        Self { text: self.text.slice(range), ..self.clone() }
    }

    /// The text, to be looked at.
    pub fn text(&self) -> &Bytes {
        &self.text
    }

    /// The length of the text in bytes.
    pub fn len(&self) -> usize {
        self.text.len()
    }

    /// Whether the text is empty.
    pub fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    /// The text, to be sent. Fails if it is on its way to nobody yet and does not fit.
    pub fn send(&self, budget: &MemoryBudget) -> Result<Bytes, OverBudget> {
        let mut sent = self.sent.lock().unwrap_or_else(PoisonError::into_inner);
        let memory = match sent.upgrade() {
            Some(memory) => memory,
            None => Arc::new(budget.reserve(self.size)?),
        };
        *sent = Arc::downgrade(&memory);
        Ok(holding(self.text.clone(), memory))
    }
}

impl PartialEq for SharedText {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for SharedText {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_reserved_until_its_last_byte_is_gone() {
        let budget = MemoryBudget::new(1 << 20);
        let size = SMALL_ANSWER + 1;
        let mut answer = reserved(&budget, vec![b'x'; size]).unwrap();
        assert_eq!(budget.reserved(), size);
        let rest = answer.split_off(size - 1);
        drop(answer);
        assert_eq!(budget.reserved(), size);
        drop(rest);
        assert_eq!(budget.reserved(), 0);
        let small = reserved(&budget, vec![b'x'; SMALL_ANSWER]).unwrap();
        assert_eq!((small.len(), budget.reserved()), (SMALL_ANSWER, 0));
        assert!(reserved(&budget, vec![b'x'; 2 << 20]).is_err());
    }

    #[test]
    fn a_shared_text_is_reserved_once_while_it_is_sent() {
        let budget = MemoryBudget::new(1000);
        let text = SharedText::new(vec![b'x'; 600]);
        assert_eq!(budget.reserved(), 0, "it is on its way to nobody");
        let sent: Vec<_> = (0..100).map(|_| text.send(&budget).unwrap()).collect();
        assert_eq!(budget.reserved(), 600);
        // A slow reader of a part holds the whole.
        let part = text.slice(0..10).send(&budget).unwrap();
        drop((sent, text));
        assert_eq!((part.len(), budget.reserved()), (10, 600));
        let other = SharedText::new(vec![b'x'; 600]);
        assert!(other.send(&budget).is_err());
        drop(part);
        assert_eq!(other.send(&budget).map(|sent| sent.len()), Ok(600));
        assert_eq!(budget.reserved(), 0);
    }
}
