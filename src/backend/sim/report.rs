//! What a guest writes into XenStore about itself.

use super::guest::AgentKind;
use super::nodes::Nodes;
use super::record::Record;
use super::system::KERNEL_RELEASE;
use crate::core::model::{Device, GuestKind};
use std::sync::Arc;
use xend_guest_protocol::hostname::Hostname;

/// The version of the agent. Xen Orchestra shows no version below 1.
pub(super) const VERSION: [&str; 3] = ["1", "0", "0"];

/// What a Linux kernel writes when it boots.
const FEATURES: [&str; 3] = ["feature-poweroff", "feature-reboot", "feature-suspend"];

/// The nodes of the addresses, which are replaced as a whole.
const VIFS: &str = "attr/vif";

/// A distribution.
struct Os {
    name: &'static str,
    distro: &'static str,
    version: [&'static str; 2],
}

fn os(kind: GuestKind) -> Os {
    match kind {
        GuestKind::Pv => {
            Os { name: "Debian GNU/Linux 12 (bookworm)", distro: "debian", version: ["12", "0"] }
        }
        GuestKind::Pvh => Os { name: "Alpine Linux v3.20", distro: "alpine", version: ["3", "20"] },
        GuestKind::Hvm => Os { name: "Ubuntu 24.04 LTS", distro: "ubuntu", version: ["24", "04"] },
    }
}

/// Writes what the guest's kernel can do.
pub(super) fn write_features(nodes: &mut Nodes) {
    for feature in FEATURES {
        write(nodes, &format!("control/{feature}"), "1");
    }
}

/// Writes what the agent reports. Returns whether anything of it is new.
pub(super) fn write_report(record: &mut Record) -> bool {
    let report = match record.guest.behaviour.agent {
        AgentKind::Current | AgentKind::Reboots => report(record),
        AgentKind::Broken => broken_report(),
        AgentKind::Old | AgentKind::Absent => return false,
    };
    let before = Arc::clone(&record.nodes);
    let nodes = Arc::make_mut(&mut record.nodes);
    if nodes.guest_remove(VIFS).is_ok() {
        for (path, value) in report {
            write(nodes, &path, &value);
        }
    }
    record.nodes != before
}

/// Whether an agent has reported anything.
pub(super) fn has_reported(nodes: &Nodes) -> bool {
    nodes.below("attr").next().is_some()
}

/// Writes a node. The agent goes on without it if XenStore refuses it.
fn write(nodes: &mut Nodes, path: &str, value: &str) {
    if let Err(refusal) = nodes.guest_write(path, value.as_bytes()) {
        tracing::debug!(path, ?refusal, "XenStore refused what a simulated guest wrote");
    }
}

fn report(record: &Record) -> Vec<(String, String)> {
    let system = &record.guest.system;
    let Os { name, distro, version: [os_major, os_minor] } = os(record.kind());
    let total = record.memory_kib;
    let free = total / 100 * (50 + u64::from(record.domid.0 % 30));
    let [total, free] = [total, free].map(|kib| kib.to_string());
    let [major, minor, micro] = VERSION;
    let mut nodes = owned([
        ("data/os_name", name),
        ("data/os_uname", KERNEL_RELEASE),
        ("data/os_distro", distro),
        ("data/os_majorver", os_major),
        ("data/os_minorver", os_minor),
        ("data/host_name_dns", system.host_name.as_ref().map_or("", Hostname::as_str)),
        ("data/meminfo_total", total.as_str()),
        ("data/meminfo_free", free.as_str()),
        ("feature/hotplug/vif", "1"),
        ("feature/hotplug/vbd", "1"),
        ("attr/PVAddons/MajorVersion", major),
        ("attr/PVAddons/MinorVersion", minor),
        ("attr/PVAddons/MicroVersion", micro),
        ("attr/PVAddons/BuildVersion", "1"),
        ("attr/PVAddons/Installed", "1"),
        ("data/updated", "1"),
    ]);
    for device in &record.config.devices {
        let Device::Vif(vif) = device else { continue };
        let Some(number) = vif.id else { continue };
        let addresses = system.addresses_of(vif);
        for is_ipv4 in [true, false] {
            let family = if is_ipv4 { "ipv4" } else { "ipv6" };
            let of_family = addresses.iter().filter(|address| address.is_ipv4() == is_ipv4);
            for (index, address) in of_family.enumerate() {
                let path = format!("{VIFS}/{number}/{family}/{index}");
                nodes.push((path, address.to_string()));
            }
        }
    }
    nodes
}

/// The report of an agent that is broken or lies.
fn broken_report() -> Vec<(String, String)> {
    let long = "x".repeat(2000);
    owned([
        ("data/os_name", "\u{1b}[31m<script>alert(1)</script>\n"),
        ("data/host_name_dns", long.as_str()),
        ("data/meminfo_total", "-1"),
        ("data/meminfo_free", "much"),
        ("attr/PVAddons/MajorVersion", ""),
        ("attr/vif/0/ipv4/0", "256.1.2.3"),
        ("attr/vif/first/ipv4/0", "203.0.113.10"),
        ("attr/eth0/ip", "none"),
    ])
}

fn owned<const N: usize>(nodes: [(&str, &str); N]) -> Vec<(String, String)> {
    nodes.map(|(path, value)| (path.to_owned(), value.to_owned())).into()
}

#[cfg(test)]
mod tests {
    use super::super::testing::{running, vif_with};
    use super::*;

    fn text<'a>(record: &'a Record, path: &str) -> Option<&'a str> {
        record.nodes.read(path).map(|value| std::str::from_utf8(value).unwrap())
    }

    #[test]
    fn a_report_is_new_once() {
        let mut record = running("web1", |config| {
            config.devices =
                vec![vif_with(0, "00:16:3e:00:00:05"), vif_with(2, "00:16:3e:00:00:06")];
        });
        assert!(!has_reported(&record.nodes));
        assert!(write_report(&mut record));
        assert!(has_reported(&record.nodes));
        assert_eq!(text(&record, "attr/vif/0/ipv4/0"), Some("10.0.0.5"));
        assert_eq!(text(&record, "attr/vif/2/ipv6/0"), Some("fe80::216:3eff:fe00:6"));
        assert_eq!(text(&record, "data/meminfo_total"), Some("65536"));
        assert_eq!(text(&record, "data/host_name_dns"), Some("web1"));
        assert_eq!(text(&record, "data/os_distro"), Some("debian"));
        assert!(!write_report(&mut record));

        let config = Arc::make_mut(&mut record.config);
        config.devices.remove(0);
        assert!(write_report(&mut record));
        assert_eq!(text(&record, "attr/vif/0/ipv4/0"), None);
        assert_eq!(text(&record, "attr/vif/2/ipv4/0"), Some("10.0.0.6"));
    }

    #[test]
    fn old_agents_report_nothing() {
        for name in ["agentold", "agentabsent"] {
            let mut record = running(name, |_| ());
            write_features(Arc::make_mut(&mut record.nodes));
            assert!(!write_report(&mut record) && !has_reported(&record.nodes));
            assert_eq!(text(&record, "control/feature-suspend"), Some("1"));
        }
    }
}
