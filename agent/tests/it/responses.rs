//! Responses: the quotas of XenStore, requests that wait, and hosts that do not.

use crate::guest::{DOMID, Guest, HOME};
use crate::machine::{returncode_and_message, wait};
use std::time::Duration;
use xend_guest_protocol::request::Request;

use xend_xenstore::{Access, Identity, Nodes, Permission};

fn responses(guest: &mut Guest) -> Vec<String> {
    guest.host.directory_if_exists(&format!("{HOME}/data/guest")).unwrap().unwrap_or_default()
}

#[test]
fn responses_that_nobody_fetches_do_not_fill_the_quota() {
    let mut guest = Guest::with("");
    for _ in 0..120 {
        assert_eq!(guest.ask("version", "").0, "0");
    }
    assert_eq!(responses(&mut guest).len(), 32);
}

#[test]
fn responses_of_an_earlier_agent_do_not_fill_it_either() {
    let mut guest = Guest::new();
    let mut as_guest = guest.store.connect(Identity::Guest(DOMID)).unwrap();
    // As many as there is room for.
    let full = (0..200).find(|number| {
        let path = format!("data/guest/11111111-1111-1111-1111-{number:012}");
        as_guest.write(&path, b"{}").is_err()
    });
    assert_eq!(full, Some(54));
    guest.start();
    for _ in 0..5 {
        assert_eq!(guest.ask("version", "").0, "0");
    }
    assert_eq!(responses(&mut guest).len(), 32);
}

#[test]
fn responses_that_others_put_make_room() {
    let mut guest = Guest::with("");
    assert_eq!(guest.ask("version", "").0, "0");
    let mut as_guest = guest.store.connect(Identity::Guest(DOMID)).unwrap();
    for number in 0..200 {
        let path = format!("data/guest/11111111-1111-1111-1111-{number:012}");
        if as_guest.write(&path, b"{}").is_err() {
            break;
        }
    }
    assert_eq!(guest.ask("version", "").0, "0");
    assert_eq!(responses(&mut guest).len(), 1);
}

#[test]
fn requests_that_wait_at_the_start_are_carried_out_in_order() {
    let mut guest = Guest::new();
    let waiting: Vec<String> = (0..130).map(|_| guest.put_request("version", "")).collect();
    guest.start();
    for id in &waiting {
        // The oldest responses are removed again; what counts is that nothing is stuck.
        assert!(wait(|| (!guest.has_request(id)).then_some(())).is_some(), "{id}");
    }
    let last = &waiting[waiting.len() - 32..];
    assert!(wait(|| (responses(&mut guest) == last).then_some(())).is_some());
    for id in last {
        assert_eq!(returncode_and_message(&guest.wait_for(id)).1, "1.39.1");
    }
    assert_eq!(guest.ask("version", "").0, "0");
}

#[test]
fn a_host_may_remove_its_requests_at_any_time() {
    let mut guest = Guest::with("");
    assert_eq!(guest.ask("version", "").0, "0");
    for round in 0..300_u64 {
        let id = guest.put_request("version", "");
        std::thread::sleep(Duration::from_micros(round * 7 % 400));
        guest.host.remove(&format!("{HOME}/data/host/{id}")).unwrap();
    }
    for _ in 0..3 {
        guest.host.remove(&format!("{HOME}/data/host")).unwrap();
        assert_eq!(guest.ask("version", "").0, "0");
        guest.host.remove(&format!("{HOME}/data/guest")).unwrap();
        assert_eq!(guest.ask("version", "").0, "0");
    }
}

#[test]
fn a_request_that_cannot_be_removed_is_carried_out_once() {
    let mut guest = Guest::new();
    let id = guest.put_request("version", "");
    let hosts = [Permission::new(Access::None, 0), Permission::new(Access::Read, DOMID)];
    for path in [format!("{HOME}/data/host"), format!("{HOME}/data/host/{id}")] {
        guest.host.set_permissions(&path, &hosts).unwrap();
    }
    guest.start();
    guest.wait_for(&id);
    std::thread::sleep(Duration::from_millis(5500));
    let carried_out = guest.log().matches(&format!("{id}: version: 0")).count();
    assert_eq!(carried_out, 1, "{}", guest.log());
    // Those that follow are answered.
    let next = guest.put(Request::new("version", "").to_json());
    guest.wait_for(&next);
}

#[test]
fn a_request_may_be_as_long_as_a_node() {
    let mut guest = Guest::with("");
    let id = "00000000-0000-0000-0000-000000000001";
    let path = format!("{HOME}/data/host/{id}");
    let longest = xend_guest_protocol::limits::max_host_value(&path);
    let start = "{\"name\":\"version\",\"value\":\"";
    let text = format!("{start}{}\"}}", "x".repeat(longest - start.len() - 2));
    assert_eq!(guest.ask_raw(text).0, "0");
}
