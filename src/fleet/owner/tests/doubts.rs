//! What is not known for a while: to whom a domain belongs, and what etcd knows.

use super::*;
use crate::fleet::kv::{Entry, KvError, KvStatus, Lease, Listing, Revision, Watched};
use async_trait::async_trait;
use futures_util::stream::BoxStream;

/// The store takes what it is sent, and says seconds later that something has changed meanwhile.
struct Contended(Arc<MemoryKv>);

#[async_trait]
impl Kv for Contended {
    async fn get(&self, key: &str) -> Result<Option<Entry>, KvError> {
        sleep(Duration::from_secs(3)).await;
        self.0.get(key).await
    }

    async fn list(&self, prefix: &str) -> Result<Listing, KvError> {
        self.0.list(prefix).await
    }

    async fn commit(&self, _txn: Txn) -> Result<Committed, KvError> {
        sleep(Duration::from_secs(3)).await;
        Ok(Committed::No)
    }

    async fn grant(&self, ttl: Duration) -> Result<Lease, KvError> {
        self.0.grant(ttl).await
    }

    async fn keep_alive(&self, lease: Lease) -> Result<(), KvError> {
        self.0.keep_alive(lease).await
    }

    async fn revoke(&self, lease: Lease) -> Result<(), KvError> {
        self.0.revoke(lease).await
    }

    async fn watch(
        &self,
        prefix: &str,
        from: Revision,
    ) -> Result<BoxStream<'static, Result<Watched, KvError>>, KvError> {
        self.0.watch(prefix, from).await
    }

    async fn status(&self) -> Result<KvStatus, KvError> {
        self.0.status().await
    }
}

fn seconds_since(began: Instant) -> u64 {
    began.elapsed().as_secs()
}

/// The host asks again, and finds that it has the domain.
#[tokio::test(start_paused = true)]
async fn an_answer_that_is_lost_does_not_refuse_a_domain() {
    let id = Uuid::from_u128(7);
    for lost in [Lost::Happened, Lost::Never, Lost::Later] {
        let kv = MemoryKv::default();
        let (source, target) = (Host::member(&kv, 1).await, Host::member(&kv, 2).await);
        source.start(DOMAIN).await.unwrap();
        source.owner.hand_over(DOMAIN, &handover(id)).await.unwrap();
        target.kv.lose_answer(lost);
        let keys = keys();
        let arrived = arrived(DOMAIN, id, Some(keys.cluster()));
        let called = name_of(DOMAIN);
        let receive = target.owner.receive(arrived, &called, None);
        let cut_off = async {
            sleep(Duration::from_millis(1)).await;
            target.kv.set_link(Link::Silent);
        };
        let (received, ()) = tokio::join!(receive, cut_off);
        received.unwrap_err();
        assert_eq!(target.owner.locals().stage(DOMAIN), Some(Stage::Moving));
        target.kv.set_link(Link::Up);
        sleep(Duration::from_secs(10)).await;
        // A daemon that was killed does not know that it asked before.
        let mut target = target.restarted();
        target.owner.doubt(DOMAIN);
        target.begin();
        assert!(target.receives(DOMAIN, id).await, "{lost:?}");
        target.kv.deliver();
        sleep(SOON).await;
        assert_eq!(shown(&kv, DOMAIN).await, "xen2 Running", "{lost:?}");
        assert!(!source.owner.take_back(DOMAIN, false).await.unwrap());
    }
}

#[tokio::test(start_paused = true)]
async fn without_any_doubt_a_domain_is_refused_at_once() {
    let id = Uuid::from_u128(7);
    let kv = MemoryKv::default();
    let (source, target) = (Host::member(&kv, 1).await, Host::member(&kv, 2).await);
    source.start(DOMAIN).await.unwrap();
    source.owner.hand_over(DOMAIN, &handover(id)).await.unwrap();
    let fence = keys().fence(&host_name(2), 1);
    write(&kv, put(fence.clone(), b"declared")).await;
    assert!(!target.receives(DOMAIN, id).await, "it is fenced");
    write(&kv, Op::Delete { key: fence.clone() }).await;
    target.kv.set_link(Link::Silent);
    assert!(!target.receives(DOMAIN, id).await, "it was never asked for");
    target.kv.set_link(Link::Up);
    // What may have been asked for before is taken back first.
    write(&kv, put(fence, b"declared")).await;
    target.owner.doubt(DOMAIN);
    assert!(!target.receives(DOMAIN, id).await);
    assert!(source.owner.take_back(DOMAIN, true).await.unwrap());
    assert_eq!(shown(&kv, DOMAIN).await, "xen1 Running");
}

/// The sender says that the fleet has the domain as moving: if it is nobody's, it has run since.
#[tokio::test(start_paused = true)]
async fn what_has_run_since_is_not_received() {
    let id = Uuid::from_u128(7);
    let kv = MemoryKv::default();
    let (source, target) = (Host::member(&kv, 1).await, Host::member(&kv, 2).await);
    source.start(DOMAIN).await.unwrap();
    source.owner.hand_over(DOMAIN, &handover(id)).await.unwrap();
    let mut source = source.restarted();
    source.begin();
    sleep(SOON).await;
    source.start(DOMAIN).await.unwrap();
    source.stop(DOMAIN).await;
    assert_eq!(shown(&kv, DOMAIN).await, "halted");
    assert!(!target.receives(DOMAIN, id).await);
}

#[tokio::test(start_paused = true)]
async fn a_domain_that_is_nobodys_goes_on_where_the_other_host_has_refused_it() {
    let id = Uuid::from_u128(7);
    let kv = MemoryKv::default();
    let mut source = Host::new(&kv, 1);
    source.owner.stay_outside();
    source.start(DOMAIN).await.unwrap();
    assert_eq!(source.owner.hand_over(DOMAIN, &handover(id)).await.unwrap(), None);
    // It joins meanwhile.
    source.begin();
    sleep(SOON).await;
    let unknown = source.owner.take_back(DOMAIN, false).await.unwrap_err();
    assert!(matches!(unknown, Error::OwnerUnknown { .. }), "{unknown:?}");
    assert_eq!(source.owner.locals().stage(DOMAIN), Some(Stage::Moving), "it is not given up");
    assert!(source.owner.take_back(DOMAIN, true).await.unwrap());
    assert_eq!(shown(&kv, DOMAIN).await, "xen1 Running");
}

/// A host that joins while a domain is being started tells the fleet what there is at that moment.
#[tokio::test(start_paused = true)]
async fn a_domain_is_here_from_before_the_fleet_is_asked() {
    let kv = MemoryKv::default();
    let host = Host::new(&kv, 1);
    let stage = || host.owner.locals().stage(DOMAIN);
    for (step, wanted) in [("claim", Stage::Starting), ("run", Stage::Running)] {
        let asks = async {
            match step {
                "claim" => host.owner.claim(DOMAIN, &name_of(DOMAIN)).await,
                _ => host.owner.run(DOMAIN).await,
            }
        };
        let meanwhile = async {
            sleep(Duration::from_secs(1)).await;
            assert_eq!(stage(), Some(wanted));
        };
        let (asked, ()) = tokio::join!(asks, meanwhile);
        asked.unwrap_err();
        assert_eq!(stage(), None, "{step}: it failed");
    }
    let called = name_of(DOMAIN);
    let receive = host.owner.receive(arrived(DOMAIN, Uuid::nil(), None), &called, None);
    let meanwhile = async {
        sleep(Duration::from_secs(1)).await;
        assert_eq!(stage(), Some(Stage::Running));
        host.owner.stay_outside();
    };
    let (received, ()) = tokio::join!(receive, meanwhile);
    assert!(matches!(received, Ok(Leave::Granted)));
}

#[tokio::test(start_paused = true)]
async fn what_belongs_to_another_host_is_said_and_does_not_begin_anew() {
    let kv = MemoryKv::default();
    let (host, other) = (Host::member(&kv, 1).await, Host::member(&kv, 2).await);
    host.start(DOMAIN).await.unwrap();
    // Somebody has started it there by another toolstack: it is asked before it is told.
    other.owner.hold(DOMAIN, &name_of(DOMAIN));
    let disputed = other.owner.check_dispute(DOMAIN).await.unwrap_err();
    assert!(matches!(disputed, Error::OwnedElsewhere { .. }), "{disputed:?}");
    assert_eq!(other.owner.disputes().borrow().get(&DOMAIN), Some(&host_name(1)));
    other.owner.claim(DOMAIN, &name_of(DOMAIN)).await.unwrap_err();
    other.owner.run(DOMAIN).await.unwrap_err();
    host.owner.check_dispute(DOMAIN).await.unwrap();
    host.stop(DOMAIN).await;
    sleep(Duration::from_secs(10)).await;
    other.owner.check_dispute(DOMAIN).await.unwrap();
    assert!(other.owner.disputes().borrow().is_empty());
    other.owner.claim(DOMAIN, &name_of(DOMAIN)).await.unwrap();
    // Without an answer nothing is known against a domain.
    other.owner.hold(OTHER, &name_of(OTHER));
    other.kv.set_link(Link::Silent);
    other.owner.check_dispute(OTHER).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn what_is_here_is_told_once() {
    let kv = MemoryKv::default();
    let host = Host::member(&kv, 1).await;
    host.owner.hold(DOMAIN, &name_of(DOMAIN));
    sleep(SOON).await;
    assert_eq!(shown(&kv, DOMAIN).await, "xen1 Running");
    host.owner.hold(DOMAIN, &name_of(DOMAIN));
    assert!(!host.owner.locals().is_unwritten(DOMAIN));
}

#[tokio::test(start_paused = true)]
async fn of_many_domains_that_stop_one_waits_for_a_silent_etcd() {
    let kv = MemoryKv::default();
    let host = Host::member(&kv, 1).await;
    let domains: Vec<Uuid> = (0..10).map(|number| Uuid::from_u128(0xf0 + number)).collect();
    for domain in &domains {
        host.start(*domain).await.unwrap();
    }
    host.kv.set_link(Link::Silent);
    let began = Instant::now();
    for domain in &domains {
        host.stop(*domain).await;
    }
    assert_eq!(began.elapsed(), TELLING_LIMIT);
    host.kv.set_link(Link::Up);
    sleep(Duration::from_secs(20)).await;
    for domain in domains {
        assert_eq!(shown(&kv, domain).await, "halted");
    }
}

#[tokio::test(start_paused = true)]
async fn a_change_that_others_get_in_the_way_of_ends_in_time() {
    let memory = Arc::new(MemoryKv::default());
    let kv = Arc::new(Contended(memory.clone()));
    let notes = Notes::open(Path::new("/nonexistent"));
    let key = KeyFile::at("/nonexistent/key");
    let entropy = Arc::new(OsEntropy);
    let owner = Owner::new(kv, keys(), host_name(1), entropy, notes, key, no_guard());
    let membership = Membership { epoch: 1, revision: Revision(1), certificate: None };
    owner.enter(membership);
    let began = Instant::now();
    let enter_again = async {
        loop {
            owner.enter(membership);
            sleep(Duration::from_millis(100)).await;
        }
    };
    let called = name_of(DOMAIN);
    let claimed = tokio::select! {
        claimed = owner.claim(DOMAIN, &called) => claimed,
        () = enter_again => unreachable!(),
    };
    claimed.unwrap_err();
    // Whether the domain is protected is read before.
    assert!(seconds_since(began) <= 15, "{} s", seconds_since(began));
}

#[tokio::test(start_paused = true)]
async fn a_strange_value_is_about_one_domain() {
    let kv = MemoryKv::default();
    let host = Host::member(&kv, 1).await;
    write(&kv, put(keys().own(DOMAIN), b"{}")).await;
    let error = host.start(DOMAIN).await.unwrap_err();
    let text = error.to_string();
    assert!(matches!(error, Error::OwnerUnknown { .. }), "{error:?}");
    assert!(text.contains("strange") && text.contains(&DOMAIN.to_string()), "{text}");
    host.start(OTHER).await.unwrap();
}

/// In the backup nobody has the domain, and its host has not noticed yet.
#[tokio::test(start_paused = true)]
async fn an_etcd_from_a_backup_gives_no_domain_to_anybody() {
    let kv = MemoryKv::default();
    let (host, other) = (Host::member(&kv, 1).await, Host::member(&kv, 2).await);
    let backup = kv.backup();
    host.start(DOMAIN).await.unwrap();
    other.start(OTHER).await.unwrap();
    kv.restore(backup);
    let error = other.owner.claim(DOMAIN, &name_of(DOMAIN)).await.unwrap_err().to_string();
    assert!(error.contains("restored from a backup") && error.contains("restart xend"), "{error}");
    sleep(SOON).await;
    assert_eq!(shown(&kv, DOMAIN).await, "halted", "the claim is taken back");
    assert_eq!(shown(&kv, OTHER).await, "xen2 Running", "what is here is told");
    other.owner.claim(Uuid::from_u128(3), &name_of(Uuid::from_u128(3))).await.unwrap_err();
    let restarted = other.restarted();
    let mut other = restarted;
    other.owner.hold(OTHER, &name_of(OTHER));
    other.begin();
    sleep(SOON).await;
    other.start(Uuid::from_u128(3)).await.unwrap();
}
