//! Making the text of a file, line by line.

use std::fmt::{Display, Write};

/// Lines of text.
#[derive(Debug, Default)]
pub(super) struct Lines(String);

impl Lines {
    /// Adds a line.
    pub(super) fn add(&mut self, line: impl Display) {
        // A string takes everything.
        _ = writeln!(self.0, "{line}");
    }

    /// The text, in which every line ends with a newline.
    pub(super) fn into_text(self) -> String {
        self.0
    }
}
