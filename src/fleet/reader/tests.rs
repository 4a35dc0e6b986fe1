use super::*;
use crate::core::fleet::Presence;
use crate::core::model::Uuid;
use crate::fleet::kv::{Lease, Op, Txn};
use crate::fleet::memory::{Link, MemoryKv};
use crate::fleet::records::HostRecord;
use std::time::UNIX_EPOCH;
use tokio::time::sleep;

struct Lab {
    kv: Arc<MemoryKv>,
    keys: Keys,
    reader: Arc<FleetReader>,
}

fn host(name: &str) -> HostName {
    name.parse().unwrap()
}

impl Lab {
    fn new() -> Self {
        let kv = Arc::new(MemoryKv::default());
        let keys = Keys::new("lab".parse().unwrap());
        // The faults are those of the reader's way to the store.
        let reader = FleetReader::new(kv.clone(), keys.clone(), host("a"));
        Self { kv, keys, reader }
    }

    async fn put(&self, key: String, value: &[u8], lease: Option<Lease>) {
        let ops = vec![Op::Put { key, value: value.to_vec(), lease }];
        self.kv.another_client().commit(Txn { compares: vec![], ops }).await.unwrap();
    }

    async fn join(&self, name: &str) -> Lease {
        let record = HostRecord::joining(Uuid::nil(), UNIX_EPOCH).encode();
        self.put(self.keys.host(&host(name)), &record, None).await;
        let lease = self.kv.grant(Duration::from_secs(3600)).await.unwrap();
        self.put(self.keys.alive(&host(name)), b"{}", Some(lease)).await;
        lease
    }

    async fn domain(&self, on: &str, number: u128) {
        let value = br#"{"name":"web","state":"running","memory_mib":64,"vcpus":1}"#;
        self.put(self.keys.view(&host(on), Uuid::from_u128(number)), value, None).await;
    }

    async fn view(&self) -> Arc<FleetView> {
        self.reader.view().await.unwrap()
    }
}

/// Longer than it takes to publish a change.
const SOON: Duration = Duration::from_millis(200);

#[tokio::test(start_paused = true)]
async fn a_fleet_is_followed_while_it_is_read() {
    let lab = Lab::new();
    lab.join("a").await;
    lab.domain("a", 1).await;
    sleep(SOON).await;
    assert_eq!(lab.kv.watches(), 0, "nobody reads");
    let view = lab.view().await;
    assert_eq!((&*view.name, view.own.as_str()), ("lab", "a"));
    assert_eq!((view.members.size(), view.domains.size()), (1, 1));
    assert_eq!(view.members[&host("a")].presence, Presence::Alive);
    lab.join("b").await;
    lab.domain("b", 1).await;
    sleep(SOON).await;
    let view = lab.view().await;
    assert_eq!((view.members.size(), view.domains.size(), lab.kv.watches()), (2, 2, 4));
    // It goes on a minute after the last read, and begins anew at the next one.
    sleep(Duration::from_secs(59)).await;
    assert_eq!(lab.kv.watches(), 4);
    sleep(Duration::from_secs(2)).await;
    assert_eq!(lab.kv.watches(), 0);
    lab.domain("b", 2).await;
    let view = lab.view().await;
    assert_eq!((view.domains.size(), lab.kv.watches()), (3, 4));
}

#[tokio::test(start_paused = true)]
async fn it_ends_with_its_reader() {
    let lab = Lab::new();
    lab.view().await;
    assert_eq!(lab.kv.watches(), 4);
    let Lab { kv, reader, .. } = lab;
    drop(reader);
    sleep(SOON).await;
    assert_eq!(kv.watches(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_host_that_lost_its_lease_is_silent_since_it_was_noticed() {
    let lab = Lab::new();
    let lease = lab.join("a").await;
    let other = lab.join("b").await;
    lab.kv.revoke(other).await.unwrap();
    lab.view().await;
    sleep(Duration::from_secs(20)).await;
    let noticed = Instant::now();
    lab.kv.revoke(lease).await.unwrap();
    sleep(SOON).await;
    let view = lab.view().await;
    let presence = |view: &FleetView, name| view.members[&host(name)].presence;
    assert_eq!(presence(&view, "a"), Presence::Silent { since: Some(noticed) });
    assert_eq!(presence(&view, "b"), Presence::Silent { since: None });
    // The watches end, and the fleet is listed anew.
    lab.kv.end_watches();
    sleep(Duration::from_secs(2)).await;
    let view = lab.view().await;
    assert_eq!(presence(&view, "a"), Presence::Silent { since: Some(noticed) });
}

#[tokio::test(start_paused = true)]
async fn what_etcd_has_forgotten_is_listed() {
    let lab = Lab::new();
    lab.join("a").await;
    lab.view().await;
    // The watches have not received it when it is forgotten.
    lab.domain("a", 1).await;
    lab.kv.compact();
    sleep(Duration::from_secs(2)).await;
    let view = lab.view().await;
    assert_eq!((view.domains.size(), lab.kv.watches()), (1, 4));
}

#[tokio::test(start_paused = true)]
async fn the_last_view_is_shown_while_etcd_is_away() {
    let lab = Lab::new();
    lab.join("a").await;
    for link in [Link::Silent, Link::Refused] {
        lab.kv.set_link(link);
        let began = Instant::now();
        let error = lab.reader.view().await.unwrap_err();
        assert!(began.elapsed() <= CALL_LIMIT, "{link:?}");
        assert!(error.to_string().contains("etcd does not answer"), "{error}");
    }
    lab.kv.set_link(Link::Up);
    sleep(Duration::from_secs(6)).await;
    let heard = lab.view().await.heard;
    lab.kv.set_link(Link::Silent);
    lab.domain("a", 1).await;
    sleep(Duration::from_secs(100)).await;
    let began = Instant::now();
    let view = lab.view().await;
    assert!(began.elapsed() <= CALL_LIMIT);
    assert!(view.heard - heard < Duration::from_secs(10), "it says how old it is");
    assert_eq!(view.domains.size(), 0);
    let began = Instant::now();
    sleep(Duration::from_secs(20)).await;
    lab.view().await;
    assert_eq!(began.elapsed(), Duration::from_secs(20), "later readers do not wait");
    lab.kv.set_link(Link::Up);
    sleep(Duration::from_secs(12)).await;
    let view = lab.view().await;
    assert_eq!(view.domains.size(), 1);
    assert!(view.heard.elapsed() < Duration::from_secs(12));
}

#[tokio::test(start_paused = true)]
async fn a_quiet_fleet_is_heard_of() {
    let lab = Lab::new();
    lab.join("a").await;
    lab.view().await;
    sleep(Duration::from_secs(50)).await;
    assert!(lab.view().await.heard.elapsed() < Duration::from_secs(10));
}

#[tokio::test(start_paused = true)]
async fn a_burst_of_changes_is_shown_in_few_views() {
    let lab = Lab::new();
    lab.join("a").await;
    let mut views = vec![lab.view().await];
    // 2,000 changes in a second.
    for number in 0..2_000 {
        lab.domain("a", number).await;
        if number % 2 == 0 {
            sleep(Duration::from_millis(1)).await;
        }
        let view = lab.view().await;
        if !Arc::ptr_eq(&view, &views[views.len() - 1]) {
            views.push(view);
        }
    }
    assert!((5..=13).contains(&views.len()), "{} views", views.len());
    sleep(SOON).await;
    assert_eq!(lab.view().await.domains.size(), 2_000);
    assert_eq!(views[0].domains.size(), 0, "a view stays as it was");
}

#[tokio::test(start_paused = true)]
async fn a_host_is_found_by_what_was_known_and_trusted_by_what_etcd_says_now() {
    let lab = Lab::new();
    lab.join("a").await;
    lab.join("b").await;
    let reader = &lab.reader;
    let [b, c] = [host("b"), host("c")];
    assert!(reader.member_now(&b).await.unwrap().is_some());
    assert!(reader.member_now(&c).await.unwrap().is_none());
    assert_eq!(lab.kv.watches(), 0, "one key is read");
    assert!(lab.view().await.members.contains_key(&b));
    for link in [Link::Silent, Link::Refused, Link::Forbidden] {
        lab.kv.set_link(link);
        let began = Instant::now();
        let error = reader.member_now(&b).await.unwrap_err().to_string();
        assert!(error.starts_with("etcd does not tell whether b is a member"), "{error}");
        assert!(began.elapsed() <= CALL_LIMIT, "{link:?}");
        let found = reader.member(&b).await;
        match link {
            Link::Forbidden => assert!(found.is_err(), "etcd has answered"),
            _ => assert!(found.unwrap().is_some(), "{link:?}"),
        }
    }
    lab.kv.set_link(Link::Up);
    let ops = vec![Op::Delete { key: lab.keys.host(&b) }];
    lab.kv.another_client().commit(Txn { compares: vec![], ops }).await.unwrap();
    assert!(reader.member_now(&b).await.unwrap().is_none());
}
