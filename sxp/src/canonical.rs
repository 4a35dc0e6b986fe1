//! The canonical form of a tree: ASCII on one line, quoted only where needed.

use super::printer::{self, print_to};
use super::tree::{List, Sxp};
use super::walk::{Token, Walk};
use std::fmt;
use std::slice;

impl Sxp {
    /// Appends the canonical form.
    pub fn print(&self, out: &mut Vec<u8>) {
        print_sequence(out, slice::from_ref(self));
    }

    /// The canonical form.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(256);
        self.print(&mut out);
        out
    }
}

impl fmt::Display for Sxp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        print_to(f, |out| self.print(out))
    }
}

impl fmt::Debug for Sxp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Debug for List {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        print_to(f, |out| {
            out.push(b'(');
            print_sequence(out, self.items());
            out.push(b')');
        })
    }
}

fn print_sequence(out: &mut Vec<u8>, expressions: &[Sxp]) {
    let mut first = true;
    for token in Walk::new(expressions) {
        if !first && !matches!(token, Token::Close) {
            out.push(b' ');
        }
        first = matches!(token, Token::Open(_));
        match token {
            Token::Open(_) => out.push(b'('),
            Token::Atom(atom) => printer::text(out, atom.as_bytes()),
            Token::Close => out.push(b')'),
        }
    }
}
