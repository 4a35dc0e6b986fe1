//! The end of the agent: SIGTERM and SIGINT, between two requests.

use signal_hook::consts::{SIGINT, SIGTERM};
use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;

/// Tells whether the agent shall end.
pub struct Stop {
    signals: UnixStream,
    is_requested: bool,
}

impl Stop {
    /// Takes the signals from now on.
    pub fn on_signals() -> io::Result<Self> {
        let (signals, writer) = UnixStream::pair()?;
        signals.set_nonblocking(true)?;
        for signal in [SIGTERM, SIGINT] {
            signal_hook::low_level::pipe::register(signal, writer.try_clone()?)?;
        }
        Ok(Self { signals, is_requested: false })
    }

    /// Whether a signal has come.
    pub fn is_requested(&mut self) -> bool {
        self.is_requested |= matches!(self.signals.read(&mut [0; 16]), Ok(1..));
        self.is_requested
    }
}

/// Readable once a signal has come.
impl AsFd for Stop {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.signals.as_fd()
    }
}
