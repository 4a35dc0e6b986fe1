//! systemd-networkd.

use super::own_files::{HEADER, outdated};
use crate::network::files::{NewFile, read_text};
use crate::network::lines::Lines;
use crate::network::plan::Interface;
use crate::network::resolv_conf;
use crate::network::writer::{Claim, Failed, Guest, Writer};
use std::io;

const DIRECTORY: &str = "/etc/systemd/network";

/// What the names of our files begin with: networkd takes the first file that matches.
const PREFIX: &str = "05-xend-";

/// systemd-networkd.
pub(in crate::network) struct Networkd;

impl Writer for Networkd {
    fn name(&self) -> &'static str {
        "systemd-networkd"
    }

    fn programs(&self, _guest: &Guest<'_>) -> &'static [&'static str] {
        &["networkctl", "systemctl"]
    }

    fn claim(&self, guest: &Guest<'_>, interfaces: &[Interface]) -> Result<Claim, Failed> {
        if !guest.has("networkctl") || !is_active(guest, "systemd-networkd")? {
            return Ok(Claim::No);
        }
        Ok(Claim::yes_if_any(interfaces, |interface| is_managed(guest, interface)))
    }

    fn files(&self, guest: &Guest<'_>, interfaces: &[Interface]) -> io::Result<Vec<NewFile>> {
        let mut files: Vec<NewFile> = interfaces.iter().map(file).collect();
        for interface in interfaces {
            let of_interface = match_line(interface);
            files.extend(outdated(guest.root, DIRECTORY, PREFIX, &of_interface, &files)?);
        }
        // systemd-resolved takes the name servers from networkd.
        let is_resolved = is_active(guest, "systemd-resolved")
            .map_err(|failed| io::Error::other(failed.to_string()))?;
        if !is_resolved {
            files.extend(resolv_conf::files(guest.root, interfaces)?);
        }
        Ok(files)
    }

    /// Interfaces whose files have changed are reconfigured by that. Asked to do so again at once,
    /// networkd sometimes leaves them without addresses.
    fn apply(&self, guest: &Guest<'_>, _interfaces: &[Interface]) -> Result<(), Failed> {
        guest.share(2).run("networkctl", &["reload"]).or_else(|_| restart(guest))
    }

    fn apply_again(&self, guest: &Guest<'_>, interfaces: &[Interface]) -> Result<(), Failed> {
        let mut reconfigure = vec!["reconfigure"];
        reconfigure.extend(interfaces.iter().map(|interface| interface.name.as_str()));
        guest.share(2).run("networkctl", &reconfigure).or_else(|_| restart(guest))
    }
}

/// Before systemd 244, networkctl could do neither.
fn restart(guest: &Guest<'_>) -> Result<(), Failed> {
    guest.run("systemctl", &["restart", "systemd-networkd"])
}

fn is_active(guest: &Guest<'_>, unit: &str) -> Result<bool, Failed> {
    let answer = guest.ask("systemctl", &["is-active", "--quiet", unit])?;
    Ok(answer.is_some())
}

/// Whether networkd has a file for the interface, as it notes in its state.
fn is_managed(guest: &Guest<'_>, interface: &Interface) -> bool {
    let read = |path: &str| read_text(guest.root, path).ok().flatten();
    let index = read(&format!("/sys/class/net/{}/ifindex", interface.name)).unwrap_or_default();
    let state = read(&format!("/run/systemd/netif/links/{}", index.trim())).unwrap_or_default();
    let setup = state.lines().find_map(|line| line.strip_prefix("ADMIN_STATE="));
    setup.is_some_and(|setup| setup != "unmanaged")
}

fn match_line(interface: &Interface) -> String {
    format!("MACAddress={}", interface.mac)
}

fn file(interface: &Interface) -> NewFile {
    let path = format!("{DIRECTORY}/{PREFIX}{}.network", interface.name);
    let mut lines = Lines::default();
    lines.add(HEADER);
    lines.add("[Match]");
    lines.add(match_line(interface));
    lines.add("\n[Network]");
    lines.add("DHCP=no");
    lines.add("IPv6AcceptRA=no");
    for address in interface.addresses() {
        lines.add(format_args!("Address={address}"));
    }
    for gateway in interface.families().filter_map(|family| family.gateway) {
        lines.add(format_args!("Gateway={gateway}"));
    }
    for server in &interface.dns {
        lines.add(format_args!("DNS={server}"));
    }
    for route in interface.families().flat_map(|family| &family.routes) {
        lines.add("\n[Route]");
        lines.add(format_args!("Destination={}", route.destination));
        match route.gateway {
            Some(gateway) => lines.add(format_args!("Gateway={gateway}")),
            // Routes of IPv6 have no scope.
            None if route.destination.ip.is_ipv6() => {}
            None => lines.add("Scope=link"),
        }
    }
    NewFile::new(path, lines.into_text())
}
