//! What each interface is to have, in the form that the writers need.

use std::fmt::{self, Display, Formatter};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use xend_guest_protocol::network::{Address, Interface as Settings, Mac, Route as RouteSettings};

/// What an interface of the guest is to have. All of it is safe in any file: a checked name, and
/// otherwise numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interface {
    /// The name in the running system: letters, digits, `.`, `_` and `-`.
    pub name: String,
    pub mac: Mac,
    pub v4: Addressing,
    pub v6: Addressing,
    /// Name servers of both families.
    pub dns: Vec<IpAddr>,
}

/// What an interface has of one family.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Addressing {
    /// The first one is the main address. Without addresses there is neither gateway nor route.
    pub addresses: Vec<Subnet>,
    /// The default gateway.
    pub gateway: Option<IpAddr>,
    /// The routes beside the default one, in the order in which they can be set.
    pub routes: Vec<Route>,
}

/// An address with the length of its network's prefix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Subnet {
    pub ip: IpAddr,
    pub prefix: u8,
}

/// A route beside the default one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Route {
    /// Bits beyond the prefix are 0.
    pub destination: Subnet,
    /// `None`: what is there is on the link itself.
    pub gateway: Option<IpAddr>,
}

impl Interface {
    /// The plan for the interface `name`, which is checked already. `None` if the settings have no
    /// enabled address.
    pub fn new(name: String, settings: &Settings) -> Option<Self> {
        let gateway = settings.gateway.map(IpAddr::V4);
        let v4 = Addressing::new(settings, IpAddr::is_ipv4, gateway);
        let gateway = settings.gateway_v6.map(IpAddr::V6);
        let v6 = Addressing::new(settings, IpAddr::is_ipv6, gateway);
        if v4.addresses.is_empty() && v6.addresses.is_empty() {
            return None;
        }
        Some(Self { name, mac: settings.mac, v4, v6, dns: settings.dns.clone() })
    }

    /// An interface of which nothing is known but its name, which is checked already, and its MAC.
    pub fn named(name: String, mac: Mac) -> Self {
        let none = Addressing::default;
        Self { name, mac, v4: none(), v6: none(), dns: Vec::new() }
    }

    /// Both families that have addresses, IPv4 first.
    pub fn families(&self) -> impl Iterator<Item = &Addressing> {
        [&self.v4, &self.v6].into_iter().filter(|family| !family.addresses.is_empty())
    }

    /// The addresses of both families.
    pub fn addresses(&self) -> impl Iterator<Item = Subnet> {
        self.families().flat_map(|family| family.addresses.iter().copied())
    }
}

impl Addressing {
    fn new(
        settings: &Settings,
        is_of_family: impl Fn(&IpAddr) -> bool,
        gateway: Option<IpAddr>,
    ) -> Self {
        let addresses = settings.addresses.iter().filter(|address| is_of_family(&address.ip));
        let subnet = |address: &Address| Subnet { ip: address.ip, prefix: address.prefix };
        let mut new = Self { addresses: addresses.map(subnet).collect(), ..Self::default() };
        if new.addresses.is_empty() {
            return new;
        }
        new.gateway = gateway;
        let routes = settings.routes.iter().filter(|route| is_of_family(&route.destination));
        let routes: Vec<Route> = routes.map(Route::new).collect();
        // Gateways outside of the networks need routes of their own, before those that use them.
        let gateways = gateway.into_iter().chain(routes.iter().filter_map(|route| route.gateway));
        let outside: Vec<IpAddr> = gateways.filter(|gateway| !new.reaches(*gateway)).collect();
        for gateway in outside {
            let direct = Route { destination: Subnet::host(gateway), gateway: None };
            if !new.routes.contains(&direct) {
                new.routes.push(direct);
            }
        }
        for route in routes {
            if !new.routes.contains(&route) {
                new.routes.push(route);
            }
        }
        new
    }

    /// Whether a gateway is in one of the interface's networks, or on any link.
    pub fn reaches(&self, gateway: IpAddr) -> bool {
        let is_link_local =
            matches!(gateway, IpAddr::V6(gateway) if gateway.is_unicast_link_local());
        is_link_local || self.addresses.iter().any(|subnet| subnet.contains(gateway))
    }
}

impl Route {
    /// The default route.
    pub fn default(gateway: IpAddr) -> Self {
        let ip: IpAddr = match gateway {
            IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
            IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
        };
        Self { destination: Subnet { ip, prefix: 0 }, gateway: Some(gateway) }
    }

    fn new(route: &RouteSettings) -> Self {
        let destination = Subnet { ip: route.destination, prefix: route.prefix };
        Self { destination, gateway: route.gateway }
    }
}

impl Subnet {
    /// The network of this address alone.
    fn host(ip: IpAddr) -> Self {
        Self { ip, prefix: if ip.is_ipv4() { 32 } else { 128 } }
    }

    /// Whether `other` is in the address's network.
    pub fn contains(self, other: IpAddr) -> bool {
        let common = match (self.ip, other) {
            (IpAddr::V4(ip), IpAddr::V4(other)) => (ip.to_bits() ^ other.to_bits()).leading_zeros(),
            (IpAddr::V6(ip), IpAddr::V6(other)) => (ip.to_bits() ^ other.to_bits()).leading_zeros(),
            _ => return false,
        };
        common >= u32::from(self.prefix)
    }

    /// The netmask of an IPv4 network: `255.255.255.0`; of an IPv6 one, the prefix's length.
    pub fn netmask(self) -> String {
        let Self { ip, prefix } = self;
        match ip {
            IpAddr::V4(_) => Address { ip, prefix }.netmask().to_string(),
            IpAddr::V6(_) => prefix.to_string(),
        }
    }
}

/// `203.0.113.10/24`
impl Display for Subnet {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.ip, self.prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subnet(ip: &str, prefix: u8) -> Subnet {
        Subnet { ip: ip.parse().unwrap(), prefix }
    }

    #[test]
    fn a_network_contains_what_has_its_prefix() {
        let contains = |subnet: Subnet, other: &str| subnet.contains(other.parse().unwrap());
        assert!(contains(subnet("203.0.113.10", 24), "203.0.113.1"));
        assert!(!contains(subnet("203.0.113.10", 25), "203.0.113.129"));
        assert!(contains(subnet("203.0.113.10", 32), "203.0.113.10"));
        assert!(!contains(subnet("203.0.113.10", 32), "203.0.113.11"));
        assert!(contains(subnet("0.0.0.0", 0), "203.0.113.11"));
        assert!(contains(subnet("2001:db8::10", 64), "2001:db8::1"));
        assert!(!contains(subnet("2001:db8::10", 64), "2001:db8:0:1::1"));
        assert!(!contains(subnet("0.0.0.0", 0), "::1"));
    }

    #[test]
    fn netmasks_are_in_the_words_of_files() {
        let masks = [(0, "0.0.0.0"), (12, "255.240.0.0"), (24, "255.255.255.0")];
        for (prefix, mask) in masks {
            assert_eq!(subnet("0.0.0.0", prefix).netmask(), mask);
        }
        assert_eq!(subnet("203.0.113.10", 32).netmask(), "255.255.255.255");
        assert_eq!(subnet("2001:db8::", 64).netmask(), "64");
    }

    #[test]
    fn gateways_outside_of_the_networks_get_routes_of_their_own_first() {
        let mut settings = Settings::new(Mac([0; 6]));
        let ip = "203.0.113.10".parse().unwrap();
        settings.addresses.push(Address { ip, prefix: 24 });
        settings.gateway = Some(Ipv4Addr::new(198, 51, 100, 1));
        // Without addresses of its family, it leads nowhere.
        settings.gateway_v6 = Some(Ipv6Addr::LOCALHOST);
        let route = |destination: &str, prefix, gateway: &str| RouteSettings {
            destination: destination.parse().unwrap(),
            prefix,
            gateway: Some(gateway.parse().unwrap()),
        };
        settings.routes.push(route("10.0.0.0", 8, "203.0.113.2"));
        settings.routes.push(route("192.168.0.0", 16, "198.51.100.1"));
        let plan = Interface::new("eth0".to_owned(), &settings).unwrap();
        assert_eq!(plan.v6, Addressing::default());
        let destinations: Vec<String> =
            plan.v4.routes.iter().map(|route| route.destination.to_string()).collect();
        assert_eq!(destinations, ["198.51.100.1/32", "10.0.0.0/8", "192.168.0.0/16"]);
        assert_eq!(plan.v4.routes[0].gateway, None);
    }
}
