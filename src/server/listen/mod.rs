//! Listeners: TCP and unix sockets, our own or inherited from a service manager.

mod inherited;
mod tls;
mod unix;

use std::fmt;
use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::path::PathBuf;

use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio_rustls::TlsAcceptor;
use tokio_util::either::Either;

pub use inherited::Inherited;
use unix::SocketFile;

use crate::config::{Config, Place, RpcListener, Switch, UnixSocket};
use crate::core::caller::Via;
use crate::peers::Allowed;

/// A listener that cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// Everything is turned off.
    #[error("Nothing to listen on: turn on xend-http-server or xend-unix-server")]
    Nothing,
    /// The TCP address cannot be bound.
    #[error("Cannot listen on http://{address}/")]
    Tcp {
        /// The address wanted.
        address: SocketAddr,
        /// Why not.
        source: io::Error,
    },
    /// Somebody answers on the unix socket.
    #[error("Socket {} is in use by a running server: stop that one, or give another path with --unix", .0.display())]
    Live(PathBuf),
    /// Something else is where the unix socket should be.
    #[error("{} is not a socket: move it away, or give another path with --unix", .0.display())]
    NotASocket(PathBuf),
    /// A step on the way to the unix socket failed.
    #[error("Cannot {action} {}", path.display())]
    Unix {
        /// What was tried.
        action: &'static str,
        /// On which path.
        path: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
    /// A key or certificate is of no use.
    #[error("Cannot use {}: {reason}", path.display())]
    Tls {
        /// The file.
        path: PathBuf,
        /// Why not.
        reason: String,
    },
    /// What says which hosts may connect makes no sense.
    #[error("{0}")]
    Hosts(String),
    /// `xend-unix-group` is not known to the system.
    #[error("No group {0}: create it, or change xend-unix-group")]
    Group(String),
    /// A socket handed over by the service manager is of no use.
    #[error("Inherited socket {index} is neither a TCP nor a unix stream socket")]
    Inherited {
        /// Its position among those handed over, from 0.
        index: usize,
        /// What the check found.
        source: io::Error,
    },
}

/// A socket that accepts connections.
#[derive(Debug)]
pub enum Listener {
    /// On a TCP port.
    Tcp {
        /// The socket.
        socket: TcpListener,
        /// Its address, the port filled in.
        local: SocketAddr,
        /// What a connection must pass.
        gate: Gate,
    },
    /// On a unix socket.
    Unix {
        /// The socket.
        socket: UnixListener,
        /// Its path, for people; an inherited socket may have none.
        path: PathBuf,
        /// The file to remove in the end; `None` if somebody else looks after it.
        file: Option<SocketFile>,
    },
}

/// What a connection over TCP must pass before it is served.
#[derive(Clone, Default)]
pub struct Gate {
    /// Which hosts may connect.
    pub(super) hosts: Allowed,
    /// How it is encrypted.
    pub(super) tls: Option<TlsAcceptor>,
}

impl fmt::Debug for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gate").field("hosts", &self.hosts).field("tls", &self.tls.is_some()).finish()
    }
}

/// A connection just accepted.
pub(super) type Stream = Either<TcpStream, UnixStream>;

impl Listener {
    /// What its connections must pass; nothing on a unix socket, whose mode says who may connect.
    pub(super) fn gate(&self) -> Gate {
        match self {
            Self::Tcp { gate, .. } => gate.clone(),
            Self::Unix { .. } => Gate::default(),
        }
    }

    /// The next connection, and where it comes from.
    pub(super) async fn accept(&self) -> io::Result<(Stream, Via)> {
        match self {
            Self::Tcp { socket, local, .. } => {
                let (stream, peer) = socket.accept().await?;
                // Answers are written whole; holding back the last piece of one would only delay it.
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
            Self::Tcp { local, gate, .. } => {
                let scheme = if gate.tls.is_some() { "https" } else { "http" };
                write!(f, "{scheme}://{local}/")
            }
            Self::Unix { path, .. } => write!(f, "unix:{}", path.display()),
        }
    }
}

/// Opens the listeners that `config` wants.
///
/// Sockets of one kind inherited from a service manager take the place of our own of that kind.
pub async fn open(config: &Config, inherited: Inherited) -> Result<Vec<Listener>, ListenError> {
    let Inherited { tcp, unix } = inherited;
    let own_tcp = if tcp.is_empty() { &config.http } else { &Switch::Off };
    let own_unix = if unix.is_empty() { &config.unix } else { &Switch::Off };
    let mut listeners = Vec::new();
    for (index, socket) in tcp.into_iter().enumerate() {
        listeners.push(adopt_tcp(socket).map_err(|source| ListenError::Inherited { index, source })?);
    }
    for (index, socket) in unix.into_iter().enumerate() {
        listeners.push(adopt_unix(socket).map_err(|source| ListenError::Inherited { index, source })?);
    }
    if let Switch::On(address) = *own_tcp {
        let listener = bind_tcp(address).await.map_err(|source| ListenError::Tcp { address, source })?;
        listeners.push(listener);
    }
    if let Switch::On(wanted) = own_unix {
        listeners.push(bind_unix(wanted).await?);
    }
    if listeners.is_empty() { Err(ListenError::Nothing) } else { Ok(listeners) }
}

/// Opens listeners of XML-RPC.
pub async fn open_rpc(wanted: &[RpcListener]) -> Result<Vec<Listener>, ListenError> {
    let mut listeners = Vec::new();
    for one in wanted {
        listeners.push(match &one.place {
            Place::Unix(socket) => bind_unix(socket).await?,
            Place::Tcp(address) => {
                let address = *address;
                let tls = one.tls.as_ref().map(tls::acceptor).transpose()?;
                let hosts =
                    Allowed::parse(&one.hosts).map_err(|invalid| ListenError::Hosts(invalid.to_string()))?;
                let passes = Gate { hosts, tls };
                let mut listener =
                    bind_tcp(address).await.map_err(|source| ListenError::Tcp { address, source })?;
                if let Listener::Tcp { gate, .. } = &mut listener {
                    *gate = passes;
                }
                listener
            }
        });
    }
    Ok(listeners)
}

/// Says on standard output where the daemon can be reached, a line for each listener.
pub fn announce(listeners: &[Listener], what: &str) {
    let mut out = io::stdout().lock();
    for listener in listeners {
        tracing::debug!("{what} on {listener}");
        // Whoever closed our standard output does not want to know.
        writeln!(out, "{what} on {listener}").ok();
    }
    out.flush().ok();
}

async fn bind_unix(wanted: &UnixSocket) -> Result<Listener, ListenError> {
    let (socket, file) = unix::bind(wanted).await?;
    Ok(Listener::Unix { socket, path: wanted.path.clone(), file: Some(file) })
}

async fn bind_tcp(address: SocketAddr) -> io::Result<Listener> {
    let socket = TcpListener::bind(address).await?;
    let local = socket.local_addr()?;
    Ok(Listener::Tcp { socket, local, gate: Gate::default() })
}

fn adopt_tcp(socket: std::net::TcpListener) -> io::Result<Listener> {
    socket.set_nonblocking(true)?;
    let local = socket.local_addr()?;
    Ok(Listener::Tcp { socket: TcpListener::from_std(socket)?, local, gate: Gate::default() })
}

fn adopt_unix(socket: std::os::unix::net::UnixListener) -> io::Result<Listener> {
    socket.set_nonblocking(true)?;
    let path = socket.local_addr()?.as_pathname().map(PathBuf::from).unwrap_or_default();
    Ok(Listener::Unix { socket: UnixListener::from_std(socket)?, path, file: None })
}
