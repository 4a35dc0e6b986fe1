//! Walks a tree without recursion.

use super::atom::Atom;
use super::tree::{List, Sxp};
use std::mem;
use std::slice;

/// A step of a [`Walk`], in the order of the text.
#[derive(Clone, Copy)]
pub(super) enum Token<'a> {
    Open(&'a List),
    Atom(&'a Atom),
    Close,
}

/// Iterator over the tokens of a sequence of expressions. The path back to the root is kept on the
/// heap, so depth costs no stack.
pub(super) struct Walk<'a> {
    current: slice::Iter<'a, Sxp>,
    outer: Vec<slice::Iter<'a, Sxp>>,
}

impl<'a> Walk<'a> {
    pub(super) fn new(expressions: &'a [Sxp]) -> Self {
        Self { current: expressions.iter(), outer: Vec::new() }
    }
}

impl<'a> Iterator for Walk<'a> {
    type Item = Token<'a>;

    #[inline]
    fn next(&mut self) -> Option<Token<'a>> {
        match self.current.next() {
            Some(Sxp::Atom(atom)) => Some(Token::Atom(atom)),
            Some(Sxp::List(list)) => {
                self.outer.push(mem::replace(&mut self.current, list.items().iter()));
                Some(Token::Open(list))
            }
            None => {
                self.current = self.outer.pop()?;
                Some(Token::Close)
            }
        }
    }
}
