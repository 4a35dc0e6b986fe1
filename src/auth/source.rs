//! Where logins come from.

use crate::core::caller::Via;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Where a login comes from, as far as failures are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Source {
    Ipv4(Ipv4Addr),
    /// The first 64 bits of an IPv6 address: one customer of a provider has all of the others.
    Ipv6Net(u64),
    /// A user of this machine.
    Uid(Option<u32>),
    /// The daemon itself.
    Internal,
}

impl From<&Via> for Source {
    fn from(via: &Via) -> Self {
        match via {
            Via::Tcp { peer, .. } => match peer.ip().to_canonical() {
                IpAddr::V4(ip) => Self::Ipv4(ip),
                IpAddr::V6(ip) => Self::Ipv6Net(net_of(ip)),
            },
            Via::Unix { uid, .. } => Self::Uid(*uid),
            // Nobody logs in through another host.
            Via::Peer { .. } | Via::Internal => Self::Internal,
        }
    }
}

fn net_of(ip: Ipv6Addr) -> u64 {
    u64::try_from(ip.to_bits() >> 64).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(peer: &str) -> Source {
        let peer = format!("{peer}:4711").parse().unwrap();
        Source::from(&Via::Tcp { peer, local: peer, encrypted: false })
    }

    #[test]
    fn an_ipv6_network_is_one_source() {
        assert_eq!(source("[2001:db8::1]"), source("[2001:db8::ffff:1]"));
        assert_ne!(source("[2001:db8::1]"), source("[2001:db8:0:1::1]"));
        assert_eq!(source("[::ffff:192.0.2.1]"), source("192.0.2.1"));
        assert_ne!(source("192.0.2.1"), source("192.0.2.2"));
        let unix = |uid| Source::from(&Via::Unix { uid: Some(uid), pid: None });
        assert_ne!(unix(1000), unix(1001));
    }
}
