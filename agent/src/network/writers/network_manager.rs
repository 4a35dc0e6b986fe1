//! NetworkManager: Red Hat's since version 8, and that of desktops.

use super::own_files::{HEADER, outdated};
use crate::network::files::NewFile;
use crate::network::lines::Lines;
use crate::network::plan::{Addressing, Interface};
use crate::network::writer::{Claim, Failed, Guest, Writer};
use std::io;
use std::net::IpAddr;

const DIRECTORY: &str = "/etc/NetworkManager/system-connections";

/// What the names of our files, and of our connections, begin with.
const PREFIX: &str = "xend-";

/// NetworkManager.
pub(in crate::network) struct NetworkManager;

impl Writer for NetworkManager {
    fn name(&self) -> &'static str {
        "NetworkManager"
    }

    fn programs(&self, _guest: &Guest<'_>) -> &'static [&'static str] {
        &["nmcli"]
    }

    fn claim(&self, guest: &Guest<'_>, interfaces: &[Interface]) -> Result<Claim, Failed> {
        if !guest.has("nmcli") {
            return Ok(Claim::No);
        }
        // Fails when NetworkManager does not run.
        let devices = guest.ask("nmcli", &["-t", "-f", "DEVICE,STATE", "device"])?;
        let Some(devices) = devices else { return Ok(Claim::No) };
        let states = interfaces.iter().map(|interface| {
            let of_interface = format!("{}:", interface.name);
            devices.lines().find_map(|line| line.strip_prefix(of_interface.as_str()))
        });
        Ok(states.flatten().map(claim_by_state).max().unwrap_or(Claim::No))
    }

    fn files(&self, guest: &Guest<'_>, interfaces: &[Interface]) -> io::Result<Vec<NewFile>> {
        let mut files: Vec<NewFile> = interfaces.iter().map(file).collect();
        for interface in interfaces {
            let of_interface = uuid_line(interface);
            files.extend(outdated(guest.root, DIRECTORY, PREFIX, &of_interface, &files)?);
        }
        Ok(files)
    }

    fn apply(&self, guest: &Guest<'_>, interfaces: &[Interface]) -> Result<(), Failed> {
        // Forgets the connections whose files are gone: their interfaces get those back that
        // they had before.
        let reloaded = guest.share(2).run("nmcli", &["connection", "reload"]);
        let written = interfaces.iter().filter(|interface| guest.root.exists(&path(interface)));
        let up = |guest: &Guest<'_>, interface: &Interface| {
            let id = format!("{PREFIX}{}", interface.name);
            let loaded = guest.share(2).run("nmcli", &["connection", "load", &path(interface)]);
            loaded.and(guest.run("nmcli", &["connection", "up", "id", &id]))
        };
        reloaded.and(guest.for_each(written, up))
    }
}

/// What a device's state in nmcli's words says. Unmanaged ones are configured by something else;
/// so are, for now, those that are `connected (externally)`.
fn claim_by_state(state: &str) -> Claim {
    match state {
        "unmanaged" => Claim::No,
        state => Claim::yes_if(!state.contains("externally")),
    }
}

fn path(interface: &Interface) -> String {
    format!("{DIRECTORY}/{PREFIX}{}.nmconnection", interface.name)
}

/// The same for each interface for ever: `xend` and `ne` in ASCII, then its MAC.
fn uuid_line(interface: &Interface) -> String {
    let mac = interface.mac.to_string().replace(':', "");
    format!("uuid=78656e64-6e65-8000-8000-{mac}")
}

fn file(interface: &Interface) -> NewFile {
    let mut lines = Lines::default();
    lines.add(HEADER);
    lines.add("[connection]");
    lines.add(format_args!("id={PREFIX}{}", interface.name));
    lines.add(uuid_line(interface));
    lines.add("type=ethernet");
    // Above connections of other origin, which have 0.
    lines.add("autoconnect-priority=100");
    lines.add("\n[ethernet]");
    lines.add(format_args!("mac-address={}", interface.mac));
    let (v4, v6): (Vec<IpAddr>, Vec<IpAddr>) = interface.dns.iter().partition(|ip| ip.is_ipv4());
    lines.add("\n[ipv4]");
    add_family(&mut lines, &interface.v4, "disabled", &v4);
    lines.add("\n[ipv6]");
    add_family(&mut lines, &interface.v6, "link-local", &v6);
    NewFile::private(path(interface), lines.into_text())
}

/// A family's section; `otherwise` is the method without addresses, which allows nothing else.
fn add_family(lines: &mut Lines, family: &Addressing, otherwise: &str, dns: &[IpAddr]) {
    if family.addresses.is_empty() {
        lines.add(format_args!("method={otherwise}"));
        return;
    }
    lines.add("method=manual");
    for (number, address) in (1..).zip(&family.addresses) {
        match family.gateway.filter(|_| number == 1) {
            Some(gateway) => lines.add(format_args!("address{number}={address},{gateway}")),
            None => lines.add(format_args!("address{number}={address}")),
        }
    }
    for (number, route) in (1..).zip(&family.routes) {
        match route.gateway {
            Some(gateway) => {
                lines.add(format_args!("route{number}={},{gateway}", route.destination));
            }
            None => lines.add(format_args!("route{number}={}", route.destination)),
        }
    }
    if !dns.is_empty() {
        let servers: Vec<String> = dns.iter().map(ToString::to_string).collect();
        lines.add(format_args!("dns={};", servers.join(";")));
    }
}
