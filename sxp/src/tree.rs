//! The tree.

use super::atom::Atom;
use std::mem;

/// An S-expression: a piece of text, or a list of S-expressions.
///
/// Equality and hashing ignore offsets. `Display` and `Debug` both print the canonical form.
#[derive(Clone, PartialEq, Eq, Hash)]
pub enum Sxp {
    /// A piece of text.
    Atom(Atom),
    /// A list in parentheses.
    List(List),
}

impl Sxp {
    /// An atom with this text.
    pub fn atom(text: impl AsRef<[u8]>) -> Self {
        Self::Atom(Atom::new(text))
    }

    /// A list of these expressions.
    pub fn list(items: impl IntoIterator<Item = Sxp>) -> Self {
        Self::List(items.into_iter().collect())
    }

    /// The text of an atom as bytes; `None` for a list.
    pub fn as_bytes(&self) -> Option<&[u8]> {
        match self {
            Self::Atom(atom) => Some(atom.as_bytes()),
            Self::List(_) => None,
        }
    }

    /// The text of an atom as a string; `None` for a list and for text that is not UTF-8.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::Atom(atom) => atom.as_str(),
            Self::List(_) => None,
        }
    }

    /// The elements of a list; `None` for an atom.
    pub fn as_list(&self) -> Option<&[Sxp]> {
        match self {
            Self::Atom(_) => None,
            Self::List(list) => Some(list.items()),
        }
    }

    /// The text of a list's first element: `vm` of `(vm (name web1))`.
    pub fn head(&self) -> Option<&str> {
        self.as_list()?.first()?.as_str()
    }

    /// The elements of a list after the first; empty for an atom.
    pub fn tail(&self) -> &[Sxp] {
        self.as_list().and_then(<[Sxp]>::split_first).map_or(&[], |(_, tail)| tail)
    }

    /// The first element that is a list with this head: `(memory 128)` for `memory`.
    pub fn get(&self, key: &str) -> Option<&Sxp> {
        self.as_list()?.iter().find(|item| {
            let head = item.as_list().and_then(|list| list.first()).and_then(Sxp::as_bytes);
            head == Some(key.as_bytes())
        })
    }

    /// The first value of the list with this head: `128` of `(memory 128)`. `None` when there is no
    /// such list or it has no value, as in `(kernel )`.
    pub fn value(&self, key: &str) -> Option<&Sxp> {
        self.get(key)?.tail().first()
    }

    /// Byte offset in the source text; 0 when the expression was not read from a text.
    pub fn offset(&self) -> u32 {
        match self {
            Self::Atom(atom) => atom.offset(),
            Self::List(list) => list.offset(),
        }
    }

    /// The expression with the offset of the text that it was made from, in a file of another
    /// format. Expressions in a list keep theirs.
    #[must_use]
    pub fn at(mut self, offset: u32) -> Self {
        match &mut self {
            Self::Atom(atom) => atom.set_offset(offset),
            Self::List(list) => list.offset = offset,
        }
        self
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
#[derive(Default)]
pub struct List {
    // A boxed slice is a word smaller than a `Vec`, and so is every `Sxp`.
    items: Box<[Sxp]>,
    offset: u32,
    /// Levels of lists below this one.
    height: u32,
}

/// Height up to which a list may be dropped and printed by recursion.
pub(super) const MAX_RECURSION: u32 = 64;

impl List {
    fn new(items: Box<[Sxp]>) -> Self {
        let height_of = |item: &Sxp| match item {
            Sxp::List(list) => list.height.saturating_add(1),
            Sxp::Atom(_) => 0,
        };
        let height = items.iter().map(height_of).max().unwrap_or(0);
        Self { items, offset: 0, height }
    }

    /// A list of elements that have up to `height` levels of lists.
    pub(super) fn from_parts(items: Box<[Sxp]>, offset: u32, height: u32) -> Self {
        Self { items, offset, height }
    }

    /// Levels of lists below this one.
    pub(super) fn height(&self) -> u32 {
        self.height
    }

    /// The elements in order.
    pub fn items(&self) -> &[Sxp] {
        &self.items
    }

    /// Byte offset of the opening parenthesis; 0 when the list was not read from a text.
    pub fn offset(&self) -> u32 {
        self.offset
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
        // The compiler drops the elements after this, by recursion: the fastest way for a list that
        // is shallow enough.
        if self.height <= MAX_RECURSION {
            return;
        }
        let mut pending = vec![mem::take(&mut self.items)];
        while let Some(mut items) = pending.pop() {
            for item in &mut items {
                if let Sxp::List(list) = item {
                    if list.height > MAX_RECURSION {
                        pending.push(mem::take(&mut list.items));
                        list.height = 0;
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Limits, read_one};
    use std::collections::HashSet;

    fn read(text: &str) -> Sxp {
        read_one(text.as_bytes(), &Limits::default()).unwrap()
    }

    #[test]
    fn values_are_found_by_their_key() {
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
        assert_eq!(vm.get("image").map(Sxp::offset), Some(54));
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
    fn equality_and_hash_ignore_offsets_but_not_structure() {
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
            assert_ne!(moved.offset(), 0);
            assert_eq!(moved.clone().offset(), moved.offset());
            assert_eq!(moved.clone(), moved);
        }
    }

    #[test]
    fn an_expression_can_be_given_the_offset_of_another_text() {
        for text in ["(a b)", "a", "'a text that is longer than an inline one'"] {
            let tree = read(&format!("  {text}"));
            assert_eq!(tree.offset(), 2);
            assert_eq!(tree.at(70).offset(), 70);
        }
        assert_eq!(read("(a b)").at(7).tail()[0].offset(), 3);
    }

    #[test]
    fn an_expression_takes_four_words() {
        assert_eq!(size_of::<Sxp>(), 32);
    }
}
