//! The error of a configuration file.

use std::fmt;
use xend_sxp::position;

/// A mistake in a configuration file, with its position.
///
/// `Display` prints the reason; `{:#}` puts line and column in front. The reason never quotes the
/// file's values, which can be passwords.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct XmConfigError {
    line: usize,
    column: usize,
    reason: String,
}

impl XmConfigError {
    /// A mistake at a byte offset of a file's text. The reason must not quote the file's values.
    pub fn at(offset: u32, reason: impl Into<String>, text: &[u8]) -> Self {
        let (line, column) = position(text, offset as usize);
        Self { line, column, reason: reason.into() }
    }

    /// The error of a fault in this text.
    pub(super) fn new(fault: Fault, text: &[u8]) -> Self {
        Self::at(fault.offset, fault.reason, text)
    }

    /// The line, from 1.
    pub fn line(&self) -> usize {
        self.line
    }

    /// The column in bytes, from 1.
    pub fn column(&self) -> usize {
        self.column
    }
}

impl fmt::Display for XmConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if f.alternate() {
            write!(f, "line {}, column {}: ", self.line, self.column)?;
        }
        f.write_str(&self.reason)
    }
}

impl std::error::Error for XmConfigError {}

/// A mistake at a byte offset of a text that is not at hand.
#[derive(Debug)]
pub(super) struct Fault {
    offset: u32,
    reason: String,
}

impl Fault {
    pub(super) fn new(offset: u32, reason: impl Into<String>) -> Self {
        Self { offset, reason: reason.into() }
    }

    pub(super) fn offset(&self) -> u32 {
        self.offset
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_position_is_that_of_the_offset() {
        let error = XmConfigError::new(Fault::new(5, "wrong"), b"a=1\n b=");
        assert_eq!((error.line(), error.column()), (2, 2));
        assert_eq!(error.to_string(), "wrong");
        assert_eq!(format!("{error:#}"), "line 2, column 2: wrong");
    }
}
