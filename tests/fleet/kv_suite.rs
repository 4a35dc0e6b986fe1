//! What every store of a fleet does: the same tests for etcd and for the one in memory.

use crate::GENEROUS;
use crate::etcd_server::EtcdServer;
use futures_util::StreamExt as _;
use futures_util::stream::BoxStream;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::timeout;
use xend::fleet::{
    Committed, Compare, Entry, Kv, KvError, KvEvent, Lease, MemoryKv, Op, Revision, Txn, Watched,
};

type Changes = BoxStream<'static, Result<Watched, KvError>>;

/// A test of the suite for each store. A test of etcd has a server of its own.
macro_rules! suite {
    ($($test:ident),+ $(,)?) => {
        mod on_etcd {
            $(#[tokio::test]
            async fn $test() {
                let Some(server) = super::EtcdServer::start() else { return };
                super::$test(server.client()).await;
            })+
        }

        mod in_memory {
            $(#[tokio::test]
            async fn $test() {
                super::$test(std::sync::Arc::new(super::MemoryKv::default())).await;
            })+
        }
    };
}

suite! {
    a_key_is_read_as_it_was_written,
    a_transaction_is_carried_out_as_a_whole,
    a_list_is_sorted_and_of_one_revision,
    keys_are_deleted_one_by_one_and_below_a_prefix,
    a_lease_takes_its_keys_along,
    a_lease_that_is_not_renewed_ends,
    a_lease_that_is_gone_is_of_no_use,
    a_watch_tells_of_all_changes_since_a_revision,
    a_watch_of_what_does_not_change_tells_of_its_progress,
    a_status_has_a_version,
}

pub(crate) fn put(key: &str, value: &str) -> Op {
    Op::Put { key: key.to_owned(), value: value.as_bytes().to_vec(), lease: None }
}

pub(crate) fn txn(compares: Vec<Compare>, ops: Vec<Op>) -> Txn {
    Txn { compares, ops }
}

/// Writes without a condition.
pub(crate) async fn write(kv: &dyn Kv, ops: Vec<Op>) -> Revision {
    match kv.commit(txn(vec![], ops)).await.unwrap() {
        Committed::Yes(revision) => revision,
        Committed::No => panic!("no condition"),
    }
}

async fn value(kv: &dyn Kv, key: &str) -> Option<String> {
    kv.get(key).await.unwrap().map(|entry| String::from_utf8(entry.value).unwrap())
}

async fn keys(kv: &dyn Kv, prefix: &str) -> Vec<String> {
    kv.list(prefix).await.unwrap().entries.into_iter().map(|entry| entry.key).collect()
}

/// The next changes, whatever progress a watch tells of.
async fn events(changes: &mut Changes) -> Vec<KvEvent> {
    loop {
        match timeout(GENEROUS, changes.next()).await.expect("a change").unwrap().unwrap() {
            Watched::Events(events) => return events,
            Watched::Progress(_) => {}
        }
    }
}

async fn a_key_is_read_as_it_was_written(kv: Arc<dyn Kv>) {
    assert_eq!(kv.get("/s/a").await.unwrap(), None);
    let absent = || vec![Compare::Absent("/s/a".to_owned())];
    let made = kv.commit(txn(absent(), vec![put("/s/a", "1")])).await.unwrap();
    let Committed::Yes(revision) = made else { panic!() };
    let entry = Entry { key: "/s/a".to_owned(), value: b"1".to_vec(), modified: revision };
    assert_eq!(kv.get("/s/a").await.unwrap(), Some(entry));
    let again = kv.commit(txn(absent(), vec![put("/s/a", "2")])).await.unwrap();
    assert_eq!(again, Committed::No);
    assert_eq!(value(&*kv, "/s/a").await.unwrap(), "1");
    let modified = || vec![Compare::Modified("/s/a".to_owned(), revision)];
    let changed = kv.commit(txn(modified(), vec![put("/s/a", "2")])).await.unwrap();
    assert!(matches!(changed, Committed::Yes(later) if later > revision));
    let stale = kv.commit(txn(modified(), vec![put("/s/a", "3")])).await.unwrap();
    assert_eq!(stale, Committed::No);
    let missing = vec![Compare::Modified("/s/b".to_owned(), revision)];
    assert_eq!(kv.commit(txn(missing, vec![])).await.unwrap(), Committed::No);
    let none_newer = |prefix: &str| vec![Compare::NoneNewerBelow(prefix.to_owned(), revision)];
    assert_eq!(kv.commit(txn(none_newer("/s/"), vec![])).await.unwrap(), Committed::No);
    for unchanged in ["/s/b", "/t/"] {
        let committed = kv.commit(txn(none_newer(unchanged), vec![])).await.unwrap();
        assert!(matches!(committed, Committed::Yes(_)), "{unchanged}");
    }
    // A value is bytes.
    let value: Vec<u8> = (0..=255).collect();
    write(&*kv, vec![Op::Put { key: "/s/c".to_owned(), value: value.clone(), lease: None }]).await;
    assert_eq!(kv.get("/s/c").await.unwrap().unwrap().value, value);
}

async fn a_transaction_is_carried_out_as_a_whole(kv: Arc<dyn Kv>) {
    let most = Txn::MAX_OPS;
    let ops = (0..most).map(|number| put(&format!("/s/{number:03}"), "x")).collect();
    let revision = write(&*kv, ops).await;
    let listing = kv.list("/s/").await.unwrap();
    assert_eq!(listing.entries.len(), most);
    assert!(listing.entries.iter().all(|entry| entry.modified == revision));
    let half = vec![Compare::Absent("/s/new".to_owned()), Compare::Absent("/s/000".to_owned())];
    let refused = kv.commit(txn(half, vec![put("/s/new", "x")])).await.unwrap();
    assert_eq!((refused, kv.get("/s/new").await.unwrap()), (Committed::No, None));
    assert_eq!(kv.list("/s/").await.unwrap().revision, revision);
}

async fn a_list_is_sorted_and_of_one_revision(kv: Arc<dyn Kv>) {
    assert_eq!(keys(&*kv, "/s/").await, [""; 0]);
    write(&*kv, vec![put("/s/b", "2"), put("/s/a", "1"), put("/s", ""), put("/s0", "")]).await;
    let revision = write(&*kv, vec![put("/s/a/c", "3"), put("/t/a", "")]).await;
    let listing = kv.list("/s/").await.unwrap();
    assert_eq!(listing.revision, revision);
    let found: Vec<_> = listing.entries.iter().map(|entry| entry.key.as_str()).collect();
    assert_eq!(found, ["/s/a", "/s/a/c", "/s/b"]);
    assert!(listing.entries[0].modified < listing.entries[1].modified);
}

async fn keys_are_deleted_one_by_one_and_below_a_prefix(kv: Arc<dyn Kv>) {
    let all = ["/s/a", "/s/b/1", "/s/b/2", "/s/bc", "/s/d"];
    write(&*kv, all.map(|key| put(key, "x")).to_vec()).await;
    let missing = Op::Delete { key: "/s/missing".to_owned() };
    let below = Op::DeleteBelow { prefix: "/s/b/".to_owned() };
    write(&*kv, vec![Op::Delete { key: "/s/a".to_owned() }, missing, below]).await;
    assert_eq!(keys(&*kv, "/s/").await, ["/s/bc", "/s/d"]);
}

fn leased(key: &str, lease: Lease) -> Op {
    Op::Put { key: key.to_owned(), value: b"x".to_vec(), lease: Some(lease) }
}

async fn a_lease_takes_its_keys_along(kv: Arc<dyn Kv>) {
    let lease = kv.grant(Duration::from_secs(60)).await.unwrap();
    let begin = write(&*kv, vec![leased("/s/a", lease), leased("/s/b", lease), put("/s/c", "x")]);
    let begin = begin.await;
    kv.keep_alive(lease).await.unwrap();
    kv.keep_alive(lease).await.unwrap();
    let mut changes = kv.watch("/s/", Revision(begin.0 + 1)).await.unwrap();
    kv.revoke(lease).await.unwrap();
    assert_eq!(keys(&*kv, "/s/").await, ["/s/c"]);
    let mut gone = Vec::new();
    while gone.len() < 2 {
        gone.extend(events(&mut changes).await.into_iter().map(|event| match event {
            KvEvent::Deleted { key, revision } if revision > begin => key,
            other => panic!("{other:?}"),
        }));
    }
    gone.sort();
    assert_eq!(gone, ["/s/a", "/s/b"]);
    kv.revoke(lease).await.unwrap();
}

async fn a_lease_that_is_not_renewed_ends(kv: Arc<dyn Kv>) {
    let lease = kv.grant(Duration::from_secs(2)).await.unwrap();
    let begin = write(&*kv, vec![leased("/s/a", lease)]).await;
    let mut changes = kv.watch("/s/", Revision(begin.0 + 1)).await.unwrap();
    let events = events(&mut changes).await;
    assert!(matches!(&events[..], [KvEvent::Deleted { key, .. }] if key == "/s/a"), "{events:?}");
    assert_eq!(kv.keep_alive(lease).await, Err(KvError::NoLease));
}

async fn a_lease_that_is_gone_is_of_no_use(kv: Arc<dyn Kv>) {
    let lease = kv.grant(Duration::from_secs(60)).await.unwrap();
    kv.revoke(lease).await.unwrap();
    assert_eq!(kv.keep_alive(lease).await, Err(KvError::NoLease));
    let refused = kv.commit(txn(vec![], vec![put("/s/a", "x"), leased("/s/b", lease)])).await;
    assert_eq!(refused, Err(KvError::NoLease));
    assert_eq!(keys(&*kv, "/s/").await, [""; 0]);
}

async fn a_watch_tells_of_all_changes_since_a_revision(kv: Arc<dyn Kv>) {
    let first = write(&*kv, vec![put("/s/a", "1")]).await;
    write(&*kv, vec![put("/t/a", "not watched")]).await;
    write(&*kv, vec![put("/s/a", "2"), put("/s/b", "1")]).await;
    let mut changes = kv.watch("/s/", first).await.unwrap();
    write(&*kv, vec![Op::Delete { key: "/s/a".to_owned() }]).await;
    let mut told = Vec::new();
    let mut last = Revision(0);
    while told.len() < 4 {
        for event in events(&mut changes).await {
            let (text, revision) = match event {
                KvEvent::Put(Entry { key, value, modified }) => {
                    (format!("{key}={}", String::from_utf8(value).unwrap()), modified)
                }
                KvEvent::Deleted { key, revision } => (format!("{key} deleted"), revision),
            };
            assert!(revision >= last, "{text}");
            last = revision;
            told.push(text);
        }
    }
    assert_eq!(told, ["/s/a=1", "/s/a=2", "/s/b=1", "/s/a deleted"]);
}

async fn a_watch_of_what_does_not_change_tells_of_its_progress(kv: Arc<dyn Kv>) {
    let begin = write(&*kv, vec![put("/s/a", "1")]).await;
    let mut changes = kv.watch("/s/", Revision(begin.0 + 1)).await.unwrap();
    for _ in 0..2 {
        let told = timeout(GENEROUS, changes.next()).await.expect("progress").unwrap().unwrap();
        assert!(matches!(told, Watched::Progress(revision) if revision >= begin), "{told:?}");
    }
}

async fn a_status_has_a_version(kv: Arc<dyn Kv>) {
    let status = kv.status().await.unwrap();
    let [(_, Ok(server))] = &status.endpoints[..] else { panic!("{status:?}") };
    assert!(!server.version.is_empty());
}
