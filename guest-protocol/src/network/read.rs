//! Reads the JSON of an interface, in every spelling that hosts are known to write.

use crate::json::{self, BadJson};
use crate::limits::MAX_PAYLOAD;
use crate::network::interface::{Address, BadInterface, Interface, Names, Route};
use crate::network::mac::Mac;
use crate::network::prefix;
use serde_json::Value;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

impl Interface {
    /// Reads the JSON of an interface: an object of at most [`MAX_PAYLOAD`] bytes.
    ///
    /// Hosts differ, so:
    /// - A key that lacks, `null` and an empty text are the same; lists may lack, too.
    /// - An address is called `ip` or `address`. It is left out if its `enabled` is 0, not if that
    ///   lacks.
    /// - A netmask is a mask or the number of its bits, and a number may be a text.
    /// - IPv6's gateway is `gateway_v6`, `gateway6` or the first `gateway` in `ip6s`. IPv4's is
    ///   `gateway`; only if there is no such key, it is the first `gateway` in `ips`.
    /// - A route without a gateway leads to a network on the link.
    /// - A default route among the routes is the gateway if there is none, else it is left out.
    /// - What is listed twice counts once. `broadcast` and unknown keys do not count.
    pub fn parse(json: &[u8]) -> Result<Self, BadInterface> {
        read(json, None)
    }

    /// Reads a node below `vm-data/networking`. Its name is the MAC, which the JSON may lack.
    pub fn parse_node(name: &str, json: &[u8]) -> Result<Self, BadInterface> {
        let mac = Mac::parse(name).ok_or(BadInterface::new("The node's name", "is not a MAC"))?;
        read(json, Some(mac))
    }
}

fn read(json: &[u8], node: Option<Mac>) -> Result<Interface, BadInterface> {
    let bad = |problem| BadInterface::new("The interface", problem);
    let value = json::read(json, MAX_PAYLOAD).map_err(|reason| match reason {
        BadJson::TooDeep => bad("is nested too deep"),
        BadJson::TooLong | BadJson::Malformed => bad("is no JSON object"),
    })?;
    if !value.is_object() {
        return Err(bad("is no JSON object"));
    }
    let root = Field { name: String::new(), value: Some(&value) };

    let ipv4 = Addresses::<Ipv4Addr>::read(&root.key("ips"))?;
    let ipv6 = Addresses::<Ipv6Addr>::read(&root.key("ip6s"))?;
    let gateway = match value.get("gateway") {
        Some(_) => root.key("gateway").parsed::<Ipv4Addr>()?,
        None => ipv4.gateway,
    };
    let gateway_v6 = root.key("gateway_v6").parsed::<Ipv6Addr>()?;
    let gateway6 = root.key("gateway6").parsed::<Ipv6Addr>()?;
    let mut interface = Interface {
        label: root.key("label").text()?.unwrap_or_default().to_owned(),
        gateway,
        gateway_v6: gateway_v6.or(gateway6).or(ipv6.gateway),
        addresses: [ipv4.list, ipv6.list].concat(),
        ..Interface::new(mac(&root.key("mac"), node)?)
    };
    let addresses = [ipv4.names, ipv6.names].concat();
    let mut names = Names { addresses, routes: Vec::new(), dns: Vec::new() };
    for field in root.key("routes").items()? {
        if add_route(&mut interface, route(&field)?) {
            names.routes.push(field.name);
        }
    }
    for field in root.key("dns").items()? {
        let server = field.parsed::<IpAddr>()?;
        if server.is_some_and(|server| push_new(&mut interface.dns, server)) {
            names.dns.push(field.name);
        }
    }
    interface.check_with(&names)?;
    Ok(interface)
}

fn mac(field: &Field<'_>, named: Option<Mac>) -> Result<Mac, BadInterface> {
    let Some(text) = field.text()? else {
        return named.ok_or(field.bad("is missing"));
    };
    let mac = Mac::parse(text).ok_or(field.bad("is not a MAC"))?;
    if named.is_some_and(|named| named != mac) {
        return Err(field.bad("is another one than the node's name"));
    }
    Ok(mac)
}

/// The addresses of one family.
struct Addresses<A> {
    list: Vec<Address>,
    /// What the addresses are called in errors.
    names: Vec<String>,
    /// The first gateway beside an address.
    gateway: Option<A>,
}

impl<A: Family> Addresses<A> {
    fn read(fields: &Field<'_>) -> Result<Self, BadInterface> {
        let mut addresses = Self { list: Vec::new(), names: Vec::new(), gateway: None };
        for field in fields.items()? {
            if !field.key("enabled").flag()? {
                continue;
            }
            let first = field.key("ip");
            let second = field.key("address");
            let ip = match first.parsed::<A>()? {
                Some(ip) => ip,
                None => second.parsed::<A>()?.ok_or(first.bad("is missing"))?,
            };
            let ip = ip.into();
            let prefix = field.key("netmask").prefix(ip)?;
            let gateway = field.key("gateway").parsed::<A>()?;
            addresses.gateway = addresses.gateway.or(gateway);
            if push_new(&mut addresses.list, Address { ip, prefix }) {
                addresses.names.push(field.name);
            }
        }
        Ok(addresses)
    }
}

fn route(field: &Field<'_>) -> Result<Route, BadInterface> {
    let destination = field.key("route");
    let ip = destination.parsed::<IpAddr>()?.ok_or(destination.bad("is missing"))?;
    let prefix = field.key("netmask").prefix(ip)?;
    let gateway = field.key("gateway");
    let gateway = match ip {
        IpAddr::V4(_) => gateway.parsed::<Ipv4Addr>()?.map(IpAddr::from),
        IpAddr::V6(_) => gateway.parsed::<Ipv6Addr>()?.map(IpAddr::from),
    };
    Ok(Route { destination: prefix::network(ip, prefix), prefix, gateway })
}

/// Tells whether the route is one beside the default ones that was not there.
fn add_route(interface: &mut Interface, route: Route) -> bool {
    match (route.prefix, route.gateway) {
        (0, Some(IpAddr::V4(gateway))) => _ = interface.gateway.get_or_insert(gateway),
        (0, Some(IpAddr::V6(gateway))) => _ = interface.gateway_v6.get_or_insert(gateway),
        _ => return push_new(&mut interface.routes, route),
    }
    false
}

/// Adds an item unless it is there; tells whether it was not.
fn push_new<T: PartialEq>(list: &mut Vec<T>, item: T) -> bool {
    let is_new = !list.contains(&item);
    if is_new {
        list.push(item);
    }
    is_new
}

/// A kind of address that a field can hold.
trait Family: FromStr + Copy + Into<IpAddr> {
    const NONE: &'static str;
}

impl Family for Ipv4Addr {
    const NONE: &'static str = "is no IPv4 address";
}

impl Family for Ipv6Addr {
    const NONE: &'static str = "is no IPv6 address";
}

impl Family for IpAddr {
    const NONE: &'static str = "is no IP address";
}

/// A value and its name, for errors.
struct Field<'a> {
    name: String,
    /// None: it lacks, or is `null`.
    value: Option<&'a Value>,
}

impl<'a> Field<'a> {
    fn bad(&self, problem: &'static str) -> BadInterface {
        BadInterface::new(&self.name, problem)
    }

    fn key(&self, key: &str) -> Self {
        let name = match self.name.as_str() {
            "" => key.to_owned(),
            parent => format!("{parent}.{key}"),
        };
        let value = self.value.and_then(|value| value.get(key));
        Self { name, value: value.filter(|value| !value.is_null()) }
    }

    /// The objects and texts of a list, which may lack.
    fn items(&self) -> Result<Vec<Self>, BadInterface> {
        let list = match self.value {
            None => return Ok(Vec::new()),
            Some(Value::Array(list)) => list,
            Some(_) => return Err(self.bad("is not a list")),
        };
        let item = |(index, value)| Self {
            name: format!("{}[{index}]", self.name),
            value: Some(value).filter(|value: &&Value| !value.is_null()),
        };
        Ok(list.iter().enumerate().map(item).collect())
    }

    /// A text without white space around it. An empty one lacks.
    fn text(&self) -> Result<Option<&'a str>, BadInterface> {
        match self.value {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.trim()).filter(|text| !text.is_empty())),
            Some(_) => Err(self.bad("is not a text")),
        }
    }

    fn parsed<A: Family>(&self) -> Result<Option<A>, BadInterface> {
        let parse = |text: &str| text.parse().map_err(|_| self.bad(A::NONE));
        self.text()?.map(parse).transpose()
    }

    /// Whether something is enabled: 1 or 0 as a number, a text or a boolean. Lacking, it is.
    fn flag(&self) -> Result<bool, BadInterface> {
        let text = match self.value {
            None => return Ok(true),
            Some(Value::Bool(flag)) => return Ok(*flag),
            Some(Value::Number(number)) => number.to_string(),
            Some(_) => self.text()?.unwrap_or("1").to_ascii_lowercase(),
        };
        match text.as_str() {
            "1" | "true" => Ok(true),
            "0" | "false" => Ok(false),
            _ => Err(self.bad("is neither 0 nor 1")),
        }
    }

    /// How many bits of an address name its network: a number, its text, or a mask.
    fn prefix(&self, ip: IpAddr) -> Result<u8, BadInterface> {
        let text = match self.value {
            Some(Value::Number(number)) => number.to_string(),
            _ => self.text()?.ok_or(self.bad("is missing"))?.to_owned(),
        };
        if text.bytes().all(|byte| byte.is_ascii_digit()) {
            let prefix = text.parse().ok().filter(|prefix| *prefix <= prefix::bits(ip));
            return prefix.ok_or(self.bad("has more bits than an address"));
        }
        let mask: IpAddr = text.parse().map_err(|_| self.bad("is no netmask"))?;
        if mask.is_ipv4() != ip.is_ipv4() {
            return Err(self.bad("is no netmask of the address's family"));
        }
        prefix::from_netmask(mask).ok_or(self.bad("has ones after zeros"))
    }
}
