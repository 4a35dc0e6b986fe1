//! The harness around Debian's xenstored: what it starts are real guests, and programs in a guest
//! share its connection as they do through a kernel's device.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by a panic")]

#[path = "support/xenstored/mod.rs"]
mod harness;

use harness::Xenstored;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::thread;
use std::time::{Duration, Instant};
use xend_xenstore::wire::{HEADER_LEN, MAX_PAYLOAD, MessageType};
use xend_xenstore::{Client, Nodes, Refusal};

const SOON: Duration = Duration::from_secs(5);

/// Long enough for an event that must not come.
const MOMENT: Duration = Duration::from_millis(100);

/// The watches and transactions that a guest may have: one more than the daemon's limits say.
const MAX_WATCHES: usize = 129;
const MAX_TRANSACTIONS: usize = 11;

#[test]
fn guest_and_host_share_a_directory() {
    let Some(mut xenstored) = Xenstored::start() else { return };
    xenstored.introduce(5);
    let mut host = xenstored.client();
    let mut guest = xenstored.guest_client(5);
    assert!(host.is_introduced(5).unwrap());
    assert_eq!(guest.read("name").unwrap(), b"guest-5");
    assert_eq!(guest.write("name", b"other").unwrap_err().refusal(), Some(Refusal::Access));
    guest.write("data/guest/1", b"answer").unwrap();
    assert_eq!(host.read("/local/domain/5/data/guest/1").unwrap(), b"answer");
}

#[test]
fn messages_longer_than_the_ring_pass_it() {
    let Some(mut xenstored) = Xenstored::start() else { return };
    xenstored.introduce(5);
    let mut guest = xenstored.guest_client(5);
    let mut host = xenstored.client();
    let value = vec![b'x'; 4000];
    host.write("/local/domain/5/data/host/1", &value).unwrap();
    for _ in 0..50 {
        assert_eq!(guest.read("data/host/1").unwrap(), value);
        guest.write("data/guest", &value[..2000]).unwrap();
    }
}

#[test]
fn many_guests_and_clients_are_served_at_a_time() {
    let Some(mut xenstored) = Xenstored::start() else { return };
    (1..=4).for_each(|domid| xenstored.introduce(domid));
    thread::scope(|scope| {
        for domid in 1..=4 {
            for program in 0..3 {
                let mut client = xenstored.guest_client(domid);
                scope.spawn(move || {
                    let own = format!("data/{program}");
                    client.watch(&own, "own").unwrap();
                    assert_eq!(client.next_event(Some(SOON)).unwrap().unwrap().path, own);
                    for round in 0..50 {
                        let value = format!("{domid} {program} {round}");
                        client.write(&own, value.as_bytes()).unwrap();
                        assert_eq!(client.read(&own).unwrap(), value.as_bytes());
                        assert_eq!(client.next_event(Some(SOON)).unwrap().unwrap().path, own);
                    }
                });
            }
        }
    });
}

#[test]
fn programs_in_a_guest_have_their_own_watches() {
    let Some(mut xenstored) = Xenstored::start() else { return };
    xenstored.introduce(5);
    let mut programs = [xenstored.guest_client(5), xenstored.guest_client(5)];
    for program in &mut programs {
        program.watch("data/host", "requests").unwrap();
        program.next_event(Some(SOON)).unwrap().unwrap();
    }
    xenstored.client().write("/local/domain/5/data/host/1", b"{}").unwrap();
    for program in &mut programs {
        let event = program.next_event(Some(SOON)).unwrap().unwrap();
        assert_eq!((&*event.path, &*event.token), ("data/host/1", "requests"));
    }
    let [first, second] = &mut programs;
    first.unwatch("data/host", "requests").unwrap();
    xenstored.client().write("/local/domain/5/data/host/2", b"{}").unwrap();
    assert_eq!(second.next_event(Some(SOON)).unwrap().unwrap().path, "data/host/2");
    assert_eq!(first.next_event(Some(MOMENT)).unwrap(), None);
}

#[test]
fn a_program_that_ends_leaves_nothing() {
    let Some(mut xenstored) = Xenstored::start() else { return };
    xenstored.introduce(5);
    let watches = |client: &mut Client| {
        (0..MAX_WATCHES).try_for_each(|number| client.watch(&format!("data/{number}"), "token"))
    };
    let mut first = xenstored.guest_client(5);
    watches(&mut first).unwrap();
    assert_eq!(first.watch("data", "token").unwrap_err().refusal(), Some(Refusal::TooBig));
    let mut transactions: Vec<u32> = Vec::new();
    while let Ok(reply) = first.request(MessageType::TransactionStart, &[0]) {
        transactions.push(String::from_utf8(reply).unwrap().trim_matches('\0').parse().unwrap());
    }
    assert_eq!(transactions.len(), MAX_TRANSACTIONS);
    drop(first);

    let mut second = xenstored.guest_client(5);
    let deadline = Instant::now() + SOON;
    while watches(&mut second).is_err() {
        assert!(
            Instant::now() < deadline,
            "The watches of a client that has ended are still there"
        );
        second = xenstored.guest_client(5);
    }
    for _ in 0..MAX_TRANSACTIONS {
        second.request(MessageType::TransactionStart, &[0]).unwrap();
    }
}

#[test]
fn a_breach_of_the_protocol_ends_the_guests_connection() {
    let Some(mut xenstored) = Xenstored::start() else { return };
    xenstored.introduce(5);
    let mut other = xenstored.guest_client(5);
    other.read("name").unwrap();
    let mut guest = UnixStream::connect(xenstored.guest_socket(5)).unwrap();
    guest.set_read_timeout(Some(SOON)).unwrap();
    let mut header = [0; HEADER_LEN];
    header[0] = 2; // READ
    let too_long = u32::try_from(MAX_PAYLOAD + 1).unwrap();
    header[12..].copy_from_slice(&too_long.to_ne_bytes());
    guest.write_all(&header).unwrap();
    assert_eq!(guest.read(&mut header).unwrap(), 0);
    assert!(other.read("name").unwrap_err().is_lost());
    assert!(Client::open_path(&xenstored.guest_socket(5)).is_err());

    // As after a reboot.
    xenstored.destroy(5);
    xenstored.introduce(5);
    assert_eq!(xenstored.guest_client(5).read("name").unwrap(), b"guest-5");
}

#[test]
fn domains_come_and_go() {
    let Some(mut xenstored) = Xenstored::start() else { return };
    let mut host = xenstored.client();
    host.watch("@introduceDomain", "begins").unwrap();
    host.watch("@releaseDomain", "ends").unwrap();
    let mut next = move || host.next_event(Some(SOON)).unwrap().map(|event| event.token);
    assert_eq!([next(), next()], [Some("begins".to_owned()), Some("ends".to_owned())]);
    xenstored.introduce(5);
    assert_eq!(next().as_deref(), Some("begins"));
    let mut guest = xenstored.guest_client(5);
    xenstored.shut_down(5);
    assert_eq!(next().as_deref(), Some("ends"));
    assert!(xenstored.client().is_introduced(5).unwrap());
    assert_eq!(guest.read("name").unwrap(), b"guest-5");
    xenstored.destroy(5);
    assert_eq!(next().as_deref(), Some("ends"));
    assert!(guest.read("name").unwrap_err().is_lost());
    assert!(xenstored.client().read("/local/domain/5/name").unwrap_err().is_not_found());
}

#[test]
fn a_daemon_that_was_killed_starts_again_and_guests_stay_connected() {
    let Some(mut xenstored) = Xenstored::start() else { return };
    xenstored.introduce(5);
    let mut host = xenstored.client();
    let mut guest = xenstored.guest_client(5);
    guest.write("data/1", b"lost").unwrap();
    for _ in 0..2 {
        xenstored.restart();
        assert!(host.read("/").unwrap_err().is_lost());
        host = xenstored.client();
        assert_eq!(guest.read("name").unwrap(), b"guest-5");
        assert!(guest.read("data/1").unwrap_err().is_not_found());
        guest.write("data/1", b"answer").unwrap();
        assert_eq!(host.read("/local/domain/5/data/1").unwrap(), b"answer");
    }
}

#[test]
fn tools_are_those_of_the_host() {
    let Some(xenstored) = Xenstored::start() else { return };
    let Some(mut write) = xenstored.tool("xenstore-write") else { return };
    assert!(write.args(["/tool/1", "a\\x21"]).status().unwrap().success());
    assert_eq!(xenstored.client().read("/tool/1").unwrap(), b"a!");
}
