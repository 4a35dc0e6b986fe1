//! Domains that belong to hosts, on a store with faults.

mod doubts;
mod world;

use super::*;
use crate::core::fingerprint::Fingerprint;
use crate::core::ownership::{Own, Phase};
use crate::core::ports::{Copies, Destination, DestinationMember};
use crate::fleet::domain::OwnRecord;
use crate::fleet::key_file::KeyFile;
use crate::fleet::kv::{Committed, Kv, Op, Txn};
use crate::fleet::membership::Membership;
use crate::fleet::memory::{Link, Lost, MemoryKv};
use crate::fleet::owner::testing::{host_name, keys, no_guard, put};
use crate::os::OsEntropy;
use std::path::Path;
use tokio::task::JoinHandle;
use tokio::time::sleep;

const DOMAIN: Uuid = Uuid::from_u128(0xd0);
const OTHER: Uuid = Uuid::from_u128(0xd1);
const SOON: Duration = Duration::from_secs(2);

/// The name of a domain, which is unique in the fleet.
fn name_of(domain: Uuid) -> DomName {
    DomName::adopted(&format!("d{}", domain.as_u128()))
}

fn arrived(domain: Uuid, id: Uuid, fleet: Option<&ClusterName>) -> Arrived<'_> {
    Arrived { domain, id, fleet, brings_definition: false }
}

/// A host without definitions.
struct NoCopies;

#[async_trait]
impl Copies for NoCopies {
    fn defined(&self) -> Vec<Uuid> {
        Vec::new()
    }
    fn definition(&self, _domain: Uuid) -> Option<Arc<CompleteConfig>> {
        None
    }
    fn is_here(&self, _domain: Uuid) -> bool {
        false
    }
    async fn add(&self, _definition: Arc<CompleteConfig>) -> Result<bool, Error> {
        Ok(false)
    }
    async fn replace(
        &self,
        _definition: Arc<CompleteConfig>,
        _instead_of: Option<Arc<CompleteConfig>>,
    ) -> Result<bool, Error> {
        Ok(false)
    }
    async fn start(&self, domain: Uuid) -> Result<(), Error> {
        Err(Error::NoSuchDomain(domain.to_string()))
    }
    async fn set_aside(&self, _definition: Arc<CompleteConfig>) -> Result<bool, Error> {
        Ok(false)
    }
}

fn handover(id: Uuid) -> Handover {
    let to = Destination { host: "xen2".to_owned(), port: 8002, encrypted: false, member: None };
    Handover { id, to }
}

/// A host and its way to the store. Dropping it kills its daemon.
struct Host {
    number: usize,
    kv: Arc<MemoryKv>,
    owner: Arc<Owner>,
    part: JoinHandle<()>,
}

impl Host {
    /// A host that has not asked whether it is a member.
    fn new(kv: &MemoryKv, number: usize) -> Self {
        Self::with_client(Arc::new(kv.another_client()), number)
    }

    fn with_client(kv: Arc<MemoryKv>, number: usize) -> Self {
        let notes = Notes::open(Path::new("/nonexistent"));
        let key = KeyFile::at("/nonexistent/key");
        let owner = Owner::new(
            kv.clone(),
            keys(),
            host_name(number),
            Arc::new(OsEntropy),
            notes,
            key,
            no_guard(),
        );
        Self { number, kv, owner, part: tokio::spawn(async {}) }
    }

    async fn member(kv: &MemoryKv, number: usize) -> Self {
        let mut host = Self::new(kv, number);
        host.begin();
        host.owner.ready().await;
        host
    }

    fn begin(&mut self) {
        self.part = tokio::spawn(take_part(self.kv.clone(), self.number, self.owner.clone()));
    }

    /// The same host after its daemon was killed.
    fn restarted(self) -> Self {
        Self::with_client(self.kv.clone(), self.number)
    }

    async fn start(&self, domain: Uuid) -> Result<(), Error> {
        self.owner.claim(domain, &name_of(domain)).await?;
        self.owner.run(domain).await
    }

    /// Whether it gets a domain that another host of the fleet has handed over.
    async fn receives(&self, domain: Uuid, id: Uuid) -> bool {
        let keys = keys();
        let arrived = arrived(domain, id, Some(keys.cluster()));
        let received = self.owner.receive(arrived, &name_of(domain), None).await.unwrap();
        matches!(received, Leave::Granted)
    }

    async fn stop(&self, domain: Uuid) {
        self.owner.release(domain);
        self.owner.released(domain).await;
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        self.part.abort();
    }
}

/// What a host's part in the fleet does: each membership has a record that was written anew.
async fn take_part(kv: Arc<MemoryKv>, number: usize, owner: Arc<Owner>) {
    loop {
        let ops = vec![put(keys().host(&host_name(number)), b"")];
        if let Ok(Committed::Yes(revision)) = kv.commit(Txn { compares: vec![], ops }).await {
            let membership = Membership { epoch: 1, revision, certificate: None };
            owner.enter(membership);
            owner.keep(membership, &NoCopies).await;
        }
        sleep(Duration::from_millis(500)).await;
    }
}

async fn write(kv: &MemoryKv, op: Op) {
    kv.commit(Txn { compares: vec![], ops: vec![op] }).await.unwrap();
}

async fn own(kv: &MemoryKv, domain: Uuid) -> Option<Own> {
    let entry = kv.get(&keys().own(domain)).await.unwrap()?;
    Some(OwnRecord::decode(&entry.value).unwrap())
}

/// The owner and the phase, in short: `xen1 Running`.
async fn shown(kv: &MemoryKv, domain: Uuid) -> String {
    let own = own(kv, domain).await;
    own.map_or("halted".to_owned(), |own| {
        let phase = format!("{:?}", own.phase);
        format!("{} {}", own.by.host, phase.split(' ').next().unwrap())
    })
}

#[tokio::test(start_paused = true)]
async fn of_two_hosts_that_start_a_domain_one_has_it() {
    let kv = MemoryKv::default();
    let (first, second) = (Host::member(&kv, 1).await, Host::member(&kv, 2).await);
    let (one, two) = tokio::join!(first.start(DOMAIN), second.start(DOMAIN));
    assert!(one.is_ok() != two.is_ok(), "{one:?} {two:?}");
    let (winner, loser) = if one.is_ok() { (&first, &second) } else { (&second, &first) };
    assert_eq!(shown(&kv, DOMAIN).await, format!("xen{} Running", winner.number));
    let error = loser.start(DOMAIN).await.unwrap_err();
    let Error::OwnedElsewhere { domain, host } = error else { panic!("{error:?}") };
    assert_eq!((domain, host), (DOMAIN, host_name(winner.number).to_string()));
    // What is here needs no leave, and restarts in place.
    winner.kv.set_link(Link::Refused);
    winner.start(DOMAIN).await.unwrap();
    winner.kv.set_link(Link::Up);
    winner.stop(DOMAIN).await;
    assert_eq!(shown(&kv, DOMAIN).await, "halted");
    loser.start(DOMAIN).await.unwrap();
    // Other domains are other keys.
    winner.start(OTHER).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_is_lost_is_no_failure() {
    for lost in [Lost::Happened, Lost::Never, Lost::Later] {
        let kv = MemoryKv::default();
        let (host, other) = (Host::member(&kv, 1).await, Host::member(&kv, 2).await);
        host.kv.lose_answer(lost);
        host.owner.claim(DOMAIN, &name_of(DOMAIN)).await.unwrap();
        assert_eq!(shown(&kv, DOMAIN).await, "xen1 Starting", "{lost:?}");
        host.kv.lose_answer(lost);
        host.owner.run(DOMAIN).await.unwrap();
        host.kv.deliver();
        assert_eq!(shown(&kv, DOMAIN).await, "xen1 Running", "{lost:?}");
        host.kv.lose_answer(lost);
        host.stop(DOMAIN).await;
        sleep(SOON).await;
        other.start(DOMAIN).await.unwrap();
        host.kv.deliver();
        assert_eq!(shown(&kv, DOMAIN).await, "xen2 Running", "{lost:?}: a late write");
    }
}

/// A claim that was given up comes when somebody else could have the domain.
#[tokio::test(start_paused = true)]
async fn a_claim_that_was_given_up_fails_or_is_taken_back() {
    let kv = MemoryKv::default();
    let host = Host::member(&kv, 1).await;
    host.kv.lose_answer(Lost::Later);
    let called = name_of(DOMAIN);
    let claim = host.owner.claim(DOMAIN, &called);
    let cut_off = async {
        sleep(Duration::from_millis(1)).await;
        host.kv.set_link(Link::Refused);
    };
    let (claimed, ()) = tokio::join!(claim, cut_off);
    assert!(matches!(claimed, Err(Error::FleetUnavailable { .. })), "{claimed:?}");
    host.kv.deliver();
    assert_eq!(shown(&kv, DOMAIN).await, "xen1 Starting", "it came late");
    host.kv.set_link(Link::Up);
    sleep(Duration::from_secs(10)).await;
    assert_eq!(shown(&kv, DOMAIN).await, "halted");
}

#[tokio::test(start_paused = true)]
async fn a_daemon_that_was_killed_looks_at_what_is_here() {
    let kv = MemoryKv::default();
    let host = Host::member(&kv, 1).await;
    host.owner.claim(DOMAIN, &name_of(DOMAIN)).await.unwrap();
    host.start(OTHER).await.unwrap();
    let host = host.restarted();
    // The one was built, the other has gone meanwhile.
    let mut host = host;
    host.owner.hold(DOMAIN, &name_of(DOMAIN));
    host.begin();
    sleep(SOON).await;
    assert_eq!(shown(&kv, DOMAIN).await, "xen1 Running");
    assert_eq!(shown(&kv, OTHER).await, "halted");
    // Before that, nothing late can come of the earlier run.
    host.kv.lose_answer(Lost::Later);
    let claim = tokio::spawn({
        let owner = host.owner.clone();
        async move { owner.claim(OTHER, &name_of(OTHER)).await }
    });
    sleep(Duration::from_millis(1)).await;
    claim.abort();
    let mut host = host.restarted();
    host.begin();
    sleep(SOON).await;
    host.kv.deliver();
    assert_eq!(shown(&kv, OTHER).await, "halted");
}

#[tokio::test(start_paused = true)]
async fn without_etcd_nothing_begins_and_what_ends_is_told_later() {
    let kv = MemoryKv::default();
    let host = Host::member(&kv, 1).await;
    host.start(DOMAIN).await.unwrap();
    for link in [Link::Refused, Link::Silent] {
        host.kv.set_link(link);
        let error = host.start(OTHER).await.unwrap_err();
        assert!(matches!(error, Error::FleetUnavailable { .. }), "{error:?}");
        let text = error.to_string();
        assert!(text.contains("etcd cannot be reached") && text.contains("created"), "{text}");
        assert!(host.owner.check().await.is_err());
    }
    host.stop(DOMAIN).await;
    assert_eq!(shown(&kv, DOMAIN).await, "xen1 Running");
    host.kv.set_link(Link::Up);
    sleep(Duration::from_secs(15)).await;
    assert_eq!(shown(&kv, DOMAIN).await, "halted");
    host.owner.check().await.unwrap();
    assert_eq!(shown(&kv, OTHER).await, "halted");
}

#[tokio::test(start_paused = true)]
async fn a_host_that_is_fenced_gets_nothing_and_gives_up_what_it_had() {
    let kv = MemoryKv::default();
    let host = Host::member(&kv, 1).await;
    host.start(DOMAIN).await.unwrap();
    host.owner.claim(OTHER, &name_of(OTHER)).await.unwrap();
    let fence = keys().fence(&host_name(1), 1);
    write(&kv, put(fence.clone(), b"declared")).await;
    for refused in [
        host.owner.run(OTHER).await,
        host.owner.claim(Uuid::from_u128(3), &name_of(Uuid::from_u128(3))).await,
    ] {
        let error = refused.unwrap_err().to_string();
        assert!(error.contains("fenced") && error.contains(&fence), "{error}");
    }
    host.stop(DOMAIN).await;
    assert_eq!(shown(&kv, DOMAIN).await, "halted");
    // Of another boot.
    write(&kv, Op::Delete { key: fence }).await;
    write(&kv, put(keys().fence(&host_name(1), 2), b"declared")).await;
    host.owner.run(OTHER).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_host_that_has_not_joined_has_all_that_it_wants() {
    let kv = MemoryKv::default();
    let mut host = Host::new(&kv, 1);
    let revision = kv.revision();
    let waits = host.owner.claim(DOMAIN, &name_of(DOMAIN)).await.unwrap_err();
    assert!(matches!(waits, Error::FleetUnavailable { .. }), "it may be a member: {waits:?}");
    host.owner.stay_outside();
    host.start(DOMAIN).await.unwrap();
    host.owner.claim(OTHER, &name_of(OTHER)).await.unwrap();
    host.owner.check().await.unwrap();
    assert_eq!(kv.revision(), revision);
    // It joins: what is here is its own, and what is being built.
    host.begin();
    sleep(SOON).await;
    assert_eq!(shown(&kv, DOMAIN).await, "xen1 Running");
    host.owner.run(OTHER).await.unwrap();
    assert_eq!(shown(&kv, OTHER).await, "xen1 Running");
    host.owner.bar("It is too old".to_owned());
    let error = host
        .owner
        .claim(Uuid::from_u128(3), &name_of(Uuid::from_u128(3)))
        .await
        .unwrap_err()
        .to_string();
    assert!(error.starts_with("It is too old:"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_domain_of_another_host_is_not_taken_from_it() {
    let kv = MemoryKv::default();
    let (host, other) = (Host::member(&kv, 1).await, Host::member(&kv, 2).await);
    host.start(DOMAIN).await.unwrap();
    // Somebody has started it there by another toolstack.
    other.owner.hold(DOMAIN, &name_of(DOMAIN));
    other.start(OTHER).await.unwrap();
    sleep(SOON).await;
    assert_eq!(shown(&kv, DOMAIN).await, "xen1 Running");
    // Meanwhile other domains end in time.
    other.stop(OTHER).await;
    assert_eq!(shown(&kv, OTHER).await, "halted");
    host.stop(DOMAIN).await;
    sleep(Duration::from_secs(10)).await;
    assert_eq!(shown(&kv, DOMAIN).await, "xen2 Running");
    write(&kv, put(keys().own(OTHER), b"{}")).await;
    let error = host.start(OTHER).await.unwrap_err().to_string();
    assert!(error.contains("strange") && error.contains(&keys().own(OTHER)), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_domain_moves_to_a_host_of_the_fleet_by_its_name() {
    let kv = MemoryKv::default();
    let source = Host::member(&kv, 1).await;
    source.start(DOMAIN).await.unwrap();
    let certificate = Fingerprint::new([7; Fingerprint::LEN]);
    let member = Some(DestinationMember { name: host_name(2), certificate });
    // Its address may be longer than what is read of a record.
    let to = Destination { host: "x".repeat(512), port: 8003, encrypted: true, member };
    source.owner.hand_over(DOMAIN, &Handover { id: OTHER, to }).await.unwrap();
    let phase = own(&kv, DOMAIN).await.unwrap().phase;
    assert_eq!(phase, Phase::Moving { to: "xen2".to_owned(), id: OTHER });
}

#[tokio::test(start_paused = true)]
async fn a_domain_that_moves_is_taken_once() {
    let kv = MemoryKv::default();
    let (source, target) = (Host::member(&kv, 1).await, Host::member(&kv, 2).await);
    let id = Uuid::from_u128(7);
    source.start(DOMAIN).await.unwrap();
    assert!(!target.receives(DOMAIN, id).await, "nobody has sent it");
    let fleet = source.owner.hand_over(DOMAIN, &handover(id)).await.unwrap();
    assert_eq!(fleet.as_ref(), Some(keys().cluster()));
    assert_eq!(shown(&kv, DOMAIN).await, "xen1 Moving");
    assert!(!target.receives(DOMAIN, Uuid::nil()).await, "another migration");
    let (taken, back) =
        tokio::join!(target.receives(DOMAIN, id), source.owner.take_back(DOMAIN, false));
    assert!(taken != back.unwrap());
    // From here to there, and back.
    source.stop(DOMAIN).await;
    target.stop(DOMAIN).await;
    source.start(DOMAIN).await.unwrap();
    source.owner.hand_over(DOMAIN, &handover(id)).await.unwrap();
    assert!(target.receives(DOMAIN, id).await);
    assert!(!source.owner.take_back(DOMAIN, true).await.unwrap());
    source.stop(DOMAIN).await;
    assert_eq!(shown(&kv, DOMAIN).await, "xen2 Running");
    // A source without etcd goes on, since nobody was told to take the domain.
    target.kv.set_link(Link::Refused);
    target.owner.hand_over(DOMAIN, &handover(id)).await.unwrap_err();
    target.kv.set_link(Link::Up);
    sleep(SOON).await;
    assert_eq!(shown(&kv, DOMAIN).await, "xen2 Running");
    // One in doubt is not taken back by itself.
    target.owner.hand_over(DOMAIN, &handover(id)).await.unwrap();
    let mut target = target.restarted();
    target.owner.hold(DOMAIN, &name_of(DOMAIN));
    target.owner.doubt(DOMAIN);
    target.begin();
    sleep(SOON).await;
    assert_eq!(shown(&kv, DOMAIN).await, "xen2 Moving");
    assert!(target.owner.take_back(DOMAIN, false).await.unwrap());
    // From a host that is in no fleet, or in another one.
    for fleet in [None, Some("other".parse().unwrap())] {
        let arrived = arrived(OTHER, id, fleet.as_ref());
        let received = source.owner.receive(arrived, &name_of(OTHER), None).await.unwrap();
        assert!(matches!(received, Leave::Granted));
    }
    assert_eq!(shown(&kv, OTHER).await, "xen1 Running");
}
