//! Errors of the reader, with their position.

use std::error::Error;
use std::fmt;

/// A text that could not be read.
///
/// `Display` prints the reason, in xend's words where xend had an error for it; `{:#}` puts line
/// and column in front.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadError {
    kind: ReadErrorKind,
    offset: usize,
    line: usize,
    column: usize,
}

/// The reason of a [`ReadError`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ReadErrorKind {
    /// A closing parenthesis without an open list.
    Syntax,
    /// The text ends inside a list or a string.
    UnexpectedEof,
    /// A byte that cannot begin a value.
    InvalidCharacter(u8),
    /// An octal escape above 377.
    OctalRange(u16),
    /// A hexadecimal escape with this byte instead of a digit.
    HexDigit(u8),
    /// The text exceeds a limit of the reader.
    Limit {
        /// `bytes`, `depth` or `count`.
        name: &'static str,
        /// Highest accepted value.
        max: usize,
    },
    /// No expression where one is expected.
    Empty,
    /// More than one expression where one is expected.
    TrailingExpression,
}

impl ReadError {
    // Not inlined into the reader's loop: only a failure needs to count lines.
    #[cold]
    pub(super) fn new(kind: ReadErrorKind, text: &[u8], offset: usize) -> Self {
        let (line, column) = position(text, offset);
        Self { kind, offset, line, column }
    }

    /// The reason.
    pub fn kind(&self) -> ReadErrorKind {
        self.kind
    }

    /// Offset of the wrong byte; the length of a text that ended too early.
    pub fn offset(&self) -> usize {
        self.offset
    }

    /// Line of [`offset`](Self::offset), from 1.
    pub fn line(&self) -> usize {
        self.line
    }

    /// Column of [`offset`](Self::offset) in bytes, from 1.
    pub fn column(&self) -> usize {
        self.column
    }
}

/// Line and column of an offset in a text, both from 1. Columns count bytes.
///
/// `Sxp::offset` is such an offset.
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
        let positions: Vec<_> = (0..=9).map(|offset| position(text, offset)).collect();
        let end = (3, 1);
        assert_eq!(
            positions,
            [(1, 1), (1, 2), (1, 3), (2, 1), (2, 2), (2, 3), (2, 4), end, end, end]
        );
        assert_eq!(position(b"", 0), (1, 1));
    }

    #[test]
    fn the_alternate_form_has_line_and_column() {
        let error = ReadError::new(ReadErrorKind::Syntax, b"(a)\n )", 5);
        assert_eq!(error.to_string(), "syntax error: )");
        assert_eq!(format!("{error:#}"), "line 2, column 2: syntax error: )");
    }
}
