//! Walking a tree without recursion.

use std::slice;

use super::{Atom, List, Sxp};

/// What a [`Walk`] comes by, in the order of the text.
#[derive(Clone, Copy)]
pub(super) enum Event<'a> {
    Open(&'a List),
    Atom(&'a Atom),
    Close,
}

/// The events of a row of expressions. The way back is kept on the heap, so depth costs no stack.
pub(super) struct Walk<'a> {
    current: slice::Iter<'a, Sxp>,
    outer: Vec<slice::Iter<'a, Sxp>>,
}

impl<'a> Walk<'a> {
    pub(super) fn new(row: &'a [Sxp]) -> Self {
        Self { current: row.iter(), outer: Vec::new() }
    }
}

impl<'a> Iterator for Walk<'a> {
    type Item = Event<'a>;

    #[inline]
    fn next(&mut self) -> Option<Event<'a>> {
        match self.current.next() {
            Some(Sxp::Atom(atom)) => Some(Event::Atom(atom)),
            Some(Sxp::List(list)) => {
                self.outer.push(std::mem::replace(&mut self.current, list.items().iter()));
                Some(Event::Open(list))
            }
            None => {
                self.current = self.outer.pop()?;
                Some(Event::Close)
            }
        }
    }
}
