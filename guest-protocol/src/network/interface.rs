//! What the settings of an interface are, and which are valid.

use crate::network::mac::Mac;
use crate::network::prefix;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use thiserror::Error;

/// The longest label, in bytes.
pub const MAX_LABEL: usize = 255;

/// The settings of one interface of the guest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interface {
    /// By this address the guest finds its interface.
    pub mac: Mac,
    /// What the network is called, without control characters. Often empty.
    pub label: String,
    /// The default gateway for IPv4.
    pub gateway: Option<Ipv4Addr>,
    /// The default gateway for IPv6, often a link-local address.
    pub gateway_v6: Option<Ipv6Addr>,
    /// Addresses of both families. The first of a family is its main one.
    pub addresses: Vec<Address>,
    /// Routes of both families beside the default ones.
    pub routes: Vec<Route>,
    /// Name servers of both families.
    pub dns: Vec<IpAddr>,
}

/// An address of an interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Address {
    pub ip: IpAddr,
    /// How many bits of the address name its network, at least 1.
    pub prefix: u8,
}

/// A route beside the default ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Route {
    /// The network's address: bits beyond the prefix are 0.
    pub destination: IpAddr,
    /// How many bits of the address name the network, at least 1.
    pub prefix: u8,
    /// Of the same family. None: the network is reached without a gateway.
    pub gateway: Option<IpAddr>,
}

/// Why the settings of an interface are refused: `ips[0].netmask is missing`.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{field} {problem}")]
pub struct BadInterface {
    /// The name of the field in JSON: `ips[0].netmask`.
    pub field: String,
    /// What is wrong with it: `is missing`.
    pub problem: &'static str,
}

impl Interface {
    /// An interface without addresses.
    pub fn new(mac: Mac) -> Self {
        Self {
            mac,
            label: String::new(),
            gateway: None,
            gateway_v6: None,
            addresses: Vec::new(),
            routes: Vec::new(),
            dns: Vec::new(),
        }
    }

    /// Checks settings that a program has put together. What [`parse`](Self::parse) returns is
    /// valid.
    pub fn check(&self) -> Result<(), BadInterface> {
        if self.label.chars().any(char::is_control) {
            return Err(BadInterface::new("label", "has a control character"));
        }
        if self.label.len() > MAX_LABEL {
            return Err(BadInterface::new("label", "is longer than 255 bytes"));
        }
        if let Some(gateway) = self.gateway {
            check_host(gateway.into(), || "gateway".to_owned())?;
        }
        if let Some(gateway) = self.gateway_v6 {
            check_host(gateway.into(), || "gateway_v6".to_owned())?;
        }
        for (is_ipv4, list) in [(true, "ips"), (false, "ip6s")] {
            let of_family = self.addresses.iter().filter(|address| address.ip.is_ipv4() == is_ipv4);
            for (index, address) in of_family.enumerate() {
                address.check(&format!("{list}[{index}]"))?;
            }
        }
        for (index, route) in self.routes.iter().enumerate() {
            route.check(&format!("routes[{index}]"))?;
        }
        for (index, server) in self.dns.iter().enumerate() {
            check_usable(*server, || format!("dns[{index}]"))?;
        }
        Ok(())
    }
}

impl Address {
    /// The netmask that the prefix stands for.
    pub fn netmask(&self) -> IpAddr {
        prefix::netmask(self.ip, self.prefix)
    }

    fn check(&self, field: &str) -> Result<(), BadInterface> {
        check_host(self.ip, || format!("{field}.ip"))?;
        check_prefix(self.ip, self.prefix, field)
    }
}

impl Route {
    /// The netmask that the prefix stands for.
    pub fn netmask(&self) -> IpAddr {
        prefix::netmask(self.destination, self.prefix)
    }

    fn check(&self, field: &str) -> Result<(), BadInterface> {
        check_prefix(self.destination, self.prefix, field)?;
        if prefix::network(self.destination, self.prefix) != self.destination {
            return Err(BadInterface::new(format!("{field}.route"), "has bits beyond its netmask"));
        }
        let Some(gateway) = self.gateway else { return Ok(()) };
        let field = || format!("{field}.gateway");
        if gateway.is_ipv4() != self.destination.is_ipv4() {
            return Err(BadInterface::new(field(), "is not of the route's family"));
        }
        check_host(gateway, field)
    }
}

impl BadInterface {
    pub(super) fn new(field: impl Into<String>, problem: &'static str) -> Self {
        Self { field: field.into(), problem }
    }
}

fn check_prefix(ip: IpAddr, prefix: u8, field: &str) -> Result<(), BadInterface> {
    let problem = match prefix {
        0 => "is that of a default route",
        _ if prefix > prefix::bits(ip) => "has more bits than an address",
        _ => return Ok(()),
    };
    Err(BadInterface::new(format!("{field}.netmask"), problem))
}

/// An address that one host of a network can have.
fn check_host(ip: IpAddr, field: impl FnOnce() -> String) -> Result<(), BadInterface> {
    if ip.is_loopback() {
        return Err(BadInterface::new(field(), "is a loopback address"));
    }
    check_usable(ip, field)
}

/// An address that a packet can be sent to, on this host or another.
fn check_usable(ip: IpAddr, field: impl FnOnce() -> String) -> Result<(), BadInterface> {
    let problem = match ip {
        _ if ip.is_unspecified() => "is the unspecified address",
        _ if ip.is_multicast() => "is a multicast address",
        IpAddr::V4(Ipv4Addr::BROADCAST) => "is the broadcast address",
        _ => return Ok(()),
    };
    Err(BadInterface::new(field(), problem))
}
