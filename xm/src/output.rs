//! What goes to standard output and to the terminal.

use crate::failure::Failure;
use serde::Serialize;
use std::borrow::Cow;
use std::env;
use std::io::{self, IsTerminal as _, Write as _};
use xend_sxp::{Sxp, pretty};

/// The width to which xm broke S-expressions into lines.
const WIDTH: usize = 80;

/// Writes text to standard output. On a terminal, control characters are left out.
pub(crate) fn print(text: impl AsRef<[u8]>) -> Result<(), Failure> {
    if is_terminal() {
        return print_styled(printable(&String::from_utf8_lossy(text.as_ref())).as_ref());
    }
    print_styled(text)
}

/// Writes text to standard output as it is, with colours.
pub(crate) fn print_styled(text: impl AsRef<[u8]>) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    let written = out.write_all(text.as_ref()).and_then(|()| out.flush());
    written.map_err(|error| Failure::of_output(&error))
}

/// Writes a line to standard output.
pub(crate) fn print_line(text: impl AsRef<str>) -> Result<(), Failure> {
    print(format!("{}\n", text.as_ref()))
}

/// Writes an S-expression over several lines.
pub(crate) fn print_pretty(expression: &Sxp) -> Result<(), Failure> {
    print_line(pretty(expression, WIDTH))
}

/// Writes a value as JSON.
pub(crate) fn print_json(value: &impl Serialize) -> Result<(), Failure> {
    let text = serde_json::to_string_pretty(value);
    print_line(text.map_err(|error| Failure::new(error.to_string()))?)
}

/// Writes a line to standard error, where it is in nobody's way.
pub(crate) fn note(text: impl AsRef<str>) {
    let text = text.as_ref();
    let text = if io::stderr().is_terminal() { printable(text) } else { text.into() };
    let _ = writeln!(io::stderr(), "{text}");
}

/// A text without control characters, with which xend or a guest could command a terminal. Ends of
/// lines and tabs stay.
pub(crate) fn printable(text: &str) -> Cow<'_, str> {
    let is_command = |c: char| c.is_control() && c != '\n' && c != '\t';
    if text.contains(is_command) {
        text.replace(is_command, "\u{fffd}").into()
    } else {
        text.into()
    }
}

/// A text of xend in an output with colours: on a terminal without control characters.
pub(crate) fn shown(text: &str) -> Cow<'_, str> {
    if is_terminal() { printable(text) } else { text.into() }
}

/// Whether standard output is a terminal.
pub(crate) fn is_terminal() -> bool {
    io::stdout().is_terminal()
}

/// Whether standard output shows colours: a terminal does, unless `NO_COLOR` says otherwise.
pub(crate) fn has_colours() -> bool {
    is_terminal()
        && env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
        && env::var_os("TERM").is_none_or(|term| term != "dumb")
}

/// A text in bold, where that is shown.
pub(crate) fn bold(text: &str) -> String {
    if has_colours() { format!("\x1b[1m{text}\x1b[0m") } else { text.to_owned() }
}

/// Empties the screen of a terminal.
pub(crate) fn clear_screen() -> Result<(), Failure> {
    if is_terminal() { print_styled("\x1b[H\x1b[2J") } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_commands_a_terminal() {
        assert_eq!(printable("a\tb\nü"), "a\tb\nü");
        let shown = printable("a\x1b]0;title\x07b\r\u{9b}2J\x7f");
        assert_eq!(shown, "a\u{fffd}]0;title\u{fffd}b\u{fffd}\u{fffd}2J\u{fffd}");
    }
}
