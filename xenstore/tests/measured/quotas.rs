//! What a guest may use.

use crate::daemon::{Daemon, on_each_daemon};
use xend_xenstore::wire::MessageType;
use xend_xenstore::{Error, Nodes, Refusal};

const GUEST: &str = "/local/domain/5";

/// The nodes that a guest owns from the beginning: those that libxl makes for it.
const NODES_OF_LIBXL: usize = 11;

on_each_daemon!(
    a_guests_node_has_2048_bytes,
    the_host_writes_as_much_as_a_message_holds,
    a_guests_node_that_the_host_made_too_large,
    the_55th_response_is_refused,
    a_guest_owns_1000_nodes,
    a_guest_has_129_watches,
    a_guest_has_11_transactions,
    a_guests_transaction_touches_1024_nodes,
    a_path_has_2048_bytes,
);

fn is_no_space(result: Result<(), Error>) -> bool {
    result.is_err_and(|error| error.is_no_space())
}

fn response(number: usize) -> String {
    format!("data/guest/{number:08x}-0000-4000-8000-000000000000")
}

fn a_guests_node_has_2048_bytes(daemon: &mut impl Daemon) {
    daemon.introduce(5);
    let mut guest = daemon.guest(5);
    guest.write("data/guest/1", &[b'x'; 2015]).unwrap();
    assert!(is_no_space(guest.write("data/guest/1", &[b'x'; 2016])));
    assert_eq!(guest.read("data/guest/1").unwrap().len(), 2015);
    assert!(is_no_space(guest.write("data/guest/2", &[b'x'; 2016])));
    // Each entry of the permissions takes 8 bytes,
    let entries = ["n5", "r1"].map(|entry| entry.parse().unwrap());
    assert!(is_no_space(guest.set_permissions("data/guest/1", &entries)));
    guest.write("data/guest/1", &[b'x'; 2007]).unwrap();
    guest.set_permissions("data/guest/1", &entries).unwrap();
    assert!(is_no_space(guest.write("data/guest/1", &[b'x'; 2008])));
    // and a child its name and one.
    guest.write("data/guest/1", &[b'x'; 2000]).unwrap();
    guest.mkdir("data/guest/1/abcdef").unwrap();
    assert!(is_no_space(guest.mkdir("data/guest/1/a")));
}

fn the_host_writes_as_much_as_a_message_holds(daemon: &mut impl Daemon) {
    daemon.introduce(5);
    let path = format!("{GUEST}/data/host/fdb52a80-0000-4000-8000-000000000000");
    let value = vec![b'x'; 4096 - path.len() - 1];
    daemon.host().write(&path, &value).unwrap();
    assert_eq!(daemon.guest(5).read(&path).unwrap(), value);
}

fn a_guests_node_that_the_host_made_too_large(daemon: &mut impl Daemon) {
    daemon.introduce(5);
    let mut host = daemon.host();
    let mut guest = daemon.guest(5);
    host.write(&format!("{GUEST}/data/host/1"), &[b'x'; 3000]).unwrap();
    assert!(is_no_space(guest.set_permissions("data/host/1", &["n5".parse().unwrap()])));
    assert!(is_no_space(guest.mkdir("data/host/1/below")));
    host.mkdir(&format!("{GUEST}/data/host/1/below")).unwrap();
    guest.write("data/host/1", b"small").unwrap();
    guest.remove("data/host/1").unwrap();
}

fn the_55th_response_is_refused(daemon: &mut impl Daemon) {
    daemon.introduce(5);
    let mut guest = daemon.guest(5);
    (0..54).for_each(|number| guest.write(&response(number), b"{}").unwrap());
    assert!(is_no_space(guest.write(&response(54), b"{}")));
    guest.write(&response(7), b"changed").unwrap();
    guest.remove(&response(7)).unwrap();
    guest.write(&response(54), b"{}").unwrap();
    // The host's requests have no limit.
    let mut host = daemon.host();
    for number in 0..130 {
        host.write(&format!("{GUEST}/data/host/{}", &response(number)[11..]), b"{}").unwrap();
    }
    assert_eq!(guest.directory("data/host").unwrap().len(), 130);
}

fn a_guest_owns_1000_nodes(daemon: &mut impl Daemon) {
    daemon.introduce(5);
    let mut guest = daemon.guest(5);
    let mut owned = NODES_OF_LIBXL;
    for directory in 0..25 {
        guest.mkdir(&format!("data/{directory}")).unwrap();
        owned += 1;
        for node in 0..39 {
            if owned == 1000 {
                break;
            }
            guest.mkdir(&format!("data/{directory}/{node}")).unwrap();
            owned += 1;
        }
    }
    assert_eq!(owned, 1000);
    assert!(is_no_space(guest.mkdir("attr/new")));
    guest.write("data/0/0", b"changed").unwrap();
    // The host makes further ones, which count all the same.
    daemon.host().mkdir(&format!("{GUEST}/attr/of-host")).unwrap();
    guest.remove("data/0/0").unwrap();
    assert!(is_no_space(guest.mkdir("attr/new")));
    guest.remove("data/0/1").unwrap();
    guest.mkdir("attr/new").unwrap();
}

/// The daemon's limit is 128, but it counts before it adds.
fn a_guest_has_129_watches(daemon: &mut impl Daemon) {
    daemon.introduce(5);
    let mut guest = daemon.raw_guest(5);
    let watch = |number: usize| format!("data/{number}\0token\0");
    for number in 0..129 {
        assert_eq!(guest.ask(MessageType::Watch, watch(number)), Ok(b"OK\0".to_vec()));
    }
    assert_eq!(guest.ask(MessageType::Watch, watch(129)), Err(Refusal::TooBig));
    guest.ask(MessageType::Unwatch, watch(7)).unwrap();
    guest.ask(MessageType::Watch, watch(129)).unwrap();
    let mut host = daemon.raw_host();
    (0..300).for_each(|number| {
        host.ask(MessageType::Watch, format!("/{}", watch(number))).unwrap();
    });
}

/// As with watches: its limit is 10.
fn a_guest_has_11_transactions(daemon: &mut impl Daemon) {
    daemon.introduce(5);
    let mut guest = daemon.raw_guest(5);
    let transactions: Vec<u32> = (0..11).map(|_| guest.start().unwrap()).collect();
    assert_eq!(guest.start(), Err(Refusal::NoSpace));
    guest.abort(transactions[0]).unwrap();
    guest.start().unwrap();
    let mut host = daemon.raw_host();
    let transactions: Result<Vec<u32>, Refusal> = (0..30).map(|_| host.start()).collect();
    transactions.unwrap();
}

fn a_guests_transaction_touches_1024_nodes(daemon: &mut impl Daemon) {
    daemon.introduce(5);
    let mut guest = daemon.raw_guest(5);
    let transaction = guest.start().unwrap();
    let refusals =
        (0..1100).map(|number| guest.read_in(transaction, &format!("data/{number}")).unwrap_err());
    let refusals: Vec<Refusal> = refusals.collect();
    let first = refusals.iter().position(|refusal| *refusal == Refusal::NoSpace);
    // The node above all of them was looked at, too.
    assert_eq!(first, Some(1023));
    assert_eq!(guest.commit(transaction), Err(Refusal::NoMemory));
}

/// Without the domain's directory, whoever asks.
fn a_path_has_2048_bytes(daemon: &mut impl Daemon) {
    daemon.introduce(5);
    let mut host = daemon.raw_host();
    let mut guest = daemon.raw_guest(5);
    let name = |length: usize| "x".repeat(length);
    let mut read = |path: String| host.ask(MessageType::Read, format!("{path}\0"));
    assert_eq!(read(format!("/{}", name(2047))), Err(Refusal::NotFound));
    assert_eq!(read(format!("/{}", name(2048))), Err(Refusal::Invalid));
    assert_eq!(read(format!("{GUEST}/{}", name(2048))), Err(Refusal::NotFound));
    assert_eq!(read(format!("{GUEST}/{}", name(2049))), Err(Refusal::Invalid));
    let mut read = |path: String| guest.ask(MessageType::Read, format!("{path}\0"));
    assert_eq!(read(name(2048)), Err(Refusal::NotFound));
    assert_eq!(read(name(2049)), Err(Refusal::Invalid));
}
