//! Where XML-RPC is served, and to whom.

use super::error::Origin;
use super::file::Settings;
use super::keys::Service;
use super::options::{RunOptions, Switch};
use super::value::{Entry, Problem, address};
use super::{Places, UnixSocket};
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
    /// Where it is written.
    pub origin: Origin,
}

impl RpcListener {
    /// A unix socket, whose peers the kernel vouches for.
    fn unix(socket: UnixSocket, auth: Auth, origin: Origin) -> Self {
        Self { place: Place::Unix(socket), auth, hosts: String::new(), tls: None, origin }
    }

    /// Whether anybody who reaches it may do everything, and it can be reached from other machines.
    pub fn is_open(&self) -> bool {
        matches!(self.place, Place::Tcp(address) if self.auth == Auth::None && !address.ip().is_loopback())
    }
}

/// An entry of `xen-api-server`.
#[derive(Debug, Clone)]
pub(super) struct Wanted {
    /// None for xend's unix socket.
    tcp: Option<SocketAddr>,
    auth: Auth,
    hosts: String,
    tls: Option<TlsFiles>,
    origin: Origin,
}

impl Wanted {
    /// The unix socket, which is served if nobody says otherwise.
    fn unix() -> Self {
        Self {
            tcp: None,
            auth: Auth::Pam,
            hosts: String::new(),
            tls: None,
            origin: Origin::default(),
        }
    }
}

impl Settings {
    /// `((9363 pam '^localhost$' key crt) (unix none))`: what makes sense of it is served.
    pub(super) fn read_xen_api(&mut self, entry: &Entry<'_>) -> Result<(), Problem> {
        let [list] = entry.values else {
            return Err(entry.problem(entry.at, "needs one list of listeners, like ((unix))"));
        };
        let Some(listeners) = list.as_list() else {
            return Err(entry.problem(list.offset(), "needs a list of listeners, like ((unix))"));
        };
        let mut wanted = Vec::new();
        for listener in listeners {
            match xen_api_listener(entry, listener) {
                Ok(one) => wanted.push(one),
                Err(Problem { at, message }) => {
                    let first = listener.as_list().and_then(<[Sxp]>::first).unwrap_or(listener);
                    let place =
                        first.as_str().unwrap_or("this listener").escape_debug().to_string();
                    self.fault(
                        entry
                            .source
                            .position(at)
                            .remark(message)
                            .and(&format!("{place} is left out")),
                    );
                }
            }
        }
        self.xen_api = Some(wanted);
        Ok(())
    }
}

fn xen_api_listener(entry: &Entry<'_>, listener: &Sxp) -> Result<Wanted, Problem> {
    let words: Option<Vec<(u32, &str)>> = listener
        .as_list()
        .and_then(|items| items.iter().map(|item| Some((item.offset(), item.as_str()?))).collect());
    let Some([(at, place), rest @ ..]) = words.as_deref() else {
        return Err(
            entry.problem(listener.offset(), "needs lists like (unix) or (9363 pam) in its list")
        );
    };
    let tcp =
        if place.eq_ignore_ascii_case("unix") { None } else { Some(tcp_place(entry, *at, place)?) };
    let auth = match rest.first() {
        // Of one without a method xend's documentation said pam; its code let everybody in.
        None | Some((_, "pam")) => Auth::Pam,
        Some((_, "none")) => Auth::None,
        Some((_, "password")) => Auth::Password,
        Some((at, other)) => {
            let message = format!(
                "'{}' is not one of none, pam, password: write ({place} pam) or ({place} password), hosts come after that",
                other.escape_debug()
            );
            return Err(entry.problem(*at, &message));
        }
    };
    let hosts = rest.get(1).map(|(_, hosts)| (*hosts).to_owned()).unwrap_or_default();
    let beside =
        |file: &str| entry.source.path.parent().map_or_else(|| file.into(), |dir| dir.join(file));
    let tls = match (rest.get(2), rest.get(3)) {
        (None, _) => None,
        (Some((_, key)), Some((_, cert))) => {
            Some(TlsFiles { key: beside(key), cert: beside(cert) })
        }
        (Some((at, _)), None) => {
            return Err(entry.problem(*at, "a key needs a certificate behind it"));
        }
    };
    if let Some((at, _)) = rest.get(4) {
        return Err(entry.problem(*at, "takes a place, a method, hosts, a key and a certificate"));
    }
    let origin = Origin(Some(entry.source.position(listener.offset())));
    match tcp {
        None if tls.is_some() => {
            Err(entry.problem(listener.offset(), "a unix socket is not encrypted"))
        }
        tcp => Ok(Wanted { tcp, auth, hosts, tls, origin }),
    }
}

/// `9363` or `localhost:9363`
fn tcp_place(entry: &Entry<'_>, at: u32, place: &str) -> Result<SocketAddr, Problem> {
    let (ip, port) = match place.rsplit_once(':') {
        Some((ip, port)) => (address(ip.trim_start_matches('[').trim_end_matches(']')), port),
        None => (Some(IpAddr::V4(Ipv4Addr::UNSPECIFIED)), place),
    };
    if let (Some(ip), Ok(port)) = (ip, port.parse()) {
        return Ok(SocketAddr::new(ip, port));
    }
    let message = format!("'{}' is not unix, PORT or ADDRESS:PORT", place.escape_debug());
    Err(entry.problem(at, &message))
}

/// Where xm's calls are served.
pub(super) fn xmlrpc(
    options: &RunOptions,
    file: &mut Settings,
    places: Option<&Places>,
    socket_at: impl Fn(PathBuf) -> UnixSocket,
) -> Vec<RpcListener> {
    let path = match &options.xmlrpc {
        Some(Switch::On(path)) => Some(path.clone()),
        Some(Switch::Off) => None,
        None if !file.serves(Service::UnixXmlRpc) || file.xmlrpc_unix == Some(false) => None,
        None => default_socket(options, places, |places| &places.xmlrpc),
    };
    let origin = file.origin(&["xend-unix-xmlrpc-server", "xend-unix-mode", "xend-unix-group"]);
    let mut listeners: Vec<RpcListener> = path
        .map(|path| RpcListener::unix(socket_at(path), Auth::None, origin))
        .into_iter()
        .collect();
    if file.xmlrpc_tcp.unwrap_or(false) && file.serves(Service::TcpXmlRpc) {
        let ip = file.xmlrpc_address.unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST));
        let address = SocketAddr::new(ip, file.xmlrpc_port.unwrap_or(XMLRPC_PORT));
        let tls = match (file.xmlrpc_key.take(), file.xmlrpc_cert.take()) {
            (Some(key), Some(cert)) => Ok(Some(TlsFiles { key, cert })),
            (None, None) => Ok(None),
            _ => {
                Err("xend-tcp-xmlrpc-server-ssl-key-file and -cert-file belong together, give both"
                    .to_owned())
            }
        };
        let origin = file.origin(&["xend-tcp-xmlrpc-server"]);
        let listener = tls.map(|tls| RpcListener {
            place: Place::Tcp(address),
            auth: Auth::None,
            hosts: String::new(),
            tls,
            origin: origin.clone(),
        });
        match listener.and_then(|listener| closed(listener, file)) {
            Ok(listener) => listeners.push(listener),
            Err(why) => file.leave_out(&origin, &why, &format!("XML-RPC on {address}")),
        }
    }
    listeners
}

/// Where the Xen-API is served.
pub(super) fn xen_api(
    options: &RunOptions,
    file: &mut Settings,
    places: Option<&Places>,
    socket_at: impl Fn(PathBuf) -> UnixSocket,
) -> Vec<RpcListener> {
    let socket_path = match &options.xen_api {
        Some(Switch::On(path)) => Some(path.clone()),
        Some(Switch::Off) => None,
        None => default_socket(options, places, |places| &places.xen_api),
    };
    let mut wanted = match file.xen_api.take() {
        Some(wanted) => wanted,
        None if file.serves(Service::XenApi) => vec![Wanted::unix()],
        None => Vec::new(),
    };
    // Named on the command line, it is wanted.
    if options.xen_api.is_some() && !wanted.iter().any(|listener| listener.tcp.is_none()) {
        wanted.push(Wanted::unix());
    }
    let mut listeners = Vec::new();
    for Wanted { tcp, auth, hosts, tls, origin } in wanted {
        let (place, shown) = match (tcp, &socket_path) {
            (Some(address), _) => (Place::Tcp(address), address.to_string()),
            (None, Some(path)) => {
                (Place::Unix(socket_at(path.clone())), path.display().to_string())
            }
            (None, None) => continue,
        };
        match closed(RpcListener { place, auth, hosts, tls, origin: origin.clone() }, file) {
            Ok(listener) => listeners.push(listener),
            Err(why) => file.leave_out(&origin, &why, &format!("the Xen-API on {shown}")),
        }
    }
    listeners
}

/// The path of a socket that nobody named. An instance with a socket of its own is none that takes
/// xend's place.
fn default_socket(
    options: &RunOptions,
    places: Option<&Places>,
    path: fn(&Places) -> &PathBuf,
) -> Option<PathBuf> {
    places.filter(|_| options.unix.is_none()).map(|places| path(places).clone())
}

/// The listener, if it lets nobody in that it should not; else what to do about it.
fn closed(listener: RpcListener, file: &Settings) -> Result<RpcListener, String> {
    let Place::Tcp(_) = listener.place else { return Ok(listener) };
    if listener.is_open() && !file.open_access.unwrap_or(false) {
        return Err(
            "whoever reaches it could do everything without a password, serve it on localhost, use pam or \
                    password, or say (xend-access-without-password yes)"
                .to_owned(),
        );
    }
    if listener.auth == Auth::Pam && !cfg!(feature = "pam") {
        return Err(
            "this xend was built without PAM, use password (with xend-password-file), or build with \
                    --features pam"
                .to_owned(),
        );
    }
    Ok(listener)
}
