//! Netmasks and prefixes.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// How many bits an address of this family has.
pub(super) fn bits(ip: IpAddr) -> u8 {
    match ip {
        IpAddr::V4(_) => 32,
        IpAddr::V6(_) => 128,
    }
}

/// The netmask of a prefix for the family of an address. A prefix with too many bits counts as all.
pub(super) fn netmask(family: IpAddr, prefix: u8) -> IpAddr {
    let hidden = u32::from(bits(family).saturating_sub(prefix));
    match family {
        IpAddr::V4(_) => Ipv4Addr::from_bits(u32::MAX.checked_shl(hidden).unwrap_or(0)).into(),
        IpAddr::V6(_) => Ipv6Addr::from_bits(u128::MAX.checked_shl(hidden).unwrap_or(0)).into(),
    }
}

/// The prefix of a netmask: none if ones follow zeros.
pub(super) fn from_netmask(mask: IpAddr) -> Option<u8> {
    let ones = match mask {
        IpAddr::V4(mask) => mask.to_bits().leading_ones(),
        IpAddr::V6(mask) => mask.to_bits().leading_ones(),
    };
    let prefix = u8::try_from(ones).ok()?;
    (netmask(mask, prefix) == mask).then_some(prefix)
}

/// The address of a network: the bits beyond the prefix are 0.
pub(super) fn network(ip: IpAddr, prefix: u8) -> IpAddr {
    match (ip, netmask(ip, prefix)) {
        (IpAddr::V4(ip), IpAddr::V4(mask)) => (ip & mask).into(),
        (IpAddr::V6(ip), IpAddr::V6(mask)) => (ip & mask).into(),
        // A netmask is of its address's family.
        _ => ip,
    }
}

/// The address that reaches all hosts of an IPv4 network.
pub(super) fn broadcast(ip: Ipv4Addr, prefix: u8) -> Ipv4Addr {
    match netmask(ip.into(), prefix) {
        IpAddr::V4(mask) => ip | !mask,
        IpAddr::V6(_) => ip,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn every_prefix_has_a_netmask_and_every_netmask_its_prefix() {
        for (family, bits) in [(ip("0.0.0.0"), 32), (ip("::"), 128)] {
            for prefix in 0..=bits {
                assert_eq!(from_netmask(netmask(family, prefix)), Some(prefix));
            }
        }
        assert_eq!(netmask(ip("10.0.0.1"), 12), ip("255.240.0.0"));
        assert_eq!(netmask(ip("10.0.0.1"), 200), ip("255.255.255.255"));
        assert_eq!(netmask(ip("::1"), 36), ip("ffff:ffff:f000::"));
    }

    #[test]
    fn a_netmask_has_no_ones_after_zeros() {
        for mask in ["255.0.255.0", "0.0.0.255", "255.255.255.1", "ffff::1", "::ffff"] {
            assert_eq!(from_netmask(ip(mask)), None, "{mask}");
        }
    }

    #[test]
    fn networks_and_broadcasts() {
        assert_eq!(network(ip("10.176.3.4"), 12), ip("10.176.0.0"));
        assert_eq!(network(ip("2001:db8::1"), 32), ip("2001:db8::"));
        assert_eq!(network(ip("10.1.2.3"), 0), ip("0.0.0.0"));
        assert_eq!(broadcast(Ipv4Addr::new(203, 0, 113, 10), 24).to_string(), "203.0.113.255");
    }
}
