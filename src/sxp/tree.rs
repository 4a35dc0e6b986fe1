//! The tree.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::mem;

use super::Atom;
use super::builder::Builder;
use super::printer;
use super::walk::{Event, Walk};

/// An S-expression: a piece of text, or a list of S-expressions.
///
/// Equality and hashing ignore where an expression was read. `Display` and `Debug` both give the
/// canonical form.
#[derive(Clone, PartialEq, Eq, Hash)]
pub enum Sxp {
    /// A piece of text.
    Atom(Atom),
    /// A list, written in parentheses.
    List(List),
}

impl Sxp {
    /// An atom of these bytes.
    pub fn atom(text: impl AsRef<[u8]>) -> Self {
        Self::Atom(Atom::new(text))
    }

    /// A list of these expressions.
    pub fn list(items: impl IntoIterator<Item = Sxp>) -> Self {
        Self::List(items.into_iter().collect())
    }

    /// The text of an atom.
    pub fn as_bytes(&self) -> Option<&[u8]> {
        match self {
            Self::Atom(atom) => Some(atom.as_bytes()),
            Self::List(_) => None,
        }
    }

    /// The text of an atom, if it is UTF-8.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::Atom(atom) => atom.as_str(),
            Self::List(_) => None,
        }
    }

    /// The elements of a list.
    pub fn as_list(&self) -> Option<&[Sxp]> {
        match self {
            Self::Atom(_) => None,
            Self::List(list) => Some(list.items()),
        }
    }

    /// What a list is about: the text of its first element.
    pub fn head(&self) -> Option<&str> {
        self.as_list()?.first()?.as_str()
    }

    /// The elements of a list after the first; none for an atom.
    pub fn tail(&self) -> &[Sxp] {
        self.as_list().and_then(<[Sxp]>::split_first).map_or(&[], |(_, tail)| tail)
    }

    /// The first element that is itself a list about `key`, such as `(memory 128)` for `memory`.
    pub fn get(&self, key: &str) -> Option<&Sxp> {
        self.as_list()?.iter().find(|item| {
            let head = item.as_list().and_then(|list| list.first()).and_then(Sxp::as_bytes);
            head == Some(key.as_bytes())
        })
    }

    /// What the list about `key` says first: `128` of `(memory 128)`. `None` if there is no such
    /// list, or nothing in it, as in `(kernel )`.
    pub fn value(&self, key: &str) -> Option<&Sxp> {
        self.get(key)?.tail().first()
    }

    /// The offset of its first byte in the text it was read from; 0 if it was made by hand.
    pub fn at(&self) -> u32 {
        match self {
            Self::Atom(atom) => atom.at(),
            Self::List(list) => list.at(),
        }
    }

    /// Appends the canonical form, which is ASCII and on one line.
    pub fn print(&self, out: &mut Vec<u8>) {
        printer::expression(out, self);
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
        printer::show(f, |out| self.print(out))
    }
}

impl fmt::Debug for Sxp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl From<&str> for Sxp {
    fn from(text: &str) -> Self {
        Self::atom(text)
    }
}

impl From<String> for Sxp {
    fn from(text: String) -> Self {
        Self::atom(text)
    }
}

impl From<&[u8]> for Sxp {
    fn from(text: &[u8]) -> Self {
        Self::atom(text)
    }
}

impl FromIterator<Sxp> for Sxp {
    fn from_iter<I: IntoIterator<Item = Sxp>>(items: I) -> Self {
        Self::list(items)
    }
}

/// The elements of a list.
///
/// The traits that would recurse if they were derived are written out as loops, so that depth costs
/// no stack.
#[derive(Default)]
pub struct List {
    // A boxed slice, not a `Vec`: it is a word smaller, and with it every `Sxp`.
    items: Box<[Sxp]>,
    at: u32,
    /// How many lists are inside each other here, this one not counted.
    height: u32,
}

/// The height up to which recursion is harmless.
const SHALLOW: u32 = 64;

impl List {
    fn new(items: Box<[Sxp]>) -> Self {
        let height_of = |item: &Sxp| match item {
            Sxp::List(list) => list.height.saturating_add(1),
            Sxp::Atom(_) => 0,
        };
        let height = items.iter().map(height_of).max().unwrap_or(0);
        Self { items, at: 0, height }
    }

    /// A list whose elements have up to `height` lists inside each other.
    pub(super) fn located(items: Box<[Sxp]>, at: u32, height: u32) -> Self {
        Self { items, at, height }
    }

    /// The elements, in order.
    pub fn items(&self) -> &[Sxp] {
        &self.items
    }

    /// The offset of its parenthesis in the text it was read from; 0 if it was made by hand.
    pub fn at(&self) -> u32 {
        self.at
    }
}

impl FromIterator<Sxp> for List {
    fn from_iter<I: IntoIterator<Item = Sxp>>(items: I) -> Self {
        Self::new(items.into_iter().collect())
    }
}

impl From<Vec<Sxp>> for List {
    fn from(items: Vec<Sxp>) -> Self {
        Self::new(items.into())
    }
}

impl Drop for List {
    fn drop(&mut self) {
        // What the compiler adds to this recurses into the elements, which is the fastest way where
        // it is safe.
        if self.height <= SHALLOW {
            return;
        }
        let mut pending = vec![mem::take(&mut self.items)];
        while let Some(mut items) = pending.pop() {
            for item in &mut items {
                if let Sxp::List(list) = item {
                    if list.height > SHALLOW {
                        pending.push(mem::take(&mut list.items));
                        list.height = 0;
                    }
                }
            }
        }
    }
}

impl Clone for List {
    fn clone(&self) -> Self {
        let mut builder = Builder::default();
        builder.open(self.at);
        for event in Walk::new(&self.items) {
            match event {
                Event::Open(list) => builder.open(list.at),
                Event::Atom(atom) => builder.atom(atom.as_bytes(), atom.at()),
                Event::Close => {
                    builder.close();
                }
            }
        }
        builder.close();
        match builder.finished() {
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
                        pending.push((left.items(), right.items()))
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
        for event in Walk::new(&self.items) {
            match event {
                Event::Open(_) => state.write_u8(b'('),
                Event::Atom(atom) => atom.hash(state),
                Event::Close => state.write_u8(b')'),
            }
        }
        state.write_u8(b')');
    }
}

impl fmt::Debug for List {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        printer::show(f, |out| printer::list(out, self.items()))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::super::{Limits, read_one};
    use super::*;

    fn read(text: &str) -> Sxp {
        read_one(text.as_bytes(), &Limits::default()).unwrap()
    }

    #[test]
    fn keys_are_found_by_their_list() {
        let vm = read(
            "(vm (name web1) (kernel ) (features) name (name web2) (image (linux (kernel /k))))",
        );
        assert_eq!(vm.head(), Some("vm"));
        assert_eq!(vm.tail().len(), 6);
        assert_eq!(vm.value("name").and_then(Sxp::as_str), Some("web1"));
        assert_eq!(vm.value("kernel"), None);
        assert_eq!(vm.get("features").map(Sxp::tail), Some(&[][..]));
        assert_eq!(vm.get("vm"), None);
        assert_eq!(vm.value("image").and_then(|image| image.value("kernel")), Some(&"/k".into()));
        assert_eq!(vm.get("image").map(Sxp::at), Some(54));
    }

    #[test]
    fn an_atom_has_no_elements() {
        let atom = Sxp::from("x");
        assert_eq!(
            (atom.head(), atom.tail(), atom.as_list(), atom.get("x")),
            (None, &[][..], None, None)
        );
        assert_eq!(Sxp::list([]).head(), None);
        assert_eq!(Sxp::list([]).tail(), []);
        assert_eq!(read("((a) b)").head(), None);
    }

    #[test]
    fn equality_and_hash_ignore_positions_but_not_shape() {
        let shapes = [
            "(a (b c) d)",
            "(a (b) c d)",
            "(a b c d)",
            "((a b c d))",
            "()",
            "(())",
            "(() ())",
            "a",
            "''",
        ];
        let distinct: HashSet<Sxp> = shapes.iter().map(|text| read(text)).collect();
        assert_eq!(distinct.len(), shapes.len());
        for text in shapes {
            let moved = read(&format!("# moved\n  {text}"));
            assert!(distinct.contains(&moved), "{text}");
            assert_ne!(moved.at(), 0);
            assert_eq!(moved.clone().at(), moved.at());
            assert_eq!(moved.clone(), moved);
        }
    }

    #[test]
    fn an_expression_takes_four_words() {
        assert_eq!(size_of::<Sxp>(), 32);
    }
}
