//! What is written: for each kind of guest and each example, the files in
//! `tests/golden/KIND/EXAMPLE`. `UPDATE_GOLDEN=1` writes them anew.

use crate::files;
use crate::guest::{Come, Guest, KINDS, Kind};
use crate::vm_data::VmData;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use xend_guest_protocol::response::Response;

#[test]
fn each_example_is_written_as_in_the_golden_files() {
    let is_update = std::env::var_os("UPDATE_GOLDEN").is_some();
    for kind in KINDS {
        for example in VmData::examples() {
            let guest = Guest::new(kind);
            let before = guest.files();
            let answer = guest.reset(&VmData::example(&example));
            assert_eq!(answer, Response::ok(""), "{} {example}", kind.name);
            let changed = files::changed(&before, &guest.files());
            let directory = kind.directory().join(&example);
            if is_update {
                drop(fs::remove_dir_all(&directory));
                files::write(&directory, &changed);
            }
            assert_eq!(
                changed,
                files::read(&directory),
                "{} {example}: UPDATE_GOLDEN=1 writes the golden files anew",
                kind.name
            );
            assert!(guest.read("/var/lib/xend-guest-agent/network.json").is_none());
        }
    }
}

#[test]
fn a_second_reset_changes_nothing_and_disturbs_nothing() {
    for kind in KINDS {
        for example in VmData::examples() {
            let guest = Guest::new(kind);
            let data = VmData::example(&example);
            guest.reset(&data);
            let after = guest.files();
            guest.let_addresses_come(Come::Already);
            guest.take_ran();
            assert_eq!(guest.reset(&data), Response::ok(""));
            assert_eq!(guest.files(), after, "{} {example}", kind.name);
            let ran = guest.take_ran();
            assert!(ran.iter().all(|line| !line.starts_with(kind.applies)), "{ran:?}");
        }
    }
}

#[test]
fn the_first_example_again_undoes_what_another_one_has_set() {
    for kind in KINDS {
        let guest = Guest::new(kind);
        let first = VmData::example("one-address");
        guest.reset(&first);
        let expected = sorted(guest.files());
        for example in ["ipv6", "routes", "two-addresses", "gateway-outside", "disabled-addresses"]
        {
            guest.reset(&VmData::example(example));
            guest.reset(&first);
            assert_eq!(sorted(guest.files()), expected, "{} {example}", kind.name);
        }
    }
}

/// The lines of all files. Keys that are assigned anew stand at the end.
fn sorted(files: files::Files) -> BTreeMap<String, BTreeSet<String>> {
    let lines = |text: String| text.lines().map(ToOwned::to_owned).collect();
    files.into_iter().map(|(path, text)| (path, lines(text))).collect()
}

#[test]
fn other_peoples_bytes_stay_whatever_their_encoding() {
    for (kind, path) in [("alpine", "/etc/network/interfaces"), ("gentoo", "/etc/conf.d/net")] {
        let guest = Guest::new(Kind::named(kind));
        let mut content = fs::read(guest.path(path)).unwrap();
        content.extend(b"# caf\xe9 \x80\xff\n");
        fs::write(guest.path(path), &content).unwrap();
        guest.reset(&VmData::example("one-address"));
        let new = fs::read(guest.path(path)).unwrap();
        let line = b"# caf\xe9 \x80\xff\n".as_slice();
        assert!(new != content && new.windows(line.len()).any(|bytes| bytes == line));
        // And when the change is taken back.
        guest.let_addresses_come(Come::Never);
        assert_eq!(guest.reset(&VmData::example("routes")).returncode, "500");
        assert_eq!(fs::read(guest.path(path)).unwrap(), new);
    }
}

#[test]
fn addresses_that_are_gone_are_set_again() {
    for kind in KINDS {
        let guest = Guest::new(kind);
        let data = VmData::example("one-address");
        guest.reset(&data);
        guest.take_ran();
        assert_eq!(guest.reset(&data), Response::ok(""));
        assert!(guest.take_ran().iter().any(|line| line.starts_with(kind.applies)));
    }
}

#[test]
fn files_with_secrets_are_private_and_others_keep_their_modes() {
    let guest = Guest::new(Kind::named("netplan"));
    guest.reset(&VmData::example("two-interfaces"));
    assert_eq!(guest.mode("/etc/netplan/60-xend.yaml"), 0o600);
    assert_eq!(guest.mode("/etc/hostname"), 0o644);

    let guest = Guest::new(Kind::named("network-manager"));
    guest.reset(&VmData::example("two-interfaces"));
    let path = "/etc/NetworkManager/system-connections/xend-eth0.nmconnection";
    assert_eq!(guest.mode(path), 0o600);
}

#[test]
fn older_agents_aliases_are_gone() {
    let guest = Guest::new(Kind::named("ifcfg"));
    let alias = "/etc/sysconfig/network-scripts/ifcfg-eth0:1";
    assert!(guest.read(alias).is_some());
    guest.reset(&VmData::example("one-address"));
    assert_eq!(guest.read(alias), None);
    assert!(guest.read("/etc/sysconfig/network-scripts/ifcfg-lo").is_some());
}

#[test]
fn a_file_of_the_interface_under_its_old_name_is_gone() {
    let cases = [
        ("networkd", "/etc/systemd/network/05-xend-", ".network"),
        ("network-manager", "/etc/NetworkManager/system-connections/xend-", ".nmconnection"),
    ];
    for (kind, before, after) in cases {
        let guest = Guest::new(Kind::named(kind));
        guest.reset(&VmData::example("one-address"));
        let old = format!("{before}enX0{after}");
        let own = format!("{before}mine{after}");
        fs::rename(guest.path(&format!("{before}eth0{after}")), guest.path(&old)).unwrap();
        guest.write(&own, "[Match]\nMACAddress=00:16:3e:11:22:33\n");
        assert_eq!(guest.reset(&VmData::example("one-address")), Response::ok(""));
        assert_eq!(guest.read(&old), None);
        assert!(guest.read(&format!("{before}eth0{after}")).is_some());
        assert!(guest.read(&own).is_some(), "Not ours");
    }
}

#[test]
fn nothing_of_a_label_reaches_a_file() {
    for kind in KINDS {
        let guest = Guest::new(kind);
        guest.reset(&VmData::example("hostile-label"));
        for (path, text) in guest.files() {
            assert!(!text.contains("reboot") && !text.contains("eth9"), "{path}: {text}");
        }
    }
}

/// The writers do not take over all that people may have written.
#[test]
fn what_others_have_written_is_kept() {
    let scripts = "/etc/sysconfig/network-scripts";
    let route = "10.9.0.0/16 via 192.0.2.2 dev eth0\n";
    let cases = [
        ("ifcfg", format!("{scripts}/route-eth0"), Some(route)),
        ("ifcfg", format!("{scripts}/route6-eth0"), Some("2001:db8:9::/48 via fe80::9\n")),
        ("ifcfg", format!("{scripts}/ifcfg-eth0"), None),
        ("ifcfg", format!("{scripts}/ifcfg-eth0:1"), None),
        ("ifcfg", format!("{scripts}/route-eth0:1"), Some(route)),
        ("suse", "/etc/sysconfig/network/ifroute-eth0".to_owned(), Some("10.9.0.0/16 - - eth0\n")),
        ("suse", "/etc/sysconfig/network/ifcfg-eth0".to_owned(), None),
        ("ifupdown", "/etc/network/interfaces".to_owned(), None),
        ("ifupdown", "/etc/resolv.conf".to_owned(), None),
        ("networkd", "/etc/resolv.conf".to_owned(), None),
        ("gentoo", "/etc/conf.d/net".to_owned(), None),
        ("netplan", "/etc/netplan/60-xend.yaml".to_owned(), Some("network: {version: 2}\n")),
    ];
    for (kind, path, text) in cases {
        let guest = Guest::new(Kind::named(kind));
        if let Some(text) = text {
            guest.write(&path, text);
        }
        let before = guest.read(&path).unwrap();
        let data = VmData::example("routes");
        assert_eq!(guest.reset(&data), Response::ok(""), "{path}");
        assert_ne!(guest.read(&path).as_ref(), Some(&before), "{path}");
        assert!(guest.backups().contains(&before), "{path}: {:?}", guest.backups());
        // What has not changed is not kept again.
        let kept = guest.backups().len();
        guest.let_addresses_come(Come::Already);
        assert_eq!(guest.reset(&data), Response::ok(""), "{path}");
        assert_eq!(guest.backups().len(), kept, "{path}");
    }
}

#[test]
fn resolv_conf_that_is_a_link_stays_one() {
    for (kind, name) in [("alpine", "nameserver"), ("networkd", "nameserver"), ("ifupdown", "x")] {
        let guest = Guest::new(Kind::named(kind));
        let path = guest.path("/etc/resolv.conf");
        fs::remove_file(&path).unwrap();
        std::os::unix::fs::symlink("../run/resolv.conf", &path).unwrap();
        guest.write("/run/resolv.conf", name);
        assert_eq!(guest.reset(&VmData::example("one-address")), Response::ok(""));
        assert!(path.symlink_metadata().unwrap().is_symlink());
        assert_eq!(guest.read("/run/resolv.conf").as_deref(), Some(name));
    }
}

#[test]
fn without_a_host_name_the_guest_keeps_its_own() {
    for kind in KINDS {
        let guest = Guest::new(kind);
        guest.reset(&VmData::example("one-address").with("hostname", " \n"));
        assert_eq!(guest.read("/proc/sys/kernel/hostname").unwrap(), "image\n");
        assert_eq!(guest.read("/etc/hostname").as_deref().unwrap_or("image\n"), "image\n");
    }
}

#[test]
fn a_host_name_alone_disturbs_no_network() {
    for kind in KINDS {
        let guest = Guest::new(kind);
        let data = VmData::default().with("hostname", "web2");
        assert_eq!(guest.reset(&data), Response::ok(""));
        assert_eq!(guest.read("/proc/sys/kernel/hostname").unwrap(), "web2\n");
        assert_eq!(guest.read("/etc/hostname").unwrap(), "web2\n");
        let hosts = guest.read("/etc/hosts").unwrap();
        assert!(hosts.ends_with("127.0.1.1\tweb2 # xend-guest-agent\n"), "{hosts}");
        assert_eq!(guest.take_ran(), [""; 0]);

        guest.reset(&VmData::default().with("hostname", "web3"));
        let new = hosts.replace("web2", "web3");
        assert_eq!(guest.read("/etc/hosts").unwrap(), new);
    }
}
