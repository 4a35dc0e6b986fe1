//! netplan: Ubuntu's, and that of Debian's cloud images. It makes files for networkd or for
//! NetworkManager.

use super::own_files::HEADER;
use crate::network::files::NewFile;
use crate::network::lines::Lines;
use crate::network::plan::{Interface, Route};
use crate::network::writer::{Claim, Failed, Guest, Writer};
use std::io;
use std::path::Path;

/// Where netplan reads; other packages' files are in the latter two.
const DIRECTORIES: [&str; 3] = ["/etc/netplan", "/usr/lib/netplan", "/run/netplan"];

/// Where netplan puts what it has made for NetworkManager.
const PROFILES: &str = "/run/NetworkManager/system-connections";

/// netplan.
pub(in crate::network) struct Netplan;

impl Writer for Netplan {
    fn name(&self) -> &'static str {
        "netplan"
    }

    fn programs(&self, _guest: &Guest<'_>) -> &'static [&'static str] {
        &["netplan"]
    }

    fn claim(&self, guest: &Guest<'_>, _interfaces: &[Interface]) -> Result<Claim, Failed> {
        if !guest.has("netplan") {
            return Ok(Claim::No);
        }
        let has_files = |directory| {
            let names = guest.root.list(directory).unwrap_or_default();
            names.iter().any(|name| Path::new(name).extension().is_some_and(|end| end == "yaml"))
        };
        Ok(Claim::yes_if(DIRECTORIES.into_iter().any(has_files)))
    }

    fn files(&self, _guest: &Guest<'_>, interfaces: &[Interface]) -> io::Result<Vec<NewFile>> {
        let mut lines = Lines::default();
        lines.add(HEADER);
        lines.add("network:\n  version: 2\n  ethernets:");
        for interface in interfaces {
            add_definition(&mut lines, interface);
        }
        Ok(vec![NewFile::private("/etc/netplan/60-xend.yaml", lines.into_text())])
    }

    fn apply(&self, guest: &Guest<'_>, interfaces: &[Interface]) -> Result<(), Failed> {
        guest.run("netplan", &["generate"])?;
        self.restore(guest, interfaces)
    }

    /// `netplan apply` generates by itself.
    fn restore(&self, guest: &Guest<'_>, interfaces: &[Interface]) -> Result<(), Failed> {
        let applied = guest.run("netplan", &["apply"]);
        // NetworkManager would go on with the profile that it used last.
        let up = |guest: &Guest<'_>, interface: &Interface| {
            guest.run("nmcli", &["connection", "up", "id", &profile(interface)])
        };
        let managed = interfaces.iter().filter(|interface| {
            let path = format!("{PROFILES}/{}.nmconnection", profile(interface));
            guest.root.exists(&path)
        });
        applied.and(guest.for_each(managed, up))
    }
}

/// The name of the interface's definition. netplan makes one file of each definition, and networkd
/// takes the first one that matches: this name stands before those of other definitions of the same
/// interface, with which it shares no list.
fn id(interface: &Interface) -> String {
    format!("00-xend-{}", interface.name)
}

/// What NetworkManager calls the connection that netplan makes of the definition.
fn profile(interface: &Interface) -> String {
    format!("netplan-{}", id(interface))
}

fn add_definition(lines: &mut Lines, interface: &Interface) {
    lines.add(format_args!("    \"{}\":", id(interface)));
    lines.add("      match:");
    lines.add(format_args!("        macaddress: \"{}\"", interface.mac));
    lines.add("      dhcp4: false");
    lines.add("      dhcp6: false");
    lines.add("      accept-ra: false");
    lines.add("      addresses:");
    for address in interface.addresses() {
        lines.add(format_args!("        - \"{address}\""));
    }
    if interface.families().any(|family| !family.routes.is_empty() || family.gateway.is_some()) {
        lines.add("      routes:");
    }
    for family in interface.families() {
        // Older versions do not know `default`.
        let default = family.gateway.map(Route::default);
        for route in family.routes.iter().copied().chain(default) {
            lines.add(format_args!("        - to: \"{}\"", route.destination));
            match route.gateway {
                Some(gateway) => lines.add(format_args!("          via: \"{gateway}\"")),
                None => lines.add("          scope: link"),
            }
        }
    }
    if !interface.dns.is_empty() {
        lines.add("      nameservers:\n        addresses:");
    }
    for server in &interface.dns {
        lines.add(format_args!("          - \"{server}\""));
    }
}
