//! A piece of text in the tree.

use std::fmt;
use std::hash::{Hash, Hasher};

use super::printer;

/// How many bytes are kept in the atom itself.
///
/// As many as fit without making [`Sxp`](super::Sxp) larger than a list would make it anyway. A MAC
/// address and nearly every key of a configuration fit, so that reading one is mostly free of
/// allocations.
const INLINE: usize = 26;

/// A piece of text: a word, a number, a quoted string.
///
/// Two atoms are equal when their bytes are, wherever they were read.
#[derive(Clone)]
pub struct Atom(Text);

// The offset is repeated in both variants, not kept beside the enum, because only so it shares a
// word with the tag.
#[derive(Clone)]
enum Text {
    Inline { at: u32, len: u8, bytes: [u8; INLINE] },
    Heap { at: u32, bytes: Box<[u8]> },
}

impl Atom {
    /// An atom of these bytes, with no place in a text.
    pub fn new(bytes: impl AsRef<[u8]>) -> Self {
        let mut atom = Self::EMPTY;
        atom.fill(bytes.as_ref(), 0);
        atom
    }

    pub(super) const EMPTY: Self = Self(Text::Inline { at: 0, len: 0, bytes: [0; INLINE] });

    /// Replaces the text and its place.
    #[inline]
    pub(super) fn fill(&mut self, source: &[u8], place: u32) {
        if let Text::Inline { at, len, bytes } = &mut self.0 {
            if let (Ok(length), Some(space)) =
                (u8::try_from(source.len()), bytes.get_mut(..source.len()))
            {
                space.copy_from_slice(source);
                *len = length;
                *at = place;
                return;
            }
        }
        self.0 = Text::Heap { at: place, bytes: source.into() };
    }

    /// The text.
    pub fn as_bytes(&self) -> &[u8] {
        match &self.0 {
            Text::Inline { len, bytes, .. } => &bytes[..usize::from(*len)],
            Text::Heap { bytes, .. } => bytes,
        }
    }

    /// The text, if it is UTF-8.
    pub fn as_str(&self) -> Option<&str> {
        std::str::from_utf8(self.as_bytes()).ok()
    }

    /// The offset of its first byte in the text it was read from; 0 if it was made by hand.
    pub fn at(&self) -> u32 {
        match self.0 {
            Text::Inline { at, .. } | Text::Heap { at, .. } => at,
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
        printer::show(f, |out| printer::text(out, self.as_bytes()))
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
    fn every_length_around_the_inline_limit_is_kept() {
        for len in 0..=3 * INLINE {
            let text = vec![b'x'; len];
            let mut atom = Atom::new("before");
            atom.fill(&text, 7);
            assert_eq!(atom.as_bytes(), text);
            assert_eq!(atom.at(), 7);
            assert_eq!(matches!(atom.0, Text::Inline { .. }), len <= INLINE);
        }
    }

    #[test]
    fn text_that_is_not_utf8_is_bytes_only() {
        let atom = Atom::new([0xff]);
        assert_eq!(atom.as_str(), None);
        assert_eq!(atom.as_bytes(), [0xff]);
        assert_eq!(atom.to_string(), r"'\xff'");
    }
}
