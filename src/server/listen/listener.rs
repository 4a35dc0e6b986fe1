//! Sockets that accept connections.

use super::protocol::Protocol;
use super::tls::Tls;
use super::unix::SocketFile;
use crate::core::caller::Via;
use crate::peers::AllowedHosts;
use crate::server::identity::Trust;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio_util::either::Either;

/// A socket that accepts connections.
#[derive(Debug)]
pub enum Listener {
    /// A TCP port.
    Tcp {
        socket: TcpListener,
        /// The bound address, with the port that the kernel chose if it was 0.
        local: SocketAddr,
        protocol: Protocol,
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
#[derive(Debug, Clone, Default)]
pub struct TcpSecurity {
    /// The hosts that may connect.
    pub(crate) hosts: AllowedHosts,
    /// `None` for a plain connection.
    pub(crate) tls: Option<Arc<Tls>>,
    /// Who may do what before a login.
    pub(crate) trust: Trust,
}

/// The stream of a new connection.
pub(crate) type Stream = Either<TcpStream, UnixStream>;

impl Listener {
    /// The conditions of its connections. A unix socket has its permissions instead.
    pub(crate) fn security(&self) -> TcpSecurity {
        match self {
            Self::Tcp { security, .. } => security.clone(),
            Self::Unix { .. } => TcpSecurity::default(),
        }
    }

    /// Whom it trusts before a login.
    pub fn trust(&self) -> Trust {
        match self {
            Self::Tcp { security, .. } => security.trust,
            Self::Unix { .. } => Trust::Peers,
        }
    }

    /// Accepts the next connection.
    pub(crate) async fn accept(&self) -> io::Result<(Stream, Via)> {
        match self {
            Self::Tcp { socket, local, security, .. } => {
                let (stream, peer) = socket.accept().await?;
                // Responses are written in one piece, so delaying the last packet gains nothing.
                stream.set_nodelay(true).ok();
                let local = stream.local_addr().unwrap_or(*local);
                let encrypted = security.tls.is_some();
                Ok((Either::Left(stream), Via::Tcp { peer, local, encrypted }))
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
            Self::Tcp { local, protocol, security, .. } => {
                f.write_str(&protocol.place(*local, security.tls.is_some()))
            }
            Self::Unix { path, .. } => write!(f, "unix:{}", path.display()),
        }
    }
}
