//! The terminal of the user, whose keys go to a guest as they are.

use rustix::termios::{OptionalActions, Termios, tcgetattr, tcsetattr};
use std::io::{Stdin, stdin};

/// The terminal at standard input, without line editing, echo and signals until it is dropped.
pub(crate) struct RawTerminal {
    stdin: Stdin,
    before: Termios,
}

impl RawTerminal {
    /// `None` if standard input is no terminal.
    pub(crate) fn of_stdin() -> Option<Self> {
        let stdin = stdin();
        let before = tcgetattr(&stdin).ok()?;
        let mut raw = before.clone();
        raw.make_raw();
        tcsetattr(&stdin, OptionalActions::Drain, &raw).ok()?;
        Some(Self { stdin, before })
    }
}

impl Drop for RawTerminal {
    fn drop(&mut self) {
        // The terminal may be gone.
        let _ = tcsetattr(&self.stdin, OptionalActions::Drain, &self.before);
    }
}
