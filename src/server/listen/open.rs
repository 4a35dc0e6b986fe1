//! Opens the listeners of the configuration.

use super::configured::ConfiguredListener;
use super::error::ListenError;
use super::inherited::Inherited;
use super::listener::{Listener, TcpSecurity};
use super::protocol::Protocol;
use super::tls::Tls;
use super::unix;
use crate::config::{Auth, Config, ListenAddress, ListenerConfig, UnixSocket};
use crate::peers::AllowedHosts;
use crate::server::identity::Trust;
use std::io;
use std::net::{self, SocketAddr};
use std::os::unix::net as unix_net;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::net::{TcpListener, UnixListener};

/// The listeners of a daemon.
#[derive(Debug, Default)]
pub struct OpenListeners {
    /// Those for HTTP.
    pub http: Vec<Listener>,
    /// Those for xm's calls, each with its configuration.
    pub xmlrpc: Vec<(Listener, ListenerConfig)>,
    /// Those for the Xen-API, each with its configuration.
    pub xen_api: Vec<(Listener, ListenerConfig)>,
    /// That for Argo.
    pub argo: Option<Listener>,
    /// That for metrics.
    pub metrics: Option<Listener>,
    /// Those of the file that cannot be opened, by their names in messages.
    pub left_out: Vec<String>,
}

impl OpenListeners {
    /// The keys and certificates of the encrypted ones.
    pub fn tls(&self) -> Vec<Arc<Tls>> {
        let rpc = self.xmlrpc.iter().chain(&self.xen_api).map(|(listener, _)| listener);
        let all = self.http.iter().chain(rpc).chain(&self.argo).chain(&self.metrics);
        all.filter_map(|listener| listener.security().tls).collect()
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        let Self { http, xmlrpc, xen_api, argo, metrics, left_out: _ } = self;
        let single = usize::from(argo.is_some()) + usize::from(metrics.is_some());
        http.len() + xmlrpc.len() + xen_api.len() + single
    }
}

/// Opens the listeners of `config`.
///
/// For HTTP, inherited TCP sockets replace the configured address and port, and likewise unix
/// sockets. A listener of the configuration file that cannot be opened is logged and not served;
/// everything else is.
pub async fn open(config: &Config, inherited: Inherited) -> Result<OpenListeners, ListenError> {
    let mut open = OpenListeners::default();
    if let Some(listener) = config.http_listener().filter(|_| inherited.tcp.is_empty()) {
        open.http.extend(open_one(Protocol::Http, &listener, config, &mut open.left_out).await?);
    }
    for (index, socket) in inherited.tcp.into_iter().enumerate() {
        let failed = |source| ListenError::Inherited { index, source };
        let address = socket.local_addr().map_err(failed)?;
        let listener = config.http_on(address);
        let configured = ConfiguredListener::new(Protocol::Http, &listener, config);
        let security = security(Protocol::Http, &listener);
        if let Some(security) = configured.or_log(security, &mut open.left_out)? {
            log_warning(&configured);
            open.http.push(adopt_tcp(socket, security).map_err(failed)?);
        }
    }
    if let Some(listener) = config.http_on_unix().filter(|_| inherited.unix.is_empty()) {
        open.http.extend(open_one(Protocol::Http, &listener, config, &mut open.left_out).await?);
    }
    for (index, socket) in inherited.unix.into_iter().enumerate() {
        let listener =
            adopt_unix(socket).map_err(|source| ListenError::Inherited { index, source })?;
        open.http.push(listener);
    }
    for rpc in &config.xmlrpc {
        let listener = open_one(Protocol::XmlRpc, rpc, config, &mut open.left_out).await?;
        open.xmlrpc.extend(listener.map(|listener| (listener, rpc.clone())));
    }
    for rpc in &config.xen_api {
        let listener = open_one(Protocol::XenApi, rpc, config, &mut open.left_out).await?;
        open.xen_api.extend(listener.map(|listener| (listener, rpc.clone())));
    }
    if let Some(argo) = &config.argo {
        open.argo = open_one(Protocol::Argo, argo, config, &mut open.left_out).await?;
    }
    if let Some(metrics) = &config.metrics {
        open.metrics = open_one(Protocol::Metrics, metrics, config, &mut open.left_out).await?;
    }
    if open.count() == 0 { Err(ListenError::Nothing) } else { Ok(open) }
}

/// Opens a listener; `None` when it is left out, which is logged.
async fn open_one(
    protocol: Protocol,
    listener: &ListenerConfig,
    config: &Config,
    left_out: &mut Vec<String>,
) -> Result<Option<Listener>, ListenError> {
    let opened = match security(protocol, listener) {
        Ok(security) => bind(protocol, &listener.address, security).await,
        Err(error) => Err(error),
    };
    let configured = ConfiguredListener::new(protocol, listener, config);
    let opened = configured.or_log(opened, left_out)?;
    if opened.is_some() {
        log_warning(&configured);
    }
    Ok(opened)
}

fn log_warning(configured: &ConfiguredListener<'_>) {
    if let Some(warning) = configured.warning() {
        tracing::warn!("{warning}");
    }
}

async fn bind(
    protocol: Protocol,
    address: &ListenAddress,
    security: TcpSecurity,
) -> Result<Listener, ListenError> {
    match address {
        ListenAddress::Unix(socket) => bind_unix(socket).await,
        ListenAddress::Tcp(address) => bind_tcp(protocol, *address, security).await,
    }
}

/// The conditions of a connection. A unix socket has none, but is checked as well.
pub(super) fn security(
    protocol: Protocol,
    listener: &ListenerConfig,
) -> Result<TcpSecurity, ListenError> {
    if let (ListenAddress::Tcp(address), true) = (&listener.address, listener.shows_passwords()) {
        return Err(ListenError::ShowsPasswords(*address));
    }
    let hosts = AllowedHosts::parse(&listener.hosts)
        .map_err(|invalid| ListenError::Hosts(invalid.to_string()))?;
    let tls = listener.tls.as_ref().map(|files| Tls::open(files, protocol)).transpose()?;
    let trust = match listener.auth {
        Auth::None if protocol == Protocol::Metrics => Trust::Anyone,
        Auth::None => Trust::Peers,
        Auth::Users | Auth::Pam | Auth::Password => Trust::Nobody,
    };
    Ok(TcpSecurity { hosts, tls: tls.map(Arc::new), trust })
}

async fn bind_unix(configured: &UnixSocket) -> Result<Listener, ListenError> {
    let (socket, file) = unix::bind(configured).await?;
    Ok(Listener::Unix { socket, path: configured.path.clone(), file: Some(file) })
}

async fn bind_tcp(
    protocol: Protocol,
    address: SocketAddr,
    security: TcpSecurity,
) -> Result<Listener, ListenError> {
    let place = protocol.place(address, security.tls.is_some());
    let bind = async {
        let socket = TcpListener::bind(address).await?;
        let local = socket.local_addr()?;
        Ok(Listener::Tcp { socket, local, protocol, security })
    };
    bind.await
        .map_err(|source| ListenError::of_tcp(place, address.port(), protocol.option(), source))
}

/// Takes over a socket for HTTP.
fn adopt_tcp(socket: net::TcpListener, security: TcpSecurity) -> io::Result<Listener> {
    socket.set_nonblocking(true)?;
    let local = socket.local_addr()?;
    let socket = TcpListener::from_std(socket)?;
    Ok(Listener::Tcp { socket, local, protocol: Protocol::Http, security })
}

fn adopt_unix(socket: unix_net::UnixListener) -> io::Result<Listener> {
    socket.set_nonblocking(true)?;
    let path = socket.local_addr()?.as_pathname().map(PathBuf::from).unwrap_or_default();
    Ok(Listener::Unix { socket: UnixListener::from_std(socket)?, path, file: None })
}
