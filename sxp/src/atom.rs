//! Atoms: the text in a tree.

use super::printer::{self, print_to};
use std::fmt;
use std::hash::{Hash, Hasher};

/// Longest text that is stored inline, in bytes.
///
/// An expression takes 32 bytes because of its list variant; this fills them. A MAC address and
/// nearly every configuration key fit, so reading a configuration rarely allocates.
const INLINE: usize = 26;

/// A piece of text: a word, a number or a quoted string.
///
/// Equality and hashing compare the bytes and ignore the offset.
#[derive(Clone)]
pub struct Atom(Text);

// Both variants hold the offset, because a field beside the enum would not share a word with the
// tag.
#[derive(Clone)]
enum Text {
    Inline { offset: u32, len: u8, bytes: [u8; INLINE] },
    Heap { offset: u32, bytes: Box<[u8]> },
}

impl Atom {
    pub(super) const EMPTY: Self = Self(Text::Inline { offset: 0, len: 0, bytes: [0; INLINE] });

    /// An atom with this text and offset 0.
    pub fn new(bytes: impl AsRef<[u8]>) -> Self {
        let mut atom = Self::EMPTY;
        atom.set(bytes.as_ref(), 0);
        atom
    }

    /// Replaces the text and its offset.
    #[inline]
    pub(super) fn set(&mut self, text: &[u8], new_offset: u32) {
        if let Text::Inline { offset, len, bytes } = &mut self.0 {
            if let (Ok(length), Some(space)) =
                (u8::try_from(text.len()), bytes.get_mut(..text.len()))
            {
                space.copy_from_slice(text);
                *len = length;
                *offset = new_offset;
                return;
            }
        }
        self.0 = Text::Heap { offset: new_offset, bytes: text.into() };
    }

    pub(super) fn set_offset(&mut self, new_offset: u32) {
        let (Text::Inline { offset, .. } | Text::Heap { offset, .. }) = &mut self.0;
        *offset = new_offset;
    }

    /// The text as bytes.
    pub fn as_bytes(&self) -> &[u8] {
        match &self.0 {
            Text::Inline { len, bytes, .. } => &bytes[..usize::from(*len)],
            Text::Heap { bytes, .. } => bytes,
        }
    }

    /// The text as a string; `None` when it is not UTF-8.
    pub fn as_str(&self) -> Option<&str> {
        std::str::from_utf8(self.as_bytes()).ok()
    }

    /// Byte offset in the source text; 0 when the atom was not read from a text.
    pub fn offset(&self) -> u32 {
        match self.0 {
            Text::Inline { offset, .. } | Text::Heap { offset, .. } => offset,
        }
    }
}

impl PartialEq for Atom {
    fn eq(&self, other: &Self) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}

impl Eq for Atom {}

impl Hash for Atom {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_bytes().hash(state);
    }
}

impl fmt::Display for Atom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        print_to(f, |out| printer::text(out, self.as_bytes()))
    }
}

impl fmt::Debug for Atom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_around_the_inline_limit_are_stored_unchanged() {
        for len in 0..=3 * INLINE {
            let text = vec![b'x'; len];
            let mut atom = Atom::new("before");
            atom.set(&text, 7);
            assert_eq!(atom.as_bytes(), text);
            assert_eq!(atom.offset(), 7);
            assert_eq!(matches!(atom.0, Text::Inline { .. }), len <= INLINE);
        }
    }

    #[test]
    fn text_that_is_not_utf8_is_available_as_bytes_only() {
        let atom = Atom::new([0xff]);
        assert_eq!(atom.as_str(), None);
        assert_eq!(atom.as_bytes(), [0xff]);
        assert_eq!(atom.to_string(), r"'\xff'");
    }
}
