//! Builds a tree in the order of its text, without recursion.

use super::atom::Atom;
use super::tree::{List, Sxp};

/// A stack of open lists and finished values.
///
/// All finished values lie on one stack. Closing a list moves its elements off the stack into a
/// list of their final number.
///
/// A value is pushed empty and filled in place: moving a value that was just written in pieces
/// stalls the processor, which took half of the reader's time.
#[derive(Default)]
pub(super) struct Builder {
    values: Vec<Sxp>,
    open: Vec<OpenList>,
}

struct OpenList {
    offset: u32,
    /// Index of its first element in the stack of values.
    first: usize,
    /// Levels of lists among its finished elements.
    height: u32,
}

impl Builder {
    /// A builder with room for an ordinary configuration.
    pub(super) fn with_room() -> Self {
        // Just under a kibibyte. For larger requests the C library first consolidates all freed
        // small blocks, which takes longer than reading the configuration.
        Self { values: Vec::with_capacity(30), open: Vec::with_capacity(8) }
    }

    /// Number of open lists.
    pub(super) fn depth(&self) -> usize {
        self.open.len()
    }

    /// Opens a list inside the innermost open one.
    pub(super) fn open(&mut self, offset: u32) {
        self.open.push(OpenList { offset, first: self.values.len(), height: 0 });
    }

    /// Closes the innermost open list; `false` when none is open.
    pub(super) fn close(&mut self) -> bool {
        let Some(OpenList { offset, first, height }) = self.open.pop() else { return false };
        if let Some(outer) = self.open.last_mut() {
            outer.height = outer.height.max(height.saturating_add(1));
        }
        let items = self.values.split_off(first).into_boxed_slice();
        self.values.push(Sxp::Atom(Atom::EMPTY));
        if let Some(value) = self.values.last_mut() {
            *value = Sxp::List(List::from_parts(items, offset, height));
        }
        true
    }

    /// Adds an atom to the innermost open list. It is `bare` if it is printed without quotes.
    #[inline]
    pub(super) fn atom(&mut self, text: &[u8], bare: bool, offset: u32) {
        self.values.push(Sxp::Atom(Atom::EMPTY));
        if let Some(Sxp::Atom(atom)) = self.values.last_mut() {
            atom.set(text, bare, offset);
        }
    }

    /// Adds an atom that is there already to the innermost open list.
    pub(super) fn push(&mut self, atom: Atom) {
        self.values.push(Sxp::Atom(atom));
    }

    /// Takes the finished expression; `None` while a list is open.
    #[inline]
    pub(super) fn take_finished(&mut self) -> Option<Sxp> {
        if self.open.is_empty() { self.values.pop() } else { None }
    }
}
