//! The addresses of each network interface that the host has given to the guest.

use super::report::Report;
use crate::netlink::{Address, Interface};
use crate::root::Root;
use std::collections::BTreeMap;
use std::net::IpAddr;
use xend_guest_protocol::network::Mac;
use xend_xenstore::{Error, Nodes};

/// The directories of addresses, one a kind of interface. An interface's own directory in it has
/// the interface's number.
pub(super) const DIRECTORIES: [&str; 2] = [VIFS, VIRTUAL_FUNCTIONS];
const VIFS: &str = "attr/vif";
const VIRTUAL_FUNCTIONS: &str = "xenserver/attr/net-sriov-vf";
/// Where XAPI tells which MAC addresses the virtual functions of network cards have.
const VIRTUAL_FUNCTION_DEVICES: &str = "xenserver/device/net-sriov-vf";

/// The most addresses of a family that an interface has in the report. Other agents have this
/// limit.
const MAX_PER_FAMILY: usize = 10;
/// The most interfaces of a kind in the report.
const MAX_INTERFACES: usize = 32;
/// The most addresses in the report, of the 1000 nodes or so that a guest may have.
const MAX_ADDRESSES: usize = 256;

/// The numbers of virtual functions (SR-IOV) by their MAC addresses.
pub(super) type VirtualFunctions = BTreeMap<[u8; 6], u32>;

/// Reads which virtual functions there are. Most hosts have no such nodes.
pub(super) fn virtual_functions(store: &mut impl Nodes) -> Result<VirtualFunctions, Error> {
    let mut functions = VirtualFunctions::new();
    let names = match store.directory(VIRTUAL_FUNCTION_DEVICES) {
        Err(error) if !error.is_lost() => return Ok(functions),
        names => names?,
    };
    for id in names.iter().filter_map(|name| number(name)).take(MAX_INTERFACES) {
        match store.read(&format!("{VIRTUAL_FUNCTION_DEVICES}/{id}/mac")) {
            Ok(mac) => functions.extend(mac_address(&mac).map(|mac| (mac, id))),
            Err(error) if error.is_lost() => return Err(error),
            Err(_) => {}
        }
    }
    Ok(functions)
}

/// Adds the addresses of vifs and virtual functions: `attr/vif/ID/ipv4/N` and the like. IDs are the
/// host's numbers, whatever the guest calls the interfaces; N counts from 0.
///
/// An interface that is switched off has none. One that belongs to a bridge or a bond has those of
/// that, too, because the guest is reached there. Link-local addresses are reported, as other
/// agents do, but after those that are valid elsewhere.
pub(super) fn add_addresses(
    report: &mut Report,
    root: &Root,
    interfaces: &[Interface],
    functions: &VirtualFunctions,
) {
    let mut vifs = BTreeMap::new();
    let mut found_functions = BTreeMap::new();
    for interface in interfaces.iter().filter(|interface| !interface.link.is_loopback) {
        if let Some(id) = vif_number(root, &interface.link.name) {
            vifs.entry(id).or_insert(interface);
        } else if let Some(id) = interface.link.mac.and_then(|mac| functions.get(&mac)) {
            found_functions.entry(*id).or_insert(interface);
        }
    }
    let mut left = MAX_ADDRESSES;
    for (directory, found) in [(VIRTUAL_FUNCTIONS, found_functions), (VIFS, vifs)] {
        for (id, interface) in found.into_iter().take(MAX_INTERFACES) {
            let (v4, v6): (Vec<_>, Vec<_>) =
                addresses(interface, interfaces).into_iter().partition(IpAddr::is_ipv4);
            for (family, ips) in [("ipv4", v4), ("ipv6", v6)] {
                for (n, ip) in ips.iter().take(MAX_PER_FAMILY.min(left)).enumerate() {
                    report.add(format!("{directory}/{id}/{family}/{n}"), &ip.to_string());
                    left -= 1;
                }
            }
        }
    }
}

/// The usable addresses of an interface and of the bridge or bond that it belongs to, each once,
/// those first by which others can reach the guest best.
fn addresses(interface: &Interface, all: &[Interface]) -> Vec<IpAddr> {
    let master = all.iter().find(|other| Some(other.link.index) == interface.link.master);
    let on = [Some(interface), master].into_iter().flatten().filter(|one| one.link.is_up);
    let mut addresses: Vec<&Address> = on.flat_map(|one| &one.addresses).collect();
    addresses.retain(|address| address.is_usable);
    addresses.sort_by_key(|address| (address.is_link_local, address.is_temporary));
    let mut ips = Vec::new();
    for address in addresses {
        if !ips.contains(&address.ip) {
            ips.push(address.ip);
        }
    }
    ips
}

/// The number that the host has given to a vif; `None` for another interface.
fn vif_number(root: &Root, interface: &str) -> Option<u32> {
    if interface.contains('/') {
        return None;
    }
    let file = format!("/sys/class/net/{interface}/device/nodename");
    let content = root.read(&file).ok()??;
    let node = std::str::from_utf8(&content).ok()?;
    number(node.trim().strip_prefix("device/vif/")?)
}

fn number(text: &str) -> Option<u32> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| text.parse().ok()).flatten()
}

fn mac_address(text: &[u8]) -> Option<[u8; 6]> {
    Mac::parse(std::str::from_utf8(text).ok()?.trim()).map(|mac| mac.0)
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::{Guest, address, interface};
    use super::*;
    use proptest::prelude::*;

    fn reported(guest: &Guest, interfaces: &[Interface]) -> Vec<(String, String)> {
        reported_with(guest, interfaces, &VirtualFunctions::new())
    }

    fn reported_with(
        guest: &Guest,
        interfaces: &[Interface],
        functions: &VirtualFunctions,
    ) -> Vec<(String, String)> {
        let mut report = Report::default();
        add_addresses(&mut report, &guest.root(), interfaces, functions);
        report.nodes().map(|(path, value)| (path.to_owned(), value.to_owned())).collect()
    }

    fn nodes<const N: usize>(nodes: [(&str, &str); N]) -> Vec<(String, String)> {
        nodes.map(|(path, value)| (path.to_owned(), value.to_owned())).to_vec()
    }

    #[test]
    fn a_vif_is_known_by_the_hosts_number() {
        let guest = Guest::empty().vif("enX0", 1).vif("lan", 0);
        let interfaces = [
            interface(1, "lo", &["127.0.0.1", "::1"]),
            interface(2, "enX0", &["203.0.113.10"]),
            interface(3, "lan", &["10.0.0.2"]),
            interface(4, "docker0", &["172.17.0.1"]),
        ];
        let expected =
            nodes([("attr/vif/0/ipv4/0", "10.0.0.2"), ("attr/vif/1/ipv4/0", "203.0.113.10")]);
        assert_eq!(reported(&guest, &interfaces), expected);
    }

    #[test]
    fn a_guest_without_vifs_reports_no_address() {
        let interfaces = [interface(2, "eth0", &["10.0.0.2"])];
        assert_eq!(reported(&Guest::empty(), &interfaces), []);
    }

    #[test]
    fn addresses_that_others_can_reach_come_first() {
        let mut all = interface(
            2,
            "eth0",
            &["fe80::1", "169.254.3.4", "2001:db8::99", "10.0.0.2", "2001:db8::10", "10.0.0.2"],
        );
        all.addresses[2].is_temporary = true;
        let mut unusable = address(2, "2001:db8::66");
        unusable.is_usable = false;
        all.addresses.insert(0, unusable);
        let expected = nodes([
            ("attr/vif/0/ipv4/0", "10.0.0.2"),
            ("attr/vif/0/ipv4/1", "169.254.3.4"),
            ("attr/vif/0/ipv6/0", "2001:db8::10"),
            ("attr/vif/0/ipv6/1", "2001:db8::99"),
            ("attr/vif/0/ipv6/2", "fe80::1"),
        ]);
        assert_eq!(reported(&Guest::empty().vif("eth0", 0), &[all]), expected);
    }

    #[test]
    fn ten_of_thirty_addresses_of_a_family_are_reported() {
        let ips: Vec<String> =
            (1..=30).flat_map(|n| [format!("10.0.0.{n}"), format!("2001:db8::{n}")]).collect();
        let ips: Vec<&str> = ips.iter().map(String::as_str).collect();
        let found = reported(&Guest::empty().vif("eth0", 0), &[interface(2, "eth0", &ips)]);
        assert_eq!(found.len(), 20);
        assert_eq!(found[9], ("attr/vif/0/ipv4/9".into(), "10.0.0.10".into()));
        assert_eq!(found[19], ("attr/vif/0/ipv6/9".into(), "2001:db8::10".into()));
    }

    #[test]
    fn many_interfaces_do_not_use_up_the_guests_nodes() {
        let mut guest = Guest::empty();
        let mut interfaces = Vec::new();
        let ips: Vec<String> = (1..=10).map(|n| format!("10.0.0.{n}")).collect();
        let ips: Vec<&str> = ips.iter().map(String::as_str).collect();
        for number in 0..100 {
            let name = format!("eth{number}");
            guest = guest.vif(&name, number);
            interfaces.push(interface(number + 2, &name, &ips));
        }
        let found = reported(&guest, &interfaces);
        assert_eq!(found.len(), MAX_ADDRESSES);
        assert_eq!(found[0].0, "attr/vif/0/ipv4/0");
        assert_eq!(found[MAX_ADDRESSES - 1].0, "attr/vif/25/ipv4/5");
        for interface in &mut interfaces {
            interface.addresses.truncate(1);
        }
        assert_eq!(reported(&guest, &interfaces).len(), MAX_INTERFACES);
    }

    #[test]
    fn an_interface_that_is_switched_off_has_no_address() {
        let mut off = interface(2, "eth0", &["10.0.0.2"]);
        off.link.is_up = false;
        assert_eq!(reported(&Guest::empty().vif("eth0", 0), &[off]), []);
    }

    #[test]
    fn a_bridges_addresses_are_those_of_its_vif() {
        let mut port = interface(2, "eth0", &[]);
        port.link.master = Some(5);
        let bridge = interface(5, "br0", &["10.0.0.2", "fe80::2"]);
        let expected = nodes([("attr/vif/0/ipv4/0", "10.0.0.2"), ("attr/vif/0/ipv6/0", "fe80::2")]);
        assert_eq!(reported(&Guest::empty().vif("eth0", 0), &[port, bridge]), expected);
    }

    #[test]
    fn a_virtual_function_is_known_by_its_mac() {
        let guest = Guest::empty().vif("eth0", 0);
        let interfaces = [interface(2, "eth0", &["10.0.0.2"]), interface(3, "ens5", &["10.0.1.2"])];
        let functions = VirtualFunctions::from([([0x00, 0x16, 0x3e, 0, 0, 3], 1)]);
        let expected = nodes([
            ("xenserver/attr/net-sriov-vf/1/ipv4/0", "10.0.1.2"),
            ("attr/vif/0/ipv4/0", "10.0.0.2"),
        ]);
        assert_eq!(reported_with(&guest, &interfaces, &functions), expected);
    }

    #[test]
    fn files_and_names_that_are_none_of_a_vif_are_left_out() {
        for content in [
            "device/vif/",
            "device/vif/-1",
            "device/vif/4294967296",
            "device/vbd/0",
            "device/vif/0/..",
            "device/vif/+1",
            "\u{ff}",
            "",
        ] {
            let guest = Guest::empty().file("/sys/class/net/eth0/device/nodename", content);
            assert_eq!(vif_number(&guest.root(), "eth0"), None, "{content}");
        }
        let guest = Guest::empty().vif("eth0", 3);
        assert_eq!(vif_number(&guest.root(), "eth0"), Some(3));
        for name in ["", ".", "..", "../net/eth0", "eth0/", "eth1"] {
            assert_eq!(vif_number(&guest.root(), name), None, "{name}");
        }
    }

    #[test]
    fn mac_addresses_have_six_bytes() {
        let mac = Some([0x00, 0x16, 0x3e, 0xab, 0, 3]);
        assert_eq!(mac_address(b"00:16:3E:ab:00:03"), mac);
        assert_eq!(mac_address(b"00:16:3e:ab:00:03\n"), mac);
        for text in ["", "00:16:3e:ab:00", "00:16:3e:ab:00:03:04", "00:16:3e:ab:00:100", "é"] {
            assert_eq!(mac_address(text.as_bytes()), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn numbers_are_numbers(text in "[+ 0-9a-z]{0,12}") {
            if let Some(number) = number(&text) {
                prop_assert!(text.trim_start_matches('0').is_empty() || text.ends_with(&number.to_string()));
            }
        }
    }
}
