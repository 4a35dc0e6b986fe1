//! Messages: one S-expression on a line, over a socket that blocks.

use crate::core::error::Error;
use crate::sxp::{Limits, Sxp, read_one};
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::time::Duration;

/// The longest message that only says how things are.
const SHORT: usize = 64 << 10;

/// The longest message that holds a configuration.
pub(super) const LONG: usize = 32 << 20;

/// How much of what the sender still has under way is read before the connection is closed, so that
/// it sees why.
const DRAIN: usize = 64 << 20;

/// A connection.
#[derive(Debug, Clone)]
pub(super) struct Line {
    stream: Arc<TcpStream>,
    patience: Duration,
}

impl Line {
    /// Takes a connection over. It blocks from then on, for `patience` at most; that holds for the
    /// hypervisor, too.
    pub(super) fn new(stream: TcpStream, patience: Duration) -> io::Result<Self> {
        stream.set_nonblocking(false)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(patience))?;
        stream.set_write_timeout(Some(patience))?;
        Ok(Self { stream: Arc::new(stream), patience })
    }

    /// The socket, for the hypervisor.
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

    /// Receives a short message that the other host takes its time for.
    pub(super) async fn receive(&self) -> Result<Sxp, Error> {
        self.receive_within(self.patience).await
    }

    /// Receives a short message, if it comes soon enough.
    pub(super) async fn receive_within(&self, limit: Duration) -> Result<Sxp, Error> {
        let patience = self.patience;
        let text = self
            .blocking(move |mut stream| {
                stream.set_read_timeout(Some(limit))?;
                let mut text = Vec::new();
                let mut byte = [0];
                // Byte by byte: what follows may be for somebody else.
                while stream.read_exact(&mut byte).map(|()| byte[0] != b'\n')? {
                    text.push(byte[0]);
                    if text.len() > SHORT {
                        return Err(io::Error::other("The message has no end"));
                    }
                }
                stream.set_read_timeout(Some(patience))?;
                Ok(text)
            })
            .await?;
        read(&text)
    }

    /// Receives a message that can hold a configuration, after which nothing follows before it is
    /// answered.
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
                        None if text.len() > LONG => {
                            return Err(io::Error::other("The message has no end"));
                        }
                        None => {}
                    }
                }
            })
            .await?;
        read(&text)
    }

    /// Nothing more is sent.
    pub(super) async fn end(&self) {
        let _ = self.blocking(|stream| stream.shutdown(std::net::Shutdown::Write)).await;
    }

    /// Says why nothing comes of it, and lets the other host read that.
    pub(super) async fn refuse(&self, reason: &str) {
        if self.send(&Sxp::list([Sxp::atom("err"), Sxp::atom(reason)])).await.is_err() {
            return;
        }
        // Closing with something unread would throw away what was just sent.
        let _ = self
            .blocking(|mut stream| {
                stream.shutdown(std::net::Shutdown::Write)?;
                stream.set_read_timeout(Some(Duration::from_secs(2)))?;
                let (mut chunk, mut seen) = (vec![0; 64 << 10], 0);
                while seen < DRAIN {
                    match stream.read(&mut chunk)? {
                        0 => break,
                        count => seen += count,
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
            Err(error) => Err(Error::backend("The connection was given up", error)),
        }
    }
}

fn read(text: &[u8]) -> Result<Sxp, Error> {
    let limits = Limits { bytes: LONG, depth: 2_000, count: 4_000_000 };
    read_one(text, &limits)
        .map_err(|error| Error::backend("The other host says what makes no sense", error))
}
