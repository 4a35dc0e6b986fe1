//! Red Hat's network scripts, up to version 8: `ifcfg-NAME`.

use super::own_files::own_or_none;
use super::scripts;
use crate::network::assignments;
use crate::network::files::{NewFile, list};
use crate::network::lines::Lines;
use crate::network::plan::{Addressing, Interface, Route};
use crate::network::writer::{Claim, Failed, Guest, Writer};
use crate::root::Root;
use std::io;
use std::net::IpAddr;

const DIRECTORY: &str = "/etc/sysconfig/network-scripts";

/// The keys that say how an interface gets its addresses, and may end with a number.
const NUMBERED_KEYS: [&str; 7] =
    ["IPADDR", "NETMASK", "PREFIX", "BROADCAST", "NETWORK", "GATEWAY", "DNS"];

/// The others of these keys.
const KEYS: [&str; 11] = [
    "BOOTPROTO",
    "DEFROUTE",
    "GATEWAYDEV",
    "PEERDNS",
    "PERSISTENT_DHCLIENT",
    "DHCPV6C",
    "IPV6ADDR",
    "IPV6ADDR_SECONDARIES",
    "IPV6_AUTOCONF",
    "IPV6_DEFAULTGW",
    "IPV6_DEFAULTDEV",
];

/// The network scripts.
pub(in crate::network) struct Ifcfg;

impl Writer for Ifcfg {
    fn name(&self) -> &'static str {
        "ifcfg"
    }

    fn programs(&self, _guest: &Guest<'_>) -> &'static [&'static str] {
        scripts::PROGRAMS
    }

    fn claim(&self, guest: &Guest<'_>, interfaces: &[Interface]) -> Result<Claim, Failed> {
        if !guest.has("ifup") || !guest.root.exists(DIRECTORY) {
            return Ok(Claim::No);
        }
        Ok(Claim::yes_if_any(interfaces, |interface| is_configured(guest, interface)))
    }

    fn files(&self, guest: &Guest<'_>, interfaces: &[Interface]) -> io::Result<Vec<NewFile>> {
        let mut files = Vec::new();
        for interface in interfaces {
            let path = path("ifcfg", interface);
            let new = assignments(interface);
            files.push(assignments::edit_file(guest.root, path, &new, is_ours)?);
            files.extend(aliases(guest.root, interface)?);
            for (kind, lines) in [("route", routes_v4(interface)), ("route6", routes_v6(interface))]
            {
                files.extend(own_or_none(guest.root, self::path(kind, interface), lines)?);
            }
        }
        Ok(files)
    }

    fn take_down(&self, guest: &Guest<'_>, interfaces: &[Interface]) {
        scripts::take_down(guest, interfaces);
    }

    fn apply(&self, guest: &Guest<'_>, interfaces: &[Interface]) -> Result<(), Failed> {
        scripts::bring_up(guest, interfaces, |interface| is_configured(guest, interface))
    }
}

fn is_configured(guest: &Guest<'_>, interface: &Interface) -> bool {
    guest.root.exists(&path("ifcfg", interface))
}

fn path(kind: &str, interface: &Interface) -> String {
    format!("{DIRECTORY}/{kind}-{}", interface.name)
}

/// What `ifcfg-NAME` assigns.
fn assignments(interface: &Interface) -> Vec<(String, String)> {
    let mut new = Vec::new();
    let mut set = |key: &str, value: String| new.push((key.to_owned(), value));
    set("DEVICE", interface.name.clone());
    set("HWADDR", interface.mac.to_string());
    set("BOOTPROTO", "none".to_owned());
    set("ONBOOT", "yes".to_owned());
    for (number, address) in interface.v4.addresses.iter().enumerate() {
        let suffix = if number == 0 { String::new() } else { number.to_string() };
        set(&format!("IPADDR{suffix}"), address.ip.to_string());
        set(&format!("NETMASK{suffix}"), address.netmask());
    }
    if let Some(gateway) = interface.v4.gateway.filter(|gateway| is_simple(&interface.v4, *gateway))
    {
        set("GATEWAY", gateway.to_string());
    }
    if let Some((first, rest)) = interface.v6.addresses.split_first() {
        set("IPV6INIT", "yes".to_owned());
        set("IPV6_AUTOCONF", "no".to_owned());
        set("IPV6ADDR", first.to_string());
        if !rest.is_empty() {
            let list: Vec<String> = rest.iter().map(ToString::to_string).collect();
            set("IPV6ADDR_SECONDARIES", format!("\"{}\"", list.join(" ")));
        }
        let gateway = interface.v6.gateway;
        if let Some(gateway) = gateway.filter(|gateway| interface.v6.reaches(*gateway)) {
            set("IPV6_DEFAULTGW", format!("{gateway}%{}", interface.name));
        }
    } else {
        set("IPV6INIT", "no".to_owned());
    }
    for (number, server) in (1..).zip(&interface.dns) {
        set(&format!("DNS{number}"), server.to_string());
    }
    new
}

/// Whether the scripts set the default route by `GATEWAY`: it must be in the first address's
/// network.
fn is_simple(family: &Addressing, gateway: IpAddr) -> bool {
    family.addresses.first().is_some_and(|first| first.contains(gateway))
}

/// Whether a key says how an interface gets its addresses.
fn is_ours(key: &str) -> bool {
    let base = key.trim_end_matches(|character: char| character.is_ascii_digit());
    NUMBERED_KEYS.contains(&base) || KEYS.contains(&key)
}

/// The files of the interface's aliases, in which older agents put further addresses: they are to
/// go.
fn aliases(root: &Root, interface: &Interface) -> io::Result<Vec<NewFile>> {
    let prefixes = ["ifcfg", "route"].map(|kind| format!("{kind}-{}:", interface.name));
    let names = list(root, DIRECTORY)?.into_iter();
    let aliases = names.filter(|name| prefixes.iter().any(|prefix| name.starts_with(prefix)));
    Ok(aliases.map(|name| NewFile::removed(format!("{DIRECTORY}/{name}"))).collect())
}

/// The lines of `route-NAME`.
fn routes_v4(interface: &Interface) -> Lines {
    let family = &interface.v4;
    let gateway = family.gateway.filter(|gateway| !is_simple(family, *gateway));
    let routes = family.routes.iter().copied().chain(gateway.map(Route::default));
    let mut lines = Lines::default();
    for (number, route) in routes.enumerate() {
        let destination = route.destination;
        lines.add(format_args!("ADDRESS{number}={}", destination.ip));
        lines.add(format_args!("NETMASK{number}={}", destination.netmask()));
        if let Some(gateway) = route.gateway {
            lines.add(format_args!("GATEWAY{number}={gateway}"));
        }
    }
    lines
}

/// The lines of `route6-NAME`: arguments of `ip -6 route add`.
fn routes_v6(interface: &Interface) -> Lines {
    let family = &interface.v6;
    let gateway = family.gateway.filter(|gateway| !family.reaches(*gateway));
    let name = &interface.name;
    let mut lines = Lines::default();
    for route in family.routes.iter().copied().chain(gateway.map(Route::default)) {
        let destination = route.destination;
        match route.gateway {
            Some(gateway) => lines.add(format_args!("{destination} via {gateway} dev {name}")),
            None => lines.add(format_args!("{destination} dev {name}")),
        }
    }
    lines
}
