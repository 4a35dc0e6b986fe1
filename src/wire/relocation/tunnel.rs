//! Encrypted connections. A hypervisor reads and writes a plain socket: it gets one end of a pair,
//! and a task encrypts what passes the other end.

use std::io;
use std::os::unix::net::UnixStream;
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, copy_bidirectional_with_sizes};
use tokio::time::{sleep, timeout};
use tokio_rustls::rustls;
use tokio_util::sync::CancellationToken;

/// How many bytes are read at a time.
const CHUNK: usize = 64 << 10;

/// How long the other host may take to read the rest, and to close its direction, when this host
/// has closed the connection.
const LINGER: Duration = Duration::from_secs(10);

/// The task behind an encrypted connection.
#[derive(Debug)]
pub(super) struct Tunnel {
    /// Why the encrypted connection was lost.
    error: Arc<OnceLock<String>>,
    /// Cancelled when nobody uses the connection any more.
    closed: CancellationToken,
    /// Cancelled when the task has ended.
    ended: CancellationToken,
}

impl Tunnel {
    /// Starts the task. The socket has what `peer` decrypts, and takes what it encrypts.
    pub(super) fn open<S>(peer: S) -> io::Result<(UnixStream, Self)>
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let (near, far) = UnixStream::pair()?;
        far.set_nonblocking(true)?;
        let far = tokio::net::UnixStream::from_std(far)?;
        let error = Arc::new(OnceLock::new());
        let closed = CancellationToken::new();
        let ended = CancellationToken::new();
        tokio::spawn({
            let error = Arc::clone(&error);
            let closed = closed.clone();
            let end = ended.clone().drop_guard();
            async move {
                let _end = end;
                pump(far, peer, &error, &closed).await;
            }
        });
        Ok((near, Self { error, closed, ended }))
    }

    /// Why the encrypted connection was lost; `None` if it was not.
    pub(super) fn error(&self) -> Option<&str> {
        self.error.get().map(String::as_str)
    }

    /// Waits until the other host has read everything and has closed its direction.
    pub(super) async fn ended(&self) {
        let _ = timeout(LINGER, self.ended.cancelled()).await;
    }
}

impl Drop for Tunnel {
    fn drop(&mut self) {
        self.closed.cancel();
    }
}

async fn pump<S>(
    mut far: tokio::net::UnixStream,
    mut peer: S,
    error: &OnceLock<String>,
    closed: &CancellationToken,
) where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let abandoned = async {
        closed.cancelled().await;
        sleep(LINGER).await;
    };
    tokio::select! {
        result = copy_bidirectional_with_sizes(&mut far, &mut peer, CHUNK, CHUNK) => {
            if let Err(failure) = result {
                // Before the socket is closed, so that whoever finds it closed knows why.
                let _ = error.set(reason(&failure));
            }
        }
        () = abandoned => {}
    }
}

/// An error of an encrypted connection in words.
pub(super) fn reason(error: &io::Error) -> String {
    let source = error.get_ref().and_then(|error| error.downcast_ref());
    match source {
        Some(rustls::Error::AlertReceived(_)) => {
            "it refuses the encryption, see xend-relocation-ssl-ca-file of both hosts".to_owned()
        }
        Some(rustls::Error::InvalidCertificate(_)) => {
            "its certificate is not accepted, see xend-relocation-ssl-ca-file".to_owned()
        }
        Some(rustls::Error::InvalidMessage(_)) => "it speaks no TLS".to_owned(),
        _ => error.to_string(),
    }
}
