//! Where XML-RPC is served, and to whom.

use super::file::Settings;
use super::value::{Entry, Problem, address};
use super::{ConfigError, Places, Switch, UnixSocket};
use crate::cli::RunOptions;
use crate::sxp::Sxp;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;

/// xend's port for XML-RPC.
const XMLRPC_PORT: u16 = 8006;

/// How a client says who it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Auth {
    /// It need not.
    None,
    /// As one of the machine's users, by PAM.
    Pam,
    /// As one of those in the password file.
    Password,
}

/// Key and certificate of an encrypted port, in PEM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// The private key.
    pub key: PathBuf,
    /// The certificate, and what it is signed with.
    pub cert: PathBuf,
}

/// Where a listener is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// A unix socket.
    Unix(UnixSocket),
    /// A TCP port.
    Tcp(SocketAddr),
}

/// A place where XML-RPC is served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RpcListener {
    /// Where.
    pub place: Place,
    /// How a client says who it is.
    pub auth: Auth,
    /// Which hosts may connect: regular expressions, separated by blanks; none for all.
    pub hosts: String,
    /// Whether it is encrypted.
    pub tls: Option<TlsFiles>,
}

impl RpcListener {
    /// A unix socket, whose peers the kernel vouches for.
    pub(super) fn unix(socket: UnixSocket, auth: Auth) -> Self {
        Self { place: Place::Unix(socket), auth, hosts: String::new(), tls: None }
    }

    /// Whether anybody who reaches it may do everything, and it can be reached from other machines.
    pub fn is_open(&self) -> bool {
        matches!(self.place, Place::Tcp(address) if self.auth == Auth::None && !address.ip().is_loopback())
    }
}

/// An entry of `xen-api-server`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wanted {
    /// None for xend's unix socket.
    pub(super) tcp: Option<SocketAddr>,
    pub(super) auth: Auth,
    pub(super) hosts: String,
    pub(super) tls: Option<TlsFiles>,
}

impl Entry<'_> {
    /// `((9363 pam '^localhost$' key crt) (unix none))`
    pub(super) fn xen_api_listeners(&self) -> Result<Vec<Wanted>, Problem> {
        let [list] = self.values else {
            return Err(self.problem(self.at, "needs one list of listeners, like ((unix))"));
        };
        let Some(listeners) = list.as_list() else {
            return Err(self.problem(list.at(), "needs a list of listeners, like ((unix))"));
        };
        listeners.iter().map(|listener| self.xen_api_listener(listener)).collect()
    }

    fn xen_api_listener(&self, listener: &Sxp) -> Result<Wanted, Problem> {
        let words: Option<Vec<(u32, &str)>> = listener
            .as_list()
            .and_then(|items| items.iter().map(|item| Some((item.at(), item.as_str()?))).collect());
        let Some([(at, place), rest @ ..]) = words.as_deref() else {
            return Err(self.problem(listener.at(), "needs lists like (unix) or (9363 pam) in its list"));
        };
        let tcp = if *place == "unix" { None } else { Some(self.tcp_place(*at, place)?) };
        let auth = match rest.first() {
            // Of one without a method xend's documentation said pam; its code let everybody in.
            None | Some((_, "pam")) => Auth::Pam,
            Some((_, "none")) => Auth::None,
            Some((_, "password")) => Auth::Password,
            Some((at, other)) => {
                let message = format!("'{}' is not one of none, pam, password", other.escape_debug());
                return Err(self.problem(*at, &message));
            }
        };
        let hosts = rest.get(1).map(|(_, hosts)| (*hosts).to_owned()).unwrap_or_default();
        let tls = match (rest.get(2), rest.get(3)) {
            (None, _) => None,
            (Some((_, key)), Some((_, cert))) => Some(TlsFiles { key: key.into(), cert: cert.into() }),
            (Some((at, _)), None) => return Err(self.problem(*at, "a key needs a certificate behind it")),
        };
        if let Some((at, _)) = rest.get(4) {
            return Err(self.problem(*at, "takes a place, a method, hosts, a key and a certificate"));
        }
        match tcp {
            None if tls.is_some() => Err(self.problem(listener.at(), "a unix socket is not encrypted")),
            tcp => Ok(Wanted { tcp, auth, hosts, tls }),
        }
    }

    /// `9363` or `localhost:9363`
    fn tcp_place(&self, at: u32, place: &str) -> Result<SocketAddr, Problem> {
        let (ip, port) = match place.rsplit_once(':') {
            Some((ip, port)) => (address(ip.trim_start_matches('[').trim_end_matches(']')), port),
            None => (Some(IpAddr::V4(Ipv4Addr::UNSPECIFIED)), place),
        };
        if let (Some(ip), Ok(port)) = (ip, port.parse()) {
            return Ok(SocketAddr::new(ip, port));
        }
        let message = format!("'{}' is not unix, PORT or ADDRESS:PORT", place.escape_debug());
        Err(self.problem(at, &message))
    }
}

/// Where xm's calls are served, and where the Xen-API is.
pub(super) fn merge(
    options: &RunOptions,
    file: &mut Settings,
    places: Option<&Places>,
    socket_at: impl Fn(PathBuf) -> UnixSocket,
) -> Result<(Vec<RpcListener>, Vec<RpcListener>), ConfigError> {
    // An instance with a socket of its own is none that takes xend's place.
    let own = options.unix.is_some();
    let default = |path: fn(&Places) -> &PathBuf| places.filter(|_| !own).map(|places| path(places).clone());
    let xmlrpc_unix = match &options.xmlrpc {
        Some(Switch::On(path)) => Some(path.clone()),
        Some(Switch::Off) => None,
        None => default(|places| &places.xmlrpc).filter(|_| file.xmlrpc_unix.unwrap_or(true)),
    };
    let mut xmlrpc: Vec<RpcListener> =
        xmlrpc_unix.map(|path| RpcListener::unix(socket_at(path), Auth::None)).into_iter().collect();
    if file.xmlrpc_tcp.unwrap_or(false) {
        let ip = file.xmlrpc_address.unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST));
        let tls = match (file.xmlrpc_key.take(), file.xmlrpc_cert.take()) {
            (Some(key), Some(cert)) => Some(TlsFiles { key, cert }),
            (None, None) => None,
            _ => return Err(ConfigError::HalfTls),
        };
        let place = Place::Tcp(SocketAddr::new(ip, file.xmlrpc_port.unwrap_or(XMLRPC_PORT)));
        xmlrpc.push(RpcListener { place, auth: Auth::None, hosts: String::new(), tls });
    }
    let socket_path = match &options.xen_api {
        Some(Switch::On(path)) => Some(path.clone()),
        Some(Switch::Off) => None,
        None => default(|places| &places.xen_api),
    };
    let whole = || Wanted { tcp: None, auth: Auth::Pam, hosts: String::new(), tls: None };
    let mut wanted = file.xen_api.take().unwrap_or_else(|| vec![whole()]);
    // Named on the command line, it is wanted.
    if options.xen_api.is_some() && !wanted.iter().any(|listener| listener.tcp.is_none()) {
        wanted.push(whole());
    }
    let mut xen_api = Vec::new();
    for Wanted { tcp, auth, hosts, tls } in wanted {
        let place = match (tcp, &socket_path) {
            (Some(address), _) => Place::Tcp(address),
            (None, Some(path)) => Place::Unix(socket_at(path.clone())),
            (None, None) => continue,
        };
        xen_api.push(RpcListener { place, auth, hosts, tls });
    }
    let open = xmlrpc.iter().chain(&xen_api).filter(|listener| listener.is_open());
    for listener in open {
        if let (Place::Tcp(address), false) = (&listener.place, file.open_access.unwrap_or(false)) {
            return Err(ConfigError::Open(*address));
        }
    }
    Ok((xmlrpc, xen_api))
}
