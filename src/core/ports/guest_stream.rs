//! The console and the screen of a guest, open.

use std::fmt;
use tokio::io::{AsyncRead, AsyncWrite};

/// A stream in both directions: the output of a guest is read from it, and what is written is the
/// guest's input. It ends when the domain is gone. A guest that reads nothing keeps writers
/// waiting.
pub trait GuestStream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> GuestStream for T {}

/// An open console.
pub struct OpenConsole {
    /// The end of the earlier output, at most [`CONSOLE_TAIL`](super::CONSOLE_TAIL) bytes.
    pub recent: Vec<u8>,
    /// The output after it, and the input.
    pub stream: Box<dyn GuestStream>,
}

impl fmt::Debug for OpenConsole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpenConsole").finish_non_exhaustive()
    }
}
