//! Opens the listeners of the configuration.

use super::configured::{ConfiguredListener, Protocol};
use super::error::ListenError;
use super::inherited::Inherited;
use super::listener::{Listener, TcpSecurity};
use super::tls;
use super::unix;
use crate::config::{Config, Diagnostic, ListenAddress, RpcListener, Switch, UnixSocket};
use crate::peers::AllowedHosts;
use std::fmt;
use std::io::{self, Write as _};
use std::net::{self, SocketAddr};
use std::os::unix::net as unix_net;
use std::path::PathBuf;
use tokio::net::{TcpListener, UnixListener};

/// The key of the hosts that may send domains.
pub const RELOCATION_HOSTS: &str = "xend-relocation-hosts-allow";

/// The listeners of a daemon.
#[derive(Debug, Default)]
pub struct OpenListeners {
    /// Those for HTTP.
    pub http: Vec<Listener>,
    /// Those for xm's calls.
    pub xmlrpc: Vec<Listener>,
    /// Those for the Xen-API, each with its configuration.
    pub xen_api: Vec<(Listener, RpcListener)>,
}

/// Opens the listeners of `config`.
///
/// For HTTP, inherited TCP sockets replace the configured one, and likewise unix sockets. A
/// listener of the configuration file that cannot be opened is logged and not served; everything
/// else is.
pub async fn open(config: &Config, inherited: Inherited) -> Result<OpenListeners, ListenError> {
    let mut open = OpenListeners::default();
    if let (Switch::On(address), true) = (&config.http, inherited.tcp.is_empty()) {
        let address = *address;
        let configured =
            ConfiguredListener::http(ListenAddress::Tcp(address), &config.origins.http, config);
        let listener = bind_tcp(address, TcpSecurity::default()).await;
        open.http.extend(configured.or_log(listener)?);
    }
    for (index, socket) in inherited.tcp.into_iter().enumerate() {
        let listener =
            adopt_tcp(socket).map_err(|source| ListenError::Inherited { index, source })?;
        open.http.push(listener);
    }
    if let (Switch::On(socket), true) = (&config.unix, inherited.unix.is_empty()) {
        let address = ListenAddress::Unix(socket.clone());
        let configured = ConfiguredListener::http(address, &config.origins.unix, config);
        open.http.extend(configured.or_log(bind_unix(socket).await)?);
    }
    for (index, socket) in inherited.unix.into_iter().enumerate() {
        let listener =
            adopt_unix(socket).map_err(|source| ListenError::Inherited { index, source })?;
        open.http.push(listener);
    }
    for rpc in &config.xmlrpc {
        let configured = ConfiguredListener::rpc(Protocol::XmlRpc, rpc, config);
        open.xmlrpc.extend(configured.or_log(bind_rpc(rpc).await)?);
    }
    for rpc in &config.xen_api {
        let configured = ConfiguredListener::rpc(Protocol::XenApi, rpc, config);
        let listener = configured.or_log(bind_rpc(rpc).await)?;
        open.xen_api.extend(listener.map(|listener| (listener, rpc.clone())));
    }
    let is_empty = open.http.is_empty() && open.xmlrpc.is_empty() && open.xen_api.is_empty();
    if is_empty { Err(ListenError::Nothing) } else { Ok(open) }
}

/// The errors of the file's listeners that show without opening them.
pub fn check(config: &Config) -> Vec<Diagnostic> {
    let mut diagnostics = Vec::new();
    if let Switch::On(socket) = &config.unix {
        let address = ListenAddress::Unix(socket.clone());
        let configured = ConfiguredListener::http(address, &config.origins.unix, config);
        diagnostics.extend(check_listener(&configured, Ok(TcpSecurity::default())));
    }
    for (protocol, listeners) in
        [(Protocol::XmlRpc, &config.xmlrpc), (Protocol::XenApi, &config.xen_api)]
    {
        for rpc in listeners {
            let configured = ConfiguredListener::rpc(protocol, rpc, config);
            diagnostics.extend(check_listener(&configured, security(rpc)));
        }
    }
    if let Switch::On(address) = config.relocation {
        if let Err(invalid) = AllowedHosts::parse(&config.relocation_hosts) {
            let error = relocation_error(config, address, RELOCATION_HOSTS, &invalid);
            diagnostics.extend(error);
        }
    }
    diagnostics
}

fn check_listener(
    listener: &ConfiguredListener<'_>,
    security: Result<TcpSecurity, ListenError>,
) -> Option<Diagnostic> {
    let group = match listener.address() {
        ListenAddress::Unix(socket) => unix::group_of(socket).map(drop),
        ListenAddress::Tcp(_) => Ok(()),
    };
    let error = security.map(drop).and(group).err()?;
    listener.diagnostic(&error)
}

/// The message about a relocation server that cannot be opened, for the value of `key`; `None` when
/// the server is not the file's.
pub fn relocation_error(
    config: &Config,
    address: SocketAddr,
    key: &str,
    error: &dyn fmt::Display,
) -> Option<Diagnostic> {
    let of_listener = config.origins.relocation.0.as_ref()?;
    let position = config.origins.keys.get(key).unwrap_or(of_listener);
    let message = format!("the relocation server on {address} is not served: {error}, see {key}");
    Some(position.error(message))
}

/// Prints the address of each listener to standard output, one a line.
pub fn announce<'a>(listeners: impl IntoIterator<Item = &'a Listener>, what: &str) {
    let mut out = io::stdout().lock();
    for listener in listeners {
        tracing::debug!("{what} on {listener}");
        // Standard output may be closed.
        writeln!(out, "{what} on {listener}").ok();
    }
    out.flush().ok();
}

async fn bind_rpc(rpc: &RpcListener) -> Result<Listener, ListenError> {
    let security = security(rpc)?;
    match &rpc.address {
        ListenAddress::Unix(socket) => bind_unix(socket).await,
        ListenAddress::Tcp(address) => bind_tcp(*address, security).await,
    }
}

fn security(rpc: &RpcListener) -> Result<TcpSecurity, ListenError> {
    let hosts = AllowedHosts::parse(&rpc.hosts)
        .map_err(|invalid| ListenError::Hosts(invalid.to_string()))?;
    let tls = rpc.tls.as_ref().map(tls::acceptor).transpose()?;
    Ok(TcpSecurity { hosts, tls })
}

async fn bind_unix(configured: &UnixSocket) -> Result<Listener, ListenError> {
    let (socket, file) = unix::bind(configured).await?;
    Ok(Listener::Unix { socket, path: configured.path.clone(), file: Some(file) })
}

async fn bind_tcp(address: SocketAddr, security: TcpSecurity) -> Result<Listener, ListenError> {
    let bind = async {
        let socket = TcpListener::bind(address).await?;
        let local = socket.local_addr()?;
        Ok(Listener::Tcp { socket, local, security })
    };
    bind.await.map_err(|source| ListenError::Tcp { address, source })
}

fn adopt_tcp(socket: net::TcpListener) -> io::Result<Listener> {
    socket.set_nonblocking(true)?;
    let local = socket.local_addr()?;
    let socket = TcpListener::from_std(socket)?;
    Ok(Listener::Tcp { socket, local, security: TcpSecurity::default() })
}

fn adopt_unix(socket: unix_net::UnixListener) -> io::Result<Listener> {
    socket.set_nonblocking(true)?;
    let path = socket.local_addr()?.as_pathname().map(PathBuf::from).unwrap_or_default();
    Ok(Listener::Unix { socket: UnixListener::from_std(socket)?, path, file: None })
}
