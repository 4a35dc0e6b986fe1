//! What a guest reports about itself.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::SystemTime;

/// What an agent inside the guest has written into XenStore. The texts are the guest's own: they
/// are printable and short, and nothing more is known of them.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct GuestReport {
    /// The guest's own name.
    pub host_name: Option<String>,
    /// `name`, `uname`, `distro`, `major`, `minor`.
    pub os: BTreeMap<String, String>,
    /// The version of the agent: `major`, `minor`, `micro`, `build`.
    pub agent_version: BTreeMap<String, String>,
    /// In the order of the interfaces, IPv4 first.
    pub addresses: Vec<GuestAddress>,
    pub memory: Option<GuestMemory>,
    /// Nodes below `control`, and below `feature` as `feature/hotplug/vif`: what the guest can do.
    pub other: BTreeMap<String, String>,
    /// The time at which the host read it.
    pub updated: SystemTime,
}

/// An address of a network interface in the guest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct GuestAddress {
    /// The number of the vif.
    pub vif: u32,
    /// The number of the address among those of its family.
    pub index: u32,
    pub address: IpAddr,
}

/// The guest's own view of its memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct GuestMemory {
    pub total_kib: u64,
    /// What new programs can have.
    pub free_kib: u64,
}

impl GuestReport {
    /// The addresses that other hosts can reach: neither loopback nor link-local ones.
    pub fn reachable(&self) -> impl Iterator<Item = IpAddr> {
        let is_local = |address: &IpAddr| match address {
            IpAddr::V4(address) => address.is_loopback() || address.is_link_local(),
            IpAddr::V6(address) => address.is_loopback() || address.is_unicast_link_local(),
        };
        self.addresses.iter().map(|one| one.address).filter(move |address| !is_local(address))
    }

    /// Whether the reports differ in anything but the time and the memory, which change all the
    /// time.
    pub fn differs_from(&self, other: &Self) -> bool {
        let Self {
            host_name,
            os,
            agent_version,
            addresses,
            memory: _,
            other: features,
            updated: _,
        } = self;
        *host_name != other.host_name
            || *os != other.os
            || *agent_version != other.agent_version
            || *addresses != other.addresses
            || *features != other.other
    }
}
