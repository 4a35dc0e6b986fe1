//! Errors of listeners.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

/// A listener that cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// No listener is configured, or none can be opened.
    #[error(
        "Nothing to listen on: set (xend-http-server yes) or (xend-unix-server yes), give --http \
         ADDR:PORT or --unix PATH, or fix the listeners that are not served"
    )]
    Nothing,
    /// Another program listens on the TCP port.
    #[error(
        "Cannot listen on {place}: another program has the port, ss -ltnp 'sport = :{port}' names \
         it; stop that one, or choose another port{}", by_option(*option)
    )]
    PortTaken {
        /// The configured address, as it is announced.
        place: String,
        port: u16,
        /// The option of the command line that changes the port, if there is one.
        option: Option<&'static str>,
    },
    /// The daemon may not listen on the TCP port.
    #[error(
        "Cannot listen on {place}: ports below 1024 are root's; choose another port{}, or give the \
         unit a drop-in (systemctl edit): [Service], CapabilityBoundingSet=CAP_NET_BIND_SERVICE and \
         AmbientCapabilities=CAP_NET_BIND_SERVICE, a line each",
        by_option(*option)
    )]
    PortNotAllowed {
        /// The configured address, as it is announced.
        place: String,
        /// The option of the command line that changes the port, if there is one.
        option: Option<&'static str>,
    },
    /// No interface has the IP address.
    #[error(
        "Cannot listen on {place}: no interface of this machine has the address, ip -br address \
         lists what they have; choose one of them{}", by_option(*option)
    )]
    NoSuchAddress {
        /// The configured address, as it is announced.
        place: String,
        /// The option of the command line that changes the address, if there is one.
        option: Option<&'static str>,
    },
    /// The TCP address cannot be bound.
    #[error("Cannot listen on {place}")]
    Tcp {
        /// The configured address, as it is announced.
        place: String,
        source: io::Error,
    },
    /// Passwords of accounts would cross a network unencrypted.
    #[error(
        "Passwords to {0} would cross the network unencrypted: give it a key and a certificate, or \
         serve it on localhost"
    )]
    ShowsPasswords(SocketAddr),
    /// Another server uses the unix socket.
    #[error(
        "Socket {} is in use by a running server: stop that one, or give another path with --unix",
        .0.display()
    )]
    InUse(PathBuf),
    /// There is a file at the path of the unix socket that is not a socket.
    #[error("{} is not a socket: move it away, or give another path with --unix", .0.display())]
    NotASocket(PathBuf),
    /// The unix socket cannot be opened.
    #[error("Cannot {action} {}", path.display())]
    Unix {
        /// The failed action.
        action: &'static str,
        /// The path of the action.
        path: PathBuf,
        source: io::Error,
    },
    /// A key or certificate cannot be used.
    #[error("Cannot use {}: {reason}", path.display())]
    Tls {
        path: PathBuf,
        /// The problem with it.
        reason: String,
    },
    /// The list of hosts that may connect is wrong.
    #[error("{0}")]
    Hosts(String),
    /// The system has no such group.
    #[error("No group {0}: create it, or name another one")]
    Group(String),
    /// The daemon may not give the unix socket to the group.
    #[error("Cannot give {} to group {group}", path.display())]
    Chown { path: PathBuf, group: String, source: io::Error },
    /// A socket of the service manager cannot be used.
    #[error("Inherited socket {index} is neither a TCP nor a unix stream socket")]
    Inherited {
        /// Its position among the inherited sockets, from 0.
        index: usize,
        source: io::Error,
    },
}

impl ListenError {
    /// A TCP port that cannot be bound. `option` is the option of the command line for it.
    pub fn of_tcp(
        place: String,
        port: u16,
        option: Option<&'static str>,
        source: io::Error,
    ) -> Self {
        match source.kind() {
            io::ErrorKind::AddrInUse => Self::PortTaken { place, port, option },
            io::ErrorKind::PermissionDenied => Self::PortNotAllowed { place, option },
            io::ErrorKind::AddrNotAvailable => Self::NoSuchAddress { place, option },
            _ => Self::Tcp { place, source },
        }
    }
}

fn by_option(option: Option<&str>) -> String {
    option.map_or_else(String::new, |option| format!(" with {option} ADDR:PORT"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_that_cannot_be_had_says_what_to_do() {
        let said = |kind: io::ErrorKind, option| {
            let place = "http://127.0.0.1:80/".to_owned();
            ListenError::of_tcp(place, 80, option, kind.into()).to_string()
        };
        let place = "Cannot listen on http://127.0.0.1:80/";
        assert_eq!(
            said(io::ErrorKind::AddrInUse, Some("--http")),
            format!(
                "{place}: another program has the port, ss -ltnp 'sport = :80' names it; stop that \
                 one, or choose another port with --http ADDR:PORT"
            )
        );
        assert_eq!(
            said(io::ErrorKind::PermissionDenied, None),
            format!(
                "{place}: ports below 1024 are root's; choose another port, or give the unit a \
                 drop-in (systemctl edit): [Service], CapabilityBoundingSet=CAP_NET_BIND_SERVICE \
                 and AmbientCapabilities=CAP_NET_BIND_SERVICE, a line each"
            )
        );
        let advice = said(io::ErrorKind::AddrNotAvailable, Some("--http"));
        assert!(advice.contains("choose one of them with --http ADDR:PORT"), "{advice}");
        assert_eq!(said(io::ErrorKind::OutOfMemory, None), place);
    }
}
