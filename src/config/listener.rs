//! The description of listeners.

use super::diagnostic::Origin;
use std::net::SocketAddr;
use std::path::PathBuf;

/// A unix socket to serve.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnixSocket {
    pub path: PathBuf,
    /// Whether nobody chose the path: all directories above it are made then.
    pub is_default: bool,
    /// Permission bits.
    pub mode: u32,
    /// Owning group, by name or number; `None` for the daemon's own.
    pub group: Option<String>,
}

/// The address of a listener.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ListenAddress {
    /// A unix socket.
    Unix(UnixSocket),
    /// A TCP port.
    Tcp(SocketAddr),
}

/// How clients of a listener log in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Auth {
    /// Without a password.
    #[default]
    None,
    /// With an account of the users file.
    Users,
    /// As a user of this machine, through PAM.
    Pam,
    /// As a user of the password file.
    Password,
}

/// Key and certificate of an encrypted port, in PEM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// The private key.
    pub key: PathBuf,
    /// The certificate, followed by those that sign it.
    pub cert: PathBuf,
}

/// A listener and how its clients log in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListenerConfig {
    pub address: ListenAddress,
    /// How clients log in.
    pub auth: Auth,
    /// Hosts that may connect: regular expressions separated by blanks; empty for all.
    pub hosts: String,
    /// Key and certificate; `None` for a plain connection.
    pub tls: Option<TlsFiles>,
    /// Its position in the file.
    pub origin: Origin,
}

impl ListenerConfig {
    /// A listener on a unix socket, whose peers the kernel identifies.
    pub(super) fn unix(socket: UnixSocket, auth: Auth, origin: Origin) -> Self {
        let address = ListenAddress::Unix(socket);
        Self { address, auth, hosts: String::new(), tls: None, origin }
    }

    /// A TCP port for all hosts.
    pub(super) fn tcp(
        address: SocketAddr,
        auth: Auth,
        tls: Option<TlsFiles>,
        origin: Origin,
    ) -> Self {
        let address = ListenAddress::Tcp(address);
        Self { address, auth, hosts: String::new(), tls, origin }
    }

    /// Whether other machines can connect without a password, and so do everything.
    pub fn is_open(&self) -> bool {
        let ListenAddress::Tcp(address) = self.address else { return false };
        self.auth == Auth::None && !address.ip().is_loopback()
    }

    /// Whether passwords of accounts would cross a network unencrypted.
    pub fn shows_passwords(&self) -> bool {
        let ListenAddress::Tcp(address) = self.address else { return false };
        self.auth == Auth::Users && self.tls.is_none() && !address.ip().is_loopback()
    }
}

/// An entry of `xen-api-server`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct XenApiEntry {
    /// `None` for the default unix socket.
    pub(super) tcp: Option<SocketAddr>,
    pub(super) auth: Auth,
    pub(super) hosts: String,
    pub(super) tls: Option<TlsFiles>,
    pub(super) origin: Origin,
}

impl XenApiEntry {
    /// The default: the unix socket.
    pub(super) fn unix() -> Self {
        Self {
            tcp: None,
            auth: Auth::Pam,
            hosts: String::new(),
            tls: None,
            origin: Origin::default(),
        }
    }
}
