//! What a guest reports about itself, read from its nodes in XenStore as the Xen-API's own daemon
//! reads them.

use super::text::printable;
use crate::core::context::Core;
use crate::core::error::Error;
use crate::core::model::{DomId, GuestAddress, GuestMemory, GuestReport, StorePath};
use crate::core::ports::TreeLimits;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::SystemTime;

/// Characters kept of a text of the guest.
const TEXT_LIMIT: usize = 200;

/// The most addresses of a guest.
const MAX_ADDRESSES: usize = 256;

/// The most entries of a map.
const MAX_ENTRIES: usize = 64;

/// The most nodes of a report, all in all: each costs XenStore up to two requests, and a guest can
/// make a thousand.
const MAX_NODES: usize = 256;

/// The nodes that a report is read from: a path, and how much below it. The last one has what the
/// others leave of [`MAX_NODES`].
const SOURCES: [(&str, TreeLimits); 4] = [
    ("data", TreeLimits { depth: 1, nodes: 64 }),
    ("control", TreeLimits { depth: 1, nodes: 32 }),
    ("feature", TreeLimits { depth: 2, nodes: 32 }),
    ("attr", TreeLimits { depth: 4, nodes: MAX_NODES }),
];

/// Reads what the guest reports; `None` if it reports nothing.
pub(in crate::core) async fn read_report(
    core: &Core,
    domid: DomId,
) -> Result<Option<GuestReport>, Error> {
    let mut nodes = Vec::new();
    for (path, mut limits) in SOURCES {
        limits.nodes = limits.nodes.min(MAX_NODES.saturating_sub(nodes.len()));
        nodes.extend(core.hypervisor.read_tree(domid, &StorePath::new(path)?, limits).await?);
    }
    Ok(report(&nodes, core.clock.now()))
}

/// The report of these nodes, by paths relative to the domain's directory.
fn report(nodes: &[(String, Vec<u8>)], updated: SystemTime) -> Option<GuestReport> {
    let mut report = GuestReport {
        host_name: None,
        os: BTreeMap::new(),
        agent_version: BTreeMap::new(),
        addresses: Vec::new(),
        memory: None,
        other: BTreeMap::new(),
        updated,
    };
    let mut host_names = [None, None];
    let mut total = None;
    let mut free = None;
    for (path, value) in nodes {
        let text = short_text(value);
        let parts: Vec<&str> = path.split('/').collect();
        match parts.as_slice() {
            ["data", "host_name_dns"] => host_names[0] = Some(text).filter(|name| !name.is_empty()),
            ["data", "host_name"] => host_names[1] = Some(text).filter(|name| !name.is_empty()),
            ["data", "os_name"] => add(&mut report.os, "name", text),
            ["data", "os_uname"] => add(&mut report.os, "uname", text),
            ["data", "os_distro"] => add(&mut report.os, "distro", text),
            ["data", "os_majorver"] => add(&mut report.os, "major", text),
            ["data", "os_minorver"] => add(&mut report.os, "minor", text),
            ["data", "meminfo_total"] => total = text.parse().ok(),
            ["data", "meminfo_free"] => free = text.parse().ok(),
            ["attr", "PVAddons", name] => {
                let version = |part: &str| Some(part.strip_suffix("Version")?.to_lowercase());
                if let Some(part) = version(name).filter(|part| !part.is_empty()) {
                    add(&mut report.agent_version, &part, text);
                }
            }
            ["attr", rest @ ..] => {
                let address = address(rest, &text);
                let is_new = |address: &GuestAddress| !report.addresses.contains(address);
                if report.addresses.len() < MAX_ADDRESSES {
                    report.addresses.extend(address.filter(is_new));
                }
            }
            // The host's own requests to the guest are no report.
            ["control", "shutdown" | "sysrq"] => {}
            // A node without a value is one that others are below.
            ["control" | "feature", ..] if text.is_empty() => {}
            ["control", name] => add(&mut report.other, name, text),
            ["feature", rest @ ..] => {
                add(&mut report.other, &format!("feature/{}", rest.join("/")), text);
            }
            _ => {}
        }
    }
    report.host_name = host_names.into_iter().flatten().next();
    report.memory = total.map(|total_kib| GuestMemory { total_kib, free_kib: free.unwrap_or(0) });
    report.addresses.sort_by_key(|one| (one.vif, one.address.is_ipv6(), one.index));
    let GuestReport { host_name, os, agent_version, addresses, memory, other: _, updated: _ } =
        &report;
    let says_nothing = host_name.is_none()
        && os.is_empty()
        && agent_version.is_empty()
        && addresses.is_empty()
        && memory.is_none();
    // A kernel writes its features without an agent.
    (!says_nothing).then_some(report)
}

fn add(map: &mut BTreeMap<String, String>, key: &str, value: String) {
    if map.len() < MAX_ENTRIES {
        map.insert(key.to_owned(), value);
    }
}

/// An address: `vif/0/ipv4/0` of today's agents, `eth0/ip` and `eth0/ipv6/0/addr` of earlier ones.
fn address(path: &[&str], text: &str) -> Option<GuestAddress> {
    let number = |text: &str| text.parse::<u32>().ok();
    let (vif, index) = match path {
        ["vif", vif, "ipv4" | "ipv6", index] => (number(vif)?, number(index)?),
        [name, "ip"] => (number(name.strip_prefix("eth")?)?, 0),
        [name, "ipv6", index, "addr"] => (number(name.strip_prefix("eth")?)?, number(index)?),
        _ => return None,
    };
    let address: IpAddr = text.parse().ok()?;
    Some(GuestAddress { vif, index, address })
}

/// The text of a node: short and printable.
fn short_text(value: &[u8]) -> String {
    let text: String = printable(&String::from_utf8_lossy(value)).take(TEXT_LIMIT).collect();
    text.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(nodes: &[(&str, &str)]) -> Option<GuestReport> {
        let nodes: Vec<(String, Vec<u8>)> = nodes
            .iter()
            .map(|(path, value)| ((*path).to_owned(), value.as_bytes().to_vec()))
            .collect();
        report(&nodes, SystemTime::UNIX_EPOCH)
    }

    #[test]
    fn a_report_has_what_the_agents_write() {
        let report = read(&[
            ("attr/PVAddons/MajorVersion", "7"),
            ("attr/PVAddons/BuildVersion", "1"),
            ("attr/PVAddons/Installed", "1"),
            ("attr/vif/1/ipv6/0", "2001:db8::10"),
            ("attr/vif/0/ipv4/1", "203.0.113.11"),
            ("attr/vif/0/ipv4/0", "203.0.113.10"),
            ("attr/vif/0/ipv6/0", "fe80::1"),
            ("attr/vif/x/ipv4/0", "203.0.113.12"),
            ("attr/vif/0/ipv4/2", "not an address"),
            ("data/os_name", "Debian GNU/Linux 12 (bookworm)"),
            ("data/os_distro", "debian"),
            ("data/host_name_dns", "web1"),
            ("data/meminfo_total", "1000"),
            ("data/meminfo_free", "400"),
            ("data/updated", "1"),
            ("control/feature-suspend", "1"),
            ("control/shutdown", ""),
            ("feature/hotplug", ""),
            ("feature/hotplug/vif", "1"),
        ])
        .unwrap();
        let addresses: Vec<_> = report
            .addresses
            .iter()
            .map(|one| (one.vif, one.index, one.address.to_string()))
            .collect();
        let expected = [
            (0, 0, "203.0.113.10"),
            (0, 1, "203.0.113.11"),
            (0, 0, "fe80::1"),
            (1, 0, "2001:db8::10"),
        ];
        assert_eq!(addresses, expected.map(|(vif, index, text)| (vif, index, text.to_owned())));
        assert_eq!(report.reachable().count(), 3);
        assert_eq!(report.agent_version.len(), 2);
        assert_eq!(report.os["distro"], "debian");
        assert_eq!(report.host_name.as_deref(), Some("web1"));
        assert_eq!(report.memory, Some(GuestMemory { total_kib: 1000, free_kib: 400 }));
        let other: Vec<_> = report.other.keys().map(String::as_str).collect();
        assert_eq!(other, ["feature-suspend", "feature/hotplug/vif"]);
    }

    #[test]
    fn earlier_agents_name_interfaces_by_the_kernel() {
        let report =
            read(&[("attr/eth0/ip", "203.0.113.10"), ("attr/eth1/ipv6/0/addr", "2001:db8::1")]);
        assert_eq!(report.unwrap().addresses.len(), 2);
    }

    #[test]
    fn a_kernel_without_an_agent_reports_nothing() {
        assert_eq!(read(&[("control/feature-suspend", "1"), ("data/updated", "1")]), None);
        assert_eq!(read(&[]), None);
    }

    #[test]
    fn texts_of_a_guest_are_short_and_printable() {
        let long = "x".repeat(5000);
        let report = read(&[("data/os_name", &long), ("data/os_uname", "a\u{1b}[31m\nb")]).unwrap();
        assert_eq!(report.os["name"].len(), TEXT_LIMIT);
        assert_eq!(report.os["uname"], "a[31mb");
    }
}
