//! Places that are bounded in all and for each address.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What counts as one client: an IPv4 address, or a /64 network of IPv6, since a single machine has
/// all addresses of such a network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct AddressGroup(IpAddr);

impl AddressGroup {
    /// The group of an address. An IPv4 address that is written as an IPv6 one is an IPv4 address.
    pub fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V6(v6) if !v6.is_loopback() => {
                let network = v6.to_bits() & !u128::from(u64::MAX);
                Self(Ipv6Addr::from_bits(network).into())
            }
            other => Self(other),
        }
    }
}

/// How many places there are, and how many of them one client may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ShareLimits {
    total: usize,
    each: usize,
}

impl ShareLimits {
    /// `total` places, of which one client may take `each`.
    pub const fn new(total: usize, each: usize) -> Self {
        Self { total, each }
    }

    /// `total` places, of which one client may take a quarter, but at least one.
    pub fn quarter_of(total: usize) -> Self {
        Self::new(total, (total / 4).max(1))
    }

    /// The number of all places.
    pub(super) const fn total(self) -> usize {
        self.total
    }

    /// The share of a client. Clients on this machine may take all places: a proxy that serves many
    /// others is one of them.
    pub(super) fn share_of(self, group: AddressGroup) -> usize {
        if group.0.is_loopback() { self.total } else { self.each.min(self.total) }
    }
}

/// Why there is no place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Full {
    /// All places are taken.
    Total,
    /// The client has its share.
    Share,
}

/// Places that are bounded in all and for each client; clones share them.
#[derive(Debug, Clone)]
pub struct Shares {
    limits: ShareLimits,
    taken: Arc<Mutex<Taken>>,
}

#[derive(Debug, Default)]
struct Taken {
    total: usize,
    by_group: HashMap<AddressGroup, usize>,
}

impl Shares {
    /// Places within these limits.
    pub fn new(limits: ShareLimits) -> Self {
        Self { limits, taken: Arc::default() }
    }

    /// Takes a place, without waiting for one. A client without an address, on a unix socket, has
    /// no share of its own.
    pub fn take(&self, address: Option<IpAddr>) -> Result<Share, Full> {
        let group = address.map(AddressGroup::of);
        let mut taken = lock(&self.taken);
        if let Some(group) = group {
            let own = taken.by_group.get(&group).copied().unwrap_or_default();
            if own >= self.limits.share_of(group) {
                return Err(if own < self.limits.total { Full::Share } else { Full::Total });
            }
        }
        if taken.total >= self.limits.total {
            return Err(Full::Total);
        }
        taken.total += 1;
        if let Some(group) = group {
            *taken.by_group.entry(group).or_default() += 1;
        }
        Ok(Share { group, taken: Arc::clone(&self.taken) })
    }
}

/// A place, which is returned when dropped.
#[derive(Debug)]
pub struct Share {
    group: Option<AddressGroup>,
    taken: Arc<Mutex<Taken>>,
}

impl Share {
    /// The client that has it; `None` on a unix socket.
    pub fn group(&self) -> Option<AddressGroup> {
        self.group
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let mut taken = lock(&self.taken);
        taken.total = taken.total.saturating_sub(1);
        let Some(group) = self.group else { return };
        if let Some(own) = taken.by_group.get_mut(&group) {
            *own = own.saturating_sub(1);
            if *own == 0 {
                taken.by_group.remove(&group);
            }
        }
    }
}

fn lock(taken: &Mutex<Taken>) -> MutexGuard<'_, Taken> {
    taken.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn one_address_takes_its_share_and_others_the_rest() {
        let shares = Shares::new(ShareLimits::quarter_of(8));
        let one = [(); 2].map(|()| shares.take(Some(address("192.0.2.1"))).unwrap());
        assert_eq!(shares.take(Some(address("192.0.2.1"))).unwrap_err(), Full::Share);
        assert_eq!(shares.take(Some(address("::ffff:192.0.2.1"))).unwrap_err(), Full::Share);
        let others: Vec<_> =
            (2..8).map(|n| shares.take(Some(address(&format!("192.0.2.{n}")))).unwrap()).collect();
        assert_eq!(shares.take(Some(address("192.0.2.9"))).unwrap_err(), Full::Total);
        assert_eq!(shares.take(None).unwrap_err(), Full::Total);
        drop(one);
        assert!(shares.take(Some(address("192.0.2.1"))).is_ok());
        drop(others);
        assert!(lock(&shares.taken).by_group.is_empty(), "nothing is kept of clients that left");
    }

    #[test]
    fn a_network_of_ipv6_is_one_client() {
        let shares = Shares::new(ShareLimits::new(8, 1));
        let _one = shares.take(Some(address("2001:db8::1"))).unwrap();
        assert_eq!(shares.take(Some(address("2001:db8::ffff:1"))).unwrap_err(), Full::Share);
        assert!(shares.take(Some(address("2001:db8:0:1::1"))).is_ok());
    }

    #[test]
    fn loopback_and_unix_sockets_may_take_all() {
        for client in ["127.0.0.1", "::1", "::ffff:127.0.0.1"]
            .map(address)
            .map(Some)
            .into_iter()
            .chain([None])
        {
            let shares = Shares::new(ShareLimits::quarter_of(4));
            let all = [(); 4].map(|()| shares.take(client).unwrap());
            assert_eq!(shares.take(client).unwrap_err(), Full::Total);
            assert_eq!(all[0].group(), client.map(AddressGroup::of));
        }
    }
}
