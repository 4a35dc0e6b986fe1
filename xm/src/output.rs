//! What goes to standard output and to the terminal.

use crate::failure::Failure;
use serde::Serialize;
use std::env;
use std::io::{self, IsTerminal as _, Write as _};
use xend_sxp::{Sxp, pretty};

/// The width to which xm broke S-expressions into lines.
const WIDTH: usize = 80;

/// Writes text to standard output.
pub(crate) fn print(text: impl AsRef<[u8]>) -> Result<(), Failure> {
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
    let _ = writeln!(io::stderr(), "{}", text.as_ref());
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
    if is_terminal() { print("\x1b[H\x1b[2J") } else { Ok(()) }
}
