//! What a guest may keep in XenStore, and responses that must find room all the same.

use crate::guest::Guest;
use crate::machine::wait;
use std::time::{Duration, Instant};
use xend_guest_protocol::limits::{
    KEPT_RESPONSES, MAX_GUEST_VALUE, MAX_MESSAGE, MAX_STORED_RESPONSES,
};
use xend_xenstore::{Client, Nodes};

/// Other responses than the agent's, as many as there is room for.
fn fill_responses(program: &mut Client) -> usize {
    let path = |number| format!("data/guest/11111111-1111-4111-8111-{number:012}");
    let full = (0..200).find(|number| match program.write(&path(*number), b"{}") {
        Err(error) => {
            assert!(error.is_no_space(), "{error}");
            true
        }
        Ok(()) => false,
    });
    full.unwrap()
}

#[test]
fn messages_are_cut_to_fit() {
    let Some(mut guest) = Guest::with("") else { return };
    for length in [1800, 1873, 1874, 1875, 2000, 3000, 3900] {
        let (code, message) = guest.ask("x".repeat(length).as_str(), "");
        let whole = "No such agent command ''".len() + length;
        assert_eq!((code.as_str(), message.len()), ("404", whole.min(MAX_MESSAGE)));
    }
    // The quota counts bytes, and an old agent would write more of them.
    let name = "\u{e9}".repeat(1500);
    let text = format!("{{\"name\":\"{name}\"}}");
    assert_eq!(guest.ask_raw(text).1.len(), 1524);
    let mut program = guest.other_program();
    program.write("data/longest", &[b'x'; MAX_GUEST_VALUE]).unwrap();
    assert!(program.write("data/longest", &[b'x'; MAX_GUEST_VALUE + 1]).is_err());
}

#[test]
fn responses_that_nobody_fetches_leave_room() {
    let Some(mut guest) = Guest::with("") else { return };
    let mut last = Vec::new();
    for _ in 0..120 {
        let id = guest.put("version", "");
        assert_eq!(guest.wait_for(&id).0, "0");
        last.push(id);
    }
    // The newest ones stay: their hosts may not have read them yet.
    assert_eq!(guest.responses(), last[last.len() - KEPT_RESPONSES..]);
}

#[test]
fn responses_of_an_earlier_agent_are_removed() {
    let Some(mut guest) = Guest::new() else { return };
    assert_eq!(fill_responses(&mut guest.other_program()), MAX_STORED_RESPONSES);
    guest.start();
    for _ in 0..5 {
        guest.check();
    }
    assert_eq!(guest.responses().len(), KEPT_RESPONSES);
}

#[test]
fn room_that_others_take_is_taken_back() {
    let Some(mut guest) = Guest::with("") else { return };
    for _ in 0..3 {
        guest.check();
        assert!(fill_responses(&mut guest.other_program()) > 0);
        guest.check();
        assert_eq!(guest.responses().len(), 1);
    }
}

#[test]
fn long_ids_fill_the_quota_sooner() {
    let Some(mut guest) = Guest::with("") else { return };
    for number in 0..60 {
        let id = format!("{number:0300}");
        guest.write_node(&format!("data/host/{id}"), "{\"name\":\"version\"}");
        assert_eq!(guest.wait_for(&id).0, "0");
    }
    guest.check();
}

/// The name of a node counts toward its directory's quota: this one finds no room, whatever is
/// removed.
#[test]
fn an_id_that_is_too_long_for_a_response_keeps_nobody_waiting() {
    let Some(mut guest) = Guest::with("") else { return };
    guest.check();
    // A pause after each failure would take 5 s.
    let start = Instant::now();
    for name in ["a", "b", "c", "d"] {
        let id = name.repeat(2020);
        guest.write_node(&format!("data/host/{id}"), "{\"name\":\"version\"}");
        guest.wait_until_taken(&id);
        guest.check();
        assert!(!guest.responses().contains(&id));
    }
    assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
}

/// A guest may have about 1000 nodes. Without one for the response the request is gone all the
/// same.
#[test]
fn a_guest_without_nodes_left_answers_when_it_has_some_again() {
    let Some(mut guest) = Guest::with("") else { return };
    guest.check();
    // Reports have their nodes.
    assert!(wait(|| guest.read_node("data/updated")).is_some());
    let mut program = guest.other_program();
    let full = (0..30).find(|directory| {
        (0..40).any(|node| program.mkdir(&format!("data/mine{directory}/{node}")).is_err())
    });
    let full = full.expect("a quota of nodes");
    // The agent's own responses make room for the next one.
    for _ in 0..40 {
        guest.check();
    }
    program.remove("data/guest").unwrap();
    while program.mkdir(&format!("data/mine{full}/{}", guest.new_id())).is_ok() {}
    let unanswered = guest.put("version", "");
    guest.wait_until_taken(&unanswered);
    assert_eq!(guest.responses(), [""; 0]);
    program.remove("data/mine0").unwrap();
    guest.check();
}
