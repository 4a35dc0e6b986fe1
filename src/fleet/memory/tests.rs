use super::*;
use crate::fleet::kv::{Compare, KvEvent, Op};

fn put(key: &str, value: &str) -> Txn {
    let key = key.to_owned();
    let value = value.as_bytes().to_vec();
    Txn { compares: vec![], ops: vec![Op::Put { key, value, lease: None }] }
}

async fn value(kv: &MemoryKv, key: &str) -> Option<String> {
    let entry = kv.get(key).await.unwrap()?;
    Some(String::from_utf8(entry.value).unwrap())
}

fn is_in_doubt<T>(result: &Result<T, KvError>) -> bool {
    matches!(result, Err(KvError::InDoubt(_)))
}

fn is_unreachable<T>(result: &Result<T, KvError>) -> bool {
    matches!(result, Err(KvError::Unreachable(_)))
}

#[tokio::test(start_paused = true)]
async fn clients_share_a_store_and_have_faults_of_their_own() {
    let kv = MemoryKv::default();
    let other = kv.another_client();
    kv.set_link(Link::Refused);
    assert!(is_unreachable(&kv.get("/a").await));
    assert!(is_in_doubt(&kv.commit(put("/a", "1")).await));
    other.commit(put("/a", "2")).await.unwrap();
    kv.set_link(Link::Silent);
    let began = Instant::now();
    assert!(is_unreachable(&kv.list("/").await));
    assert_eq!(began.elapsed(), CALL_LIMIT);
    kv.set_link(Link::Up);
    assert_eq!(value(&kv, "/a").await.as_deref(), Some("2"));
    assert_eq!(kv.status().await.unwrap().endpoints.len(), 1);
}

#[tokio::test]
async fn a_write_whose_answer_is_lost_happens_or_does_not_or_does_later() {
    let kv = MemoryKv::default();
    for lost in [Lost::Happened, Lost::Never, Lost::Later, Lost::Later] {
        kv.lose_answer(lost);
    }
    assert!(is_in_doubt(&kv.commit(put("/a", "1")).await));
    assert!(is_in_doubt(&kv.commit(put("/b", "1")).await));
    assert!(is_in_doubt(&kv.commit(put("/c", "1")).await));
    let compares = vec![Compare::Absent("/a".to_owned())];
    assert!(is_in_doubt(&kv.commit(Txn { compares, ..put("/d", "1") }).await));
    let keys =
        |listing: Listing| listing.entries.into_iter().map(|entry| entry.key).collect::<Vec<_>>();
    assert_eq!(keys(kv.list("/").await.unwrap()), ["/a"]);
    kv.deliver();
    // The last one compares what has changed.
    assert_eq!(keys(kv.list("/").await.unwrap()), ["/a", "/c"]);
    kv.commit(put("/b", "2")).await.unwrap();
}

#[tokio::test]
async fn a_full_store_refuses_writes() {
    let kv = MemoryKv::default();
    kv.commit(put("/a", "1")).await.unwrap();
    kv.set_full(true);
    assert!(matches!(kv.commit(put("/a", "2")).await, Err(KvError::Refused(_))));
    assert_eq!(value(&kv, "/a").await.as_deref(), Some("1"));
    kv.set_full(false);
    kv.commit(put("/a", "2")).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_watch_tells_of_changes_and_of_leases_that_end() {
    let kv = MemoryKv::default();
    kv.commit(put("/a/1", "1")).await.unwrap();
    let mut watch = kv.watch("/a/", Revision(1)).await.unwrap();
    assert_eq!(kv.watches(), 1);
    let Watched::Events(events) = watch.next().await.unwrap().unwrap() else { panic!() };
    assert_eq!(events.len(), 1, "what was before is among them");
    let lease = kv.grant(Duration::from_secs(3)).await.unwrap();
    let mut leased = put("/a/2", "2");
    if let Op::Put { lease: of, .. } = &mut leased.ops[0] {
        *of = Some(lease);
    }
    kv.commit(put("/b", "1")).await.unwrap();
    kv.commit(leased).await.unwrap();
    let Watched::Events(events) = watch.next().await.unwrap().unwrap() else { panic!() };
    assert_eq!(events[0].key(), "/a/2");
    let began = Instant::now();
    let gone = KvEvent::Deleted { key: "/a/2".to_owned(), revision: Revision(4) };
    assert_eq!(watch.next().await, Some(Ok(Watched::Events(vec![gone]))));
    assert_eq!(began.elapsed(), Duration::from_secs(3));
    assert_eq!(watch.next().await, Some(Ok(Watched::Progress(Revision(4)))));
    drop(watch);
    assert_eq!(kv.watches(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_watch_ends_with_an_error() {
    let kv = MemoryKv::default();
    let mut watch = kv.watch("/", Revision(1)).await.unwrap();
    kv.end_watches();
    assert!(is_unreachable(&watch.next().await.unwrap()));
    assert_eq!(watch.next().await, None);
    let mut watch = kv.watch("/", Revision(1)).await.unwrap();
    kv.set_link(Link::Silent);
    let began = Instant::now();
    assert!(is_unreachable(&watch.next().await.unwrap()));
    assert_eq!(began.elapsed(), WATCH_LIMIT);
    kv.set_link(Link::Up);
    let mut watch = kv.watch("/", Revision(1)).await.unwrap();
    kv.commit(put("/a", "1")).await.unwrap();
    kv.compact();
    assert_eq!(watch.next().await, Some(Err(KvError::Compacted)));
}

#[tokio::test]
async fn all_leases_can_vanish() {
    let kv = MemoryKv::default();
    let lease = kv.grant(Duration::from_secs(15)).await.unwrap();
    let key = "/a".to_owned();
    let value = vec![];
    let ops = vec![Op::Put { key, value, lease: Some(lease) }];
    kv.commit(Txn { compares: vec![], ops }).await.unwrap();
    kv.keep_alive(lease).await.unwrap();
    kv.lose_leases();
    assert_eq!(kv.get("/a").await, Ok(None));
    assert_eq!(kv.keep_alive(lease).await, Err(KvError::NoLease));
    assert_eq!(kv.revoke(lease).await, Ok(()));
}
