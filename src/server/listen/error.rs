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
