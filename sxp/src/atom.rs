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

// Both variants hold the offset and whether the text is printed without quotes, because a field
// beside the enum would not share a word with the tag.
#[derive(Clone)]
enum Text {
    Inline { offset: u32, len: Length, bytes: [u8; INLINE] },
    Heap { offset: u32, bare: bool, bytes: Box<[u8]> },
}

/// The length of an inline text, and in the highest bit whether it is printed without quotes.
#[derive(Clone, Copy)]
struct Length(u8);

impl Length {
    const BARE: u8 = 0x80;

    fn new(len: u8, bare: bool) -> Self {
        Self(len | if bare { Self::BARE } else { 0 })
    }

    fn get(self) -> usize {
        usize::from(self.0 & !Self::BARE)
    }

    fn is_bare(self) -> bool {
        self.0 & Self::BARE != 0
    }
}

impl Atom {
    pub(super) const EMPTY: Self =
        Self(Text::Inline { offset: 0, len: Length(0), bytes: [0; INLINE] });

    /// An atom with this text and offset 0.
    pub fn new(bytes: impl AsRef<[u8]>) -> Self {
        let bytes = bytes.as_ref();
        let mut atom = Self::EMPTY;
        atom.set(bytes, printer::is_bare(bytes), 0);
        atom
    }

    /// Replaces the text, whether it is `bare`, and its offset.
    #[inline]
    pub(super) fn set(&mut self, text: &[u8], bare: bool, new_offset: u32) {
        if let Text::Inline { offset, len, bytes } = &mut self.0 {
            if let (Ok(length), Some(space)) =
                (u8::try_from(text.len()), bytes.get_mut(..text.len()))
            {
                space.copy_from_slice(text);
                *len = Length::new(length, bare);
                *offset = new_offset;
                return;
            }
        }
        self.0 = Text::Heap { offset: new_offset, bare, bytes: text.into() };
    }

    pub(super) fn set_offset(&mut self, new_offset: u32) {
        let (Text::Inline { offset, .. } | Text::Heap { offset, .. }) = &mut self.0;
        *offset = new_offset;
    }

    /// A short text that is printed without quotes: its bytes, with others after them, and its
    /// length. Copying a fixed number of bytes takes less time than copying a few.
    #[inline]
    pub(super) fn short_and_bare(&self) -> Option<(&[u8; INLINE], usize)> {
        match &self.0 {
            Text::Inline { len, bytes, .. } if len.is_bare() => Some((bytes, len.get())),
            _ => None,
        }
    }

    /// The text if it is printed without quotes.
    #[inline]
    pub(super) fn bare(&self) -> Option<&[u8]> {
        self.is_bare().then(|| self.as_bytes())
    }

    /// Appends the text, in quotes if it needs them.
    pub(super) fn print(&self, out: &mut Vec<u8>) {
        let text = self.as_bytes();
        if self.is_bare() { out.extend_from_slice(text) } else { printer::quoted(out, text) }
    }

    /// Whether the text is printed without quotes.
    fn is_bare(&self) -> bool {
        match &self.0 {
            Text::Inline { len, .. } => len.is_bare(),
            Text::Heap { bare, .. } => *bare,
        }
    }

    /// The text as bytes.
    pub fn as_bytes(&self) -> &[u8] {
        match &self.0 {
            Text::Inline { len, bytes, .. } => &bytes[..len.get()],
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
        print_to(f, |out| self.print(out))
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
            atom.set(&text, true, 7);
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
