//! Requests that wait, vanish, or are none.

use crate::guest::{Guest, HOME};
use crate::machine::{failure, wait};
use std::time::Duration;
use xend_guest_protocol::limits::KEPT_RESPONSES;
use xend_xenstore::Nodes;

const VERSION: &str = "{\"name\":\"version\",\"value\":\"agent\"}";

/// xenstored answers DIRECTORY of so many with E2BIG.
#[test]
fn the_130_requests_that_wait_at_the_start_are_carried_out_in_order() {
    let Some(mut guest) = Guest::new() else { return };
    let directory = format!("{HOME}/data/host");
    let waiting: Vec<String> = (0..130).map(|_| guest.put("version", "")).collect();
    assert_eq!(guest.host.directory(&directory).unwrap().len(), 130);
    guest.start();
    for id in &waiting {
        guest.wait_until_taken(id);
    }
    let last = &waiting[waiting.len() - KEPT_RESPONSES..];
    assert!(wait(|| (guest.responses() == last).then_some(())).is_some());
    guest.check();
    let log = guest.log();
    let carried_out = log.lines().filter(|line| line.ends_with(": version: 0")).count();
    assert_eq!(carried_out, 131);
    let order: Vec<Option<usize>> = waiting.iter().map(|id| log.find(id.as_str())).collect();
    assert!(order.is_sorted() && order[0].is_some());
}

/// A list in parts is read again when it changes meanwhile.
#[test]
fn requests_that_come_while_many_wait_are_carried_out() {
    let Some(mut guest) = Guest::new() else { return };
    let mut ids: Vec<String> = (0..150).map(|_| guest.put("version", "")).collect();
    guest.start();
    ids.extend((0..150).map(|_| guest.put("version", "")));
    for id in &ids {
        guest.wait_until_taken(id);
    }
    guest.check();
    let log = guest.log();
    assert!(ids.iter().all(|id| log.matches(&format!("{id}: version: 0")).count() == 1));
}

#[test]
fn a_host_may_remove_its_requests_at_any_time() {
    let Some(mut guest) = Guest::with("") else { return };
    guest.check();
    let mut answered = 0;
    for round in 0..300_u64 {
        let id = guest.put("version", "");
        std::thread::sleep(Duration::from_micros(round * 17 % 1500));
        guest.remove_node(&format!("data/host/{id}"));
        answered += u32::from(guest.responses().contains(&id));
    }
    eprintln!("{answered} of 300 were answered at once");
    guest.check();
}

#[test]
fn a_host_may_remove_the_directories_at_any_time() {
    let Some(mut guest) = Guest::with("") else { return };
    guest.check();
    for round in 0..60_u64 {
        for directory in ["host", "guest"] {
            guest.put("version", "");
            std::thread::sleep(Duration::from_micros(round * 41 % 1500));
            guest.remove_node(&format!("data/{directory}"));
        }
    }
    guest.check();
    // The agent makes the directory again before anybody writes into it.
    guest.remove_node("data/host");
    assert!(wait(|| guest.read_node("data/host")).is_some());
    guest.check();
}

#[test]
fn the_same_request_again_is_another_one() {
    let Some(mut guest) = Guest::with("") else { return };
    for _ in 0..20 {
        guest.write_node("data/host/again", VERSION);
        assert_eq!(guest.wait_for("again").0, "0");
        guest.remove_node("data/guest/again");
    }
    // A value that changes before it is read is read once, the last one.
    guest.write_node("data/host/again", "x");
    guest.write_node("data/host/again", VERSION);
    guest.wait_for("again");
    guest.check();
}

#[test]
fn what_is_no_request_is_answered() {
    let Some(mut guest) = Guest::with("") else { return };
    let malformed: [&[u8]; 16] = [
        b"",
        b" ",
        b"x",
        b"[]",
        b"[{\"name\":\"version\"}]",
        b"1",
        b"null",
        b"None",
        b"\"version\"",
        b"\"{\\\"name\\\":\\\"version\\\"}\"",
        b"{",
        b"\xff\xfe\x00",
        b"{\"name\":1}",
        b"{\"name\":\"\xff\"}",
        b"{\"n\xc3\x28me\":\"version\",\"name\":\"version\"}",
        b"{\"name\":\"version\"}{\"name\":\"version\"}",
    ];
    for bytes in malformed {
        assert_eq!(guest.ask_raw(bytes), failure("Request is malformed"), "{bytes:?}");
    }
    for text in ["{}", "{\"value\":\"version\"}", "{\"Name\":\"version\"}"] {
        assert_eq!(guest.ask_raw(text), failure("Request is missing 'name' key"), "{text}");
    }
    for depth in [33, 500, 1900] {
        let nested = |open: &str, close: &str| {
            let open = open.repeat(depth);
            let close = close.repeat(depth);
            format!("{{\"name\":\"version\",\"value\":{open}1{close}}}")
        };
        for text in [nested("[", "]"), nested("{\"a\":", "}")] {
            if text.len() < 4000 {
                assert_eq!(guest.ask_raw(&text).0, "500", "{depth}");
            }
        }
    }
    guest.check();
}

#[test]
fn ids_look_as_the_host_likes() {
    let Some(mut guest) = Guest::with("") else { return };
    let long = "l".repeat(200);
    let ids = ["-", "--help", "@", "@releaseDomain", "_", "0", "A", "a@b", "host", &long];
    for id in ids {
        guest.write_node(&format!("data/host/{id}"), VERSION);
        assert_eq!(guest.wait_for(id).1, "1.39.1", "{id}");
        assert!(!guest.has_request(id));
    }
    // A request with a node below it, and one that is only above another.
    guest.write_node("data/host/above/below", VERSION);
    assert_eq!(guest.wait_for("above"), failure("Request is malformed"));
    assert!(!guest.has_request("above"));
    guest.check();
}

/// Whoever writes a request is allowed to: the guest's own root, too.
#[test]
fn a_request_of_the_guests_root_is_carried_out() {
    let Some(mut guest) = Guest::with("") else { return };
    guest.check();
    let mut program = guest.other_program();
    program.write("data/host/mine", VERSION.as_bytes()).unwrap();
    assert_eq!(guest.wait_for("mine").0, "0");
    assert!(program.read_if_exists("data/host/mine").unwrap().is_none());
}

#[test]
fn once_answers_what_waits_and_ends() {
    let Some(mut guest) = Guest::new() else { return };
    let ids: Vec<String> = (0..130).map(|_| guest.put("version", "")).collect();
    assert!(guest.command().arg("--once").status().unwrap().success());
    for id in &ids {
        assert!(!guest.has_request(id));
    }
    assert_eq!(guest.responses(), ids[ids.len() - KEPT_RESPONSES..]);
    assert!(guest.read_node("attr/PVAddons/MajorVersion").is_some());
    // Nothing waits: it ends at once.
    assert!(guest.command().arg("--once").status().unwrap().success());
}
