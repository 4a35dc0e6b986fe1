//! The console of a guest, open.

use std::fmt;
use tokio::io::{AsyncRead, AsyncWrite};

/// A stream in both directions: the guest's output is read from it, and what is written is typed.
/// It ends when the domain is gone. A guest that reads nothing keeps writers waiting.
pub trait ConsoleStream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> ConsoleStream for T {}

/// An open console.
pub struct OpenConsole {
    /// The end of the earlier output, at most [`CONSOLE_TAIL`](super::CONSOLE_TAIL) bytes.
    pub recent: Vec<u8>,
    /// The output after it, and the input.
    pub stream: Box<dyn ConsoleStream>,
}

impl fmt::Debug for OpenConsole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpenConsole").finish_non_exhaustive()
    }
}
