//! Writes the JSON of an interface as old agents read it.

use crate::json;
use crate::network::interface::{Address, Interface, Route};
use crate::network::prefix;
use serde_json::{Map, Value, json};
use std::net::{IpAddr, Ipv4Addr};

impl Interface {
    /// The JSON of the interface, compact and in ASCII, as all known agents read it. The caller
    /// checks whether it fits beside its path, see
    /// [`max_host_value`](crate::limits::max_host_value).
    ///
    /// Of the agents before this one, none can read a route of IPv6.
    pub fn to_json(&self) -> String {
        let of_family = |is_ipv4: bool, gateway: Value| -> Vec<Value> {
            let addresses = self.addresses.iter().filter(|address| address.ip.is_ipv4() == is_ipv4);
            addresses.map(|address| address_json(*address, &gateway)).collect()
        };
        // An agent fails if one of these lacks, even where there is none.
        let mut fields = Map::from_iter([
            ("label".to_owned(), json!(self.label)),
            ("mac".to_owned(), json!(self.mac.to_string())),
            ("gateway".to_owned(), json!(self.gateway)),
            ("ips".to_owned(), of_family(true, json!(self.gateway)).into()),
        ]);
        let mut add = |name: &str, value: Value| fields.insert(name.to_owned(), value);
        if let Some(broadcast) = self.broadcast() {
            add("broadcast", json!(broadcast));
        }
        // The agents differ in where they look for IPv6's gateway.
        let ip6s = of_family(false, json!(self.gateway_v6));
        if !ip6s.is_empty() || self.gateway_v6.is_some() {
            add("gateway_v6", json!(self.gateway_v6));
            add("ip6s", ip6s.into());
        }
        if !self.routes.is_empty() {
            add("routes", self.routes.iter().map(route_json).collect());
        }
        if !self.dns.is_empty() {
            add("dns", json!(self.dns));
        }
        json::to_ascii(&fields.into())
    }

    /// That of the first IPv4 address, if its network has one.
    fn broadcast(&self) -> Option<Ipv4Addr> {
        let first = self.addresses.iter().find(|address| address.ip.is_ipv4())?;
        match first.ip {
            IpAddr::V4(ip) if first.prefix < 31 => Some(prefix::broadcast(ip, first.prefix)),
            _ => None,
        }
    }
}

/// IPv4 has a mask, IPv6 the number of its bits: agents read nothing else.
fn address_json(address: Address, gateway: &Value) -> Value {
    let netmask = match address.ip {
        IpAddr::V4(_) => json!(address.netmask()),
        IpAddr::V6(_) => json!(address.prefix),
    };
    json!({ "ip": address.ip, "netmask": netmask, "enabled": "1", "gateway": gateway })
}

/// The netmask is a mask for both families.
fn route_json(route: &Route) -> Value {
    json!({ "route": route.destination, "netmask": route.netmask(), "gateway": route.gateway })
}
