//! The origin of requests.
//!
//! The server attaches a caller to every request, for access rights and the audit log of the core.
//! A caller has the facts that the transport knows. Authenticators identify users.

use std::fmt;
use std::net::SocketAddr;

/// The way a request reached the daemon.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Via {
    /// Over TCP.
    Tcp {
        /// The address of the client.
        peer: SocketAddr,
        /// The address of the daemon that the client reached.
        local: SocketAddr,
    },
    /// Over a unix socket, with the kernel's facts about the connecting process.
    Unix {
        /// The user of the process at the time of the connection.
        uid: Option<u32>,
        /// The process ID, for logs alone: the process may have ended and its ID may be reused.
        pid: Option<i32>,
    },
    /// The daemon itself, for example a restart because of `on_reboot`.
    Internal,
}

/// The originator of an operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    pub via: Via,
}

impl Caller {
    /// The daemon acting by itself.
    pub fn internal() -> Self {
        Self { via: Via::Internal }
    }
}

impl fmt::Display for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.via {
            Via::Tcp { peer, .. } => peer.fmt(f),
            Via::Unix { uid: Some(uid), .. } => write!(f, "unix uid {uid}"),
            Via::Unix { uid: None, .. } => f.write_str("unix"),
            Via::Internal => f.write_str("internal"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_caller_is_printed_for_logs() {
        let tcp = Via::Tcp {
            peer: SocketAddr::from(([127, 0, 0, 1], 4711)),
            local: SocketAddr::from(([127, 0, 0, 1], 8000)),
        };
        let cases = [
            (tcp, "127.0.0.1:4711"),
            (Via::Unix { uid: Some(0), pid: Some(7) }, "unix uid 0"),
            (Via::Unix { uid: None, pid: None }, "unix"),
            (Via::Internal, "internal"),
        ];
        for (via, text) in cases {
            assert_eq!(Caller { via }.to_string(), text);
        }
    }
}
