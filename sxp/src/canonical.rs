//! The canonical form of a tree: ASCII on one line, quoted only where needed.

use super::atom::Atom;
use super::printer::print_to;
use super::tree::{List, MAX_RECURSION, Sxp};
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

/// The longest text that is collected: addresses, UUIDs and most paths.
const SHORT: usize = 60;

/// Where a block is full enough: an element may take a blank and a short text, and the ends of the
/// lists that it is in follow.
const FULL: usize = BLOCK - 64 - MAX_RECURSION as usize;

fn print_sequence(out: &mut Vec<u8>, expressions: &[Sxp]) {
    let mut block = [0; BLOCK];
    let is_shallow = |item: &Sxp| match item {
        Sxp::Atom(_) => true,
        Sxp::List(list) => list.height() < MAX_RECURSION,
    };
    let end = if expressions.iter().all(is_shallow) {
        print_shallow(out, &mut block, 0, expressions)
    } else {
        print_deep(out, &mut block, expressions)
    };
    out.extend_from_slice(&block[..end]);
}

/// Prints expressions with few levels, by recursion: the fastest way. Most tokens are a few
/// bytes. They are collected in a block that is filled up to `end`, which is passed by value: the
/// length of a vector would be read and written in memory for each of them. Returns the new end.
fn print_shallow(
    out: &mut Vec<u8>,
    block: &mut [u8; BLOCK],
    mut end: usize,
    expressions: &[Sxp],
) -> usize {
    for (number, expression) in expressions.iter().enumerate() {
        if end > FULL {
            out.extend_from_slice(&block[..end]);
            end = 0;
        }
        if number > 0 {
            block[end] = b' ';
            end += 1;
        }
        match expression {
            Sxp::Atom(atom) => end = print_atom(out, block, end, atom),
            Sxp::List(list) => {
                block[end] = b'(';
                end = print_shallow(out, block, end + 1, list.items());
                block[end] = b')';
                end += 1;
            }
        }
    }
    end
}

/// The same for expressions of any depth.
fn print_deep(out: &mut Vec<u8>, block: &mut [u8; BLOCK], expressions: &[Sxp]) -> usize {
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
        let mark = match token {
            Token::Atom(atom) => {
                end = print_atom(out, block, end, atom);
                continue;
            }
            Token::Open(_) => b'(',
            Token::Close => b')',
        };
        block[end] = mark;
        end += 1;
    }
    end
}

#[inline]
fn print_atom(out: &mut Vec<u8>, block: &mut [u8; BLOCK], end: usize, atom: &Atom) -> usize {
    if let Some((text, len)) = atom.short_and_bare() {
        block[end..end + text.len()].copy_from_slice(text);
        return end + len;
    }
    if let Some(text) = atom.bare().filter(|text| text.len() <= SHORT) {
        block[end..end + text.len()].copy_from_slice(text);
        return end + text.len();
    }
    out.extend_from_slice(&block[..end]);
    atom.print(out);
    0
}
