//! Which events come, and in which order.

use crate::daemon::{Daemon, on_each_daemon};
use crate::raw::Raw;
use xend_xenstore::wire::MessageType;
use xend_xenstore::{Nodes, Permission, Refusal};

const GUEST: &str = "/local/domain/5";

on_each_daemon!(
    a_watch_fires_at_once,
    a_watch_has_its_path_and_token,
    events_name_the_node_that_changed,
    events_keep_the_form_of_the_path,
    removing_a_directory_is_one_event,
    watches_below_a_removed_node_fire,
    events_of_a_transaction_come_when_it_ends,
    nobody_hears_of_nodes_that_it_may_not_read,
    guests_hear_of_domains_if_the_host_lets_them,
    malformed_watches_are_refused,
    resetting_ends_watches_and_transactions,
);

fn watch(raw: &mut Raw, path: &str, token: &str) -> Result<(), Refusal> {
    raw.ask(MessageType::Watch, format!("{path}\0{token}\0")).map(drop)
}

fn unwatch(raw: &mut Raw, path: &str, token: &str) -> Result<(), Refusal> {
    raw.ask(MessageType::Unwatch, format!("{path}\0{token}\0")).map(drop)
}

/// A guest with these watches, whose first events are taken.
fn guest_that_watches(daemon: &impl Daemon, domid: u32, watches: &[(&str, &str)]) -> Raw {
    let mut guest = daemon.raw_guest(domid);
    for (path, token) in watches {
        watch(&mut guest, path, token).unwrap();
    }
    assert_eq!(guest.events().len(), watches.len());
    guest
}

fn permissions(entries: &[&str]) -> Vec<Permission> {
    entries.iter().map(|entry| entry.parse().unwrap()).collect()
}

fn a_watch_fires_at_once(daemon: &mut impl Daemon) {
    daemon.introduce(5);
    let mut guest = daemon.raw_guest(5);
    // There need be no such node, and it need not be readable.
    for path in ["data/host", "data", "/", "@releaseDomain", "@anything", "/local/domain/6/data"] {
        watch(&mut guest, path, "token").unwrap();
        assert_eq!(guest.events(), [format!("{path} token")]);
    }
    watch(&mut guest, "data", "").unwrap();
    assert_eq!(guest.events(), ["data "]);
}

fn a_watch_has_its_path_and_token(daemon: &mut impl Daemon) {
    daemon.introduce(5);
    let mut guest = daemon.raw_guest(5);
    watch(&mut guest, "data", "1").unwrap();
    watch(&mut guest, "data", "2").unwrap();
    assert_eq!(watch(&mut guest, "data", "1"), Err(Refusal::Exists));
    assert_eq!(watch(&mut guest, &format!("{GUEST}/data"), "1"), Err(Refusal::Exists));
    guest.events();
    daemon.host().write(&format!("{GUEST}/data/x"), b"").unwrap();
    assert_eq!(guest.events(), ["data/x 1", "data/x 2"]);
    unwatch(&mut guest, "data", "1").unwrap();
    assert_eq!(unwatch(&mut guest, "data", "1"), Err(Refusal::NotFound));
    unwatch(&mut guest, &format!("{GUEST}/data"), "2").unwrap();
    daemon.host().write(&format!("{GUEST}/data/x"), b"").unwrap();
    assert_eq!(guest.events(), [""; 0]);
}

fn events_name_the_node_that_changed(daemon: &mut impl Daemon) {
    daemon.introduce(5);
    let mut guest = guest_that_watches(daemon, 5, &[("data", "t")]);
    let mut host = daemon.host();
    // Of several nodes that are made, only the last.
    host.write(&format!("{GUEST}/data/a/b/c"), b"1").unwrap();
    assert_eq!(guest.events(), ["data/a/b/c t"]);
    // The same value again.
    host.write(&format!("{GUEST}/data/a/b/c"), b"1").unwrap();
    assert_eq!(guest.events(), ["data/a/b/c t"]);
    host.mkdir(&format!("{GUEST}/data/a/b/d")).unwrap();
    assert_eq!(guest.events(), ["data/a/b/d t"]);
    host.set_permissions(&format!("{GUEST}/data/a/b"), &permissions(&["n5"])).unwrap();
    assert_eq!(guest.events(), ["data/a/b t"]);
    host.mkdir(&format!("{GUEST}/data/a/b/d")).unwrap();
    host.remove(&format!("{GUEST}/data/a/missing")).unwrap();
    host.read(&format!("{GUEST}/data/a/b/c")).unwrap();
    host.write(&format!("{GUEST}/name"), b"web1").unwrap();
    assert_eq!(guest.events(), [""; 0]);
    // Its own changes, before the reply.
    guest.ask(MessageType::Write, "data/own\0v").unwrap();
    assert_eq!(guest.events(), ["data/own t"]);
}

fn events_keep_the_form_of_the_path(daemon: &mut impl Daemon) {
    daemon.introduce(5);
    let absolute = format!("{GUEST}/data");
    let watches = [("data", "relative"), (&*absolute, "absolute"), ("/", "root")];
    let mut guest = guest_that_watches(daemon, 5, &watches);
    daemon.host().write(&format!("{GUEST}/data/x"), b"").unwrap();
    let path = format!("{GUEST}/data/x");
    let expected =
        ["data/x relative".to_owned(), format!("{path} absolute"), format!("{path} root")];
    assert_eq!(guest.events(), expected);
    let mut host = daemon.raw_host();
    watch(&mut host, "data", "of domain 0").unwrap();
    daemon.host().write("data/x", b"").unwrap();
    assert_eq!(host.events(), ["data of domain 0", "data/x of domain 0"]);
}

fn removing_a_directory_is_one_event(daemon: &mut impl Daemon) {
    daemon.introduce(5);
    let mut host = daemon.host();
    for number in 0..10 {
        host.write(&format!("{GUEST}/data/host/{number}"), b"{}").unwrap();
    }
    let mut guest = guest_that_watches(daemon, 5, &[("data/host", "requests")]);
    host.remove(&format!("{GUEST}/data/host")).unwrap();
    assert_eq!(guest.events(), ["data/host requests"]);
    host.write(&format!("{GUEST}/data/host/1"), b"{}").unwrap();
    assert_eq!(guest.events(), ["data/host/1 requests"]);
}

fn watches_below_a_removed_node_fire(daemon: &mut impl Daemon) {
    daemon.introduce(5);
    let mut host = daemon.host();
    host.write(&format!("{GUEST}/data/a/b/c/d"), b"").unwrap();
    let watches = [("data/a/b/c", "c"), ("data/a/b", "b"), ("data/a", "a"), ("data/a/x", "x")];
    let mut guest = guest_that_watches(daemon, 5, &watches);
    host.remove(&format!("{GUEST}/data/a/b")).unwrap();
    // Each with its own path, the deepest first.
    assert_eq!(guest.events(), ["data/a/b/c c", "data/a/b b", "data/a/b a"]);
}

fn events_of_a_transaction_come_when_it_ends(daemon: &mut impl Daemon) {
    daemon.introduce(5);
    let mut guest = guest_that_watches(daemon, 5, &[("data", "t")]);
    let mut host = daemon.raw_host();
    let write = |host: &mut Raw, transaction, name: &str| {
        host.write_in(transaction, &format!("{GUEST}/data/{name}"), "v").unwrap();
    };
    let remove = |host: &mut Raw, transaction, name: &str| {
        let payload = format!("{GUEST}/data/{name}\0");
        host.call(MessageType::Remove.number(), transaction, payload).unwrap();
    };
    let transaction = host.start().unwrap();
    write(&mut host, transaction, "1");
    write(&mut host, transaction, "2");
    write(&mut host, transaction, "1");
    assert_eq!(guest.events(), [""; 0]);
    host.commit(transaction).unwrap();
    // One for each node, in the order in which they were seen first.
    assert_eq!(guest.events(), ["data/1 t", "data/2 t"]);

    let transaction = host.start().unwrap();
    remove(&mut host, transaction, "1");
    write(&mut host, transaction, "made-and-removed");
    remove(&mut host, transaction, "made-and-removed");
    host.commit(transaction).unwrap();
    assert_eq!(guest.events(), ["data/1 t"]);

    let transaction = host.start().unwrap();
    write(&mut host, transaction, "2");
    host.abort(transaction).unwrap();
    assert_eq!(guest.events(), [""; 0]);
}

fn nobody_hears_of_nodes_that_it_may_not_read(daemon: &mut impl Daemon) {
    daemon.introduce(5);
    daemon.introduce(6);
    let path = format!("{GUEST}/data");
    let mut other = guest_that_watches(daemon, 6, &[(&path, "t"), ("/", "root")]);
    let mut guest = daemon.guest(5);
    guest.write("data/x", b"").unwrap();
    assert_eq!(other.events(), [""; 0]);
    let seen = [format!("{path}/x t"), format!("{path}/x root")];
    guest.set_permissions("data/x", &permissions(&["n5", "r6"])).unwrap();
    assert_eq!(other.events(), seen);
    guest.write("data/x", b"").unwrap();
    assert_eq!(other.events(), seen);
    guest.write("data/x/y", b"").unwrap();
    guest.remove("data/x").unwrap();
    assert_eq!(other.events().last(), Some(&seen[1]));
}

fn guests_hear_of_domains_if_the_host_lets_them(daemon: &mut impl Daemon) {
    daemon.introduce(5);
    let mut guest =
        guest_that_watches(daemon, 5, &[("@introduceDomain", "new"), ("@releaseDomain", "old")]);
    let mut host = daemon.raw_host();
    watch(&mut host, "@introduceDomain", "new").unwrap();
    watch(&mut host, "@releaseDomain", "old").unwrap();
    assert_eq!(host.events(), ["@introduceDomain new", "@releaseDomain old"]);
    daemon.introduce(6);
    assert_eq!(host.events(), ["@introduceDomain new"]);
    daemon.destroy(6);
    assert_eq!(host.events(), ["@releaseDomain old"]);
    assert_eq!(guest.events(), [""; 0]);
    let mut client = daemon.host();
    let unknown = client.set_permissions("@other", &permissions(&["n0"]));
    assert!(unknown.unwrap_err().is_not_found());
    assert!(daemon.guest(5).set_permissions("@releaseDomain", &permissions(&["n5"])).is_err());
    client.set_permissions("@releaseDomain", &permissions(&["n0", "r5"])).unwrap();
    daemon.introduce(6);
    daemon.destroy(6);
    assert_eq!(host.events(), ["@introduceDomain new", "@releaseDomain old"]);
    assert_eq!(guest.events(), ["@releaseDomain old"]);
}

fn malformed_watches_are_refused(daemon: &mut impl Daemon) {
    daemon.introduce(5);
    let mut guest = daemon.raw_guest(5);
    for payload in ["", "\0", "data\0", "data\0token", "data\0token\0more\0", "data//x\0t\0"] {
        let reply = guest.ask(MessageType::Watch, payload);
        assert_eq!(reply, Err(Refusal::Invalid), "{payload:?}");
    }
    assert_eq!(guest.events(), [""; 0]);
}

fn resetting_ends_watches_and_transactions(daemon: &mut impl Daemon) {
    daemon.introduce(5);
    let mut guest = guest_that_watches(daemon, 5, &[("data", "t")]);
    let transaction = guest.start().unwrap();
    assert_eq!(guest.ask(MessageType::ResetWatches, "\0"), Ok(b"OK\0".to_vec()));
    daemon.host().write(&format!("{GUEST}/data/x"), b"").unwrap();
    assert_eq!(guest.events(), [""; 0]);
    assert_eq!(unwatch(&mut guest, "data", "t"), Err(Refusal::NotFound));
    assert_eq!(guest.commit(transaction), Err(Refusal::NotFound));
}
