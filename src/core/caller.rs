//! The origin of requests.
//!
//! The server attaches a caller to every request: the facts that the transport knows, and who the
//! caller is. A wire on which users log in replaces a caller who is nobody by the user.

use super::fleet::HostName;
use super::rights::{Access, User};
use super::snapshot::Snapshot;
use std::fmt;
use std::net::SocketAddr;
use std::sync::{Arc, LazyLock};

/// The way a request reached the daemon.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Via {
    /// Over TCP.
    Tcp {
        /// The address of the client.
        peer: SocketAddr,
        /// The address of the daemon that the client reached.
        local: SocketAddr,
        /// Whether the connection is encrypted.
        encrypted: bool,
    },
    /// Over a unix socket, with the kernel's facts about the connecting process.
    Unix {
        /// The user of the process at the time of the connection.
        uid: Option<u32>,
        /// The process ID, for logs alone: the process may have ended and its ID may be reused.
        pid: Option<i32>,
    },
    /// Through another host of the fleet, which has passed the request on.
    Peer {
        /// The name of that host, as its certificate tells.
        host: HostName,
        /// How the request reached that host, in its words.
        from: Arc<str>,
    },
    /// The daemon itself, for example a restart because of `on_reboot`.
    Internal,
}

/// For whom a host asks another one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OnBehalf {
    /// How the request reached the host that asks, in words.
    pub from: String,
    /// The account and what it may do; `None` for an operator without one.
    pub account: Option<(String, Access)>,
}

impl Via {
    /// Whether nobody on a network can read what is sent: it is encrypted, or stays within this
    /// machine.
    pub fn is_private(&self) -> bool {
        match self {
            Self::Tcp { peer, encrypted, .. } => {
                *encrypted || peer.ip().to_canonical().is_loopback()
            }
            Self::Unix { .. } | Self::Peer { .. } | Self::Internal => true,
        }
    }
}

/// The access of operators without an account.
static OPERATOR: LazyLock<Arc<Access>> = LazyLock::new(|| Arc::new(Access::operator()));

/// Who a caller is, as far as the daemon knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Principal {
    /// An operator of the host, who may do everything.
    Operator,
    /// The user of an account.
    User(Arc<User>),
    /// Somebody who has not logged in, and may do nothing.
    Nobody,
}

/// The originator of an operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    pub via: Via,
    pub principal: Principal,
}

impl Caller {
    /// The daemon acting by itself.
    pub fn internal() -> Self {
        Self::operator(Via::Internal)
    }

    /// An operator of the host.
    pub fn operator(via: Via) -> Self {
        Self { via, principal: Principal::Operator }
    }

    /// The user of an account.
    pub fn of_user(via: Via, user: Arc<User>) -> Self {
        Self { via, principal: Principal::User(user) }
    }

    /// Somebody who has not logged in.
    pub fn nobody(via: Via) -> Self {
        Self { via, principal: Principal::Nobody }
    }

    /// The same connection, on which a user has logged in.
    #[must_use]
    pub fn logged_in(&self, user: Arc<User>) -> Self {
        Self::of_user(self.via.clone(), user)
    }

    /// The user; `None` for operators without an account, and for nobody.
    pub fn user(&self) -> Option<&Arc<User>> {
        match &self.principal {
            Principal::User(user) => Some(user),
            Principal::Operator | Principal::Nobody => None,
        }
    }

    /// What the caller may do now.
    pub fn access(&self) -> Arc<Access> {
        match &self.principal {
            Principal::Operator => OPERATOR.clone(),
            Principal::User(user) => user.access(),
            Principal::Nobody => Arc::default(),
        }
    }

    /// For whom another host is asked; `None` for nobody.
    pub fn on_behalf(&self) -> Option<OnBehalf> {
        let account = match &self.principal {
            Principal::Operator => None,
            Principal::User(user) => Some((user.name().to_owned(), Access::clone(&user.access()))),
            Principal::Nobody => return None,
        };
        Some(OnBehalf { from: self.via.to_string(), account })
    }

    /// Whether the caller may do everything.
    pub fn is_operator(&self) -> bool {
        match &self.principal {
            Principal::Operator => true,
            Principal::User(user) => user.access().operator,
            Principal::Nobody => false,
        }
    }

    /// The part of a snapshot that the caller sees.
    pub(super) fn visible(&self, full: &Arc<Snapshot>) -> Arc<Snapshot> {
        match &self.principal {
            Principal::Operator => full.clone(),
            Principal::User(user) => user.visible(full),
            Principal::Nobody => Arc::new(Snapshot::of_nobody()),
        }
    }

    /// Whether the caller is the daemon itself, or root on a unix socket without an account.
    pub(super) fn is_root(&self) -> bool {
        self.principal == Principal::Operator
            && matches!(self.via, Via::Internal | Via::Unix { uid: Some(0), .. })
    }
}

impl fmt::Display for Via {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp { peer, .. } => peer.fmt(f),
            Self::Unix { uid: Some(uid), .. } => write!(f, "unix uid {uid}"),
            Self::Unix { uid: None, .. } => f.write_str("unix"),
            Self::Peer { host, from } => write!(f, "{from} through {host}"),
            Self::Internal => f.write_str("internal"),
        }
    }
}

impl fmt::Display for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.principal {
            Principal::User(user) => write!(f, "{} at {}", user.name(), self.via),
            Principal::Operator | Principal::Nobody => self.via.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::rights::{Account, Credential};

    #[test]
    fn what_is_encrypted_or_stays_within_the_machine_is_private() {
        let is_private = |peer: &str, encrypted| {
            let local = SocketAddr::from(([127, 0, 0, 1], 8000));
            Via::Tcp { peer: peer.parse().unwrap(), local, encrypted }.is_private()
        };
        for loopback in ["127.0.0.1:1", "[::1]:1", "[::ffff:127.0.0.1]:1"] {
            assert!(is_private(loopback, false), "{loopback}");
        }
        for elsewhere in ["192.0.2.7:1", "[2001:db8::1]:1", "[::ffff:192.0.2.7]:1"] {
            assert!(!is_private(elsewhere, false) && is_private(elsewhere, true), "{elsewhere}");
        }
        assert!(Via::Unix { uid: None, pid: None }.is_private() && Via::Internal.is_private());
    }

    #[test]
    fn a_caller_is_printed_for_logs() {
        let tcp = Via::Tcp {
            peer: SocketAddr::from(([127, 0, 0, 1], 4711)),
            local: SocketAddr::from(([127, 0, 0, 1], 8000)),
            encrypted: false,
        };
        let cases = [
            (tcp.clone(), "127.0.0.1:4711"),
            (Via::Unix { uid: Some(0), pid: Some(7) }, "unix uid 0"),
            (Via::Unix { uid: None, pid: None }, "unix"),
            (Via::Internal, "internal"),
            (
                Via::Peer { host: "xen1".parse().unwrap(), from: "unix uid 0".into() },
                "unix uid 0 through xen1",
            ),
        ];
        for (via, text) in cases {
            assert_eq!(Caller::operator(via).to_string(), text);
        }
        let steve = User::new(Account::new("steve", Credential::None, Access::default()));
        let caller = Caller::nobody(tcp).logged_in(Arc::new(steve));
        assert_eq!(caller.to_string(), "steve at 127.0.0.1:4711");
        assert!(!caller.is_operator() && Caller::internal().is_operator());
        let on_behalf = caller.on_behalf().unwrap();
        assert_eq!(
            (on_behalf.from.as_str(), on_behalf.account.unwrap().0.as_str()),
            ("127.0.0.1:4711", "steve")
        );
        assert!(Caller::internal().on_behalf().unwrap().account.is_none());
        assert_eq!(Caller::nobody(Via::Internal).on_behalf(), None);
    }
}
