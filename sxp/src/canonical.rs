//! The canonical form of a tree: ASCII on one line, quoted only where needed.

use super::printer::print_to;
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

/// Bytes that are collected before they are appended.
const BLOCK: usize = 4096;

/// Where a block is full enough: the next token may take a blank and a short text.
const FULL: usize = BLOCK - 64;

/// Most tokens are a few bytes. They are collected in a block, whose end is a variable of this
/// loop: the length of a vector would be read and written in memory for each of them.
fn print_sequence(out: &mut Vec<u8>, expressions: &[Sxp]) {
    let mut block = [0; BLOCK];
    let mut end = 0;
    let mut first = true;
    for token in Walk::new(expressions) {
        if end > FULL {
            out.extend_from_slice(&block[..end]);
            end = 0;
        }
        if !first && !matches!(token, Token::Close) {
            block[end] = b' ';
            end += 1;
        }
        first = matches!(token, Token::Open(_));
        match token {
            Token::Open(_) => {
                block[end] = b'(';
                end += 1;
            }
            Token::Atom(atom) => {
                if let Some((text, len)) = atom.short_and_bare() {
                    block[end..end + text.len()].copy_from_slice(text);
                    end += len;
                } else {
                    out.extend_from_slice(&block[..end]);
                    end = 0;
                    atom.print(out);
                }
            }
            Token::Close => {
                block[end] = b')';
                end += 1;
            }
        }
    }
    out.extend_from_slice(&block[..end]);
}
