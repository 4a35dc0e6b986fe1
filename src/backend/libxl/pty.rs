//! A pseudo-terminal as a stream.

use std::fs::File;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::unix::pipe::{Receiver, Sender};

/// A terminal that is open, and the lock for it.
pub(super) struct Pty {
    output: Receiver,
    input: Sender,
    _lock: File,
}

impl Pty {
    /// A terminal whose file does not block. Must be called in a Tokio runtime.
    pub(super) fn new(terminal: File, lock: File) -> io::Result<Self> {
        // Tokio has no type for terminals. To it they are like pipes, of which it asks readiness,
        // reads and writes.
        let input = Sender::from_file_unchecked(terminal.try_clone()?)?;
        let output = Receiver::from_file_unchecked(terminal)?;
        Ok(Self { output, input, _lock: lock })
    }
}

impl AsyncRead for Pty {
    /// A terminal whose other end is closed has ended.
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().output).poll_read(cx, buf)
    }
}

impl AsyncWrite for Pty {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().input).poll_write(cx, buf)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().input).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().input).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::fs::{Mode, OFlags, open};
    use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    #[tokio::test]
    async fn a_terminal_is_read_and_written_until_its_other_end_closes() {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let name = ptsname(&master, Vec::new()).unwrap();
        let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::NONBLOCK;
        let slave = open(name.as_c_str(), flags, Mode::empty()).unwrap();
        let mut pty = Pty::new(slave.into(), tempfile::tempfile().unwrap()).unwrap();
        rustix::io::write(&master, b"boot\n").unwrap();
        let mut output = [0; 16];
        let count = pty.read(&mut output).await.unwrap();
        assert_eq!(&output[..count], b"boot\n");
        pty.write_all(b"root\n").await.unwrap();
        let mut typed = [0; 64];
        let count = rustix::io::read(&master, &mut typed).unwrap();
        assert!(count > 0);
        drop(master);
        assert_eq!(pty.read(&mut output).await.unwrap(), 0);
    }
}
