//! From a connection to its caller.

use super::owner::{self, Owner};
use crate::config::LiveTunables;
use crate::core::caller::{Caller, Via};
use crate::core::ports::Identify;
use crate::core::rights::Accounts;
use async_trait::async_trait;
use rustix::net::getpeername;
use std::net::SocketAddr;
use std::os::fd::BorrowedFd;
use std::sync::Arc;

/// Whom a listener over TCP trusts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Trust {
    /// Whoever can connect from another machine, and the users of this one who are known.
    #[default]
    Peers,
    /// The same, and users of this machine who are not known are expected: they are nobody, without
    /// a message.
    Anyone,
    /// Nobody: callers have to log in first.
    Nobody,
}

/// Tells who callers are by their connections.
///
/// The kernel tells the user of a connection within this machine. The user of an account is that
/// user. Root, the daemon's own user and the configured ones are operators. On a host without
/// accounts, so is everybody whom the permissions of a unix socket let in. Others are nobody.
#[derive(Debug)]
pub struct Identities {
    accounts: Arc<Accounts>,
    tunables: LiveTunables,
    own_uid: u32,
}

impl Identities {
    /// Identities by these accounts, and by the users of this machine that `tunables` have at the
    /// time of a connection.
    pub fn new(accounts: Arc<Accounts>, tunables: LiveTunables) -> Self {
        Self { accounts, tunables, own_uid: rustix::process::geteuid().as_raw() }
    }

    /// The caller of a connection that a listener with this trust has accepted.
    pub(in crate::server) async fn identify(
        &self,
        via: Via,
        connection: BorrowedFd<'_>,
        trust: Trust,
    ) -> Caller {
        match (&via, trust) {
            (Via::Tcp { peer, local, .. }, Trust::Peers | Trust::Anyone) => {
                let ends = (*peer, *local);
                self.of_peer(via, connection, ends, trust).await
            }
            // The wire between hosts tells who its callers are.
            (Via::Tcp { .. }, Trust::Nobody) | (Via::Peer { .. }, _) => Caller::nobody(via),
            (Via::Unix { uid: Some(uid), .. }, _) => {
                let uid = *uid;
                self.of_user(via, uid)
            }
            (Via::Unix { uid: None, .. }, _) if self.accounts.are_in_use() => Caller::nobody(via),
            (Via::Unix { uid: None, .. } | Via::Internal, _) => Caller::operator(via),
        }
    }

    /// The caller of a connection that is trusted unless it comes from this machine.
    async fn of_peer(
        &self,
        via: Via,
        connection: BorrowedFd<'_>,
        (peer, local): (SocketAddr, SocketAddr),
        trust: Trust,
    ) -> Caller {
        if self.tunables.load().trust_loopback {
            return Caller::operator(via);
        }
        let owner = owner::find(peer, local).await;
        if getpeername(connection).is_err() {
            // It has been reset: the owner can be that of another connection.
            return Caller::nobody(via);
        }
        match owner {
            Owner::User(uid) if trust == Trust::Anyone => {
                self.known_user(&via, uid).unwrap_or_else(|| Caller::nobody(via))
            }
            Owner::User(uid) => self.of_user(via, uid),
            Owner::NotLocal if !peer.ip().to_canonical().is_loopback() => Caller::operator(via),
            Owner::NotLocal | Owner::Closed => Caller::nobody(via),
        }
    }

    /// The caller that a user of this machine is.
    fn of_user(&self, via: Via, uid: u32) -> Caller {
        self.known_user(&via, uid).unwrap_or_else(|| {
            tracing::warn!(%via, "User {uid} of this machine is not trusted: see xend-trusted-users");
            Caller::nobody(via)
        })
    }

    /// The same for a user who is somebody. The account of a user counts first.
    fn known_user(&self, via: &Via, uid: u32) -> Option<Caller> {
        if let Some(user) = self.accounts.by_uid(uid) {
            return Some(Caller::of_user(via.clone(), user));
        }
        let is_trusted =
            uid == 0 || uid == self.own_uid || self.tunables.load().trusted_users.contains(&uid);
        // The account of a user can be missing by mistake, so that it says something only where
        // nobody has one.
        let is_let_in = matches!(via, Via::Unix { .. }) && !self.accounts.are_in_use();
        (is_trusted || is_let_in).then(|| Caller::operator(via.clone()))
    }
}

#[async_trait]
impl Identify for Identities {
    async fn caller(&self, via: Via, connection: BorrowedFd<'_>) -> Caller {
        self.identify(via, connection, Trust::Peers).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Tunables;
    use crate::core::caller::Principal;
    use crate::core::rights::{Access, Account, Credential};
    use arc_swap::ArcSwap;
    use std::net::{TcpListener, TcpStream};
    use std::os::fd::AsFd as _;
    use std::os::unix::net::UnixStream;
    use std::time::Duration;

    /// Identities with the account `steve` of this uid.
    fn identities(account_uid: u32, tunables: Tunables) -> Identities {
        let accounts = Accounts::default();
        let steve = Account {
            name: "steve".to_owned(),
            credential: Credential::None,
            uids: vec![account_uid],
            access: Access::default(),
        };
        accounts.replace(vec![steve], None);
        Identities::new(Arc::new(accounts), Arc::new(ArcSwap::from_pointee(tunables)))
    }

    fn tcp(peer: SocketAddr, local: SocketAddr) -> Via {
        Via::Tcp { peer, local, encrypted: false }
    }

    fn somewhere() -> SocketAddr {
        SocketAddr::from(([192, 0, 2, 7], 4711))
    }

    fn name(caller: &Caller) -> Option<&str> {
        caller.user().map(|user| user.name())
    }

    #[tokio::test]
    async fn a_listener_with_a_login_trusts_nobody() {
        let via = tcp(somewhere(), somewhere());
        let open = Tunables { trust_loopback: true, ..Tunables::default() };
        let identities = identities(7, open);
        let connection = std::io::stderr();
        let caller = identities.identify(via, connection.as_fd(), Trust::Nobody).await;
        assert_eq!(caller.principal, Principal::Nobody);
    }

    #[tokio::test]
    async fn a_unix_socket_lets_in_everybody_until_there_are_accounts() {
        let tunables = Tunables { trusted_users: vec![8], ..Tunables::default() };
        let identities = Identities { own_uid: 6, ..identities(7, tunables.clone()) };
        let live = Arc::new(ArcSwap::from_pointee(tunables));
        let without_accounts = Identities::new(Arc::default(), live);
        let (connection, _client) = UnixStream::pair().unwrap();
        for trust in [Trust::Peers, Trust::Nobody] {
            let caller = async |identities: &Identities, uid: Option<u32>| {
                let via = Via::Unix { uid, pid: None };
                identities.identify(via, connection.as_fd(), trust).await
            };
            assert_eq!(name(&caller(&identities, Some(7)).await), Some("steve"));
            for uid in [0, 6, 8].map(Some) {
                let principal = caller(&identities, uid).await.principal;
                assert_eq!(principal, Principal::Operator, "{uid:?}");
            }
            for uid in [Some(9), None] {
                let with = caller(&identities, uid).await.principal;
                let without = caller(&without_accounts, uid).await.principal;
                assert_eq!((with, without), (Principal::Nobody, Principal::Operator), "{uid:?}");
            }
        }
        identities.accounts.replace(vec![], None);
        let via = Via::Unix { uid: Some(7), pid: None };
        assert_eq!(identities.of_user(via, 7).principal, Principal::Nobody, "the account went");
    }

    #[tokio::test]
    async fn the_kernel_tells_who_connects_over_loopback() {
        let own_uid = rustix::process::geteuid().as_raw();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let accepted = listener.accept().unwrap().0;
        let via = tcp(accepted.peer_addr().unwrap(), accepted.local_addr().unwrap());
        let caller =
            async |identities: &Identities| identities.caller(via.clone(), accepted.as_fd()).await;
        let own = identities(u32::MAX, Tunables::default());
        assert_eq!(caller(&own).await.principal, Principal::Operator);
        let with_account = identities(own_uid, Tunables::default());
        assert_eq!(name(&caller(&with_account).await), Some("steve"));
        let anyone = async |identities: &Identities| {
            identities.identify(via.clone(), accepted.as_fd(), Trust::Anyone).await
        };
        assert_eq!(anyone(&own).await.principal, Principal::Operator);
        assert_eq!(name(&anyone(&with_account).await), Some("steve"));
        drop(client);
        assert_eq!(caller(&own).await.principal, Principal::Nobody, "it has gone");
        let open = identities(u32::MAX, Tunables { trust_loopback: true, ..Tunables::default() });
        assert_eq!(caller(&open).await.principal, Principal::Operator);
    }

    #[tokio::test]
    async fn a_connection_that_was_reset_is_nobodys() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let accepted = listener.accept().unwrap().0;
        let local = accepted.local_addr().unwrap();
        rustix::net::sockopt::set_socket_linger(&client, Some(Duration::ZERO)).unwrap();
        drop(client);
        // As if another connection had the addresses now, from another machine.
        let via = tcp(somewhere(), local);
        let caller = identities(7, Tunables::default()).caller(via, accepted.as_fd()).await;
        assert_eq!(caller.principal, Principal::Nobody);
    }

    #[test]
    fn users_of_this_machine_are_operators_if_they_are_trusted() {
        let trusted = Tunables { trusted_users: vec![8, 7], ..Tunables::default() };
        let identities = Identities { own_uid: 6, ..identities(7, trusted) };
        let of_user = |uid| identities.of_user(tcp(somewhere(), somewhere()), uid);
        for uid in [0, 6, 8] {
            assert_eq!(of_user(uid).principal, Principal::Operator, "{uid}");
        }
        assert_eq!(name(&of_user(7)), Some("steve"), "an account counts first");
        assert_eq!(of_user(9).principal, Principal::Nobody);
    }
}
