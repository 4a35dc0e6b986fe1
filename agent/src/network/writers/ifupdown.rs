//! ifupdown: Debian's, Alpine's, and that of `busybox`. What is written is what all of them read.

use super::interfaces_file::{InterfacesFiles, Place};
use super::scripts;
use crate::network::files::NewFile;
use crate::network::lines::Lines;
use crate::network::plan::{Addressing, Interface};
use crate::network::resolv_conf;
use crate::network::writer::{Claim, Failed, Guest, Writer};
use crate::root::words;
use std::io;

/// ifupdown.
pub(in crate::network) struct Ifupdown;

impl Writer for Ifupdown {
    fn name(&self) -> &'static str {
        "ifupdown"
    }

    fn programs(&self, _guest: &Guest<'_>) -> &'static [&'static str] {
        scripts::PROGRAMS
    }

    fn claim(&self, guest: &Guest<'_>, interfaces: &[Interface]) -> Result<Claim, Failed> {
        if !guest.has("ifup") || !guest.root.exists("/etc/network") {
            return Ok(Claim::No);
        }
        let Ok(files) = InterfacesFiles::read(guest.root) else { return Ok(Claim::Possible) };
        Ok(Claim::yes_if_any(interfaces, |interface| files.have(&interface.name)))
    }

    fn files(&self, guest: &Guest<'_>, interfaces: &[Interface]) -> io::Result<Vec<NewFile>> {
        let names: Vec<&str> = interfaces.iter().map(|interface| &*interface.name).collect();
        let stanzas = |place: &Place<'_>| {
            let interface = interfaces.iter().find(|interface| interface.name == place.name);
            interface.map(|interface| stanzas(interface, place)).unwrap_or_default()
        };
        let mut files = InterfacesFiles::read(guest.root)?.edit(&names, stanzas);
        // With resolvconf, dns-nameservers is enough.
        if !guest.has("resolvconf") {
            files.extend(resolv_conf::files(guest.root, interfaces)?);
        }
        Ok(files)
    }

    fn take_down(&self, guest: &Guest<'_>, interfaces: &[Interface]) {
        scripts::take_down(guest, interfaces);
    }

    fn apply(&self, guest: &Guest<'_>, interfaces: &[Interface]) -> Result<(), Failed> {
        let files = InterfacesFiles::read(guest.root);
        let files = files.map_err(|error| Failed::Other(words(&error)))?;
        scripts::bring_up(guest, interfaces, |interface| files.have(&interface.name))
    }
}

/// The stanzas of an interface: one for each address. No blank line is between them, so that
/// another edit finds them in one piece.
fn stanzas(interface: &Interface, place: &Place<'_>) -> String {
    let name = &interface.name;
    let mut lines = Lines::default();
    if !place.is_auto {
        lines.add(format_args!("auto {name}"));
    }
    let mut is_first = true;
    for (family, kind) in [(&interface.v4, "inet"), (&interface.v6, "inet6")] {
        for (number, address) in family.addresses.iter().enumerate() {
            lines.add(format_args!("iface {name} {kind} static"));
            lines.add(format_args!("    address {}", address.ip));
            // BusyBox does not read ADDRESS/PREFIX.
            lines.add(format_args!("    netmask {}", address.netmask()));
            if number == 0 {
                add_routes(&mut lines, name, family, kind);
            }
            if is_first {
                add_shared_options(&mut lines, interface, place);
                is_first = false;
            }
        }
    }
    lines.into_text()
}

/// The gateway and the routes. A route that cannot be set does not keep the address away.
fn add_routes(lines: &mut Lines, name: &str, family: &Addressing, kind: &str) {
    let add = match kind {
        "inet" => "ip route add",
        _ => "ip -6 route add",
    };
    if kind == "inet6" {
        lines.add("    accept_ra 0");
    }
    let gateway = family.gateway;
    if let Some(gateway) = gateway.filter(|gateway| family.reaches(*gateway)) {
        lines.add(format_args!("    gateway {gateway}"));
    }
    for route in &family.routes {
        let destination = route.destination;
        match route.gateway {
            Some(gateway) => {
                lines.add(format_args!(
                    "    up {add} {destination} via {gateway} dev {name} || true"
                ));
            }
            None => lines.add(format_args!("    up {add} {destination} dev {name} || true")),
        }
    }
    if let Some(gateway) = gateway.filter(|gateway| !family.reaches(*gateway)) {
        // After the route to the gateway itself.
        lines.add(format_args!("    up {add} default via {gateway} dev {name} || true"));
    }
}

/// What stands in the first stanza alone: the name servers, and what somebody else has written
/// about the interface.
fn add_shared_options(lines: &mut Lines, interface: &Interface, place: &Place<'_>) {
    if !interface.dns.is_empty() {
        let servers: Vec<String> = interface.dns.iter().map(ToString::to_string).collect();
        lines.add(format_args!("    dns-nameservers {}", servers.join(" ")));
    }
    for option in &place.options {
        lines.add(format_args!("    {option}"));
    }
}
