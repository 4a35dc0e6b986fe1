//! An agent that is killed in the middle: the next reset begins with the files from before.

use crate::guest::{Come, Guest, KINDS, Kind};
use crate::vm_data::VmData;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;
use xend_guest_agent::network::schedule::{ANSWER, RESERVE};
use xend_guest_protocol::response::Response;

const KEPT: &str = "/var/lib/xend-guest-agent/network.json";
const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";

/// Resets the network until the agent waits for the addresses, where it dies.
fn kill(guest: &Guest, example: &str) {
    guest.let_addresses_come(Come::Killed);
    let data = VmData::example(example);
    let killed = catch_unwind(AssertUnwindSafe(|| guest.reset(&data)));
    assert!(killed.is_err());
    guest.take_ran();
}

#[test]
fn old_files_are_kept_privately_until_the_addresses_have_come() {
    let guest = Guest::new(Kind::named("netplan"));
    kill(&guest, "two-interfaces");
    assert!(guest.read("/etc/netplan/60-xend.yaml").is_some());
    assert_eq!(guest.mode(KEPT), 0o600);
}

#[test]
fn the_next_start_in_the_same_boot_brings_the_old_network_back() {
    for (kind, applied) in [
        ("netplan", "netplan apply"),
        ("network-manager", "nmcli connection reload"),
        ("networkd", "networkctl reload"),
        ("ifupdown", "ifup eth0"),
        ("alpine", "ifup eth0"),
        ("ifcfg", "ifup eth0"),
        ("suse", "wicked ifreload eth0"),
        ("gentoo", "rc-service net.eth1 start"),
    ] {
        let guest = Guest::new(Kind::named(kind));
        let before = guest.files();
        kill(&guest, "two-interfaces");
        assert_eq!(guest.read("/proc/sys/kernel/hostname").unwrap(), "web1.example.org\n");
        assert!(guest.recover());
        assert_eq!(guest.files(), before, "{kind}");
        assert_eq!(guest.read("/proc/sys/kernel/hostname").unwrap(), "image\n");
        let ran = guest.take_ran();
        assert!(ran.contains(&applied.to_owned()), "{kind}: {ran:?}");
        if ["ifupdown", "alpine", "ifcfg"].contains(&kind) {
            // Of the new configuration, before the old one is back.
            assert_eq!(ran[0], "ifdown eth0");
        }
        assert!(!guest.recover());
        assert_eq!(guest.take_ran(), [""; 0]);
    }
}

#[test]
fn after_a_reboot_old_files_are_applied_unless_they_were_back_before() {
    for kind in KINDS {
        for are_back in [false, true] {
            let guest = Guest::new(kind);
            let before = guest.files();
            kill(&guest, "two-interfaces");
            if are_back {
                // Killed again before the record was removed.
                let record = guest.read(KEPT).unwrap();
                assert!(guest.recover());
                guest.write(KEPT, &record);
                guest.take_ran();
            }
            guest.write(BOOT_ID, "00000000-0000-4000-8000-000000000000\n");
            assert!(guest.recover());
            assert_eq!(guest.files(), before, "{}", kind.name);
            assert_eq!(guest.take_ran().is_empty(), are_back, "{}", kind.name);
        }
    }
}

#[test]
fn a_recovery_and_a_reset_together_are_no_longer_than_a_host_waits() {
    let times = [1, 2, 3, 5, 8, 13].map(Duration::from_secs).into_iter().chain([Duration::MAX]);
    for time in times {
        for kind in KINDS {
            let guest = Guest::new(kind);
            let before = guest.files();
            kill(&guest, "two-interfaces");
            guest.let_addresses_come(Come::Never);
            guest.slow_down("", time);
            guest.behaviour.borrow_mut().elapsed = Duration::ZERO;
            let answer = guest.reset(&VmData::example("routes"));
            assert_eq!(answer.returncode, "500");
            let elapsed = guest.behaviour.borrow().elapsed;
            assert!(elapsed + RESERVE <= ANSWER, "{} {time:?}: {elapsed:?}", kind.name);
            assert_eq!(guest.files(), before, "{} {time:?}", kind.name);
        }
    }
}

#[test]
fn after_a_recovery_that_takes_long_the_host_tries_again() {
    let guest = Guest::new(Kind::named("netplan"));
    let before = guest.files();
    kill(&guest, "two-interfaces");
    guest.let_addresses_come(Come::Already);
    guest.slow_down("netplan apply", Duration::from_secs(7));
    let message = "Took back a change in which an agent was killed, and had no time for more: \
                   try again";
    assert_eq!(guest.reset(&VmData::example("routes")), Response::failed(message));
    assert_eq!(guest.files(), before);
    assert_eq!(guest.reset(&VmData::example("routes")), Response::ok(""));
}

#[test]
fn old_files_that_could_not_be_read_again_are_not_replaced() {
    let guest = Guest::new(Kind::named("ifupdown"));
    // Each character is two in the record.
    guest.write("/etc/hosts", &"\"".repeat(3 << 20));
    let before = guest.files();
    let message = "Couldn't write /var/lib/xend-guest-agent/network.json: \
                   The old files are too long together";
    assert_eq!(guest.reset(&VmData::example("two-interfaces")), Response::failed(message));
    assert_eq!(guest.files(), before);
    assert!(guest.take_ran().iter().all(|line| !line.starts_with("if")));
}

#[test]
fn a_record_without_a_boot_is_of_another_one() {
    let guest = Guest::new(Kind::named("ifupdown"));
    guest.write("/etc/hostname", "new\n");
    let old = r#"{"path":"/etc/hostname","text":"image\n","mode":420}"#;
    guest.write(KEPT, &format!(r#"{{"files":[{old}],"hostname":null}}"#));
    assert!(guest.recover());
    assert_eq!(guest.read("/etc/hostname").unwrap(), "image\n");
    assert_eq!(guest.take_ran(), [""; 0]);
}

/// The next start tries to put back what this one could not.
#[test]
fn the_record_stays_until_all_files_are_back() {
    let guest = Guest::new(Kind::named("ifupdown"));
    let before = guest.files();
    kill(&guest, "two-interfaces");
    let path = guest.path("/etc/hostname");
    std::fs::remove_file(&path).unwrap();
    std::fs::create_dir(&path).unwrap();
    guest.let_addresses_come(Come::Already);
    let answer = guest.reset(&VmData::example("routes"));
    let message = "Couldn't take back a change in which an agent was killed: \
                   Couldn't put back /etc/hostname: Is a directory";
    assert_eq!(answer, Response::failed(message));
    // The network is not taken down for that.
    assert_eq!(guest.take_ran(), [""; 0]);
    std::fs::remove_dir(&path).unwrap();
    assert!(guest.recover());
    assert_eq!(guest.files(), before);
}

#[test]
fn a_later_reset_succeeds() {
    for kind in KINDS {
        let expected = Guest::new(kind);
        expected.reset(&VmData::example("two-addresses"));

        let guest = Guest::new(kind);
        kill(&guest, "two-interfaces");
        guest.let_addresses_come(Come::Already);
        assert_eq!(guest.reset(&VmData::example("two-addresses")), Response::ok(""));
        assert_eq!(guest.files(), expected.files(), "{}", kind.name);
        assert_eq!(guest.read("/proc/sys/kernel/hostname").unwrap(), "image\n");
        // Whatever the running system is like now.
        let ran = guest.take_ran();
        assert!(ran.iter().any(|line| line.starts_with(kind.applies)), "{ran:?}");
    }
}

#[test]
fn a_later_reset_that_fails_brings_back_what_was_before_both() {
    for kind in KINDS {
        let guest = Guest::new(kind);
        let before = guest.files();
        kill(&guest, "two-interfaces");
        guest.let_addresses_come(Come::Never);
        assert_eq!(guest.reset(&VmData::example("routes")).returncode, "500");
        assert_eq!(guest.files(), before, "{}", kind.name);
        assert_eq!(guest.read("/proc/sys/kernel/hostname").unwrap(), "image\n");
    }
}

#[test]
fn after_any_of_the_files() {
    for kind in KINDS {
        let complete = Guest::new(kind);
        let before = complete.files();
        kill(&complete, "two-interfaces");
        let after = complete.files();
        let changed: Vec<&String> =
            after.keys().filter(|path| before.get(*path) != after.get(*path)).collect();
        for path in &changed {
            // Killed before this file was written.
            let guest = Guest::new(kind);
            kill(&guest, "two-interfaces");
            if path.as_str() == KEPT {
                continue;
            }
            match before.get(*path) {
                Some(content) => guest.write(path, content),
                None => std::fs::remove_file(guest.path(path)).unwrap(),
            }
            guest.let_addresses_come(Come::Never);
            assert_eq!(guest.reset(&VmData::example("routes")).returncode, "500");
            assert_eq!(guest.files(), before, "{} {path}", kind.name);
        }
    }
}

#[test]
fn settings_that_are_refused_touch_nothing_then_either() {
    let guest = Guest::new(Kind::named("ifupdown"));
    kill(&guest, "two-interfaces");
    let before = guest.files();
    let json = r#"{"ips":[{"ip":"10.0.0.1","netmask":"8"}]}"#;
    let data = VmData::default().with("networking/00163E777777", json);
    assert_eq!(guest.reset(&data), Response::failed("Unknown interface MAC 00:16:3e:77:77:77"));
    assert_eq!(guest.files(), before);
}

#[test]
fn what_somebody_else_has_written_in_its_place_is_removed() {
    let guest = Guest::new(Kind::named("ifupdown"));
    guest.write(KEPT, "nonsense");
    assert_eq!(guest.reset(&VmData::example("one-address")), Response::ok(""));
    assert_eq!(guest.read(KEPT), None);
}
