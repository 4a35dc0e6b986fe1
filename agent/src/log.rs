//! The log: lines on standard error, which systemd and OpenRC keep.
//!
//! Lines hold names of commands, ids, paths and reasons, never the value of a request.

use std::fmt::Display;
use std::io::Write;

/// The most characters of a line.
const MAX_LINE: usize = 500;

/// Writes a line. Text of the host's is made printable; a log that cannot be written is no failure.
pub fn line(text: impl Display) {
    let text = printable(&text.to_string());
    let _ = writeln!(std::io::stderr(), "xend-guest-agent: {text}");
}

fn printable(text: &str) -> String {
    let shown = |character: char| if character.is_control() { '?' } else { character };
    text.chars().take(MAX_LINE).map(shown).collect()
}

/// A condition that lasts: it is logged when it begins or changes, not each time it is seen.
#[derive(Debug, Default)]
pub struct Condition(Option<String>);

impl Condition {
    /// The condition is there, with this reason.
    pub fn begins(&mut self, reason: impl Display) {
        let reason = reason.to_string();
        if self.0.as_ref() != Some(&reason) {
            line(&reason);
            self.0 = Some(reason);
        }
    }

    /// The condition is over; tells whether it was there.
    pub fn ends(&mut self) -> bool {
        self.0.take().is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_printable_and_bounded() {
        assert_eq!(printable("a\nb\u{1b}[1m\u{e4}"), "a?b?[1m\u{e4}");
        assert_eq!(printable(&"x".repeat(9999)).len(), MAX_LINE);
    }

    #[test]
    fn a_condition_ends_once() {
        let mut condition = Condition::default();
        condition.begins("there is no XenStore");
        condition.begins("there is no XenStore");
        assert!(condition.ends());
        assert!(!condition.ends());
    }
}
