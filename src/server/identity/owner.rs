//! The local user at the other end of a TCP connection.
//!
//! The kernel's table of sockets has both ends of a connection within this machine, and the user of
//! each. Only a socket that a process still has open tells a user: a closed one is listed as root's
//! until it has gone. And the kernel, asked for a connection that has gone, may answer with a
//! socket that merely listens on the same port: that one belongs to somebody else.

use super::socket::Socket;
use super::{proc_net, sock_diag};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

/// Time limit of the slow way.
const SLOW_LIMIT: Duration = Duration::from_secs(2);

/// Whether the kernel has ever found a socket by netlink. If it lacks the module for that, it knows
/// no socket at all.
static NETLINK_WORKS: AtomicBool = AtomicBool::new(false);

/// Who has the other end of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Owner {
    /// A process of this local user.
    User(u32),
    /// Nobody any more: it is on this machine and closed.
    Closed,
    /// No socket of this machine is the other end.
    NotLocal,
}

/// Finds who has the other end of the connection from `peer` to this daemon's address `local`.
///
/// The answer is about the connection only if the connection still stands afterwards: once it has
/// been reset, its addresses are free for a connection of another user.
pub(super) async fn find(peer: SocketAddr, local: SocketAddr) -> Owner {
    let peer = canonical(peer);
    let local = canonical(local);
    match find_fast(peer, local) {
        Ok(Some(owner)) => return owner,
        Ok(None) => {}
        Err(error) => tracing::debug!("Netlink tells nothing about sockets: {error}"),
    }
    // This takes longer the more connections the machine has.
    let search = spawn_blocking(move || {
        let other_end = proc_net::find(peer, local)?;
        // Without the daemon's own end, the connection has gone.
        let stands = other_end.is_some() || proc_net::find(local, peer)?.is_some();
        io::Result::Ok((other_end, stands))
    });
    match timeout(SLOW_LIMIT, search).await {
        Ok(Ok(Ok((socket, true)))) => owner_of(socket, peer, local),
        Ok(Ok(Err(error))) => {
            tracing::error!("Cannot find out which user connects over loopback: {error}");
            Owner::Closed
        }
        Ok(Ok(Ok((_, false))) | Err(_)) | Err(_) => Owner::Closed,
    }
}

/// Finds the owner by netlink, which takes some microseconds; `None` if that does not work here.
fn find_fast(peer: SocketAddr, local: SocketAddr) -> io::Result<Option<Owner>> {
    let other_end = sock_diag::find(peer, local)?;
    // The daemon's own end is found even if the other one is on another machine.
    if other_end.is_some() || sock_diag::find(local, peer)?.is_some() {
        NETLINK_WORKS.store(true, Ordering::Relaxed);
        return Ok(Some(owner_of(other_end, peer, local)));
    }
    Ok(NETLINK_WORKS.load(Ordering::Relaxed).then_some(Owner::Closed))
}

/// What a socket says about the other end of the connection.
fn owner_of(found: Option<Socket>, peer: SocketAddr, local: SocketAddr) -> Owner {
    let is_other_end =
        |socket: &Socket| same(socket.source, peer) && same(socket.destination, local);
    match found.filter(is_other_end) {
        Some(socket) if socket.is_open() => Owner::User(socket.uid),
        Some(_) => Owner::Closed,
        None => Owner::NotLocal,
    }
}

/// Whether both are one address; IPv6 scopes and flow labels do not count.
fn same(one: SocketAddr, other: SocketAddr) -> bool {
    one.ip().to_canonical() == other.ip().to_canonical() && one.port() == other.port()
}

/// An IPv4 address that a socket for both protocols shows as an IPv6 one is an IPv4 address.
fn canonical(address: SocketAddr) -> SocketAddr {
    match address.ip().to_canonical() {
        ip @ IpAddr::V4(_) => SocketAddr::new(ip, address.port()),
        IpAddr::V6(_) => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{Shutdown, TcpListener, TcpStream};
    use std::thread::sleep;
    use std::time::Instant;

    fn own_uid() -> u32 {
        rustix::process::geteuid().as_raw()
    }

    /// A connection to a listener on this address: the client's end and the daemon's.
    fn connection(listener: &TcpListener, ip: &str) -> (TcpStream, TcpStream) {
        let port = listener.local_addr().unwrap().port();
        let client = TcpStream::connect((ip, port)).unwrap();
        (client, listener.accept().unwrap().0)
    }

    fn ends(accepted: &TcpStream) -> (SocketAddr, SocketAddr) {
        (accepted.peer_addr().unwrap(), accepted.local_addr().unwrap())
    }

    /// Waits until the kernel has taken note of what the client did.
    async fn eventually(accepted: &TcpStream, owner: Owner) {
        let (peer, local) = ends(accepted);
        let deadline = Instant::now() + Duration::from_secs(10);
        while find(peer, local).await != owner {
            assert!(Instant::now() < deadline, "{owner:?}");
            sleep(Duration::from_millis(10));
        }
        let by_file = proc_net::find(canonical(peer), canonical(local)).unwrap();
        assert_eq!(owner_of(by_file, peer, local), owner, "/proc/net");
    }

    #[tokio::test]
    async fn the_user_is_known_while_the_client_has_the_connection() {
        for (bound, ip) in [
            ("127.0.0.1", "127.0.0.1"),
            ("0.0.0.0", "127.0.0.3"),
            ("::1", "::1"),
            ("::", "::1"),
            // A listener for both protocols sees ::ffff:127.0.0.1.
            ("::", "127.0.0.1"),
            ("::", "::ffff:127.0.0.1"),
        ] {
            let Ok(listener) = TcpListener::bind((bound, 0)) else {
                println!("SKIPPED: this machine has no {bound}");
                continue;
            };
            let (client, accepted) = connection(&listener, ip);
            eventually(&accepted, Owner::User(own_uid())).await;
            // It has sent everything, and waits for the answer.
            client.shutdown(Shutdown::Write).unwrap();
            eventually(&accepted, Owner::User(own_uid())).await;
            drop(client);
            eventually(&accepted, Owner::Closed).await;
        }
    }

    #[tokio::test]
    async fn a_listener_on_the_port_of_a_client_that_has_gone_is_not_the_client() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let replaced = || {
            let (client, accepted) = connection(&listener, "127.0.0.1");
            let (peer, local) = ends(&accepted);
            // A reset leaves nothing behind at either end.
            rustix::net::sockopt::set_socket_linger(&client, Some(Duration::ZERO)).unwrap();
            drop(client);
            // Others may have the port as well, for connections to somewhere else.
            let stranger = TcpListener::bind(peer).ok()?;
            Some((accepted, peer, local, stranger))
        };
        let (accepted, peer, local, _stranger) = (0..100).find_map(|_| replaced()).unwrap();
        assert_eq!(find(peer, local).await, Owner::NotLocal);
        assert!(accepted.peer_addr().is_err(), "the connection does not stand any more");
    }

    #[tokio::test]
    async fn an_end_without_a_socket_here_is_elsewhere() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (client, _accepted) = connection(&listener, "127.0.0.1");
        let here = client.local_addr().unwrap();
        let there = SocketAddr::from(([192, 0, 2, 7], 4711));
        assert_eq!(proc_net::find(there, here).unwrap(), None);
        assert_eq!(owner_of(None, there, here), Owner::NotLocal);
    }

    #[test]
    fn closed_sockets_and_those_of_others_tell_no_user() {
        let peer = SocketAddr::from(([127, 0, 0, 1], 4711));
        let local = SocketAddr::from(([127, 0, 0, 1], 8000));
        let open = Socket { source: peer, destination: local, state: 1, uid: 7, inode: 1 };
        let owner = |socket: Socket| owner_of(Some(socket), peer, local);
        assert_eq!(owner(open), Owner::User(7));
        // Of the states, 2 is the begin of a connection and 6 its end.
        for closed in
            [Socket { inode: 0, ..open }, Socket { state: 6, ..open }, Socket { state: 2, ..open }]
        {
            assert_eq!(owner(closed), Owner::Closed);
        }
        let listening = SocketAddr::from(([0, 0, 0, 0], 0));
        for other in [
            Socket { destination: listening, state: 10, ..open },
            Socket { source: local, destination: peer, ..open },
        ] {
            assert_eq!(owner(other), Owner::NotLocal);
        }
        assert_eq!(owner_of(None, peer, local), Owner::NotLocal);
    }
}
