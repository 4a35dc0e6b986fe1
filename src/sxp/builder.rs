//! Building a tree in the order of its text, without recursion.

use super::{Atom, List, Sxp};

/// The lists that are open, and the finished values in them.
///
/// All finished values lie on one stack and move into their list, which is then of its final size,
/// when it is closed.
///
/// Values are put on the stack empty and filled there. Moving a value around that was written just
/// before, in pieces, makes the processor wait for the pieces: half the reader's time went into
/// that.
#[derive(Default)]
pub(super) struct Builder {
    values: Vec<Sxp>,
    open: Vec<Opened>,
}

struct Opened {
    at: u32,
    /// Where its first element lies.
    first: usize,
    /// How many lists its finished elements have inside each other.
    height: u32,
}

impl Builder {
    /// A builder with room for an ordinary configuration.
    pub(super) fn roomy() -> Self {
        // Just under a kibibyte. Asked for more, the C library first tidies up all small blocks
        // that were freed, and that takes longer than to read the configuration.
        Self { values: Vec::with_capacity(30), open: Vec::with_capacity(8) }
    }

    /// How many lists are open.
    pub(super) fn depth(&self) -> usize {
        self.open.len()
    }

    /// Begins a list inside the one begun last.
    pub(super) fn open(&mut self, at: u32) {
        self.open.push(Opened { at, first: self.values.len(), height: 0 });
    }

    /// Ends the list begun last; `false` if there is none.
    pub(super) fn close(&mut self) -> bool {
        let Some(Opened { at, first, height }) = self.open.pop() else { return false };
        if let Some(outer) = self.open.last_mut() {
            outer.height = outer.height.max(height.saturating_add(1));
        }
        let items = self.values.split_off(first).into_boxed_slice();
        self.values.push(Sxp::Atom(Atom::EMPTY));
        if let Some(value) = self.values.last_mut() {
            *value = Sxp::List(List::located(items, at, height));
        }
        true
    }

    /// Puts an atom into the list begun last.
    #[inline]
    pub(super) fn atom(&mut self, text: &[u8], at: u32) {
        self.values.push(Sxp::Atom(Atom::EMPTY));
        if let Some(Sxp::Atom(atom)) = self.values.last_mut() {
            atom.fill(text, at);
        }
    }

    /// The expression, once no list is open.
    #[inline]
    pub(super) fn finished(&mut self) -> Option<Sxp> {
        if self.open.is_empty() { self.values.pop() } else { None }
    }
}
