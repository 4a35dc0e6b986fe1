//! A network that does not work is taken back.

use crate::guest::{Come, Guest, KINDS, Kind};
use crate::vm_data::VmData;
use std::fs;
use std::time::Duration;
use xend_guest_protocol::response::Response;

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
            assert!(answer.message.starts_with("Couldn't restart network: 6"), "{answer:?}");
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
        assert_eq!(answer, Response::failed("Couldn't restart network: no 203.0.113.10"));
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

#[test]
fn when_the_name_cannot_be_set() {
    for kind in KINDS {
        let guest = Guest::new(kind);
        let before = guest.files();
        guest.fail("hostname", 1);
        let answer = guest.reset(&VmData::example("two-interfaces"));
        assert_eq!(answer, Response::failed("Couldn't set hostname: 1"), "{}", kind.name);
        assert_eq!(guest.files(), before, "{}", kind.name);
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
    assert_eq!(answer.returncode, "500");
    fs::remove_dir_all(guest.path("/etc/cloud")).unwrap();
    assert_eq!(guest.files(), before);
}

#[test]
fn with_more_time_than_a_change_has() {
    for kind in KINDS {
        let guest = Guest::new(kind);
        let before = guest.files();
        // Such as DHCP whose server is slow.
        guest.slow_down(kind.applies, Duration::from_secs(39));
        guest.let_addresses_come(Come::Never);
        let answer = guest.reset(&VmData::example("one-address"));
        assert_eq!(answer, Response::failed("Couldn't restart network: no 203.0.113.10"));
        assert_eq!(guest.files(), before, "{}", kind.name);
    }
}

#[test]
fn and_tells_if_the_old_network_does_not_work_either() {
    let guest = Guest::new(Kind::named("alpine"));
    let before = guest.files();
    guest.fail("ifup", 3);
    let answer = guest.reset(&VmData::example("one-address"));
    let message = "Couldn't restart network: 3. The old configuration could not be restored: \
                   Couldn't restart network: 3";
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
        "hostname web1.example.org",
        "ifup eth0",
        "ifup eth1",
    ];
    assert_eq!(ran, expected);
}

fn set_mode(guest: &Guest, path: &str, mode: u32) {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(guest.path(path), fs::Permissions::from_mode(mode)).unwrap();
}
