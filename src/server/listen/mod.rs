//! Listeners: TCP and unix sockets, our own or inherited from a service manager.

mod inherited;
mod left_out;
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
use left_out::{Service, Wanted};
use unix::SocketFile;

use crate::config::{Config, Place, Remark, RpcListener, Switch, UnixSocket};
use crate::core::caller::Via;
use crate::peers::Allowed;

/// A listener that cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// Everything is turned off.
    #[error(
        "Nothing to listen on: turn on xend-http-server or xend-unix-server, or mend what was left out"
    )]
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
    #[error("No group {0}: create it, or name another one")]
    Group(String),
    /// We may not give the unix socket to the group.
    #[error("Cannot give {} to group {group}", path.display())]
    Chown {
        /// The socket.
        path: PathBuf,
        /// The group.
        group: String,
        /// Why not.
        source: io::Error,
    },
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
        f.debug_struct("Gate")
            .field("hosts", &self.hosts)
            .field("tls", &self.tls.is_some())
            .finish()
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
                // Answers are written whole; holding back the last piece of one would only delay
                // it.
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

/// What is served.
#[derive(Debug, Default)]
pub struct Opened {
    /// Where HTTP is.
    pub http: Vec<Listener>,
    /// Where xm's calls are.
    pub xmlrpc: Vec<Listener>,
    /// Where the Xen-API is, each with what it was opened for.
    pub xen_api: Vec<(Listener, RpcListener)>,
}

/// Opens the listeners that `config` wants.
///
/// Sockets of one kind inherited from a service manager take the place of our own of that kind for
/// HTTP. A listener of the configuration file that cannot be had is left out, which the log says:
/// everything else is served.
pub async fn open(config: &Config, inherited: Inherited) -> Result<Opened, ListenError> {
    let Inherited { tcp, unix } = inherited;
    let own_tcp = if tcp.is_empty() { &config.http } else { &Switch::Off };
    let own_unix = if unix.is_empty() { &config.unix } else { &Switch::Off };
    let mut opened = Opened::default();
    for (index, socket) in tcp.into_iter().enumerate() {
        opened
            .http
            .push(adopt_tcp(socket).map_err(|source| ListenError::Inherited { index, source })?);
    }
    for (index, socket) in unix.into_iter().enumerate() {
        opened
            .http
            .push(adopt_unix(socket).map_err(|source| ListenError::Inherited { index, source })?);
    }
    if let Switch::On(address) = *own_tcp {
        let wanted = Wanted::http(Place::Tcp(address), &config.origins.http, config);
        opened.http.extend(wanted.had(bind_tcp(address, Gate::default()).await)?);
    }
    if let Switch::On(socket) = own_unix {
        let wanted = Wanted::http(Place::Unix(socket.clone()), &config.origins.unix, config);
        opened.http.extend(wanted.had(bind_unix(socket).await)?);
    }
    for rpc in &config.xmlrpc {
        let wanted = Wanted::rpc(Service::XmlRpc, rpc, config);
        opened.xmlrpc.extend(wanted.had(open_rpc(rpc).await)?);
    }
    for rpc in &config.xen_api {
        let wanted = Wanted::rpc(Service::XenApi, rpc, config);
        let listener = wanted.had(open_rpc(rpc).await)?;
        opened.xen_api.extend(listener.map(|listener| (listener, rpc.clone())));
    }
    let nothing = opened.http.is_empty() && opened.xmlrpc.is_empty() && opened.xen_api.is_empty();
    if nothing { Err(ListenError::Nothing) } else { Ok(opened) }
}

/// Looks, without opening them, whether the listeners that the file wants can be had: what is
/// wrong, if anything is.
pub fn check(config: &Config) -> Vec<Remark> {
    let mut faults = Vec::new();
    let mut look = |wanted: &Wanted<'_>, gate: Result<Gate, ListenError>| {
        let group = match wanted.place() {
            Place::Unix(socket) => unix::group_of(socket).map(drop),
            Place::Tcp(_) => Ok(()),
        };
        let error = gate.map(drop).and(group).err();
        faults.extend(error.and_then(|error| wanted.remark(&error)));
    };
    if let Switch::On(socket) = &config.unix {
        let wanted = Wanted::http(Place::Unix(socket.clone()), &config.origins.unix, config);
        look(&wanted, Ok(Gate::default()));
    }
    for (service, listeners) in
        [(Service::XmlRpc, &config.xmlrpc), (Service::XenApi, &config.xen_api)]
    {
        for rpc in listeners {
            look(&Wanted::rpc(service, rpc, config), gate(rpc));
        }
    }
    let Switch::On(address) = config.relocation else { return faults };
    if let Err(invalid) = Allowed::parse(&config.relocation_hosts) {
        faults.extend(relocation_fault(config, address, RELOCATION_HOSTS, &invalid));
    }
    faults
}

/// The key that says which hosts may send domains.
pub const RELOCATION_HOSTS: &str = "xend-relocation-hosts-allow";

/// What to say of a relocation server that cannot be had, for the fault of this key; `None` if the
/// file does not ask for it.
pub fn relocation_fault(
    config: &Config,
    address: SocketAddr,
    key: &str,
    error: &dyn fmt::Display,
) -> Option<Remark> {
    let at = config.origins.relocation.0.as_ref()?;
    let at = config.origins.keys.of(key).unwrap_or(at);
    Some(at.remark(format!("the relocation server on {address} is left out: {error}, see {key}")))
}

async fn open_rpc(wanted: &RpcListener) -> Result<Listener, ListenError> {
    let gate = gate(wanted)?;
    match &wanted.place {
        Place::Unix(socket) => bind_unix(socket).await,
        Place::Tcp(address) => bind_tcp(*address, gate).await,
    }
}

/// What connections of a listener must pass.
fn gate(wanted: &RpcListener) -> Result<Gate, ListenError> {
    let hosts =
        Allowed::parse(&wanted.hosts).map_err(|invalid| ListenError::Hosts(invalid.to_string()))?;
    let tls = wanted.tls.as_ref().map(tls::acceptor).transpose()?;
    Ok(Gate { hosts, tls })
}

/// Says on standard output where the daemon can be reached, a line for each listener.
pub fn announce<'a>(listeners: impl IntoIterator<Item = &'a Listener>, what: &str) {
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

async fn bind_tcp(address: SocketAddr, gate: Gate) -> Result<Listener, ListenError> {
    let bound = async {
        let socket = TcpListener::bind(address).await?;
        let local = socket.local_addr()?;
        Ok(Listener::Tcp { socket, local, gate })
    };
    bound.await.map_err(|source| ListenError::Tcp { address, source })
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
