//! Signals that would end xm while the terminal is not as it was.

use crate::failure::Failure;
use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM};
use signal_hook::low_level::{emulate_default_handler, pipe, unregister};
use signal_hook::{SigId, flag};
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

const SIGNALS: [i32; 4] = [SIGHUP, SIGINT, SIGQUIT, SIGTERM];

/// Signals that are caught until this is dropped.
pub(crate) struct CaughtSignals {
    /// Readable once a signal has come.
    arrived: UnixStream,
    /// The last signal, or 0.
    last: Arc<AtomicUsize>,
    /// Whether signals have their usual effect.
    is_over: Arc<AtomicBool>,
    actions: Vec<SigId>,
}

impl CaughtSignals {
    /// Catches signals from now on.
    pub(crate) fn catch() -> io::Result<Self> {
        let (arrived, sender) = UnixStream::pair()?;
        let mut signals =
            Self { arrived, last: Arc::default(), is_over: Arc::default(), actions: Vec::new() };
        for signal in SIGNALS {
            // A signal that is caught once never has its own effect again: this one stays.
            flag::register_conditional_default(signal, Arc::clone(&signals.is_over))?;
            let number = usize::try_from(signal).unwrap_or_default();
            let last = flag::register_usize(signal, Arc::clone(&signals.last), number)?;
            let wake = pipe::register(signal, sender.try_clone()?)?;
            signals.actions.extend([last, wake]);
        }
        Ok(signals)
    }

    /// Ends xm as the signal that has come would have ended it.
    pub(crate) fn obey(self) -> Result<(), Failure> {
        let signal = self.last.load(Ordering::Relaxed);
        drop(self);
        let signal = i32::try_from(signal).unwrap_or_default();
        // It returns only if the signal cannot be sent.
        let _ = emulate_default_handler(signal);
        Err(Failure::silent(1))
    }
}

impl AsFd for CaughtSignals {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.arrived.as_fd()
    }
}

impl Drop for CaughtSignals {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        for action in self.actions.drain(..) {
            unregister(action);
        }
    }
}
