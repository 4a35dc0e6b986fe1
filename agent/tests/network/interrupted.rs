//! An agent that is killed in the middle: the next reset begins with the files from before.

use crate::guest::{Come, Guest, KINDS, Kind};
use crate::vm_data::VmData;
use std::panic::{AssertUnwindSafe, catch_unwind};
use xend_guest_protocol::response::Response;

const KEPT: &str = "/var/lib/xend-guest-agent/network.json";

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
