//! Who is asking: where a request came from.
//!
//! The server notes it on every request, the core's rights and audit read it. It says what the
//! transport knows and nothing more; who a person is, an authenticator decides.

use std::fmt;
use std::net::SocketAddr;

/// The way a request reached the daemon.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Via {
    /// Over TCP.
    Tcp {
        /// The client's end.
        peer: SocketAddr,
        /// The daemon's end: which of its addresses the client reached.
        local: SocketAddr,
    },
    /// Over a unix socket, with what the kernel vouches for about the connecting process.
    Unix {
        /// The user the process ran as when it connected.
        uid: Option<u32>,
        /// The process. It may be gone by now and its number given to another: good for a log, not
        /// for a decision.
        pid: Option<i32>,
    },
    /// The daemon itself, such as a restart that `on_reboot` asks for.
    Internal,
}

/// The originator of an operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// The way the request came.
    pub via: Via,
}

impl Caller {
    /// The daemon acting on its own behalf.
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
    fn is_named_the_way_a_log_line_wants_it() {
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
