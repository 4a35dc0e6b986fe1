//! What is refused before anything is written.

use crate::guest::{Guest, KINDS, Kind};
use crate::vm_data::VmData;
use std::fs;
use std::process::Command;
use xend_guest_protocol::response::Response;

/// Resets the network of a guest of each kind, or of some, and expects that nothing is written.
fn refuse(kinds: &[Kind], data: &VmData, message: &str) {
    for kind in kinds {
        let guest = Guest::new(*kind);
        let before = guest.files();
        assert_eq!(guest.reset(data), Response::failed(message), "{}", kind.name);
        assert_eq!(guest.files(), before);
        assert!(guest.take_ran().iter().all(|line| !line.starts_with(kind.applies)));
    }
}

fn one_kind() -> [Kind; 1] {
    [Kind::named("ifupdown")]
}

#[test]
fn an_interface_that_the_guest_does_not_have() {
    let data = VmData::example("two-interfaces")
        .with("networking/00163E777777", r#"{"ips":[{"ip":"10.0.0.1","netmask":"8"}]}"#);
    refuse(&KINDS, &data, "Unknown interface MAC 00:16:3e:77:77:77");
}

#[test]
fn an_interface_without_addresses() {
    for json in ["{}", r#"{"ips":[{"ip":"10.0.0.1","netmask":"8","enabled":"0"}]}"#] {
        let data = VmData::example("one-address").with("networking/00163E445566", json);
        refuse(&one_kind(), &data, "No IPs found for interface");
    }
}

#[test]
fn host_names_that_are_none() {
    let long = "a".repeat(65);
    let long_part = format!("{}.b", "a".repeat(64));
    let names = ["a b", "a\nb", "$(reboot)", "a;b", "-a", "a..b", "\u{e9}", "a\"b", "a'b", "#a"];
    let more = ["a_b", "bad-", "bad-.example.org", "1.2.3.4", &long, &long_part, "a.", "_"];
    for name in names.into_iter().chain(more) {
        let data = VmData::example("one-address").with("hostname", name);
        let guest = Guest::new(Kind::named("ifupdown"));
        let before = guest.files();
        let answer = guest.reset(&data);
        assert_eq!(answer.returncode, "500", "{name}");
        assert!(answer.message.starts_with("Couldn't set hostname: "), "{}", answer.message);
        assert_eq!(guest.files(), before);
        assert_eq!(guest.take_ran(), [""; 0]);
    }
}

#[test]
fn no_settings_at_all() {
    let message = "vm-data has neither networking nor hostname: there is nothing to set";
    refuse(&KINDS, &VmData::default(), message);
    refuse(&one_kind(), &VmData::default().with("hostname", " \n"), message);
}

#[test]
fn a_node_without_content() {
    for content in ["", " \n"] {
        let data = VmData::example("one-address").with("networking/00163E445566", content);
        refuse(&one_kind(), &data, "vm-data/networking/00163E445566 is empty");
    }
}

#[test]
fn an_address_that_the_interface_cannot_have() {
    let data = |json| VmData::default().with("networking/00163E112233", json);
    let json = r#"{"ips":[{"ip":"10.0.0.255","netmask":"24"}]}"#;
    let message = "vm-data/networking/00163E112233: \
                   ips[0].ip is the broadcast address of its network";
    refuse(&KINDS, &data(json), message);
    let json = r#"{"ips":[{"ip":"10.0.0.1","netmask":"24"}],"gateway":"10.0.0.255"}"#;
    let message = "vm-data/networking/00163E112233: \
                   gateway is the broadcast address of its network";
    refuse(&KINDS, &data(json), message);
}

#[test]
fn a_guest_that_lacks_a_program() {
    let kind = Kind { programs: &["ifup", "ip"], ..Kind::named("ifupdown") };
    let message = "Couldn't restart network: there is no program ifdown";
    refuse(&[kind], &VmData::example("one-address"), message);
}

/// Nothing is taken down for a change that is not possible.
#[test]
fn a_file_that_cannot_be_written() {
    let guest = Guest::new(Kind::named("ifupdown"));
    let before = guest.files();
    let network = guest.path("/etc/network");
    let mount = |options: &[&str]| {
        let output = Command::new("mount").args(options).arg(&network).output();
        output.is_ok_and(|output| output.status.success())
    };
    if !mount(&["--bind", &network.display().to_string()]) {
        eprintln!("SKIPPED: nothing can be mounted here");
        return;
    }
    let answer = mount(&["-o", "remount,ro,bind"]).then(|| guest.reset(&VmData::example("routes")));
    assert!(Command::new("umount").arg(&network).status().unwrap().success());
    let message = "Couldn't write /etc/network/interfaces: Read-only file system";
    assert_eq!(answer, Some(Response::failed(message)));
    assert_eq!(guest.files(), before);
    assert_eq!(guest.take_ran().len(), 0);
}

#[test]
fn a_guest_whose_tools_do_not_say_whose_the_network_is() {
    for (kind, question) in [
        ("network-manager", "nmcli -t -f DEVICE,STATE device"),
        ("networkd", "systemctl is-active --quiet systemd-networkd"),
    ] {
        let guest = Guest::new(Kind::named(kind));
        let before = guest.files();
        guest.hang(question);
        let answer = guest.reset(&VmData::example("one-address"));
        let message = format!(
            "Couldn't find out how this guest configures its network: \
             {question} did not end within 6 seconds"
        );
        assert_eq!(answer, Response::failed(message));
        assert_eq!(guest.files(), before);
    }
}

#[test]
fn settings_that_are_malformed() {
    let malformed: [(&str, &[u8]); 6] = [
        ("networking/00163E112233", b"{"),
        ("networking/00163E112233", b"[]"),
        ("networking/00163E112233", b"\xff"),
        ("networking/nonsense", b"{}"),
        ("networking/00163E112233", br#"{"ips":[{"ip":"10.0.0.1; reboot","netmask":"8"}]}"#),
        ("networking/00163E112233", br#"{"label":"a\nb","ips":[{"ip":"10.0.0.1","netmask":"8"}]}"#),
    ];
    for (path, value) in malformed {
        let guest = Guest::new(Kind::named("netplan"));
        let before = guest.files();
        let answer = guest.reset(&VmData::default().with(path, value));
        assert_eq!(answer.returncode, "500");
        assert!(answer.message.starts_with("vm-data/networking/"), "{}", answer.message);
        assert_eq!(guest.files(), before);
    }
}

#[test]
fn more_interfaces_than_a_guest_can_have() {
    let mut data = VmData::default();
    for number in 0..65 {
        let json = r#"{"ips":[{"ip":"10.0.0.1","netmask":"8"}]}"#;
        data = data.with(&format!("networking/00163E1100{number:02X}"), json);
    }
    refuse(&one_kind(), &data, "vm-data/networking has more than 64 interfaces");
}

#[test]
fn a_mac_that_two_interfaces_have() {
    let guest = Guest::new(Kind::named("ifupdown"));
    guest.write("/sys/class/net/eth1/address", "00:16:3E:11:22:33\n");
    let answer = guest.reset(&VmData::example("one-address"));
    let message = "More than one interface of the guest has MAC 00:16:3e:11:22:33";
    assert_eq!(answer, Response::failed(message));
    // The one that belongs to a bond is not meant, and neither is a VLAN.
    guest.write("/sys/class/net/eth1/master/x", "");
    guest.write("/sys/class/net/eth0.7/address", "00:16:3e:11:22:33\n");
    assert_eq!(guest.reset(&VmData::example("one-address")), Response::ok(""));
}

#[test]
fn an_interface_whose_name_would_damage_a_file() {
    for name in ["a;b", "a$b", "a\"b", "a\nb", "-a", "a b"] {
        let guest = Guest::new(Kind::named("ifupdown"));
        let class = guest.path("/sys/class/net");
        fs::rename(class.join("eth0"), class.join(name)).unwrap();
        let answer = guest.reset(&VmData::example("one-address"));
        let message = "The interface with MAC 00:16:3e:11:22:33 has a name that configuration files cannot hold";
        assert_eq!(answer, Response::failed(message));
    }
}

#[test]
fn a_guest_whose_network_is_of_no_known_kind() {
    let kind = Kind { programs: &["ip", "ifconfig"], ..Kind::named("ifupdown") };
    let message = "Couldn't find out how this guest configures its network: no known tool is there";
    refuse(&[kind], &VmData::example("one-address"), message);
}

#[test]
fn a_configuration_that_is_a_symbolic_link() {
    let guest = Guest::new(Kind::named("ifupdown"));
    let path = guest.path("/etc/network/interfaces");
    fs::rename(&path, guest.path("/etc/network/shared")).unwrap();
    std::os::unix::fs::symlink("shared", &path).unwrap();
    let before = guest.files();
    let answer = guest.reset(&VmData::example("one-address"));
    let message =
        "/etc/network/interfaces is a symbolic link, which is not replaced: put a file there";
    assert_eq!(answer, Response::failed(message));
    assert_eq!(guest.files(), before);
}

#[test]
fn two_nodes_for_an_interface() {
    let other = r#"{"ips":[{"ip":"10.0.0.1","netmask":"8"}]}"#;
    let data = VmData::example("one-address").with("networking/00163e112233", other);
    let message =
        "vm-data/networking has two nodes for MAC 00:16:3e:11:22:33 that differ: remove one";
    refuse(&KINDS, &data, message);
    // The same in both is no question.
    let same = VmData::default()
        .with("networking/00163E112233", other)
        .with("networking/00163e112233", r#"{"ips":[{"ip":"10.0.0.1","netmask":8}]}"#);
    let guest = Guest::new(Kind::named("alpine"));
    assert_eq!(guest.reset(&same), Response::ok(""));
    assert!(guest.read("/etc/network/interfaces").unwrap().contains("10.0.0.1"));
}
