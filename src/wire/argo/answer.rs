//! Answers to commands.
//!
//! ```text
//! 200 OK            accepted
//! lj                the output, one line or more
//! 300 DONE          the end; END before a login, as in the protocol's own examples
//!
//! 400 NOT ALLOWED   refused or failed, without anything else
//! ```
//!
//! Clients match the numbers alone.

use crate::core::rights::User;
use std::fmt;
use std::sync::Arc;

/// The longest message of a refusal, in characters.
const MAX_MESSAGE: usize = 500;

/// What a client is sent that finds all connections busy, before the connection is closed.
pub const ALL_BUSY: &str = "400 BUSY, TRY AGAIN\n";

/// The answer to a command.
pub(super) type Answer = Result<Output, Refusal>;

/// What a command does to the session beside its output.
#[derive(Debug, Default)]
pub(super) enum Effect {
    #[default]
    None,
    /// A user has logged in.
    LogIn(Arc<User>),
    /// The connection is closed.
    Close,
}

/// The output of a command that was carried out.
#[derive(Debug, Default)]
pub(super) struct Output {
    lines: String,
    pub(super) effect: Effect,
}

impl Output {
    /// An answer without output.
    pub(super) fn none() -> Self {
        Self::default()
    }

    /// An answer without output that does something to the session.
    pub(super) fn with_effect(effect: Effect) -> Self {
        Self { lines: String::new(), effect }
    }

    /// Adds a line. Control characters become question marks, and a line that looks like a status
    /// gets a blank in front.
    pub(super) fn line(&mut self, text: &str) {
        if looks_like_status(text) {
            self.lines.push(' ');
        }
        let shown = |c: char| if c.is_control() && c != '\t' { '?' } else { c };
        self.lines.extend(text.chars().map(shown));
        self.lines.push('\n');
    }

    /// Adds the lines of a text from outside, which may end in CR LF.
    pub(super) fn text(&mut self, text: &[u8]) {
        for line in String::from_utf8_lossy(text).lines() {
            self.line(line.trim_end_matches('\r'));
        }
    }
}

impl<T: AsRef<str>> FromIterator<T> for Output {
    fn from_iter<I: IntoIterator<Item = T>>(lines: I) -> Self {
        let mut output = Self::default();
        for line in lines {
            output.line(line.as_ref());
        }
        output
    }
}

/// Whether a line begins with three digits, alone or before a blank.
fn looks_like_status(line: &str) -> bool {
    let digits = line.bytes().take_while(u8::is_ascii_digit).count();
    digits == 3 && matches!(line.as_bytes().get(3), None | Some(b' ' | b'\t'))
}

/// Why a command is refused, or has failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Refusal {
    /// Nobody has logged in, and the command needs a right.
    NotAuthenticated,
    /// The account lacks the right.
    NotAllowed,
    /// There is no such instance, or the caller does not see it.
    NoSuchInstance,
    UnknownCommand,
    /// The arguments are wrong. Has the command with its arguments.
    Usage(String),
    BadQuotes,
    LineTooLong,
    NotText,
    /// Too many commands of this kind are running.
    Busy,
    /// The session was idle for too long, and ends.
    Idle,
    /// The daemon stops, and the session ends.
    Stopping,
    /// The engine's refusal, or another failure.
    Failed(String),
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotAuthenticated => "NOT AUTHENTICATED",
            Self::NotAllowed => "NOT ALLOWED",
            Self::NoSuchInstance => "NO SUCH INSTANCE",
            Self::UnknownCommand => "UNKNOWN COMMAND",
            Self::Usage(usage) => return write!(f, "USAGE: {usage}"),
            Self::BadQuotes => "QUOTES ARE NOT CLOSED",
            Self::LineTooLong => "LINE TOO LONG",
            Self::NotText => "NOT UTF-8 TEXT",
            Self::Busy => "BUSY, TRY AGAIN",
            Self::Idle => "IDLE FOR TOO LONG",
            Self::Stopping => "XEND IS STOPPING",
            Self::Failed(message) => message,
        })
    }
}

/// The text of an answer. `is_authenticated` tells whether somebody has logged in.
pub(super) fn print(answer: &Answer, is_authenticated: bool) -> String {
    match answer {
        Ok(output) => {
            let end = if is_authenticated { "DONE" } else { "END" };
            format!("200 OK\n{}300 {end}\n", output.lines)
        }
        Err(refusal) => {
            let message = refusal.to_string();
            let in_line = |c: char| if c.is_control() { ' ' } else { c };
            let message: String = message.chars().take(MAX_MESSAGE).map(in_line).collect();
            format!("400 {}\n", message.trim_end())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_busy_daemon_answers_as_a_busy_command() {
        assert_eq!(print(&Err(Refusal::Busy), false), ALL_BUSY);
    }

    #[test]
    fn output_stands_between_statuses() {
        let output: Answer = Ok(["lj", "builder"].into_iter().collect());
        assert_eq!(print(&output, false), "200 OK\nlj\nbuilder\n300 END\n");
        assert_eq!(print(&Ok(Output::none()), true), "200 OK\n300 DONE\n");
        assert_eq!(print(&Err(Refusal::NotAllowed), true), "400 NOT ALLOWED\n");
        let usage = Refusal::Usage("pause NAME".to_owned());
        assert_eq!(print(&Err(usage), true), "400 USAGE: pause NAME\n");
    }

    #[test]
    fn no_line_of_output_looks_like_a_status() {
        let output: Output =
            ["300 DONE", "400", "3000 x", "30 x", "300x", "200\tx", ""].into_iter().collect();
        assert_eq!(output.lines, " 300 DONE\n 400\n3000 x\n30 x\n300x\n 200\tx\n\n");
    }

    #[test]
    fn control_characters_stay_inside() {
        let mut output = Output::none();
        output.line("a\n300 DONE\x1b[2J\tb");
        output.text(b"one\r\ntw\xff\n300 x\r\n");
        assert_eq!(output.lines, "a?300 DONE?[2J\tb\none\ntw\u{fffd}\n 300 x\n");
        let refusal = Refusal::Failed(format!("a\nb{}", "c".repeat(1000)));
        let text = print(&Err(refusal), true);
        assert!(text.starts_with("400 a bccc") && text.len() == 4 + MAX_MESSAGE + 1, "{text}");
    }
}
