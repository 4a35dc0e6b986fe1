//! The terminal of the user, whose keys come one by one.

use rustix::termios::{
    LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcsetattr,
};
use std::io::{Stdin, stdin};

/// The terminal at standard input, without line editing and echo until it is dropped.
pub(crate) struct RawTerminal {
    stdin: Stdin,
    before: Termios,
}

impl RawTerminal {
    /// The same without signals and without changes of the output: keys go to a guest as they are.
    /// `None` if standard input is no terminal.
    pub(crate) fn of_stdin() -> Option<Self> {
        Self::changed(Termios::make_raw)
    }

    /// `None` if standard input is no terminal.
    pub(crate) fn without_echo_of_stdin() -> Option<Self> {
        Self::changed(|modes| {
            modes.local_modes -= LocalModes::ECHO | LocalModes::ICANON;
            modes.special_codes[SpecialCodeIndex::VMIN] = 1;
            modes.special_codes[SpecialCodeIndex::VTIME] = 0;
        })
    }

    fn changed(change: impl FnOnce(&mut Termios)) -> Option<Self> {
        let stdin = stdin();
        let before = tcgetattr(&stdin).ok()?;
        let mut changed = before.clone();
        change(&mut changed);
        tcsetattr(&stdin, OptionalActions::Drain, &changed).ok()?;
        Some(Self { stdin, before })
    }
}

impl Drop for RawTerminal {
    fn drop(&mut self) {
        // The terminal may be gone.
        let _ = tcsetattr(&self.stdin, OptionalActions::Drain, &self.before);
    }
}
