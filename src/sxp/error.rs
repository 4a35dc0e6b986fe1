//! Why a text could not be read, and where.

use std::error::Error;
use std::fmt;

/// A text that could not be read, and the place where that showed.
///
/// `Display` is the reason alone, in xend's own words where xend had some; `{:#}` puts line and
/// column before it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadError {
    kind: ReadErrorKind,
    offset: usize,
    line: usize,
    column: usize,
}

/// Why a text could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ReadErrorKind {
    /// A closing parenthesis with no list to close.
    Syntax,
    /// The text ends inside a list or a string.
    UnexpectedEof,
    /// A byte that cannot begin a value.
    InvalidCharacter(u8),
    /// An octal escape above 377, with its value.
    OctalRange(u16),
    /// A hexadecimal escape with this byte in the place of a digit.
    HexDigit(u8),
    /// The text has more of something than the reader was told to accept.
    Limit {
        /// The limit: `bytes`, `depth` or `count`.
        name: &'static str,
        /// The most that would have been accepted.
        max: usize,
    },
    /// No expression where one was asked for.
    Empty,
    /// A further expression where one was asked for.
    TrailingExpression,
}

impl ReadError {
    // Kept out of the reader's loop: counting lines is work that only a failure needs.
    #[cold]
    pub(super) fn new(kind: ReadErrorKind, text: &[u8], offset: usize) -> Self {
        let (line, column) = position(text, offset);
        Self { kind, offset, line, column }
    }

    /// The reason.
    pub fn kind(&self) -> ReadErrorKind {
        self.kind
    }

    /// The offset of the byte at fault; the length of the text if that ended too early.
    pub fn offset(&self) -> usize {
        self.offset
    }

    /// The line of [`offset`](Self::offset), counted from 1.
    pub fn line(&self) -> usize {
        self.line
    }

    /// The column of [`offset`](Self::offset) in bytes, counted from 1.
    pub fn column(&self) -> usize {
        self.column
    }
}

/// Line and column, both counted from 1, of an offset in a text. Columns count bytes.
///
/// Together with [`Sxp::at`](super::Sxp::at) it tells where a value that makes no sense was
/// written.
pub fn position(text: &[u8], offset: usize) -> (usize, usize) {
    let before = text.get(..offset).unwrap_or(text);
    let mut lines = before.rsplit(|&byte| byte == b'\n');
    let column = 1 + lines.next().map_or(0, <[u8]>::len);
    (1 + lines.count(), column)
}

impl fmt::Display for ReadErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Syntax => f.write_str("syntax error: )"),
            Self::UnexpectedEof => f.write_str("unexpected EOF"),
            Self::InvalidCharacter(byte) => write!(f, "invalid character: code {byte}"),
            Self::OctalRange(value) => write!(f, "invalid octal escape: out of range {value:o}"),
            Self::HexDigit(byte) => write!(f, "invalid hex escape: code {byte}"),
            Self::Limit { name, max } => write!(f, "{name} limit of {max} exceeded"),
            Self::Empty => f.write_str("no expression"),
            Self::TrailingExpression => f.write_str("more than one expression"),
        }
    }
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if f.alternate() {
            write!(f, "line {}, column {}: ", self.line, self.column)?;
        }
        self.kind.fmt(f)
    }
}

impl Error for ReadError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_and_columns_count_from_one() {
        let text = b"ab\n\xc3\xa9(\n";
        let places: Vec<_> = (0..=9).map(|offset| position(text, offset)).collect();
        let end = (3, 1);
        assert_eq!(places, [(1, 1), (1, 2), (1, 3), (2, 1), (2, 2), (2, 3), (2, 4), end, end, end]);
        assert_eq!(position(b"", 0), (1, 1));
    }

    #[test]
    fn the_alternate_form_has_the_place() {
        let error = ReadError::new(ReadErrorKind::Syntax, b"(a)\n )", 5);
        assert_eq!(error.to_string(), "syntax error: )");
        assert_eq!(format!("{error:#}"), "line 2, column 2: syntax error: )");
    }
}
