//! A connection that carries messages: one S-expression per line, over a blocking socket.

use super::tunnel::Tunnel;
use crate::core::error::Error;
use crate::memory_budget::OverBudget;
use crate::sxp::{Limits, Sxp, read_one};
use socket2::Socket;
use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::server::TlsStream;
use tokio_util::either::Either;

/// Size limit of messages without a configuration, in bytes.
const MAX_SHORT: usize = 64 << 10;

/// Size limit of messages with a configuration, in bytes.
pub(super) const MAX_LONG: usize = 32 << 20;

/// How many bytes of a refused sender's stream are read before the connection is closed. Closing
/// with unread bytes would reset it, and the sender would not see the reason.
const MAX_DRAINED: usize = 64 << 20;

/// How long draining may take, and may pause.
const DRAIN_LIMIT: Duration = Duration::from_secs(10);
const DRAIN_PAUSE: Duration = Duration::from_secs(2);

/// A connection from another host, plain or encrypted.
pub(super) type PeerStream = Either<tokio::net::TcpStream, Box<TlsStream<tokio::net::TcpStream>>>;

/// A connection to another host.
#[derive(Debug, Clone)]
pub(super) struct Connection {
    socket: Arc<Socket>,
    timeout: Duration,
    /// `None` for a plain connection.
    tunnel: Option<Arc<Tunnel>>,
}

impl Connection {
    /// Takes over a connection. It blocks from now on, for the hypervisor as well, and fails after
    /// a pause of `timeout`.
    pub(super) fn new(stream: PeerStream, timeout: Duration) -> io::Result<Self> {
        match stream {
            Either::Left(plain) => Self::plain(plain.into_std()?, timeout),
            Either::Right(encrypted) => Self::encrypted(encrypted, timeout),
        }
    }

    /// Takes over a plain connection.
    pub(super) fn plain(stream: TcpStream, timeout: Duration) -> io::Result<Self> {
        stream.set_nonblocking(false)?;
        stream.set_nodelay(true)?;
        Self::over(stream.into(), timeout, None)
    }

    /// Takes over an encrypted connection.
    pub(super) fn encrypted<S>(stream: S, timeout: Duration) -> io::Result<Self>
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let (socket, tunnel) = Tunnel::open(stream)?;
        Self::over(OwnedFd::from(socket).into(), timeout, Some(Arc::new(tunnel)))
    }

    fn over(socket: Socket, timeout: Duration, tunnel: Option<Arc<Tunnel>>) -> io::Result<Self> {
        socket.set_read_timeout(Some(timeout))?;
        socket.set_write_timeout(Some(timeout))?;
        Ok(Self { socket: Arc::new(socket), timeout, tunnel })
    }

    /// A duplicate of the socket, for the hypervisor.
    pub(super) fn share(&self) -> Result<OwnedFd, Error> {
        let copy = self.socket.as_fd().try_clone_to_owned();
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

    /// Closes the sending direction.
    pub(super) async fn finish(&self) {
        let _ = self.blocking(|stream| stream.shutdown(Shutdown::Write)).await;
    }

    /// Waits until an encrypted connection has sent everything. The kernel does that for a plain
    /// one.
    pub(super) async fn sent(&self) {
        if let Some(tunnel) = &self.tunnel {
            self.finish().await;
            tunnel.ended().await;
        }
    }

    /// Sends the reason of a failure, and drains the connection so that the other host can read it.
    pub(super) async fn refuse(&self, reason: &str) {
        if self.send(&Sxp::list([Sxp::atom("err"), Sxp::atom(reason)])).await.is_err() {
            return;
        }
        let _ = self
            .blocking(|mut stream| {
                stream.shutdown(Shutdown::Write)?;
                stream.set_read_timeout(Some(DRAIN_PAUSE))?;
                let began = Instant::now();
                let mut chunk = vec![0; 64 << 10];
                let mut drained = 0;
                while drained < MAX_DRAINED && began.elapsed() < DRAIN_LIMIT {
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
        work: impl FnOnce(&Socket) -> io::Result<T> + Send + 'static,
    ) -> Result<T, Error> {
        let socket = Arc::clone(&self.socket);
        match tokio::task::spawn_blocking(move || work(&socket)).await {
            Ok(Ok(done)) => Ok(done),
            Ok(Err(error)) => {
                let reason = self.tunnel.as_ref().and_then(|tunnel| tunnel.error());
                let reason = reason.map(|reason| format!(": {reason}")).unwrap_or_default();
                let what = format!("The connection to the other host was lost{reason}");
                Err(Error::backend(what, error))
            }
            Err(error) => Err(Error::backend("The connection was abandoned", error)),
        }
    }
}

/// Whether an error says that the other host has sent nothing in time, on a connection that stands.
pub(super) fn is_silence(error: &Error) -> bool {
    let Error::Backend { source: Some(source), .. } = error else { return false };
    let kind = source.downcast_ref().map(io::Error::kind);
    matches!(kind, Some(io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut))
}

/// Limits of all messages.
pub(super) const LIMITS: Limits = Limits { bytes: MAX_LONG, ..Limits::STORED };

/// The error of a message for which there is no memory now.
pub(super) fn busy(over: OverBudget) -> Error {
    Error::backend("There is no memory for the request now", over)
}

/// Reads a message.
pub(super) fn parse(text: &[u8]) -> Result<Sxp, Error> {
    // It is no xend: it refuses the migration in words of its own.
    read_one(text, &LIMITS)
        .map_err(|error| Error::Remote { reason: format!("an invalid message: {error}") })
}
