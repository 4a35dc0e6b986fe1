//! What conflicts.

use crate::daemon::{Daemon, on_each_daemon};
use crate::raw::Raw;
use xend_xenstore::wire::MessageType;
use xend_xenstore::{Client, Nodes, Refusal};

const GUEST: &str = "/local/domain/5";

on_each_daemon!(
    changes_are_seen_inside,
    what_a_transaction_has_seen_must_not_change,
    what_it_has_not_seen_may_change,
    of_two_the_first_is_carried_out,
    numbers_of_transactions,
    a_refusal_does_not_end_a_transaction,
    a_node_that_was_made_outside_cannot_be_removed_inside,
    a_quota_that_is_exceeded_ends_it,
    the_client_repeats_a_transaction,
);

/// Nodes `data/a` and `data/a/below`, and the connections of guest and host.
fn start(daemon: &mut impl Daemon) -> (Raw, Client) {
    daemon.introduce(5);
    let mut host = daemon.host();
    host.write(&format!("{GUEST}/data/a"), b"old").unwrap();
    host.write(&format!("{GUEST}/data/a/below"), b"old").unwrap();
    (daemon.raw_guest(5), host)
}

fn changes_are_seen_inside(daemon: &mut impl Daemon) {
    let (mut guest, mut host) = start(daemon);
    let transaction = guest.start().unwrap();
    guest.write_in(transaction, "data/a", "new").unwrap();
    guest.write_in(transaction, "data/b/c", "new").unwrap();
    guest.call(MessageType::Remove.number(), transaction, "data/a/below\0").unwrap();
    assert_eq!(guest.read_in(transaction, "data/a").unwrap(), "new");
    assert_eq!(guest.read_in(transaction, "data/b/c").unwrap(), "new");
    assert_eq!(guest.read_in(transaction, "data/a/below"), Err(Refusal::NotFound));
    let names = guest.call(MessageType::Directory.number(), transaction, "data\0").unwrap();
    assert_eq!(names, b"a\0b\0");
    assert_eq!(host.read(&format!("{GUEST}/data/a")).unwrap(), b"old");
    assert_eq!(host.directory(&format!("{GUEST}/data")).unwrap(), ["a"]);
    guest.commit(transaction).unwrap();
    assert_eq!(host.read(&format!("{GUEST}/data/a")).unwrap(), b"new");
    assert_eq!(host.directory(&format!("{GUEST}/data")).unwrap(), ["a", "b"]);
    assert!(host.read(&format!("{GUEST}/data/a/below")).unwrap_err().is_not_found());

    let transaction = guest.start().unwrap();
    guest.write_in(transaction, "data/a", "dropped").unwrap();
    guest.abort(transaction).unwrap();
    assert_eq!(host.read(&format!("{GUEST}/data/a")).unwrap(), b"new");
}

type InTransaction = fn(&mut Raw, u32);
type Meanwhile = fn(&mut Client);

fn read(guest: &mut Raw, transaction: u32) {
    assert_eq!(guest.read_in(transaction, "data/a").unwrap(), "old");
}

fn read_missing(guest: &mut Raw, transaction: u32) {
    assert_eq!(guest.read_in(transaction, "data/new"), Err(Refusal::NotFound));
}

fn list(guest: &mut Raw, transaction: u32) {
    guest.call(MessageType::Directory.number(), transaction, "data\0").unwrap();
}

fn write(guest: &mut Raw, transaction: u32) {
    guest.write_in(transaction, "data/a", "mine").unwrap();
}

fn make(guest: &mut Raw, transaction: u32) {
    guest.write_in(transaction, "data/b", "mine").unwrap();
}

fn remove(guest: &mut Raw, transaction: u32) {
    guest.call(MessageType::Remove.number(), transaction, "data/a/below\0").unwrap();
}

fn nothing(_: &mut Raw, _: u32) {}

fn host_writes(host: &mut Client) {
    host.write(&format!("{GUEST}/data/a"), b"old").unwrap();
}

fn host_writes_below(host: &mut Client) {
    host.write(&format!("{GUEST}/data/a/below"), b"changed").unwrap();
}

fn host_makes(host: &mut Client) {
    host.write(&format!("{GUEST}/data/new"), b"").unwrap();
}

fn host_makes_what_is_there(host: &mut Client) {
    host.mkdir(&format!("{GUEST}/data/a")).unwrap();
}

fn host_removes(host: &mut Client) {
    host.remove(&format!("{GUEST}/data/a")).unwrap();
}

fn host_sets_permissions(host: &mut Client) {
    host.set_permissions(&format!("{GUEST}/data/a"), &["n5".parse().unwrap()]).unwrap();
}

fn run(daemon: &mut impl Daemon, work: InTransaction, meanwhile: Meanwhile) -> Result<(), Refusal> {
    let (mut guest, mut host) = start(daemon);
    let transaction = guest.start().unwrap();
    work(&mut guest, transaction);
    meanwhile(&mut host);
    let result = guest.commit(transaction);
    daemon.destroy(5);
    result
}

fn what_a_transaction_has_seen_must_not_change(daemon: &mut impl Daemon) {
    let cases: [(InTransaction, Meanwhile); 11] = [
        (read, host_writes),
        (read, host_removes),
        (read, host_sets_permissions),
        (read_missing, host_makes),
        (list, host_makes),
        (list, host_removes),
        (write, host_writes),
        (write, host_removes),
        (make, host_makes),
        (remove, host_writes_below),
        (remove, host_writes),
    ];
    for (number, (work, meanwhile)) in cases.into_iter().enumerate() {
        assert_eq!(run(daemon, work, meanwhile), Err(Refusal::Again), "case {number}");
    }
}

fn what_it_has_not_seen_may_change(daemon: &mut impl Daemon) {
    let cases: [(InTransaction, Meanwhile); 8] = [
        (nothing, host_writes),
        (read, host_writes_below),
        (read, host_makes),
        (read, host_makes_what_is_there),
        (list, host_writes),
        (write, host_writes_below),
        (write, host_makes),
        (make, host_writes),
    ];
    for (number, (work, meanwhile)) in cases.into_iter().enumerate() {
        assert_eq!(run(daemon, work, meanwhile), Ok(()), "case {number}");
    }
}

fn of_two_the_first_is_carried_out(daemon: &mut impl Daemon) {
    let (mut guest, mut host) = start(daemon);
    let first = guest.start().unwrap();
    let second = guest.start().unwrap();
    assert_ne!(first, second);
    guest.write_in(first, "data/a", "first").unwrap();
    guest.write_in(second, "data/a", "second").unwrap();
    assert_eq!(guest.read_in(first, "data/a").unwrap(), "first");
    guest.commit(first).unwrap();
    assert_eq!(guest.read_in(second, "data/a").unwrap(), "second");
    assert_eq!(guest.commit(second), Err(Refusal::Again));
    assert_eq!(host.read(&format!("{GUEST}/data/a")).unwrap(), b"first");
}

fn numbers_of_transactions(daemon: &mut impl Daemon) {
    let (mut guest, _) = start(daemon);
    daemon.introduce(6);
    assert_eq!(guest.read_in(99, "data/a"), Err(Refusal::NotFound));
    assert_eq!(guest.commit(99), Err(Refusal::NotFound));
    assert_eq!(guest.commit(0), Err(Refusal::NotFound));
    let transaction = guest.start().unwrap();
    // Others have their own.
    assert_eq!(daemon.raw_guest(6).read_in(transaction, "name"), Err(Refusal::NotFound));
    assert_eq!(daemon.raw_host().read_in(transaction, "/tool"), Err(Refusal::NotFound));
    let start = MessageType::TransactionStart.number();
    assert_eq!(guest.call(start, transaction, "\0"), Err(Refusal::Busy));
    let end = MessageType::TransactionEnd.number();
    for malformed in ["X\0", "", "T", "T\0F\0"] {
        assert_eq!(guest.call(end, transaction, malformed), Err(Refusal::Invalid), "{malformed:?}");
    }
    guest.commit(transaction).unwrap();
    assert_eq!(guest.commit(transaction), Err(Refusal::NotFound));
}

fn a_refusal_does_not_end_a_transaction(daemon: &mut impl Daemon) {
    let (mut guest, mut host) = start(daemon);
    let transaction = guest.start().unwrap();
    assert_eq!(guest.write_in(transaction, "name", "other"), Err(Refusal::Access));
    assert_eq!(guest.read_in(transaction, "data/missing"), Err(Refusal::NotFound));
    guest.write_in(transaction, "data/b", "new").unwrap();
    guest.commit(transaction).unwrap();
    assert_eq!(host.read(&format!("{GUEST}/data/b")).unwrap(), b"new");
}

fn a_node_that_was_made_outside_cannot_be_removed_inside(daemon: &mut impl Daemon) {
    let (mut guest, mut host) = start(daemon);
    let transaction = guest.start().unwrap();
    list(&mut guest, transaction);
    host_makes(&mut host);
    // The list that the transaction has seen does not name it.
    let reply = guest.call(MessageType::Remove.number(), transaction, "data/new\0");
    assert_eq!(reply, Err(Refusal::Io));
    assert_eq!(guest.commit(transaction), Err(Refusal::Again));
}

fn a_quota_that_is_exceeded_ends_it(daemon: &mut impl Daemon) {
    let (mut guest, mut host) = start(daemon);
    let transaction = guest.start().unwrap();
    let large = "x".repeat(2016);
    assert_eq!(guest.write_in(transaction, "data/large", &large), Err(Refusal::NoSpace));
    guest.write_in(transaction, "data/b", "new").unwrap();
    assert_eq!(guest.commit(transaction), Err(Refusal::NoMemory));
    assert!(host.read(&format!("{GUEST}/data/b")).unwrap_err().is_not_found());
}

fn the_client_repeats_a_transaction(daemon: &mut impl Daemon) {
    daemon.introduce(5);
    let mut host = daemon.host();
    let mut guest = daemon.guest(5);
    guest.write("data/count", b"0").unwrap();
    let mut attempts = 0;
    guest
        .transaction(|nodes| {
            let count = nodes.read("data/count")?;
            attempts += 1;
            if attempts < 4 {
                host.write(&format!("{GUEST}/data/count"), attempts.to_string().as_bytes())?;
            }
            nodes.write("data/count", &[&count, &b" and more"[..]].concat())
        })
        .unwrap();
    assert_eq!(attempts, 4);
    assert_eq!(guest.read("data/count").unwrap(), b"3 and more");
}
