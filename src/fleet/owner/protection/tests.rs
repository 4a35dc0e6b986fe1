//! Protected domains on hosts with a guard, on a store with faults.

mod world;

use super::*;
use crate::core::model::{CompleteConfig, DomName, DomainConfig};
use crate::core::ownership::Phase;
use crate::core::ports::{Arrived, Destination, Handover, Leave, Ownership};
use crate::fleet::guard::{GuardPort, GuardedHere};
use crate::fleet::key_file::KeyFile;
use crate::fleet::keys::Keys;
use crate::fleet::kv::{Committed, Kv, Op, Txn};
use crate::fleet::memory::{Link, Lost, MemoryKv};
use crate::fleet::owner::Notes;
use crate::fleet::owner::testing::{host_name, keys, lock, put};
use crate::fleet::protection_records::{
    FenceRecord, FenceStep, PolicyRecord, Restart, TakeoverRecord,
};
use crate::os::OsEntropy;
use async_trait::async_trait;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, Weak};
use std::time::{Duration, UNIX_EPOCH};
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio::time::sleep;

mod absence;

const WEB: Uuid = Uuid::from_u128(0xa1);
const SOON: Duration = Duration::from_secs(3);
/// Longer than all that is tried again waits.
const LATER: Duration = Duration::from_secs(60);

fn web() -> DomName {
    name_of(WEB)
}

fn name_of(domain: Uuid) -> DomName {
    DomName::adopted(&format!("d{}", domain.as_u128()))
}

/// What outlives the daemon of a host: its hypervisor, its disk, and its guard.
struct Machine {
    /// When the time of day was 1970.
    began: Instant,
    here: Mutex<BTreeSet<Uuid>>,
    defined: Mutex<BTreeMap<Uuid, Arc<CompleteConfig>>>,
    guard: Mutex<Guard>,
    /// Nothing can be built.
    is_full: Mutex<bool>,
    owner: Mutex<Weak<Owner>>,
}

impl Default for Machine {
    fn default() -> Self {
        Self {
            began: Instant::now(),
            here: Mutex::default(),
            defined: Mutex::default(),
            guard: Mutex::default(),
            is_full: Mutex::default(),
            owner: Mutex::default(),
        }
    }
}

/// A guard without time: with the domains whose build is over.
#[derive(Default)]
struct Guard {
    epoch: u64,
    built: BTreeMap<Uuid, bool>,
    is_down: bool,
    is_ending: bool,
    is_away: bool,
    /// What it answers an absence with.
    refuses_absence: Option<&'static str>,
}

impl Machine {
    fn owner(&self) -> Arc<Owner> {
        lock(&self.owner).upgrade().unwrap()
    }

    async fn etcd_says_away(&self) -> bool {
        let owner = self.owner();
        !owner.kv.list(&owner.keys.aways_of(&owner.host)).await.unwrap().entries.is_empty()
    }

    fn guarded(&self) -> Vec<Uuid> {
        lock(&self.guard).built.keys().copied().collect()
    }

    fn has(&self, domain: Uuid) -> bool {
        lock(&self.here).contains(&domain)
    }

    /// What the guard does that finds a fence, or does not hear of etcd.
    fn end_guarded(&self) {
        let mut guard = lock(&self.guard);
        for domain in std::mem::take(&mut guard.built).into_keys() {
            lock(&self.here).remove(&domain);
        }
    }

    /// What the driver does that finds a domain gone.
    fn sweep(&self, domain: Uuid) {
        assert!(!self.has(domain));
        self.owner().release(domain);
    }

    async fn build(&self, domain: Uuid) -> Result<(), Error> {
        let owner = self.owner();
        owner.claim(domain, &name_of(domain)).await?;
        if *lock(&self.is_full) {
            owner.release(domain);
            return Err(Error::NoMemory { needed_kib: 2, free_kib: Some(1) });
        }
        lock(&self.here).insert(domain);
        let runs = owner.run(domain).await;
        if runs.is_err() {
            lock(&self.here).remove(&domain);
            owner.release(domain);
        }
        runs
    }

    async fn destroy(&self, domain: Uuid) {
        lock(&self.here).remove(&domain);
        self.owner().release(domain);
        self.owner().released(domain).await;
    }
}

#[async_trait]
impl GuardPort for Machine {
    async fn register(&self, domain: Uuid) -> Result<u64, GuardFailure> {
        let mut guard = lock(&self.guard);
        guard.check()?;
        refuse(guard.is_away.then_some("this host is away"))?;
        guard.built.insert(domain, false);
        Ok(guard.epoch)
    }

    async fn built(&self, domain: Uuid) -> Result<(), GuardFailure> {
        let mut guard = lock(&self.guard);
        guard.check()?;
        let built = guard.built.get_mut(&domain);
        *built.ok_or_else(|| GuardFailure::Refused("unknown".to_owned()))? = true;
        Ok(())
    }

    async fn release(&self, domain: Uuid) -> Result<(), GuardFailure> {
        let mut guard = lock(&self.guard);
        guard.check()?;
        guard.built.remove(&domain);
        Ok(())
    }

    async fn away(&self) -> Result<(), GuardFailure> {
        let told = self.etcd_says_away().await;
        let mut guard = lock(&self.guard);
        guard.check()?;
        refuse(guard.refuses_absence)?;
        assert!(told, "no timer is unset before etcd says that the host is away");
        guard.is_away = true;
        Ok(())
    }

    async fn back(&self) -> Result<(), GuardFailure> {
        let mut guard = lock(&self.guard);
        guard.check()?;
        guard.is_away = false;
        Ok(())
    }

    async fn status(&self) -> Result<GuardedHere, GuardFailure> {
        let guard = lock(&self.guard);
        guard.check_runs()?;
        let domains: BTreeSet<Uuid> = guard.built.keys().copied().collect();
        let epoch = (!domains.is_empty()).then_some(guard.epoch);
        let Guard { is_ending, is_away, .. } = *guard;
        Ok(GuardedHere { is_ending, is_away, epoch, domains })
    }
}

impl Guard {
    fn check_runs(&self) -> Result<(), GuardFailure> {
        let down = || GuardFailure::Silent(std::io::Error::other("nobody listens"));
        if self.is_down { Err(down()) } else { Ok(()) }
    }

    fn check(&self) -> Result<(), GuardFailure> {
        self.check_runs()?;
        refuse(self.is_ending.then_some("it is ending"))
    }
}

fn refuse(reason: Option<&str>) -> Result<(), GuardFailure> {
    reason.map_or(Ok(()), |reason| Err(GuardFailure::Refused(reason.to_owned())))
}

#[async_trait]
impl Copies for Machine {
    fn defined(&self) -> Vec<Uuid> {
        lock(&self.defined).keys().copied().collect()
    }

    fn definition(&self, domain: Uuid) -> Option<Arc<CompleteConfig>> {
        lock(&self.defined).get(&domain).cloned()
    }

    fn is_here(&self, domain: Uuid) -> bool {
        lock(&self.defined).contains_key(&domain)
    }

    async fn add(&self, definition: Arc<CompleteConfig>) -> Result<bool, Error> {
        lock(&self.defined).insert(definition.uuid(), definition);
        Ok(true)
    }

    async fn replace(
        &self,
        definition: Arc<CompleteConfig>,
        _instead_of: Option<Arc<CompleteConfig>>,
    ) -> Result<bool, Error> {
        self.add(definition).await
    }

    async fn start(&self, domain: Uuid) -> Result<(), Error> {
        self.build(domain).await
    }

    async fn set_aside(&self, definition: Arc<CompleteConfig>) -> Result<bool, Error> {
        let domain = definition.uuid();
        let is_free = !self.has(domain);
        if is_free {
            lock(&self.defined).remove(&domain);
        }
        Ok(is_free)
    }
}

/// A host and its way to the store. Dropping it kills its daemon.
struct Host {
    number: usize,
    epoch: u64,
    kv: Arc<MemoryKv>,
    machine: Arc<Machine>,
    dir: Arc<TempDir>,
    part: JoinHandle<()>,
}

impl Host {
    async fn member(kv: &MemoryKv, number: usize) -> Self {
        let kv = Arc::new(kv.another_client());
        let dir = Arc::new(tempfile::tempdir().unwrap());
        Self::on(kv, Arc::default(), dir, (number, 1)).await
    }

    async fn on(
        kv: Arc<MemoryKv>,
        machine: Arc<Machine>,
        dir: Arc<TempDir>,
        (number, epoch): (usize, u64),
    ) -> Self {
        let notes = Notes::open(dir.path());
        let key = KeyFile::at(dir.path().join("key"));
        let (name, entropy) = (host_name(number), Arc::new(OsEntropy));
        let owner = Owner::new(kv.clone(), keys(), name, entropy, notes, key, machine.clone());
        *lock(&machine.owner) = Arc::downgrade(&owner);
        lock(&machine.guard).epoch = epoch;
        let here: Vec<Uuid> = lock(&machine.here).iter().copied().collect();
        for domain in here {
            owner.hold(domain, &web());
        }
        let part = take_part(kv.clone(), number, epoch, owner.clone(), machine.clone());
        let part = tokio::spawn(part);
        let is_up = async { owner.ready().await };
        tokio::time::timeout(SOON, is_up).await.ok();
        Self { number, epoch, kv, machine, dir, part }
    }

    /// The same host after its daemon was killed.
    async fn restarted(&self) -> Self {
        self.part.abort();
        let boot = (self.number, self.epoch);
        Self::on(self.kv.clone(), self.machine.clone(), self.dir.clone(), boot).await
    }

    /// The same host after its machine was reset.
    async fn booted(&self) -> Self {
        self.part.abort();
        let machine = Arc::new(Machine::default());
        lock(&machine.defined).clone_from(&lock(&self.machine.defined));
        let boot = (self.number, self.epoch + 1);
        Self::on(self.kv.clone(), machine, self.dir.clone(), boot).await
    }

    async fn define(&self) {
        let mut config = DomainConfig::new(web(), 64);
        config.uuid = Some(WEB);
        let definition = Arc::new(CompleteConfig::try_from(config).unwrap());
        let pending = self.machine.owner().define(&definition).await.unwrap();
        self.machine.add(definition).await.unwrap();
        pending.done();
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        self.part.abort();
    }
}

/// What a host's part in the fleet does: each membership has a record that was written anew.
async fn take_part(
    kv: Arc<MemoryKv>,
    number: usize,
    epoch: u64,
    owner: Arc<Owner>,
    machine: Arc<Machine>,
) {
    loop {
        let ops = vec![put(keys().host(&host_name(number)), b"")];
        if let Ok(Committed::Yes(revision)) = kv.commit(Txn { compares: vec![], ops }).await {
            let membership = Membership { epoch, revision, certificate: None };
            owner.enter(membership);
            let now = || UNIX_EPOCH + machine.began.elapsed();
            let ended = tokio::select! {
                ended = owner.keep(membership, &*machine) => ended,
                never = owner.keep_absence(membership, &now) => match never {},
            };
            owner.end(membership, ended);
        }
        sleep(Duration::from_millis(500)).await;
    }
}

async fn write(kv: &MemoryKv, op: Op) {
    kv.commit(Txn { compares: vec![], ops: vec![op] }).await.unwrap();
}

async fn protect(kv: &MemoryKv) {
    let policy = PolicyRecord { restart: Restart::Always, priority: 0 };
    write(kv, put(keys().policy(WEB), &policy.encode())).await;
}

async fn fence(kv: &MemoryKv, step: FenceStep) {
    let record = FenceRecord::new(&host_name(9), step, UNIX_EPOCH, Uuid::nil());
    write(kv, put(keys().fence(&host_name(1), 1), &record.encode())).await;
}

async fn assign(kv: &MemoryKv, to: usize) {
    let before = takeover(kv).await;
    let record = TakeoverRecord {
        from: "xen1".to_owned(),
        epoch: 1,
        name: "web".to_owned(),
        to: Some(format!("xen{to}")),
        failed: before.map(|record| record.failed).unwrap_or_default(),
        op: Uuid::nil(),
    };
    write(kv, put(keys().takeover(WEB), &record.encode())).await;
}

async fn takeover(kv: &MemoryKv) -> Option<TakeoverRecord> {
    let entry = kv.get(&keys().takeover(WEB)).await.unwrap()?;
    Some(TakeoverRecord::decode(&entry.value).unwrap())
}

/// The owner, the phase and whether it is guarded, in short: `xen1 Running guarded`.
async fn shown(kv: &MemoryKv) -> String {
    let Some(entry) = kv.get(&keys().own(WEB)).await.unwrap() else { return "halted".to_owned() };
    let own = OwnRecord::decode(&entry.value).unwrap();
    let phase = format!("{:?}", own.phase);
    let phase = phase.split(' ').next().unwrap();
    let guarded = if own.guarded { " guarded" } else { "" };
    format!("{} {phase}{guarded}", own.by.host)
}

/// A host on which web is defined, protected, and runs.
async fn protected(kv: &MemoryKv) -> Host {
    let host = Host::member(kv, 1).await;
    host.define().await;
    protect(kv).await;
    host.machine.build(WEB).await.unwrap();
    sleep(SOON).await;
    assert_eq!(shown(kv).await, "xen1 Running guarded");
    host
}

#[tokio::test(start_paused = true)]
async fn a_protected_domain_is_guarded_as_long_as_it_is_here() {
    let kv = MemoryKv::default();
    let host = protected(&kv).await;
    assert_eq!(lock(&host.machine.guard).built, [(WEB, true)].into());
    // It reboots: the guard has it anew, before it is built.
    lock(&host.machine.guard).built.insert(WEB, true);
    host.machine.owner().claim(WEB, &web()).await.unwrap();
    assert_eq!(lock(&host.machine.guard).built, [(WEB, false)].into());
    host.machine.owner().run(WEB).await.unwrap();
    assert_eq!(lock(&host.machine.guard).built, [(WEB, true)].into());
    host.machine.destroy(WEB).await;
    sleep(SOON).await;
    assert_eq!(shown(&kv).await, "halted");
    assert!(host.machine.guarded().is_empty());
    assert!(!host.machine.has(WEB));
}

#[tokio::test(start_paused = true)]
async fn a_policy_counts_for_a_domain_that_runs() {
    let kv = MemoryKv::default();
    let host = Host::member(&kv, 1).await;
    host.define().await;
    host.machine.build(WEB).await.unwrap();
    assert_eq!(shown(&kv).await, "xen1 Running");
    protect(&kv).await;
    sleep(SOON).await;
    assert_eq!(shown(&kv).await, "xen1 Running guarded");
    assert_eq!(lock(&host.machine.guard).built, [(WEB, true)].into());
    // The guard lets it go when etcd has said that it is not guarded, not before.
    host.kv.set_link(Link::Refused);
    write(&kv, Op::Delete { key: keys().policy(WEB) }).await;
    sleep(SOON).await;
    assert_eq!(host.machine.guarded(), [WEB]);
    host.kv.set_link(Link::Up);
    sleep(LATER).await;
    assert_eq!(shown(&kv).await, "xen1 Running");
    assert!(host.machine.guarded().is_empty() && host.machine.has(WEB));
}

#[tokio::test(start_paused = true)]
async fn without_a_guard_what_is_protected_does_not_start() {
    let kv = MemoryKv::default();
    let host = Host::member(&kv, 1).await;
    host.define().await;
    protect(&kv).await;
    lock(&host.machine.guard).is_down = true;
    let error = host.machine.build(WEB).await.unwrap_err().to_string();
    for part in ["protected", "start xend guard", "xend fleet policy DOMAIN none"] {
        assert!(error.contains(part), "{part}: {error}");
    }
    sleep(SOON).await;
    assert_eq!(shown(&kv).await, "halted");
    write(&kv, Op::Delete { key: keys().policy(WEB) }).await;
    host.machine.build(WEB).await.unwrap();
    assert_eq!(shown(&kv).await, "xen1 Running");
}

#[tokio::test(start_paused = true)]
async fn a_daemon_that_was_killed_knows_what_is_guarded() {
    let kv = MemoryKv::default();
    let host = protected(&kv).await;
    let host = host.restarted().await;
    sleep(SOON).await;
    assert_eq!(shown(&kv).await, "xen1 Running guarded");
    host.machine.destroy(WEB).await;
    sleep(SOON).await;
    assert_eq!((shown(&kv).await, host.machine.guarded()), ("halted".to_owned(), vec![]));
    // As long as the guard does not answer, what etcd says stays.
    host.machine.build(WEB).await.unwrap();
    lock(&host.machine.guard).is_down = true;
    let host = host.restarted().await;
    sleep(LATER).await;
    assert_eq!(shown(&kv).await, "xen1 Running guarded");
    // What has ended meanwhile is told when the guard can be asked whether it has done that.
    host.machine.destroy(WEB).await;
    sleep(SOON).await;
    assert_eq!(shown(&kv).await, "xen1 Running guarded");
    lock(&host.machine.guard).is_down = false;
    sleep(LATER).await;
    assert_eq!((shown(&kv).await, host.machine.guarded()), ("halted".to_owned(), vec![]));
}

#[tokio::test(start_paused = true)]
async fn what_the_guard_has_ended_runs_again_when_etcd_answers() {
    let kv = MemoryKv::default();
    let host = protected(&kv).await;
    host.kv.set_link(Link::Refused);
    host.machine.end_guarded();
    host.machine.sweep(WEB);
    sleep(LATER).await;
    assert!(!host.machine.has(WEB));
    assert_eq!(shown(&kv).await, "xen1 Running guarded");
    host.kv.set_link(Link::Up);
    sleep(LATER).await;
    assert_eq!(shown(&kv).await, "xen1 Running guarded");
    assert!(host.machine.has(WEB));
    assert_eq!(host.machine.guarded(), [WEB]);
}

#[tokio::test(start_paused = true)]
async fn what_the_guard_has_ended_without_a_daemon_runs_again() {
    let kv = MemoryKv::default();
    let host = protected(&kv).await;
    host.part.abort();
    host.machine.end_guarded();
    let host = host.restarted().await;
    sleep(LATER).await;
    assert!(host.machine.has(WEB));
    assert_eq!(shown(&kv).await, "xen1 Running guarded");
    // What has ended by itself stays so.
    host.part.abort();
    lock(&host.machine.here).clear();
    let host = host.restarted().await;
    sleep(LATER).await;
    assert_eq!((shown(&kv).await, host.machine.guarded()), ("halted".to_owned(), vec![]));
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_started_again_is_halted_after_some_tries() {
    let kv = MemoryKv::default();
    let host = protected(&kv).await;
    host.machine.end_guarded();
    *lock(&host.machine.is_full) = true;
    host.machine.sweep(WEB);
    sleep(LATER).await;
    assert_eq!((shown(&kv).await, host.machine.guarded()), ("halted".to_owned(), vec![]));
}

#[tokio::test(start_paused = true)]
async fn a_host_that_boots_starts_what_was_protected_there() {
    let kv = MemoryKv::default();
    let host = protected(&kv).await;
    let host = host.booted().await;
    sleep(LATER).await;
    assert!(host.machine.has(WEB));
    assert_eq!(shown(&kv).await, "xen1 Running guarded");
    // What was not protected waits for somebody.
    write(&kv, Op::Delete { key: keys().policy(WEB) }).await;
    sleep(SOON).await;
    let host = host.booted().await;
    sleep(LATER).await;
    assert!(!host.machine.has(WEB));
    assert_eq!(shown(&kv).await, "halted");
}

#[tokio::test(start_paused = true)]
async fn a_domain_of_a_host_that_has_ended_is_taken_over() {
    let kv = MemoryKv::default();
    let dead = protected(&kv).await;
    let taker = Host::member(&kv, 2).await;
    dead.part.abort();
    // Not before the fence says that the boot has ended.
    fence(&kv, FenceStep::Declared).await;
    assign(&kv, 2).await;
    sleep(LATER).await;
    assert_eq!(shown(&kv).await, "xen1 Running guarded");
    fence(&kv, FenceStep::Waited).await;
    sleep(LATER).await;
    assert_eq!(shown(&kv).await, "xen2 Running guarded");
    assert!(taker.machine.has(WEB) && taker.machine.defined().contains(&WEB));
    assert_eq!(taker.machine.guarded(), [WEB]);
    assert_eq!(takeover(&kv).await, None);
    // The host that comes back has it no more.
    let back = dead.booted().await;
    sleep(LATER).await;
    assert!(!back.machine.has(WEB) && back.machine.defined().is_empty());
    assert_eq!(shown(&kv).await, "xen2 Running guarded");
}

#[tokio::test(start_paused = true)]
async fn a_takeover_that_fails_is_left_to_others() {
    let kv = MemoryKv::default();
    let dead = protected(&kv).await;
    let [full, other] = [Host::member(&kv, 2).await, Host::member(&kv, 3).await];
    *lock(&full.machine.is_full) = true;
    dead.part.abort();
    fence(&kv, FenceStep::Waited).await;
    assign(&kv, 2).await;
    sleep(LATER).await;
    assert_eq!(shown(&kv).await, "xen1 Starting guarded", "it is the dead host's again");
    let record = takeover(&kv).await.unwrap();
    assert_eq!(record.failed.len(), 1);
    assert_eq!(record.failed[0].host, "xen2");
    assert!(full.machine.guarded().is_empty() && full.machine.defined().is_empty());
    assign(&kv, 3).await;
    sleep(LATER).await;
    assert_eq!(shown(&kv).await, "xen3 Running guarded");
    assert!(other.machine.has(WEB) && !full.machine.has(WEB));
    assert_eq!(takeover(&kv).await, None);
}

#[tokio::test(start_paused = true)]
async fn a_takeover_outlives_the_daemon() {
    let kv = MemoryKv::default();
    let dead = protected(&kv).await;
    let taker = Host::member(&kv, 2).await;
    dead.part.abort();
    fence(&kv, FenceStep::Waited).await;
    // It is killed after each of its first writes.
    for lost in [Lost::Happened, Lost::Never, Lost::Later] {
        taker.kv.lose_answer(lost);
    }
    assign(&kv, 2).await;
    sleep(Duration::from_millis(50)).await;
    let mut taker = taker.restarted().await;
    for _ in 0..5 {
        sleep(Duration::from_millis(700)).await;
        taker = taker.restarted().await;
    }
    sleep(LATER).await;
    taker.kv.deliver();
    assert_eq!(shown(&kv).await, "xen2 Running guarded");
    assert!(taker.machine.has(WEB));
    assert_eq!((takeover(&kv).await, taker.machine.guarded()), (None, vec![WEB]));
}

#[tokio::test(start_paused = true)]
async fn both_hosts_of_a_migration_guard_the_domain() {
    let kv = MemoryKv::default();
    let from = protected(&kv).await;
    let to = Host::member(&kv, 2).await;
    let id = Uuid::from_u128(7);
    let address =
        Destination { host: "xen2".to_owned(), port: 8002, encrypted: false, member: None };
    let sent = from.machine.owner().hand_over(WEB, &Handover { id, to: address }).await.unwrap();
    assert_eq!(shown(&kv).await, "xen1 Moving guarded");
    let keys: Keys = keys();
    let fleet = sent.is_some().then(|| keys.cluster());
    let arrived = Arrived { domain: WEB, id, fleet, brings_definition: false };
    // Without a guard there, it stays here.
    lock(&to.machine.guard).is_down = true;
    let refused = to.machine.owner().receive(arrived, &web(), None).await.unwrap();
    assert!(matches!(refused, Leave::Refused(_)), "{refused:?}");
    lock(&to.machine.guard).is_down = false;
    let granted = to.machine.owner().receive(arrived, &web(), None).await.unwrap();
    assert!(matches!(granted, Leave::Granted), "{granted:?}");
    lock(&to.machine.here).insert(WEB);
    assert_eq!(shown(&kv).await, "xen2 Running guarded");
    assert_eq!((from.machine.guarded(), to.machine.guarded()), (vec![WEB], vec![WEB]));
    from.machine.destroy(WEB).await;
    sleep(SOON).await;
    assert_eq!((from.machine.guarded(), to.machine.guarded()), (vec![], vec![WEB]));
    assert_eq!(shown(&kv).await, "xen2 Running guarded");
}

#[tokio::test(start_paused = true)]
async fn a_fenced_host_gets_nothing_and_gives_up() {
    let kv = MemoryKv::default();
    let host = protected(&kv).await;
    fence(&kv, FenceStep::Declared).await;
    let error = host.machine.build(Uuid::from_u128(0xb2)).await.unwrap_err().to_string();
    assert!(error.contains("fenced"), "{error}");
    host.machine.end_guarded();
    host.machine.sweep(WEB);
    sleep(LATER).await;
    // It stays the fenced boot's, so that a taker finds it.
    assert_eq!(shown(&kv).await, "xen1 Running guarded");
    assert!(!host.machine.has(WEB));
    let own = kv.get(&keys().own(WEB)).await.unwrap().unwrap();
    let own = OwnRecord::decode(&own.value).unwrap();
    assert_eq!((own.by.epoch, own.phase), (1, Phase::Running));
}
