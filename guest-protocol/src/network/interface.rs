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
        self.check_with(&Names::of(self))
    }

    /// The same; errors have the names that the fields have in JSON.
    pub(super) fn check_with(&self, names: &Names) -> Result<(), BadInterface> {
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
        for (address, name) in self.addresses.iter().zip(&names.addresses) {
            address.check(name)?;
        }
        for (route, name) in self.routes.iter().zip(&names.routes) {
            route.check(name)?;
        }
        for (server, name) in self.dns.iter().zip(&names.dns) {
            check_usable(*server, || name.clone())?;
        }
        self.check_gateways(names)
    }

    /// Whether the gateways can be other hosts.
    fn check_gateways(&self, names: &Names) -> Result<(), BadInterface> {
        if let Some(gateway) = self.gateway {
            self.check_gateway(gateway.into(), || "gateway".to_owned())?;
        }
        if let Some(gateway) = self.gateway_v6 {
            self.check_gateway(gateway.into(), || "gateway_v6".to_owned())?;
        }
        for (route, name) in self.routes.iter().zip(&names.routes) {
            if let Some(gateway) = route.gateway {
                self.check_gateway(gateway, || format!("{name}.gateway"))?;
            }
        }
        Ok(())
    }

    /// A gateway is another host. If it is in none of the interface's networks, it is on the link
    /// all the same: providers give guests a network of their own, and a gateway outside of it.
    fn check_gateway(
        &self,
        gateway: IpAddr,
        field: impl FnOnce() -> String,
    ) -> Result<(), BadInterface> {
        if self.addresses.iter().any(|address| address.ip == gateway) {
            return Err(BadInterface::new(field(), "is an address of the interface itself"));
        }
        let mut around = self.addresses.iter().filter(|address| address.has_in_network(gateway));
        let problem = around.find_map(|address| no_host(gateway, address.prefix));
        problem.map_or(Ok(()), |problem| Err(BadInterface::new(field(), problem)))
    }
}

/// What the items of an interface's lists are called in errors, in the lists' order.
pub(super) struct Names {
    pub(super) addresses: Vec<String>,
    pub(super) routes: Vec<String>,
    pub(super) dns: Vec<String>,
}

impl Names {
    /// The names that the items have in the JSON that the interface is written as.
    fn of(interface: &Interface) -> Self {
        let address = |(at, address): (usize, &Address)| {
            let is_ipv4 = address.ip.is_ipv4();
            let before = interface.addresses.iter().take(at);
            let index = before.filter(|other| other.ip.is_ipv4() == is_ipv4).count();
            format!("{}[{index}]", if is_ipv4 { "ips" } else { "ip6s" })
        };
        let numbered = |list: &str, count: usize| -> Vec<String> {
            (0..count).map(|index| format!("{list}[{index}]")).collect()
        };
        Self {
            addresses: interface.addresses.iter().enumerate().map(address).collect(),
            routes: numbered("routes", interface.routes.len()),
            dns: numbered("dns", interface.dns.len()),
        }
    }
}

impl Address {
    /// The netmask that the prefix stands for.
    pub fn netmask(&self) -> IpAddr {
        prefix::netmask(self.ip, self.prefix)
    }

    fn check(&self, field: &str) -> Result<(), BadInterface> {
        check_host(self.ip, || format!("{field}.ip"))?;
        check_prefix(self.ip, self.prefix, field)?;
        let problem = no_host(self.ip, self.prefix);
        problem.map_or(Ok(()), |problem| Err(BadInterface::new(format!("{field}.ip"), problem)))
    }

    /// Whether another address of the same family is in the address's network.
    fn has_in_network(&self, other: IpAddr) -> bool {
        prefix::network(self.ip, self.prefix) == prefix::network(other, self.prefix)
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
        IpAddr::V4(ip) if ip.octets().starts_with(&[0]) => "is in 0.0.0.0/8, which no host has",
        _ => return Ok(()),
    };
    Err(BadInterface::new(field(), problem))
}

/// Why no host can have an address in its network. A network of IPv4 with one or two addresses has
/// neither an address of its own nor one for broadcasts (RFC 3021); none of IPv6 has them.
fn no_host(ip: IpAddr, prefix: u8) -> Option<&'static str> {
    match ip {
        IpAddr::V4(v4) if prefix < 31 => {
            if prefix::network(ip, prefix) == ip {
                Some("is the address of its network, not of a host")
            } else if prefix::broadcast(v4, prefix) == v4 {
                Some("is the broadcast address of its network")
            } else {
                None
            }
        }
        IpAddr::V4(_) | IpAddr::V6(_) => None,
    }
}
