//! Hosts that die, a daemon that dies, and a domain that ends.

use crate::guest::{DOMID, Guest, HOME};
use crate::machine::wait;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};
use xend_xenstore::wire::{HEADER_LEN, Message, MessageType};
use xend_xenstore::{Client, Nodes};

const PLUGINS: &str = "[plugins]\ndirectory = \"/commands\"\n";

/// A connection of domain 0 that may end at any byte.
struct Host(UnixStream);

impl Host {
    fn connect(guest: &Guest) -> Self {
        Self(UnixStream::connect(guest.xenstored.socket()).unwrap())
    }

    /// The answer to a message, without its header.
    fn ask(&mut self, message: &[u8]) -> Vec<u8> {
        self.0.write_all(message).unwrap();
        let mut header = [0; HEADER_LEN];
        self.0.read_exact(&mut header).unwrap();
        let mut payload = vec![0; usize::from(header[12])];
        self.0.read_exact(&mut payload).unwrap();
        payload
    }
}

/// The message that writes an agent's request.
fn write_request(transaction: u32, id: &str) -> Vec<u8> {
    let payload = format!("{HOME}/data/host/{id}\0{{\"name\":\"version\"}}");
    message(MessageType::Write, transaction, payload.into_bytes())
}

fn message(kind: MessageType, transaction: u32, payload: Vec<u8>) -> Vec<u8> {
    Message::new(kind.number(), 1, transaction, payload).unwrap().to_bytes()
}

#[test]
fn a_host_that_dies_within_a_request_has_asked_nothing() {
    let Some(mut guest) = Guest::with("") else { return };
    guest.check();
    for number in 0..20 {
        let id = format!("dead{number}");
        let bytes = write_request(0, &id);
        let mut host = Host::connect(&guest);
        // A part of the header, the header, a part of the path, and all but the last byte.
        let length = [3, HEADER_LEN, 30, bytes.len() - 1][number % 4];
        host.0.write_all(&bytes[..length]).unwrap();
        drop(host);
        guest.check();
        assert!(!guest.has_request(&id) && !guest.responses().contains(&id));
    }
}

#[test]
fn a_host_that_dies_within_a_transaction_has_asked_nothing() {
    let Some(mut guest) = Guest::with("") else { return };
    guest.check();
    for number in 0..20 {
        let id = format!("dead{number}");
        let mut host = Host::connect(&guest);
        let started = host.ask(&message(MessageType::TransactionStart, 0, vec![0]));
        let transaction = String::from_utf8(started).unwrap();
        let transaction = transaction.trim_end_matches('\0').parse().unwrap();
        assert_eq!(host.ask(&write_request(transaction, &id)), b"OK\0");
        drop(host);
        guest.check();
        assert!(!guest.has_request(&id) && !guest.responses().contains(&id));
    }
}

#[test]
fn the_request_of_a_host_that_has_died_is_answered() {
    let Some(guest) = Guest::with("") else { return };
    for number in 0..40 {
        let id = format!("left{number}");
        let mut host = Host::connect(&guest);
        assert_eq!(host.ask(&write_request(0, &id)), b"OK\0");
        drop(host);
        let path = format!("{HOME}/data/guest/{id}");
        let mut next = guest.xenstored.client();
        let response = wait(|| next.read_if_exists(&path).unwrap()).unwrap();
        assert!(response.starts_with(b"{\"returncode\":\"0\""));
    }
}

#[test]
fn the_daemon_may_be_killed_and_start_again() {
    let Some(mut guest) = Guest::with("") else { return };
    guest.check();
    assert!(wait(|| guest.read_node("data/updated")).is_some());
    for _ in 0..2 {
        guest.restart_xenstored();
        // The watch is gone with the daemon, as it would be in a real guest: the agent looks
        // itself.
        guest.check();
    }
    assert!(guest.log().lines().count() < 40, "{}", guest.log());
}

#[test]
fn a_daemon_that_is_slow_to_answer_is_waited_for() {
    let Some(mut guest) = Guest::with("") else { return };
    guest.check();
    for _ in 0..2 {
        let id = guest.put("features", "");
        guest.xenstored.pause(Duration::from_secs(2));
        assert_eq!(guest.wait_for(&id).0, "0");
        guest.check();
    }
    assert!(!guest.log().contains("in time"), "{}", guest.log());
}

/// The daemon is away for a while in which the agent has something to say.
#[test]
fn a_response_waits_for_the_daemon() {
    let Some(mut guest) = Guest::new() else { return };
    guest.configure(PLUGINS);
    guest.script("/commands/slow", "echo run >> \"$0.runs\"; sleep 2; echo done");
    guest.start();
    guest.check();
    assert!(wait(|| guest.read_node("data/updated")).is_some());
    let id = guest.put("slow", "");
    assert!(wait(|| guest.path("/commands/slow.runs").exists().then_some(())).is_some());
    guest.restart_xenstored();
    assert_eq!(guest.wait_for(&id).1, "done");
    assert_eq!(guest.read("/commands/slow.runs"), "run\n");
    guest.check();
}

#[test]
fn a_domain_that_ends_and_begins_again_has_the_same_agent() {
    let Some(mut guest) = Guest::with("") else { return };
    guest.check();
    let reports = |guest: &mut Guest| wait(|| guest.read_node("attr/PVAddons/BuildVersion"));
    assert!(reports(&mut guest).is_some());
    let agent = guest.pid();
    for _ in 0..2 {
        guest.reboot();
        guest.check();
        assert!(reports(&mut guest).is_some());
    }
    assert_eq!(guest.pid(), agent);
    assert_eq!(guest.terminate().code(), Some(0));
}

#[test]
fn an_agent_of_a_destroyed_domain_waits_and_ends_when_asked() {
    let Some(mut guest) = Guest::with("") else { return };
    guest.check();
    guest.xenstored.destroy(DOMID);
    let lost = |log: &str| log.contains("XenStore: ");
    assert!(wait(|| lost(&guest.log()).then_some(())).is_some());
    // It tries again every few seconds, and says so once.
    std::thread::sleep(Duration::from_secs(5));
    let log = guest.log();
    assert!(log.lines().count() < 12, "{log}");
    let start = Instant::now();
    assert_eq!(guest.terminate().code(), Some(0));
    assert!(start.elapsed() < Duration::from_secs(5));
    // Nothing of the domain is made anew by its agent.
    assert!(guest.host.read_if_exists(HOME).unwrap().is_none());
    assert_eq!(guest.command().arg("--once").status().unwrap().code(), Some(1));
}

#[test]
fn a_domain_that_is_destroyed_within_a_command_is_not_confused_with_the_next() {
    let Some(mut guest) = Guest::new() else { return };
    guest.configure(PLUGINS);
    guest.script("/commands/slow", "echo run >> \"$0.runs\"; sleep 1; echo done");
    guest.start();
    guest.check();
    guest.put("slow", "");
    assert!(wait(|| guest.path("/commands/slow.runs").exists().then_some(())).is_some());
    guest.reboot();
    guest.check();
    assert_eq!(guest.read("/commands/slow.runs"), "run\n");
}

#[test]
fn a_guest_that_has_shut_down_is_answered_while_it_is_there() {
    let Some(mut guest) = Guest::with("") else { return };
    guest.check();
    guest.xenstored.shut_down(DOMID);
    guest.check();
}

/// Whatever other programs of the guest do to the connection that they share.
#[test]
fn other_programs_do_not_disturb_the_agent() {
    let Some(mut guest) = Guest::with("") else { return };
    guest.check();
    let mut programs: Vec<Client> = (0..8).map(|_| guest.other_program()).collect();
    for (number, program) in programs.iter_mut().enumerate() {
        for watch in 0..20 {
            // Until the guest has no more watches.
            let _ = program.watch(&format!("data/{number}/{watch}"), "other");
        }
        let _ = program.request(MessageType::TransactionStart, &[0]);
    }
    guest.check();
    drop(programs);
    guest.check();
    // A kernel that resets the watches of the whole guest takes the agent's, too.
    guest.other_program().reset_watches().unwrap();
    guest.check();
}
