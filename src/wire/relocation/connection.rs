//! A connection that carries messages: one S-expression per line, over a blocking socket.

use crate::core::error::Error;
use crate::sxp::{Limits, Sxp, read_one};
use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::time::Duration;

/// Size limit of messages without a configuration, in bytes.
const MAX_SHORT: usize = 64 << 10;

/// Size limit of messages with a configuration, in bytes.
const MAX_LONG: usize = 32 << 20;

/// How many bytes of a refused sender's stream are read before the connection is closed. Closing
/// with unread bytes would reset it, and the sender would not see the reason.
const MAX_DRAINED: usize = 64 << 20;

/// How long draining may pause.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(2);

/// A connection to another host.
#[derive(Debug, Clone)]
pub(super) struct Connection {
    stream: Arc<TcpStream>,
    timeout: Duration,
}

impl Connection {
    /// Takes over a socket. It blocks from now on, for the hypervisor as well, and fails after a
    /// pause of `timeout`.
    pub(super) fn new(stream: TcpStream, timeout: Duration) -> io::Result<Self> {
        stream.set_nonblocking(false)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(timeout))?;
        stream.set_write_timeout(Some(timeout))?;
        Ok(Self { stream: Arc::new(stream), timeout })
    }

    /// A duplicate of the socket, for the hypervisor.
    pub(super) fn share(&self) -> Result<OwnedFd, Error> {
        let copy = self.stream.as_fd().try_clone_to_owned();
        copy.map_err(|error| Error::backend("The connection cannot be shared", error))
    }

    /// Sends a message.
    pub(super) async fn send(&self, message: &Sxp) -> Result<(), Error> {
        let mut text = message.to_bytes();
        text.push(b'\n');
        self.blocking(move |mut stream| stream.write_all(&text)).await
    }

    /// Receives a short message.
    pub(super) async fn receive(&self) -> Result<Sxp, Error> {
        self.receive_within(self.timeout).await
    }

    /// Receives a short message, or fails after a pause of `limit`.
    pub(super) async fn receive_within(&self, limit: Duration) -> Result<Sxp, Error> {
        let timeout = self.timeout;
        let text = self
            .blocking(move |mut stream| {
                stream.set_read_timeout(Some(limit))?;
                let mut text = Vec::new();
                let mut byte = [0];
                // Byte by byte: the hypervisor may own what follows the line.
                while stream.read_exact(&mut byte).map(|()| byte[0] != b'\n')? {
                    text.push(byte[0]);
                    if text.len() > MAX_SHORT {
                        return Err(io::Error::other("The message is too long"));
                    }
                }
                stream.set_read_timeout(Some(timeout))?;
                Ok(text)
            })
            .await?;
        parse(&text)
    }

    /// Receives a message that may hold a configuration. The sender must send nothing more before
    /// it is answered.
    pub(super) async fn receive_long(&self) -> Result<Sxp, Error> {
        let text = self
            .blocking(|mut stream| {
                let mut text = Vec::new();
                let mut chunk = vec![0; 64 << 10];
                loop {
                    let count = stream.read(&mut chunk)?;
                    text.extend_from_slice(&chunk[..count]);
                    match text.iter().position(|b| *b == b'\n') {
                        Some(end) if end + 1 == text.len() => return Ok(text),
                        Some(_) => return Err(io::Error::other("Something follows the message")),
                        None if count == 0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                        None if text.len() > MAX_LONG => {
                            return Err(io::Error::other("The message is too long"));
                        }
                        None => {}
                    }
                }
            })
            .await?;
        parse(&text)
    }

    /// Closes the sending direction.
    pub(super) async fn finish(&self) {
        let _ = self.blocking(|stream| stream.shutdown(Shutdown::Write)).await;
    }

    /// Closes both directions, which ends a pending receive.
    pub(super) fn close(&self) {
        let _ = self.stream.shutdown(Shutdown::Both);
    }

    /// Sends the reason of a failure, and drains the connection so that the other host can read it.
    pub(super) async fn refuse(&self, reason: &str) {
        if self.send(&Sxp::list([Sxp::atom("err"), Sxp::atom(reason)])).await.is_err() {
            return;
        }
        let _ = self
            .blocking(|mut stream| {
                stream.shutdown(Shutdown::Write)?;
                stream.set_read_timeout(Some(DRAIN_TIMEOUT))?;
                let mut chunk = vec![0; 64 << 10];
                let mut drained = 0;
                while drained < MAX_DRAINED {
                    match stream.read(&mut chunk)? {
                        0 => break,
                        count => drained += count,
                    }
                }
                Ok(())
            })
            .await;
    }

    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&TcpStream) -> io::Result<T> + Send + 'static,
    ) -> Result<T, Error> {
        let stream = self.stream.clone();
        match tokio::task::spawn_blocking(move || work(&stream)).await {
            Ok(Ok(done)) => Ok(done),
            Ok(Err(error)) => {
                Err(Error::backend("The connection to the other host was lost", error))
            }
            Err(error) => Err(Error::backend("The connection was abandoned", error)),
        }
    }
}

fn parse(text: &[u8]) -> Result<Sxp, Error> {
    let limits = Limits { bytes: MAX_LONG, ..Limits::STORED };
    read_one(text, &limits)
        .map_err(|error| Error::backend("The other host sent an invalid message", error))
}
