//! Which of several ways a guest's network is configured in, and what the tools are asked for.

use crate::files;
use crate::guest::{Guest, Kind};
use crate::vm_data::VmData;
use xend_guest_protocol::response::Response;

/// Resets a guest's network. Returns the changed files.
fn changed(guest: &Guest) -> Vec<String> {
    let before = guest.files();
    assert_eq!(guest.reset(&VmData::example("one-address")), Response::ok(""));
    files::changed(&before, &guest.files()).into_keys().collect()
}

const NETWORKD: &str = "/etc/systemd/network/05-xend-eth0.network";

#[test]
fn an_interface_that_network_manager_does_not_manage_is_ifupdowns() {
    let kind = Kind {
        programs: &["nmcli", "ifup", "ifdown"],
        prints: &[("nmcli -t", "eth0:unmanaged\nlo:unmanaged\n")],
        ..Kind::named("alpine")
    };
    let guest = Guest::new(kind);
    assert_eq!(changed(&guest), ["/etc/network/interfaces", "/etc/resolv.conf"]);
}

#[test]
fn an_interface_that_networkd_does_not_manage_is_ifupdowns() {
    let kind =
        Kind { programs: &["networkctl", "systemctl", "ifup", "ifdown"], ..Kind::named("alpine") };
    let guest = Guest::new(kind);
    guest.write("/run/systemd/netif/links/2", "ADMIN_STATE=unmanaged\n");
    assert_eq!(changed(&guest), ["/etc/network/interfaces", "/etc/resolv.conf"]);
}

#[test]
fn an_interface_that_nobody_manages_is_networkds_if_it_runs() {
    let kind = Kind {
        programs: &["networkctl", "systemctl", "ifup", "ifdown"],
        applies: "networkctl",
        ..Kind::named("ifupdown-sourced")
    };
    let guest = Guest::new(kind);
    let cloud_init = "/etc/cloud/cloud.cfg.d/99-disable-network-config.cfg";
    assert_eq!(changed(&guest), [cloud_init, NETWORKD]);
}

#[test]
fn netplan_without_files_rules_nothing() {
    let kind = Kind {
        programs: &["netplan", "networkctl", "systemctl"],
        fails: &[],
        ..Kind::named("networkd")
    };
    assert_eq!(changed(&Guest::new(kind)), [NETWORKD]);
}

#[test]
fn a_connection_that_network_manager_only_sees_is_the_network_scripts() {
    let externally = Kind {
        programs: &["nmcli", "ifup", "ifdown"],
        prints: &[("nmcli -t", "eth0:connected (externally)\n")],
        ..Kind::named("ifcfg")
    };
    let scripts = "/etc/sysconfig/network-scripts";
    assert_eq!(changed(&Guest::new(externally)), [format!("{scripts}/ifcfg-eth0")]);

    let guest = Guest::new(Kind { applies: "nmcli connection up", ..externally });
    std::fs::remove_dir_all(guest.path(scripts)).unwrap();
    let connection = "/etc/NetworkManager/system-connections/xend-eth0.nmconnection";
    assert_eq!(changed(&guest), [connection]);
}

#[test]
fn netplan_has_network_manager_change_to_its_profile() {
    let kind = Kind { programs: &["netplan", "nmcli"], ..Kind::named("netplan") };
    let guest = Guest::new(kind);
    let profile = "/run/NetworkManager/system-connections/netplan-00-xend-eth0.nmconnection";
    guest.write(profile, "");
    changed(&guest);
    let expected =
        ["netplan generate", "netplan apply", "nmcli connection up id netplan-00-xend-eth0"];
    assert_eq!(guest.take_ran(), expected);
}

#[test]
fn networkd_of_old_is_started_again() {
    let guest = Guest::new(Kind { applies: "systemctl restart", ..Kind::named("networkd") });
    guest.fail("networkctl reload", 1);
    changed(&guest);
    let ran = guest.take_ran();
    assert_eq!(ran.last().unwrap(), "systemctl restart systemd-networkd");
}

#[test]
fn networkd_is_told_of_files_or_of_interfaces() {
    let guest = Guest::new(Kind::named("networkd"));
    changed(&guest);
    assert_eq!(guest.take_ran().last().unwrap(), "networkctl reload");
    assert_eq!(changed(&guest), [""; 0]);
    assert_eq!(guest.take_ran().last().unwrap(), "networkctl reconfigure eth0");
}

#[test]
fn suse_without_wicked_has_network_scripts() {
    let kind = Kind { programs: &["ifup", "ifdown"], applies: "ifup", ..Kind::named("suse") };
    let guest = Guest::new(kind);
    changed(&guest);
    assert_eq!(guest.take_ran(), ["ifdown eth0", "ifup eth0"]);
}

#[test]
fn network_manager_loads_a_connection_before_it_is_up() {
    let guest = Guest::new(Kind::named("network-manager"));
    changed(&guest);
    let expected = [
        "nmcli -t -f DEVICE,STATE device",
        "nmcli connection reload",
        "nmcli connection load /etc/NetworkManager/system-connections/xend-eth0.nmconnection",
        "nmcli connection up id xend-eth0",
    ];
    assert_eq!(guest.take_ran(), expected);
}
