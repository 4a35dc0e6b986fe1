//! Sockets that accept connections.

use super::unix::SocketFile;
use crate::core::caller::Via;
use crate::peers::AllowedHosts;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio_rustls::TlsAcceptor;
use tokio_util::either::Either;

/// A socket that accepts connections.
#[derive(Debug)]
pub enum Listener {
    /// A TCP port.
    Tcp {
        socket: TcpListener,
        /// The bound address, with the port that the kernel chose if it was 0.
        local: SocketAddr,
        /// The conditions of a connection.
        security: TcpSecurity,
    },
    /// A unix socket.
    Unix {
        socket: UnixListener,
        /// The path for messages; empty for an inherited socket without one.
        path: PathBuf,
        /// The file to remove at the end; `None` when the service manager owns it.
        file: Option<SocketFile>,
    },
}

/// The conditions of a connection over TCP.
#[derive(Clone, Default)]
pub struct TcpSecurity {
    /// The hosts that may connect.
    pub(crate) hosts: AllowedHosts,
    /// `None` for a plain connection.
    pub(crate) tls: Option<TlsAcceptor>,
}

impl fmt::Debug for TcpSecurity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TcpSecurity")
            .field("hosts", &self.hosts)
            .field("tls", &self.tls.is_some())
            .finish()
    }
}

/// The stream of a new connection.
pub(crate) type Stream = Either<TcpStream, UnixStream>;

impl Listener {
    /// The conditions of its connections. A unix socket has none: its permissions say who may
    /// connect.
    pub(crate) fn security(&self) -> TcpSecurity {
        match self {
            Self::Tcp { security, .. } => security.clone(),
            Self::Unix { .. } => TcpSecurity::default(),
        }
    }

    /// Accepts the next connection.
    pub(crate) async fn accept(&self) -> io::Result<(Stream, Via)> {
        match self {
            Self::Tcp { socket, local, .. } => {
                let (stream, peer) = socket.accept().await?;
                // Responses are written in one piece, so delaying the last packet gains nothing.
                stream.set_nodelay(true).ok();
                let local = stream.local_addr().unwrap_or(*local);
                Ok((Either::Left(stream), Via::Tcp { peer, local }))
            }
            Self::Unix { socket, .. } => {
                let (stream, _) = socket.accept().await?;
                let peer = stream.peer_cred().ok();
                let uid = peer.map(|peer| peer.uid());
                let pid = peer.and_then(|peer| peer.pid());
                Ok((Either::Right(stream), Via::Unix { uid, pid }))
            }
        }
    }
}

impl fmt::Display for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp { local, security, .. } => {
                let scheme = if security.tls.is_some() { "https" } else { "http" };
                write!(f, "{scheme}://{local}/")
            }
            Self::Unix { path, .. } => write!(f, "unix:{}", path.display()),
        }
    }
}
