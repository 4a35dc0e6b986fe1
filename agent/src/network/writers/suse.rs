//! SUSE's ifcfg files, which wicked reads, and the older network scripts.

use super::own_files::own_or_none;
use super::scripts;
use crate::network::assignments;
use crate::network::files::NewFile;
use crate::network::lines::Lines;
use crate::network::plan::Interface;
use crate::network::resolv_conf;
use crate::network::writer::{Claim, Failed, Guest, Writer};
use crate::root::Root;
use std::io;
use std::net::IpAddr;

const DIRECTORY: &str = "/etc/sysconfig/network";

/// What holds for all interfaces.
const CONFIG: &str = "/etc/sysconfig/network/config";

/// wicked, or SUSE's network scripts.
pub(in crate::network) struct Suse;

impl Writer for Suse {
    fn name(&self) -> &'static str {
        "SUSE"
    }

    fn programs(&self, guest: &Guest<'_>) -> &'static [&'static str] {
        if guest.has("wicked") { &["wicked"] } else { scripts::PROGRAMS }
    }

    fn claim(&self, guest: &Guest<'_>, interfaces: &[Interface]) -> Result<Claim, Failed> {
        let has_tools = guest.has("wicked") || guest.has("ifup");
        // On Red Hat the directory is a file.
        if !has_tools || !guest.root.exists(CONFIG) {
            return Ok(Claim::No);
        }
        Ok(Claim::yes_if_any(interfaces, |interface| is_configured(guest, interface)))
    }

    fn files(&self, guest: &Guest<'_>, interfaces: &[Interface]) -> io::Result<Vec<NewFile>> {
        let mut files = Vec::new();
        for interface in interfaces {
            let path = path("ifcfg", interface);
            let new = variables(interface);
            files.push(assignments::edit_file(guest.root, path, &new, is_ours)?);
            files.extend(own_or_none(
                guest.root,
                self::path("ifroute", interface),
                routes(interface),
            )?);
        }
        files.extend(name_servers(guest.root, interfaces)?);
        Ok(files)
    }

    fn take_down(&self, guest: &Guest<'_>, interfaces: &[Interface]) {
        if !guest.has("wicked") {
            scripts::take_down(guest, interfaces);
        }
    }

    fn apply(&self, guest: &Guest<'_>, interfaces: &[Interface]) -> Result<(), Failed> {
        let applied = if guest.has("wicked") {
            reload(guest, interfaces)
        } else {
            scripts::bring_up(guest, interfaces, |interface| is_configured(guest, interface))
        };
        // Makes resolv.conf; the addresses do not depend on it.
        if guest.has("netconfig") {
            guest.try_to_run("netconfig", &["update", "-f"]);
        }
        applied
    }
}

/// Has wicked read the interfaces' files again.
fn reload(guest: &Guest<'_>, interfaces: &[Interface]) -> Result<(), Failed> {
    guest.for_each(interfaces.iter(), |guest, interface| {
        if is_configured(guest, interface) {
            return guest.run("wicked", &["ifreload", &interface.name]);
        }
        guest.try_to_run("wicked", &["ifdown", &interface.name]);
        Ok(())
    })
}

fn is_configured(guest: &Guest<'_>, interface: &Interface) -> bool {
    guest.root.exists(&path("ifcfg", interface))
}

fn path(kind: &str, interface: &Interface) -> String {
    format!("{DIRECTORY}/{kind}-{}", interface.name)
}

/// What `ifcfg-NAME` assigns.
fn variables(interface: &Interface) -> Vec<(String, String)> {
    let mut new = vec![
        ("STARTMODE".to_owned(), "'auto'".to_owned()),
        ("BOOTPROTO".to_owned(), "'static'".to_owned()),
    ];
    for (number, address) in interface.addresses().enumerate() {
        let key = match number.checked_sub(1) {
            None => "IPADDR".to_owned(),
            Some(number) => format!("IPADDR_{number}"),
        };
        new.push((key, format!("'{address}'")));
    }
    new
}

/// The keys that say how an interface gets its addresses. Those of further addresses have suffixes
/// of any kind.
fn is_ours(key: &str) -> bool {
    let base = key.split('_').next().unwrap_or_default();
    matches!(
        base,
        "IPADDR"
            | "NETMASK"
            | "PREFIXLEN"
            | "BROADCAST"
            | "NETWORK"
            | "REMOTE"
            | "LABEL"
            | "BOOTPROTO"
    )
}

/// The lines of `ifroute-NAME`.
fn routes(interface: &Interface) -> Lines {
    let mut lines = Lines::default();
    let name = &interface.name;
    for family in interface.families() {
        for route in &family.routes {
            let (destination, netmask) = match route.destination.ip {
                IpAddr::V4(ip) => (ip.to_string(), route.destination.netmask()),
                IpAddr::V6(_) => (route.destination.to_string(), "-".to_owned()),
            };
            let gateway = route.gateway.map_or("-".to_owned(), |gateway| gateway.to_string());
            lines.add(format_args!("{destination} {gateway} {netmask} {name}"));
        }
        if let Some(gateway) = family.gateway {
            lines.add(format_args!("default {gateway} - -"));
        }
    }
    lines
}

/// The name servers in the configuration of all interfaces.
fn name_servers(root: &Root, interfaces: &[Interface]) -> io::Result<Option<NewFile>> {
    let servers = resolv_conf::servers(interfaces);
    if servers.is_empty() {
        return Ok(None);
    }
    let servers: Vec<String> = servers.iter().map(ToString::to_string).collect();
    let value = format!("\"{}\"", servers.join(" "));
    let new = [("NETCONFIG_DNS_STATIC_SERVERS".to_owned(), value)];
    assignments::edit_file(root, CONFIG, &new, |_| false).map(Some)
}
