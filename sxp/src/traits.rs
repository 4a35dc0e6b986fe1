//! Clone, equality and hash of a list as loops: the derived ones would recurse, and overflow the
//! stack on a deep tree.

use super::builder::Builder;
use super::tree::{List, Sxp};
use super::walk::{Token, Walk};
use std::hash::{Hash, Hasher};

impl Clone for List {
    fn clone(&self) -> Self {
        let mut builder = Builder::default();
        builder.open(self.offset());
        for token in Walk::new(self.items()) {
            match token {
                Token::Open(list) => builder.open(list.offset()),
                Token::Atom(atom) => builder.push(atom.clone()),
                Token::Close => {
                    builder.close();
                }
            }
        }
        builder.close();
        match builder.take_finished() {
            Some(Sxp::List(list)) => list,
            _ => Self::default(),
        }
    }
}

impl PartialEq for List {
    fn eq(&self, other: &Self) -> bool {
        let mut pending = vec![(self.items(), other.items())];
        while let Some((left, right)) = pending.pop() {
            if left.len() != right.len() {
                return false;
            }
            for pair in left.iter().zip(right) {
                match pair {
                    (Sxp::Atom(left), Sxp::Atom(right)) if left == right => {}
                    (Sxp::List(left), Sxp::List(right)) => {
                        pending.push((left.items(), right.items()));
                    }
                    _ => return false,
                }
            }
        }
        true
    }
}

impl Eq for List {}

impl Hash for List {
    fn hash<H: Hasher>(&self, state: &mut H) {
        for token in Walk::new(self.items()) {
            match token {
                Token::Open(_) => state.write_u8(b'('),
                Token::Atom(atom) => atom.hash(state),
                Token::Close => state.write_u8(b')'),
            }
        }
        state.write_u8(b')');
    }
}
