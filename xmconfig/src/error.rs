//! The error of a configuration file.

use std::fmt;
use xend_sxp::position;

/// The offset of what does not stand in a file but on the command line beside it.
pub(super) const COMMAND_LINE: u32 = u32::MAX;

/// A mistake in a configuration file, with its position, or in an argument beside it.
///
/// `Display` prints the reason; `{:#}` puts the position in front. The reason never quotes values,
/// which can be passwords.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct XmConfigError {
    line: usize,
    column: usize,
    reason: String,
}

impl XmConfigError {
    /// A mistake at a byte offset of a file's text. The reason must not quote the file's values.
    pub fn at(offset: u32, reason: impl Into<String>, text: &[u8]) -> Self {
        let (line, column) = match offset {
            COMMAND_LINE => (0, 0),
            _ => position(text, offset as usize),
        };
        Self { line, column, reason: reason.into() }
    }

    /// The error of a fault in this text.
    pub(super) fn new(fault: Fault, text: &[u8]) -> Self {
        Self::at(fault.offset, fault.reason, text)
    }

    /// The line, from 1; 0 if the mistake is in an argument of the command line.
    pub fn line(&self) -> usize {
        self.line
    }

    /// The column in bytes, from 1; 0 if the mistake is in an argument of the command line.
    pub fn column(&self) -> usize {
        self.column
    }
}

impl fmt::Display for XmConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (f.alternate(), self.line) {
            (false, _) => {}
            (true, 0) => f.write_str("on the command line: ")?,
            (true, line) => write!(f, "line {line}, column {}: ", self.column)?,
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

        let error = XmConfigError::at(COMMAND_LINE, "wrong", b"a=1\n");
        assert_eq!(format!("{error:#}"), "on the command line: wrong");
    }
}
