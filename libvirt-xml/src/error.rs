//! The error of a file.

use std::fmt;
use xend_sxp::position;

/// A mistake in a file, with its position.
///
/// `Display` prints the reason; `{:#}` puts line and column in front. The reason never quotes the
/// file's values, which can be passwords.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct XmlError {
    line: usize,
    column: usize,
    reason: String,
}

impl XmlError {
    /// The error of a fault in this text.
    pub(crate) fn new(fault: Fault, text: &[u8]) -> Self {
        let (line, column) = position(text, fault.offset as usize);
        Self { line, column, reason: fault.reason }
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

impl fmt::Display for XmlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if f.alternate() {
            write!(f, "line {}, column {}: ", self.line, self.column)?;
        }
        f.write_str(&self.reason)
    }
}

impl std::error::Error for XmlError {}

/// A mistake at a byte offset of a text that is not at hand.
#[derive(Debug)]
pub(crate) struct Fault {
    pub(crate) offset: u32,
    pub(crate) reason: String,
}

impl Fault {
    pub(crate) fn new(offset: u32, reason: impl Into<String>) -> Self {
        Self { offset, reason: reason.into() }
    }
}
