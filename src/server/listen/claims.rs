//! What listeners take for themselves: two cannot have one port or path, and a port needs an
//! address that this machine has.

use crate::config::{Diagnostic, ListenAddress, Position};
use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};

/// What a listener takes for itself.
pub(super) struct Claim {
    /// The listener, for messages.
    pub(super) name: String,
    pub(super) address: ListenAddress,
    /// The key of its IP address.
    pub(super) address_key: &'static str,
    /// The key of its port or path.
    pub(super) port_key: &'static str,
    /// The position of that key; `None` when the listener is not the file's.
    pub(super) position: Option<Position>,
}

impl Claim {
    /// An error for each listener that wants what an earlier one has.
    pub(super) fn conflicts(claims: &[Self]) -> Vec<Diagnostic> {
        let later = claims.iter().enumerate();
        let conflict = |(at, claim): (usize, &Self)| {
            let earlier = claims.get(..at)?.iter().find(|other| other.excludes(claim))?;
            let what = match claim.address {
                ListenAddress::Tcp(_) => "port",
                ListenAddress::Unix(_) => "path",
            };
            let message = format!(
                "{} is not served: {} has the same {what}, choose another one, see {}",
                claim.name, earlier.name, claim.port_key
            );
            Some(Diagnostic::error_at(claim.position.as_ref(), message))
        };
        later.filter_map(conflict).collect()
    }

    /// A warning about an address that no interface of this machine has: it may have it later.
    pub(super) fn missing_address(&self) -> Option<Diagnostic> {
        let ListenAddress::Tcp(address) = self.address else { return None };
        let ip = address.ip();
        if is_here(ip) {
            return None;
        }
        let message = format!(
            "{} is not served as long as no interface of this machine has {ip}: ip -br address \
             lists what they have, see {}",
            self.name, self.address_key
        );
        Some(Diagnostic::warning_at(self.position.as_ref(), message))
    }

    fn excludes(&self, other: &Self) -> bool {
        match (&self.address, &other.address) {
            (ListenAddress::Tcp(one), ListenAddress::Tcp(other)) => share_a_port(*one, *other),
            (ListenAddress::Unix(one), ListenAddress::Unix(other)) => one.path == other.path,
            _ => false,
        }
    }
}

/// Whether only one of two ports can be had. `::` is all addresses, those of IPv4 included.
fn share_a_port(one: SocketAddr, other: SocketAddr) -> bool {
    let one_ip = one.ip().to_canonical();
    let other_ip = other.ip().to_canonical();
    let covers = |all: IpAddr, ip: IpAddr| {
        all.is_unspecified() && (all.is_ipv6() || ip.is_ipv4() || ip.is_unspecified())
    };
    // The kernel chooses another port for each 0.
    one.port() == other.port()
        && one.port() != 0
        && (one_ip == other_ip || covers(one_ip, other_ip) || covers(other_ip, one_ip))
}

/// Whether this machine has an address. A datagram socket on it disturbs nobody.
fn is_here(ip: IpAddr) -> bool {
    let bound = UdpSocket::bind((ip, 0));
    !bound.is_err_and(|error| error.kind() == io::ErrorKind::AddrNotAvailable)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_one_listeners() {
        for (one, other, expected) in [
            ("127.0.0.1:80", "127.0.0.1:80", true),
            ("127.0.0.1:80", "127.0.0.1:81", false),
            ("127.0.0.1:0", "127.0.0.1:0", false),
            ("127.0.0.1:80", "127.0.0.2:80", false),
            ("0.0.0.0:80", "127.0.0.1:80", true),
            ("127.0.0.1:80", "[::]:80", true),
            ("[::]:80", "0.0.0.0:80", true),
            ("[::1]:80", "0.0.0.0:80", false),
            ("[::1]:80", "[::]:80", true),
            ("[::ffff:127.0.0.1]:80", "127.0.0.1:80", true),
        ] {
            let share = |a: &str, b: &str| share_a_port(a.parse().unwrap(), b.parse().unwrap());
            assert_eq!(
                (share(one, other), share(other, one)),
                (expected, expected),
                "{one} {other}"
            );
        }
    }

    #[test]
    fn loopback_is_here_and_the_addresses_of_examples_are_not() {
        for (ip, expected) in [("127.0.0.1", true), ("0.0.0.0", true), ("203.0.113.77", false)] {
            assert_eq!(is_here(ip.parse().unwrap()), expected, "{ip}");
        }
    }
}
