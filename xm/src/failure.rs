//! Why a command ended without success, in one line.

use std::fmt;
use std::io;
use std::path::Path;

/// The exit status of most failures.
const FAILED: u8 = 1;
/// The exit status for a domain that does not exist, as that of xm 4.1.
const NO_SUCH_DOMAIN: u8 = 3;
/// The exit status for what this xend or today's Xen does not offer at all.
const NOT_OFFERED: u8 = 4;
/// The exit status of a program whose reader has gone, as a shell shows it.
const READER_GONE: u8 = 141;

/// A failure: what xm prints behind `Error: `, and its exit status.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    message: String,
    status: u8,
}

impl Failure {
    /// A failure with exit status 1.
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), status: FAILED }
    }

    /// There is no domain of this name, domid or UUID.
    pub(crate) fn no_such_domain(name: &str) -> Self {
        let message = format!("Domain '{name}' does not exist.");
        Self { message, status: NO_SUCH_DOMAIN }
    }

    /// This xend or today's Xen does not offer it; the message says what to do instead.
    pub(crate) fn not_offered(message: impl Into<String>) -> Self {
        Self { message: message.into(), status: NOT_OFFERED }
    }

    /// A failure with a status of its own, as the LSB has them for init scripts.
    pub(crate) fn with_status(status: u8, message: impl Into<String>) -> Self {
        Self { message: message.into(), status }
    }

    /// Ends with this status and prints nothing: something else has said why.
    pub(crate) fn silent(status: u8) -> Self {
        Self { message: String::new(), status }
    }

    /// A failure to read or write a file.
    pub(crate) fn of_file(doing: &str, path: impl AsRef<Path>, error: &io::Error) -> Self {
        let path = path.as_ref().display();
        Self::new(format!("Unable to {doing} {path}: {}", reason(error)))
    }

    /// What xend answered cannot be read.
    pub(crate) fn not_understood(reason: &str) -> Self {
        Self::new(format!("The answer of xend makes no sense: {reason}"))
    }

    /// The same failure without the place `line 1, column 13: ` in a text that xm has written
    /// itself, which nobody can look up.
    pub(crate) fn without_place(mut self) -> Self {
        let parts = self.message.split(": ").filter(|part| !is_place(part));
        self.message = parts.collect::<Vec<_>>().join(": ");
        self
    }

    /// A failure to write the output. Nobody is told that its reader has gone.
    pub(crate) fn of_output(error: &io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe {
            return Self::silent(READER_GONE);
        }
        Self::new(format!("Unable to write the output: {}", reason(error)))
    }

    /// The exit status.
    pub(crate) fn status(&self) -> u8 {
        self.status
    }

    /// Whether the failure is that a domain does not exist.
    pub(crate) fn is_no_such_domain(&self) -> bool {
        self.status == NO_SUCH_DOMAIN
    }

    /// Whether there is something to print.
    pub(crate) fn has_message(&self) -> bool {
        !self.message.is_empty()
    }
}

/// Whether a text is `line 1, column 13`.
fn is_place(text: &str) -> bool {
    let numbers = text.strip_prefix("line ").and_then(|text| text.split_once(", column "));
    let is_number = |text: &str| text.parse::<u32>().is_ok();
    numbers.is_some_and(|(line, column)| is_number(line) && is_number(column))
}

impl fmt::Display for Failure {
    /// One line, whatever a server sent.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut words = self.message.split_whitespace();
        f.write_str(words.next().unwrap_or_default())?;
        words.try_for_each(|word| write!(f, " {word}"))
    }
}

/// The text of an I/O error, without Rust's `(os error 2)`.
pub(crate) fn reason(error: &io::Error) -> String {
    let text = error.to_string();
    match text.find(" (os error ") {
        Some(end) => text[..end].to_owned(),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_one_line() {
        assert_eq!(Failure::new("a\n  b\r\nc").to_string(), "a b c");
        assert_eq!(Failure::no_such_domain("x").to_string(), "Domain 'x' does not exist.");
        assert_eq!(Failure::no_such_domain("x").status(), 3);
    }

    #[test]
    fn a_place_in_a_text_of_xm_is_left_out() {
        for (message, shown) in [
            ("line 1, column 13: dev: missing", "dev: missing"),
            ("line 1: x", "line 1: x"),
            ("Error creating domain: line 1, column 2: x: y", "Error creating domain: x: y"),
            ("x", "x"),
        ] {
            assert_eq!(Failure::new(message).without_place().to_string(), shown);
        }
    }

    #[test]
    fn a_reason_has_no_number() {
        let error = io::Error::from_raw_os_error(2);
        assert_eq!(reason(&error), "No such file or directory");
    }

    #[test]
    fn a_reader_that_has_gone_is_not_mentioned() {
        let gone = Failure::of_output(&io::Error::from(io::ErrorKind::BrokenPipe));
        assert!(!gone.has_message() && gone.status() == 141);
    }
}
