//! What is said while domains start and stop. A failure is said at once, and the work goes on.

use crate::failure::Failure;
use crate::output::{note, print_line};

/// Whether something has failed.
#[derive(Debug, Default)]
pub(super) struct Report {
    has_failures: bool,
}

impl Report {
    /// Says what was done. Nobody needs to read it.
    #[allow(clippy::unused_self, reason = "a report has both kinds of lines")]
    pub(super) fn done(&self, text: impl AsRef<str>) {
        let _ = print_line(text);
    }

    /// Says what was not done.
    pub(super) fn failed(&mut self, text: impl AsRef<str>) {
        note(format!("Error: {}", text.as_ref()));
        self.has_failures = true;
    }

    /// Exit status 1 if something has failed.
    pub(super) fn result(&self) -> Result<(), Failure> {
        if self.has_failures { Err(Failure::silent(1)) } else { Ok(()) }
    }
}
