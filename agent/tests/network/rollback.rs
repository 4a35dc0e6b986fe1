//! A network that does not work is taken back.

use crate::guest::{Come, Guest, KINDS, Kind};
use crate::vm_data::VmData;
use std::fs;
use std::time::Duration;
use xend_guest_agent::network::schedule::{ANSWER, Part, RESERVE};
use xend_guest_protocol::response::Response;

const NOT_COME: &str =
    "Couldn't restart network: eth0 did not get 203.0.113.10/24. The old network is back";

/// How often the command ran that makes the network take effect.
fn applied(guest: &Guest) -> usize {
    let ran = guest.take_ran();
    ran.iter().filter(|line| line.starts_with(guest.kind.applies)).count()
}

#[test]
fn when_the_tools_fail() {
    for kind in KINDS {
        for example in ["two-interfaces", "routes"] {
            let guest = Guest::new(kind);
            let before = guest.files();
            guest.fail(kind.applies, 6);
            if kind.name == "networkd" {
                // Tried when networkctl fails.
                guest.fail("systemctl restart", 6);
            }
            let answer = guest.reset(&VmData::example(example));
            assert_eq!(answer.returncode, "500", "{}", kind.name);
            assert!(answer.message.starts_with("Couldn't restart network: 6 ("), "{answer:?}");
            assert_eq!(guest.files(), before, "{} {example}", kind.name);
            assert_eq!(guest.read("/proc/sys/kernel/hostname").unwrap(), "image\n");
        }
    }
}

#[test]
fn when_the_addresses_do_not_come() {
    for kind in KINDS {
        let guest = Guest::new(kind);
        let before = guest.files();
        guest.let_addresses_come(Come::Never);
        let answer = guest.reset(&VmData::example("two-interfaces"));
        assert_eq!(answer, Response::failed(NOT_COME));
        assert_eq!(guest.files(), before, "{}", kind.name);
        assert_eq!(guest.read("/proc/sys/kernel/hostname").unwrap(), "image\n");
        // The old configuration takes effect again, unless there was none, or NetworkManager goes
        // on with it by itself.
        let expected = match kind.name {
            "network-manager" | "ifupdown-sourced" => 1,
            _ => 2,
        };
        assert_eq!(applied(&guest), expected, "{}", kind.name);
    }
}

#[test]
fn to_the_files_of_the_reset_before() {
    for kind in KINDS {
        let guest = Guest::new(kind);
        guest.reset(&VmData::example("routes"));
        let before = guest.files();
        guest.let_addresses_come(Come::Never);
        assert_eq!(guest.reset(&VmData::example("no-gateway")).returncode, "500");
        assert_eq!(guest.files(), before, "{}", kind.name);
    }
}

#[test]
fn with_the_modes_of_the_old_files() {
    let guest = Guest::new(Kind::named("ifcfg"));
    let alias = "/etc/sysconfig/network-scripts/ifcfg-eth0:1";
    set_mode(&guest, alias, 0o640);
    guest.let_addresses_come(Come::Never);
    guest.reset(&VmData::example("one-address"));
    assert_eq!(guest.mode(alias), 0o640);
}

/// The network is not even touched then.
#[test]
fn when_the_name_cannot_be_set() {
    for kind in KINDS {
        let guest = Guest::new(kind);
        let before = guest.files();
        guest.behaviour.borrow_mut().hostname_error = Some(1);
        let answer = guest.reset(&VmData::example("two-interfaces"));
        let message = "Couldn't set hostname: Operation not permitted";
        assert_eq!(answer, Response::failed(message), "{}", kind.name);
        assert_eq!(guest.files(), before, "{}", kind.name);
        assert_eq!(applied(&guest), 0, "{}", kind.name);
        assert!(guest.read("/var/lib/xend-guest-agent/network.json").is_none());
    }
}

#[test]
fn when_a_file_cannot_be_written() {
    let guest = Guest::new(Kind::named("ifupdown"));
    let before = guest.files();
    // A file in the place of a directory.
    guest.write("/etc/cloud/cloud.cfg.d/x", "");
    fs::create_dir_all(guest.path("/etc/cloud/cloud.cfg.d/99-disable-network-config.cfg/x"))
        .unwrap();
    let answer = guest.reset(&VmData::example("one-address"));
    let message = "Couldn't read the network's configuration: \
                   /etc/cloud/cloud.cfg.d/99-disable-network-config.cfg: \
                   It is not a regular file";
    assert_eq!(answer, Response::failed(message));
    fs::remove_dir_all(guest.path("/etc/cloud")).unwrap();
    assert_eq!(guest.files(), before);
    assert_eq!(guest.take_ran(), [""; 0]);
}

#[test]
fn with_time_for_tools_that_are_slow() {
    for kind in KINDS {
        let guest = Guest::new(kind);
        let before = guest.files();
        guest.slow_down(kind.applies, Part::Apply.limit().mul_f64(0.9));
        guest.let_addresses_come(Come::Never);
        let answer = guest.reset(&VmData::example("one-address"));
        assert_eq!(answer, Response::failed(NOT_COME));
        assert_eq!(guest.files(), before, "{}", kind.name);
        assert!(guest.behaviour.borrow().elapsed + RESERVE <= ANSWER, "{}", kind.name);
    }
}

/// Such as DHCP whose server is slow: what the change has not needed is the rollback's.
#[test]
fn with_all_the_time_that_is_left() {
    let guest = Guest::new(Kind::named("netplan"));
    guest.fail("netplan generate", 1);
    guest.slow_down("netplan apply", Duration::from_secs(45));
    let answer = guest.reset(&VmData::example("one-address"));
    let message = "Couldn't restart network: 1 (netplan generate). The old network is back";
    assert_eq!(answer, Response::failed(message));
}

#[test]
fn a_tool_that_hangs_when_an_interface_goes_down_leaves_the_next_one_its_time() {
    for (kind, down) in [
        ("ifupdown", "ifdown"),
        ("alpine", "ifdown"),
        ("ifcfg", "ifdown"),
        ("gentoo", "rc-service net.eth0 stop"),
    ] {
        let guest = Guest::new(Kind::named(kind));
        guest.hang(down);
        guest.slow_down(guest.kind.applies, Part::Apply.limit().mul_f64(0.9));
        assert_eq!(guest.reset(&VmData::example("one-address")), Response::ok(""), "{kind}");
        let ran = guest.take_ran();
        assert!(ran.last().unwrap().starts_with(guest.kind.applies), "{ran:?}");
    }
}

#[test]
fn within_the_time_that_hosts_wait_if_every_tool_hangs() {
    for (kind, hanging, last) in [
        ("netplan", "netplan generate", "netplan apply"),
        ("network-manager", "nmcli connection reload", "nmcli connection reload"),
        ("networkd", "systemctl restart systemd-networkd", "systemctl restart systemd-networkd"),
        ("ifupdown", "ifup eth0", "ifup eth0"),
        ("ifupdown-sourced", "ifup eth0", "ip addr flush dev eth0 scope global"),
        ("alpine", "ifup eth0", "ifup eth0"),
        ("ifcfg", "ifup eth0", "ifup eth0"),
        ("suse", "wicked ifreload eth0", "wicked ifreload eth0"),
        ("gentoo", "rc-service net.eth0 start", "rc-service net.eth0 start"),
    ] {
        let guest = Guest::new(Kind::named(kind));
        let before = guest.files();
        // They answer questions.
        guest.slow_down("nmcli -t", Duration::ZERO);
        guest.slow_down("systemctl is-active", Duration::ZERO);
        guest.hang("");
        let answer = guest.reset(&VmData::example("one-address"));
        assert_eq!(answer.returncode, "500", "{kind}");
        let program = format!("Couldn't restart network: {hanging} did not end within ");
        assert!(answer.message.starts_with(&program), "{}", answer.message);
        let elapsed = guest.behaviour.borrow().elapsed;
        assert!(elapsed + RESERVE <= ANSWER, "{kind}: {elapsed:?}");
        assert_eq!(guest.files(), before, "{kind}");
        assert_eq!(guest.take_ran().last().unwrap(), last, "{kind}");
    }
}

#[test]
fn each_interface_has_its_turn_whatever_becomes_of_the_others() {
    let guest = Guest::new(Kind::named("gentoo"));
    guest.hang("rc-service net.eth0 start");
    let answer = guest.reset(&VmData::example("two-interfaces"));
    assert_eq!(answer.returncode, "500");
    assert!(answer.message.contains(". The old network is not back: "), "{}", answer.message);
    let ran = guest.take_ran();
    let second = ran.iter().filter(|line| *line == "rc-service net.eth1 start");
    assert_eq!(second.count(), 2, "{ran:?}");
}

#[test]
fn and_tells_if_the_old_network_does_not_work_either() {
    let guest = Guest::new(Kind::named("alpine"));
    let before = guest.files();
    guest.fail("ifup", 3);
    let answer = guest.reset(&VmData::example("one-address"));
    let message = "Couldn't restart network: 3 (ifup eth0). The old network is not back: \
                   Couldn't restart network: 3 (ifup eth0)";
    assert_eq!(answer, Response::failed(message));
    assert_eq!(guest.files(), before);
}

#[test]
fn interfaces_are_down_while_their_files_change() {
    let guest = Guest::new(Kind::named("ifupdown"));
    guest.reset(&VmData::example("two-interfaces"));
    let ran = guest.take_ran();
    let ran: Vec<&str> = ran.iter().map(String::as_str).collect();
    let expected = [
        "ifdown eth0",
        "ip addr flush dev eth0 scope global",
        "ifdown eth1",
        "ip addr flush dev eth1 scope global",
        "ifup eth0",
        "ifup eth1",
    ];
    assert_eq!(ran, expected);
}

fn set_mode(guest: &Guest, path: &str, mode: u32) {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(guest.path(path), fs::Permissions::from_mode(mode)).unwrap();
}
