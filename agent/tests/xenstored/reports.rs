//! What the host sees of the guest: its own network namespace has interfaces that are real to the
//! kernel.

use crate::guest::{Guest, HOME};
use crate::machine::wait;
use crate::namespace::Namespace;
use std::time::Duration;
use xend_xenstore::{Client, Nodes};

/// How long an event may take.
const SOON: Duration = Duration::from_secs(20);

/// How long no event must come.
const SILENCE: Duration = Duration::from_millis(700);

/// Makes two interfaces, and becomes the agent.
const SETUP: &str = "ip link set lo up && ip link add enX0 type veth peer name enX1 && \
    ip link set enX0 up && ip link set enX1 up && ip addr add 203.0.113.10/24 dev enX0 && \
    ip addr add 2001:db8::10/64 dev enX0 nodad && exec \"$@\"";

impl Guest {
    /// A guest with an operating system, and two vifs.
    fn with_vifs() -> Option<Self> {
        let guest = Self::new()?;
        let release =
            "ID=debian\nVERSION_ID=\"12\"\nPRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\n";
        guest.write("/etc/os-release", release);
        guest.write("/proc/meminfo", "MemTotal: 2015340 kB\nMemAvailable: 1613460 kB\n");
        for (name, vif) in [("enX0", 0), ("enX1", 3)] {
            let nodename = format!("device/vif/{vif}\n");
            guest.write(&format!("/sys/class/net/{name}/device/nodename"), nodename);
        }
        Some(guest)
    }

    /// The nodes of a vif below `attr`, once they are as expected.
    fn wait_for_addresses(&mut self, vif: u32, expected: &[(&str, &str)]) {
        let directory = format!("attr/vif/{vif}");
        let mut found = Vec::new();
        let is_found = wait(|| {
            found = self.addresses(&directory);
            let found = found.iter().map(|(path, ip)| (path.as_str(), ip.as_str()));
            found.eq(expected.iter().copied()).then_some(())
        });
        assert!(is_found.is_some(), "{found:?}");
    }

    fn addresses(&mut self, directory: &str) -> Vec<(String, String)> {
        let mut addresses = Vec::new();
        for family in ["ipv4", "ipv6"] {
            let path = format!("{HOME}/{directory}/{family}");
            let mut names = self.host.directory_if_exists(&path).unwrap().unwrap_or_default();
            names.sort();
            for name in names {
                let ip = self.read_node(&format!("{directory}/{family}/{name}"));
                // It may be gone again.
                addresses.extend(ip.map(|ip| (format!("{family}/{name}"), ip)));
            }
        }
        // Link-local ones are the kernel's.
        addresses.retain(|(_, ip)| !ip.starts_with("fe80:"));
        addresses
    }
}

/// The paths of all events, relative to the guest's directory, up to the last one of a report and a
/// while longer.
fn events(watcher: &mut Client) -> Vec<String> {
    let mut paths = Vec::new();
    let mut limit = SOON;
    while let Some(event) = watcher.next_event(Some(limit)).unwrap() {
        let path = event.path[HOME.len()..].trim_start_matches('/');
        if path == "data/updated" {
            limit = SILENCE;
        }
        paths.push(path.to_owned());
    }
    paths
}

#[test]
fn the_host_sees_the_guest_and_its_addresses_come_and_go() {
    let Some(mut guest) = Guest::with_vifs() else { return };
    let Some(namespace) = Namespace::new(&["--net"], SETUP) else { return };
    // An agent before this one has left an address.
    guest.other_program().write("attr/vif/5/ipv4/0", b"192.0.2.1").unwrap();
    let command = namespace.command(&guest, &[]);
    guest.start_command(command);
    guest.wait_for_addresses(0, &[("ipv4/0", "203.0.113.10"), ("ipv6/0", "2001:db8::10")]);
    guest.wait_for_addresses(5, &[]);
    let nodes = [
        ("data/os_distro", "debian"),
        ("data/os_majorver", "12"),
        ("data/os_name", "Debian GNU/Linux 12 (bookworm)"),
        ("data/meminfo_free", "1613460"),
        ("data/meminfo_total", "2015340"),
        ("attr/PVAddons/Installed", "1"),
        ("attr/PVAddons/MajorVersion", "1"),
        ("data/updated", "1"),
    ];
    for (path, value) in nodes {
        assert_eq!(wait(|| guest.read_node(path)).as_deref(), Some(value), "{path}");
    }
    guest.check();

    namespace.ip(&guest, "addr add 10.0.1.3/24 dev enX0");
    let both = [("ipv4/0", "203.0.113.10"), ("ipv4/1", "10.0.1.3"), ("ipv6/0", "2001:db8::10")];
    guest.wait_for_addresses(0, &both);
    namespace.ip(&guest, "addr del 203.0.113.10/24 dev enX0");
    guest.wait_for_addresses(0, &[("ipv4/0", "10.0.1.3"), ("ipv6/0", "2001:db8::10")]);
    namespace.ip(&guest, "addr add 10.0.2.3/24 dev enX1");
    guest.wait_for_addresses(3, &[("ipv4/0", "10.0.2.3")]);
    namespace.ip(&guest, "link set enX0 down");
    guest.wait_for_addresses(0, &[]);
    namespace.ip(&guest, "link del enX0");
    assert!(wait(|| guest.read_node("attr/vif/0").is_none().then_some(())).is_some());
    assert!(wait(|| guest.read_node("attr/vif/3").is_none().then_some(())).is_some());
    guest.check();
}

/// XAPI watches `attr`, and not what it then reads in `data`.
#[test]
fn data_is_written_first_and_the_word_that_it_is_complete_last() {
    let Some(mut guest) = Guest::with_vifs() else { return };
    let mut watcher = guest.xenstored.client();
    watcher.watch(HOME, "").unwrap();
    watcher.next_event(Some(SOON)).unwrap().unwrap();
    guest.start();
    let mut paths = events(&mut watcher);
    // The agent's other connection makes this one.
    paths.retain(|path| !path.starts_with("data/host"));
    let first_attr = paths.iter().position(|path| path.starts_with("attr/")).unwrap();
    let last_data =
        paths.iter().rposition(|path| path.starts_with("data/") && path != "data/updated");
    assert!(last_data.unwrap() < first_attr, "{paths:?}");
    assert_eq!(paths.last().map(String::as_str), Some("data/updated"), "{paths:?}");
    assert_eq!(paths[paths.len() - 2], "attr/PVAddons/BuildVersion", "{paths:?}");
    // Without a change there is nothing to write.
    assert_eq!(watcher.next_event(Some(SILENCE)).unwrap(), None);
    // After a migration all is written again.
    guest.remove_node("attr/PVAddons");
    let again = events(&mut watcher);
    for path in paths.iter().filter(|path| path.starts_with("data/os_")) {
        assert!(again.contains(path), "{path}");
    }
    assert_eq!(again.last().map(String::as_str), Some("data/updated"), "{again:?}");
}

#[test]
fn a_guest_that_may_not_report_serves_requests() {
    let Some(mut guest) = Guest::with_vifs() else { return };
    for name in ["attr", "feature"] {
        guest.remove_node(name);
    }
    guest.start();
    guest.check();
    assert!(wait(|| guest.read_node("data/updated")).is_some());
    assert_eq!(guest.read_node("attr"), None);
    // Each node that is refused is logged once.
    let log = guest.log();
    let mut lines: Vec<&str> = log.lines().filter(|line| line.contains("Cannot report")).collect();
    assert!((1..20).contains(&lines.len()), "{log}");
    let count = lines.len();
    lines.sort_unstable();
    lines.dedup();
    assert_eq!(lines.len(), count, "{log}");
}

#[test]
fn reports_can_be_off() {
    let Some(mut guest) = Guest::with_vifs() else { return };
    guest.configure("[reports]\nenabled = false\n");
    guest.start();
    guest.check();
    assert_eq!(guest.read_node("data/updated"), None);
    assert_eq!(guest.xenstored.client().directory(&format!("{HOME}/attr")).unwrap(), [""; 0]);
}
