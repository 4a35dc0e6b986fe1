//! Keys of the terminal that end what is shown on it.

use crate::caught_signals::CaughtSignals;
use crate::raw_terminal::RawTerminal;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use std::io;
use std::os::unix::net::UnixStream;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle, sleep};
use std::time::Duration;

/// The most keys that are read at a time.
const PIECE: usize = 64;

/// Waits for the key `q`. Until this is dropped, keys are not shown, and a signal that ends xm
/// leaves the terminal as it was.
pub(crate) struct Keys {
    /// What reads keys, until this connection is closed; `None` without a terminal.
    reading: Option<(UnixStream, JoinHandle<()>)>,
    quit: Receiver<()>,
}

impl Keys {
    /// Reads the keys of the terminal at standard input, if there is one.
    pub(crate) fn of_stdin() -> Self {
        let (sender, quit) = mpsc::channel();
        Self { reading: read(sender).ok().flatten(), quit }
    }

    /// No keys at all.
    pub(crate) fn none() -> Self {
        Self { reading: None, quit: mpsc::channel().1 }
    }

    /// Waits so long. Whether the key `q` ends this.
    pub(crate) fn wait(&self, limit: Duration) -> bool {
        if self.reading.is_none() {
            sleep(limit);
            return false;
        }
        match self.quit.recv_timeout(limit) {
            Ok(()) | Err(RecvTimeoutError::Disconnected) => true,
            Err(RecvTimeoutError::Timeout) => false,
        }
    }
}

impl Drop for Keys {
    fn drop(&mut self) {
        if let Some((connection, thread)) = self.reading.take() {
            drop(connection);
            // It restores the terminal.
            let _ = thread.join();
        }
    }
}

/// `None` if standard input is no terminal.
fn read(quit: Sender<()>) -> io::Result<Option<(UnixStream, JoinHandle<()>)>> {
    let signals = CaughtSignals::catch()?;
    let (connection, ended) = UnixStream::pair()?;
    let Some(terminal) = RawTerminal::without_echo_of_stdin() else { return Ok(None) };
    let read = move || {
        let stdin = io::stdin();
        let mut has_keys = true;
        loop {
            let mut fds =
                vec![PollFd::new(&signals, PollFlags::IN), PollFd::new(&ended, PollFlags::IN)];
            if has_keys {
                fds.push(PollFd::new(&stdin, PollFlags::IN));
            }
            match poll(&mut fds, None) {
                Ok(_) => {}
                Err(Errno::INTR) => continue,
                Err(_) => return,
            }
            let is_ready = |at: usize| fds.get(at).is_some_and(|fd| !fd.revents().is_empty());
            if is_ready(1) {
                return;
            }
            if is_ready(0) {
                drop(terminal);
                let _ = signals.obey();
                return;
            }
            if is_ready(2) {
                let mut keys = [0; PIECE];
                let count = rustix::io::read(&stdin, &mut keys).unwrap_or(0);
                has_keys = count > 0;
                if keys.iter().take(count).any(|key| matches!(key, b'q' | b'Q')) {
                    // Whoever does not wait any more ends anyway.
                    let _ = quit.send(());
                }
            }
        }
    };
    Ok(Some((connection, thread::spawn(read))))
}
