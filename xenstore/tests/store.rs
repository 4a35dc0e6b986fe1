//! The store in the same process.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by a panic")]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};
use xend_xenstore::{
    Access, Connection, Error, Identity, Nodes, Permission, Refusal, Store, WatchEvent,
};

const LIMIT: Duration = Duration::from_secs(10);
const MOMENT: Duration = Duration::from_millis(50);

/// A store with domain 5, which owns its `data`, and connections of both.
fn store_with_guest() -> (Store, Connection, Connection) {
    let store = Store::new();
    store.introduce(5).unwrap();
    let mut host = store.connect(Identity::Host).unwrap();
    host.mkdir("/local/domain/5/data").unwrap();
    host.set_permissions("/local/domain/5/data", &[Permission::new(Access::None, 5)]).unwrap();
    let guest = store.connect(Identity::Guest(5)).unwrap();
    (store, host, guest)
}

fn event(path: &str, token: &str) -> WatchEvent {
    WatchEvent { path: path.to_owned(), token: token.to_owned() }
}

#[test]
fn guests_connect_while_they_are_introduced() {
    let store = Store::new();
    assert!(store.connect(Identity::Guest(5)).is_none());
    store.introduce(5).unwrap();
    assert!(store.is_introduced(5));
    assert_eq!(store.connect(Identity::Guest(5)).unwrap().identity(), Identity::Guest(5));
    store.release(5).unwrap();
    assert!(store.connect(Identity::Guest(5)).is_none());
    assert!(store.connect(Identity::Host).is_some());
    for domid in [0, 0x7ff0, u32::MAX] {
        assert_eq!(store.introduce(domid), Err(Refusal::Invalid), "{domid}");
    }
    assert_eq!(store.release(0), Err(Refusal::Invalid));
    assert_eq!(store.release(5), Err(Refusal::NotFound));
    assert_eq!(store.shut_down(5), Err(Refusal::NotFound));
    assert_eq!(store.set_target(5, 0), Err(Refusal::NotFound));
}

#[test]
fn requests_are_answered_as_over_a_socket() {
    let (_store, mut host, mut guest) = store_with_guest();
    guest.write("data/guest/1", b"{}").unwrap();
    assert_eq!(host.read("/local/domain/5/data/guest/1").unwrap(), b"{}");
    assert!(guest.write("name", b"").unwrap_err().is_access());
    assert!(guest.write("data/x", &[0; 2016]).unwrap_err().is_no_space());
    let error = host.write("data/x", &[0; 4090]).unwrap_err();
    assert!(matches!(error, Error::TooLong { length: 4097, limit: 4096 }), "{error}");
    assert!(matches!(guest.watch("data", "a\0b").unwrap_err(), Error::Nul));
    for number in 0..500 {
        host.mkdir(&format!("/long/a-rather-long-name-{number}")).unwrap();
    }
    assert_eq!(host.directory("/long").unwrap().len(), 500);
    guest.transaction(|nodes| nodes.write("data/guest/2", b"{}")).unwrap();
    assert_eq!(guest.directory("data/guest").unwrap(), ["1", "2"]);
}

#[test]
fn events_are_waited_for() {
    let (_store, mut host, mut guest) = store_with_guest();
    guest.watch("data/host", "t").unwrap();
    assert!(guest.has_event());
    assert_eq!(guest.next_event(None).unwrap(), Some(event("data/host", "t")));
    assert!(!guest.has_event());
    let began = Instant::now();
    assert_eq!(guest.next_event(Some(MOMENT)).unwrap(), None);
    assert!(began.elapsed() >= MOMENT);
    let waiting = thread::spawn(move || guest.next_event(Some(LIMIT)).unwrap());
    thread::sleep(MOMENT);
    host.write("/local/domain/5/data/host/1", b"{}").unwrap();
    assert_eq!(waiting.join().unwrap(), Some(event("data/host/1", "t")));
}

#[test]
fn a_connection_is_woken_when_there_is_something_to_take() {
    let (store, mut host, mut guest) = store_with_guest();
    let woken = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&woken);
    guest.set_wake(move || {
        count.fetch_add(1, Ordering::SeqCst);
    });
    guest.watch("data", "t").unwrap();
    assert_eq!(woken.load(Ordering::SeqCst), 1);
    // It is told already.
    host.write("/local/domain/5/data/1", b"").unwrap();
    assert_eq!(woken.load(Ordering::SeqCst), 1);
    while guest.next_event(Some(Duration::ZERO)).unwrap().is_some() {}
    host.transaction(|nodes| {
        nodes.write("/local/domain/5/data/2", b"")?;
        nodes.write("/local/domain/5/data/3", b"")
    })
    .unwrap();
    host.write("/local/domain/5/name", b"").unwrap();
    assert_eq!(woken.load(Ordering::SeqCst), 2);
    while guest.next_event(Some(Duration::ZERO)).unwrap().is_some() {}
    store.release(5).unwrap();
    assert_eq!(woken.load(Ordering::SeqCst), 3);
    // Those who wake may use the store.
    let used = store.connect(Identity::Host).unwrap();
    let other = store.clone();
    host.set_wake(move || {
        let _ = (&used, other.is_introduced(5));
    });
    host.watch("/x", "t").unwrap();
    host.set_wake(|| {});
    drop(host);
}

#[test]
fn the_connections_of_a_released_domain_end() {
    let (store, mut host, mut guest) = store_with_guest();
    guest.watch("data", "t").unwrap();
    let mut waiting = store.connect(Identity::Guest(5)).unwrap();
    let waiting = thread::spawn(move || waiting.next_event(None));
    thread::sleep(MOMENT);
    store.release(5).unwrap();
    assert!(matches!(waiting.join().unwrap(), Err(Error::Closed)));
    // What waits can still be taken.
    assert_eq!(guest.next_event(None).unwrap(), Some(event("data", "t")));
    assert!(guest.has_event());
    assert!(matches!(guest.next_event(None), Err(Error::Closed)));
    assert!(matches!(guest.read("name"), Err(Error::Closed)));
    assert!(host.read("/local/domain/5/data").unwrap_err().is_not_found());
    // They stay ended when there is such a domain again.
    store.introduce(5).unwrap();
    assert!(matches!(guest.read("name"), Err(Error::Closed)));
    assert!(store.connect(Identity::Guest(5)).is_some());
}

#[test]
fn a_domain_that_has_shut_down_is_told_of_once() {
    let (store, mut host, _guest) = store_with_guest();
    host.watch("@releaseDomain", "t").unwrap();
    let mut count =
        || std::iter::from_fn(|| host.next_event(Some(Duration::ZERO)).unwrap()).count();
    assert_eq!(count(), 1);
    store.shut_down(5).unwrap();
    store.shut_down(5).unwrap();
    assert_eq!(count(), 1);
    store.release(5).unwrap();
    assert_eq!(count(), 1);
}

#[test]
fn lost_events_are_told() {
    let (_store, mut host, mut guest) = store_with_guest();
    guest.watch("data", "t").unwrap();
    for number in 0..2000 {
        host.write(&format!("/local/domain/5/data/{number}"), b"").unwrap();
    }
    let mut kept = 0;
    let error = loop {
        match guest.next_event(Some(Duration::ZERO)) {
            Ok(event) => assert!(event.is_some()),
            Err(error) => break error,
        }
        kept += 1;
    };
    assert!(matches!(error, Error::EventsLost));
    assert_eq!(kept, 1024);
    assert_eq!(guest.next_event(Some(Duration::ZERO)).unwrap(), None);
}

#[test]
fn a_connection_takes_its_watches_and_transactions_along() {
    let (store, mut host, mut guest) = store_with_guest();
    for round in 0..20 {
        let mut other = store.connect(Identity::Guest(5)).unwrap();
        for number in 0..100 {
            other.watch(&format!("data/{number}"), "t").unwrap();
        }
        // The watches of all connections of a domain count.
        let refused = (0..100).find(|number| guest.watch("data", &format!("{number}")).is_err());
        assert_eq!(refused, Some(29), "{round}");
        for number in 0..29 {
            guest.unwatch("data", &number.to_string()).unwrap();
        }
    }
    host.write("/local/domain/5/data/1", b"").unwrap();
}

#[test]
fn the_store_has_a_bound() {
    let (_store, mut host, mut guest) = store_with_guest();
    let mut fill = |length| {
        let value = vec![0; length];
        (0..20_000).find(|number| host.write(&format!("/{length}/{number}"), &value).is_err())
    };
    let large = fill(4000).unwrap();
    assert!((16_000..17_000).contains(&large), "{large}");
    assert!(fill(100).unwrap() < 40);
    assert!(guest.write("data/x", &[0; 200]).unwrap_err().is_no_space());
    assert!(host.write("/more", &[0; 200]).unwrap_err().is_no_space());
    let error = host.transaction(|nodes| nodes.write("/more", &[0; 200])).unwrap_err();
    assert!(error.is_no_space());
    host.remove("/4000").unwrap();
    host.write("/more", &[0; 200]).unwrap();
    guest.write("data/x", &[0; 200]).unwrap();
}

#[test]
fn a_stub_domain_loses_the_rights_of_a_domain_that_is_gone() {
    let (store, _host, _guest) = store_with_guest();
    store.introduce(6).unwrap();
    let mut stub = store.connect(Identity::Guest(6)).unwrap();
    store.set_target(6, 5).unwrap();
    stub.write("/local/domain/5/data/stub", b"").unwrap();
    store.release(5).unwrap();
    store.introduce(5).unwrap();
    let mut host = store.connect(Identity::Host).unwrap();
    host.mkdir("/local/domain/5/data").unwrap();
    host.set_permissions("/local/domain/5/data", &[Permission::new(Access::None, 5)]).unwrap();
    assert!(stub.write("/local/domain/5/data/stub", b"").unwrap_err().is_access());
}
