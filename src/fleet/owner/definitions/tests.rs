//! Definitions of a fleet on a store with faults, and their copies on hosts.

mod moves;

use super::*;
use crate::core::error::Place;
use crate::core::model::{DomainConfig, Property};
use crate::core::ports::{Arrived, Copies, Leave, Ownership};
use crate::fleet::definition_records::{ClashKind, ClashRecord};
use crate::fleet::domain::{DefinitionRecord, FoundDomain};
use crate::fleet::key_file::KeyFile;
use crate::fleet::kv::{Committed, Kv, Txn};
use crate::fleet::membership::Membership;
use crate::fleet::memory::{Link, Lost, MemoryKv};
use crate::fleet::owner::Notes;
use crate::fleet::owner::news::Dispute;
use crate::fleet::owner::testing::{Random, host_name, keys, lock, no_guard, put};
use crate::fleet::seal::FleetKey;
use crate::os::OsEntropy;
use async_trait::async_trait;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Mutex;
use std::time::Duration;
use tempfile::TempDir;
use tokio::runtime::Builder;
use tokio::task::JoinHandle;
use tokio::time::sleep;

const SOON: Duration = Duration::from_secs(3);
/// Longer than an outage is noticed.
const LATER: Duration = Duration::from_secs(90);

fn uuid(number: u128) -> Uuid {
    Uuid::from_u128(number)
}

fn config(domain: u128, name: &str, memory: u64) -> Arc<CompleteConfig> {
    let mut config = DomainConfig::new(DomName::adopted(name), memory);
    config.uuid = Some(uuid(domain));
    Arc::new(CompleteConfig::try_from(config).unwrap())
}

/// What a host has on its disk.
#[derive(Default)]
struct Disk {
    defined: Mutex<BTreeMap<Uuid, Arc<CompleteConfig>>>,
    aside: Mutex<Vec<Uuid>>,
}

impl Disk {
    fn save(&self, definition: &Arc<CompleteConfig>) {
        lock(&self.defined).insert(definition.uuid(), definition.clone());
    }

    fn is(&self, domain: Uuid, definition: Option<&Arc<CompleteConfig>>) -> bool {
        match (lock(&self.defined).get(&domain), definition) {
            (Some(here), Some(other)) => Arc::ptr_eq(here, other),
            (here, other) => here.is_none() && other.is_none(),
        }
    }
}

#[async_trait]
impl Copies for Disk {
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
        let is_free = !self.is_here(definition.uuid());
        if is_free {
            self.save(&definition);
        }
        Ok(is_free)
    }

    async fn replace(
        &self,
        definition: Arc<CompleteConfig>,
        instead_of: Option<Arc<CompleteConfig>>,
    ) -> Result<bool, Error> {
        let is_it = self.is(definition.uuid(), instead_of.as_ref());
        if is_it {
            self.save(&definition);
        }
        Ok(is_it)
    }

    async fn start(&self, domain: Uuid) -> Result<(), Error> {
        Err(Error::NoSuchDomain(domain.to_string()))
    }

    async fn set_aside(&self, definition: Arc<CompleteConfig>) -> Result<bool, Error> {
        let domain = definition.uuid();
        let is_it = self.is(domain, Some(&definition));
        if is_it {
            lock(&self.defined).remove(&domain);
            lock(&self.aside).push(domain);
        }
        Ok(is_it)
    }
}

/// A host and its way to the store. Dropping it kills its daemon.
struct Host {
    number: usize,
    kv: Arc<MemoryKv>,
    disk: Arc<Disk>,
    dir: Arc<TempDir>,
    owner: Arc<Owner>,
    part: JoinHandle<()>,
}

impl Host {
    fn new(kv: &MemoryKv, number: usize) -> Self {
        let dir = Arc::new(tempfile::tempdir().unwrap());
        Self::on(Arc::new(kv.another_client()), Arc::default(), dir, number)
    }

    fn on(kv: Arc<MemoryKv>, disk: Arc<Disk>, dir: Arc<TempDir>, number: usize) -> Self {
        let notes = Notes::open(dir.path());
        let key = KeyFile::at(dir.path().join("key"));
        let owner = Owner::new(
            kv.clone(),
            keys(),
            host_name(number),
            Arc::new(OsEntropy),
            notes,
            key,
            no_guard(),
        );
        Self { number, kv, disk, dir, owner, part: tokio::spawn(async {}) }
    }

    async fn member(kv: &MemoryKv, number: usize) -> Self {
        let mut host = Self::new(kv, number);
        host.begin();
        host.owner.ready().await;
        host
    }

    fn begin(&mut self) {
        let part = take_part(self.kv.clone(), self.number, self.owner.clone(), self.disk.clone());
        self.part = tokio::spawn(part);
    }

    /// The same host after its daemon was killed.
    fn restarted(&self) -> Self {
        self.part.abort();
        Self::on(self.kv.clone(), self.disk.clone(), self.dir.clone(), self.number)
    }

    async fn define(&self, definition: &Arc<CompleteConfig>) -> Result<(), Error> {
        let pending = self.owner.define(definition).await?;
        self.disk.save(definition);
        pending.done();
        Ok(())
    }

    async fn rename(&self, domain: u128, name: &str) -> Result<(), Error> {
        let old = self.disk.definition(uuid(domain)).unwrap();
        let new = Arc::new(CompleteConfig::clone(&old).renamed(DomName::adopted(name)));
        let pending = self.owner.rename(uuid(domain), &new.name, Some(&new)).await?;
        self.disk.save(&new);
        pending.done();
        Ok(())
    }

    async fn delete(&self, domain: u128) -> Result<(), Error> {
        let pending = self.owner.delete(uuid(domain)).await?;
        lock(&self.disk.defined).remove(&uuid(domain));
        pending.done();
        Ok(())
    }

    /// What needs no answer of the fleet.
    fn change(&self, definition: &Arc<CompleteConfig>) {
        self.disk.save(definition);
        self.owner.changed(definition.uuid(), Some(definition));
    }

    fn memory(&self, domain: u128) -> Option<u64> {
        Some(self.disk.definition(uuid(domain))?.memory)
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        self.part.abort();
    }
}

async fn take_part(kv: Arc<MemoryKv>, number: usize, owner: Arc<Owner>, disk: Arc<Disk>) {
    loop {
        let ops = vec![put(keys().host(&host_name(number)), b"")];
        if let Ok(Committed::Yes(revision)) = kv.commit(Txn { compares: vec![], ops }).await {
            let membership = Membership { epoch: 1, revision, certificate: None };
            owner.enter(membership);
            owner.keep(membership, &*disk).await;
        }
        sleep(Duration::from_millis(500)).await;
    }
}

/// The home, the name and the memory of a definition in etcd: `xen1 web 64`.
async fn shown(kv: &MemoryKv, domain: u128) -> String {
    let Some(entry) = kv.get(&keys().definition(uuid(domain))).await.unwrap() else {
        return "undefined".to_owned();
    };
    let (defined, text) = DefinitionRecord::decode(&entry.value).unwrap();
    let home = defined.home.map_or("-".to_owned(), |home| home.to_string());
    format!("{home} {} {}", defined.name, memory_in(&text))
}

fn memory_in(text: &str) -> u64 {
    let (_, rest) = text.split_once("(memory ").unwrap();
    rest.split_once(')').unwrap().0.parse().unwrap()
}

/// All keys but those of hosts, without what they begin with.
async fn all_keys(kv: &MemoryKv) -> Vec<String> {
    let listing = kv.list(keys().root()).await.unwrap();
    let short = listing.entries.iter().map(|entry| entry.key[keys().root().len()..].to_owned());
    short.filter(|key| !key.starts_with("host/")).collect()
}

/// Names have one domain, and each definition has its name and its home.
async fn check(kv: &MemoryKv) {
    let definitions = kv.list(&keys().definitions()).await.unwrap().entries;
    let mut names = BTreeSet::new();
    let mut homes = 0;
    for entry in &definitions {
        let (defined, _) = DefinitionRecord::decode(&entry.value).unwrap();
        assert!(names.insert(defined.name.clone()), "{} has two domains", defined.name);
        let owner = kv.get(&keys().name(&defined.name)).await.unwrap().unwrap();
        assert!(entry.key.ends_with(std::str::from_utf8(&owner.value).unwrap()));
        homes += usize::from(defined.home.is_some());
    }
    assert_eq!(kv.list(&keys().homes()).await.unwrap().entries.len(), homes);
}

#[tokio::test(start_paused = true)]
async fn a_definition_and_its_name_are_in_the_fleet_once() {
    let kv = MemoryKv::default();
    let (one, two) = (Host::member(&kv, 1).await, Host::member(&kv, 2).await);
    one.define(&config(1, "web", 64)).await.unwrap();
    let domain = uuid(1);
    let expected = [format!("def/{domain}"), format!("home/xen1/{domain}"), "name/web".to_owned()];
    assert_eq!(all_keys(&kv).await, expected);
    let refused = two.define(&config(2, "web", 64)).await.unwrap_err();
    let at = Place::Host(host_name(1));
    assert!(matches!(&refused, Error::Exists { at: there, .. } if *there == at), "{refused:?}");
    assert_eq!(refused.to_string(), "Domain \"web\" already exists on xen1");
    let refused = two.define(&config(1, "db", 64)).await.unwrap_err();
    assert!(matches!(&refused, Error::UuidTaken { at: there, .. } if *there == at), "{refused:?}");
    two.define(&config(2, "db", 64)).await.unwrap();
    let refused = two.rename(2, "web").await.unwrap_err();
    assert_eq!(refused.to_string(), "VM name \"web\" already exists on xen1");
    one.rename(1, "www").await.unwrap();
    two.rename(2, "web").await.unwrap();
    check(&kv).await;
    assert_eq!(shown(&kv, 1).await, "xen1 www 64");
    // A domain that runs elsewhere is not defined, and one that is defined elsewhere not started.
    let refused = two.owner.claim(uuid(1), &DomName::adopted("www")).await.unwrap_err();
    assert!(matches!(refused, Error::UuidTaken { .. }), "{refused:?}");
    one.delete(1).await.unwrap();
    two.owner.claim(uuid(1), &DomName::adopted("www")).await.unwrap();
    let refused = one.define(&config(1, "x", 64)).await.unwrap_err();
    assert!(matches!(refused, Error::OwnedElsewhere { .. }), "{refused:?}");
    // The name of one that was only created is taken, too, until it is gone.
    let refused = one.define(&config(3, "www", 64)).await.unwrap_err();
    assert!(matches!(refused, Error::Exists { .. }), "{refused:?}");
    two.owner.release(uuid(1));
    two.owner.released(uuid(1)).await;
    one.define(&config(3, "www", 64)).await.unwrap();
    two.delete(2).await.unwrap();
    one.delete(3).await.unwrap();
    assert_eq!(all_keys(&kv).await, [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn what_is_too_long_for_a_fleet_is_refused() {
    let kv = MemoryKv::default();
    let host = Host::member(&kv, 1).await;
    let mut long = DomainConfig::clone(&config(1, "web", 64));
    long.description = "x".repeat(300 << 10).as_str().into();
    let long = Arc::new(CompleteConfig::try_from(long).unwrap());
    let refused = host.define(&long).await.unwrap_err().to_string();
    assert!(refused.contains("256 KiB at most"), "{refused}");
    assert_eq!(all_keys(&kv).await, [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn what_is_changed_here_is_told_as_soon_as_etcd_answers() {
    let kv = MemoryKv::default();
    let host = Host::member(&kv, 1).await;
    host.define(&config(1, "web", 64)).await.unwrap();
    host.change(&config(1, "web", 65));
    sleep(SOON).await;
    assert_eq!(shown(&kv, 1).await, "xen1 web 65");
    for lost in [Lost::Happened, Lost::Never, Lost::Later] {
        host.kv.lose_answer(lost);
        host.change(&config(1, "web", 66));
        sleep(SOON).await;
        host.change(&config(1, "web", 67));
        sleep(SOON).await;
        host.kv.deliver();
        assert_eq!(shown(&kv, 1).await, "xen1 web 67", "{lost:?}");
    }
    host.kv.set_link(Link::Refused);
    host.define(&config(2, "db", 64)).await.unwrap_err();
    host.change(&config(1, "web", 68));
    host.change(&config(1, "web", 69));
    sleep(SOON).await;
    assert_eq!(shown(&kv, 1).await, "xen1 web 67");
    // The daemon is killed before it could tell.
    let mut host = host.restarted();
    host.kv.set_link(Link::Up);
    host.begin();
    sleep(SOON).await;
    assert_eq!(shown(&kv, 1).await, "xen1 web 69");
    check(&kv).await;
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_was_lost_is_read_back() {
    for lost in [Lost::Happened, Lost::Never, Lost::Later] {
        let kv = MemoryKv::default();
        let (one, two) = (Host::member(&kv, 1).await, Host::member(&kv, 2).await);
        one.kv.lose_answer(lost);
        one.define(&config(1, "web", 64)).await.unwrap();
        assert_eq!(shown(&kv, 1).await, "xen1 web 64", "{lost:?}");
        one.kv.lose_answer(lost);
        one.rename(1, "www").await.unwrap();
        assert_eq!(shown(&kv, 1).await, "xen1 www 64", "{lost:?}");
        one.kv.lose_answer(lost);
        one.delete(1).await.unwrap();
        two.define(&config(2, "www", 64)).await.unwrap();
        one.kv.deliver();
        sleep(LATER).await;
        assert_eq!(shown(&kv, 1).await, "undefined", "{lost:?}");
        assert_eq!(shown(&kv, 2).await, "xen2 www 64", "{lost:?}");
        check(&kv).await;
    }
}

/// The fleet has it, and this host has failed to write it, or to learn of it.
#[tokio::test(start_paused = true)]
async fn a_change_that_failed_does_not_come_later() {
    let kv = MemoryKv::default();
    let host = Host::member(&kv, 1).await;
    drop(host.owner.define(&config(1, "web", 64)).await.unwrap());
    sleep(SOON).await;
    assert_eq!((shown(&kv, 1).await.as_str(), host.memory(1)), ("undefined", None));
    host.define(&config(1, "web", 64)).await.unwrap();
    drop(host.owner.define(&config(1, "web", 65)).await.unwrap());
    drop(host.owner.delete(uuid(1)).await.unwrap());
    sleep(SOON).await;
    assert_eq!((shown(&kv, 1).await.as_str(), host.memory(1)), ("xen1 web 64", Some(64)));
    // In doubt.
    host.kv.lose_answer(Lost::Happened);
    let cut_off = async {
        sleep(Duration::from_millis(1)).await;
        host.kv.set_link(Link::Refused);
    };
    let db = config(2, "db", 64);
    let (defined, ()) = tokio::join!(host.define(&db), cut_off);
    if defined.is_err() {
        host.kv.set_link(Link::Up);
        sleep(LATER).await;
        assert_eq!((shown(&kv, 2).await.as_str(), host.memory(2)), ("undefined", None));
    }
}

#[tokio::test(start_paused = true)]
async fn a_host_that_begins_compares_what_it_has() {
    let kv = MemoryKv::default();
    let (one, two) = (Host::member(&kv, 1).await, Host::member(&kv, 2).await);
    for (domain, name) in [(1, "changed"), (2, "newer"), (3, "moved"), (4, "lost")] {
        one.define(&config(domain, name, 64)).await.unwrap();
    }
    let mut one = one.restarted();
    one.disk.save(&config(1, "changed", 65));
    lock(&one.disk.defined).remove(&uuid(4));
    // It came while the daemon was away, or the disk is from a backup.
    rewrite(&kv, 2, 1, &config(2, "newer", 66)).await;
    rewrite(&kv, 3, 2, &config(3, "moved", 64)).await;
    // Never told, one of them with the name of another domain.
    one.disk.save(&config(5, "added", 64));
    one.disk.save(&config(6, "db", 64));
    two.define(&config(7, "db", 64)).await.unwrap();
    one.begin();
    sleep(SOON).await;
    assert_eq!(shown(&kv, 1).await, "xen1 changed 65");
    assert_eq!(one.memory(2), Some(66));
    assert_eq!((one.memory(3), lock(&one.disk.aside).as_slice()), (None, &[uuid(3)][..]));
    assert_eq!(one.memory(4), Some(64));
    assert_eq!(shown(&kv, 5).await, "xen1 added 64");
    assert_eq!((one.memory(6), shown(&kv, 6).await.as_str()), (Some(64), "undefined"));
    assert_eq!(two.memory(3), Some(64), "it is there as soon as etcd says so");
    check(&kv).await;
    let clash = kv.get(&keys().clash(&host_name(1), uuid(6))).await.unwrap().unwrap();
    let clash = ClashRecord::decode(&clash.value).unwrap();
    assert_eq!((clash.name.as_str(), clash.kind), ("db", ClashKind::Name));
    assert_eq!(clash.reason, "another domain has its name, on xen2");
    // As soon as the name is free, the other one has it.
    two.delete(7).await.unwrap();
    sleep(LATER).await;
    assert_eq!(kv.list(&keys().clashes()).await.unwrap().entries, []);
    assert_eq!(shown(&kv, 6).await, "xen1 db 64");
    check(&kv).await;
}

/// Writes a definition as another daemon would.
async fn rewrite(kv: &MemoryKv, domain: u128, home: usize, definition: &CompleteConfig) {
    let found = FoundDomain::read(kv, &keys(), uuid(domain)).await.unwrap();
    let mut after = found.domain.clone();
    let defined = after.defined.as_mut().unwrap();
    defined.home = Some(host_name(home));
    defined.op = Uuid::from_u128(0x0b + domain);
    let text = text_of(definition);
    let txn = found.txn(kv, &keys(), &after, Some(&text)).await.unwrap();
    kv.commit(txn).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn an_etcd_from_a_backup_gets_what_it_lacks() {
    let kv = MemoryKv::default();
    let host = Host::member(&kv, 1).await;
    host.define(&config(1, "web", 64)).await.unwrap();
    let backup = kv.backup();
    host.change(&config(1, "web", 65));
    host.define(&config(2, "db", 64)).await.unwrap();
    sleep(SOON).await;
    kv.restore(backup);
    assert_eq!(shown(&kv, 1).await, "xen1 web 64");
    // Its part in the fleet notices, and begins anew.
    let mut host = host.restarted();
    host.begin();
    sleep(SOON).await;
    assert_eq!(shown(&kv, 1).await, "xen1 web 65");
    assert_eq!(shown(&kv, 2).await, "xen1 db 64");
    assert_eq!((host.memory(1), host.memory(2)), (Some(65), Some(64)));
    check(&kv).await;
}

const SECRET: &str = "geheim";

fn with_password(domain: u128, name: &str) -> Arc<CompleteConfig> {
    let mut config = DomainConfig::clone(&config(domain, name, 64));
    config.rest.push(Property::new("vncpasswd", SECRET));
    Arc::new(CompleteConfig::try_from(config).unwrap())
}

#[tokio::test(start_paused = true)]
async fn passwords_are_in_no_value_of_etcd() {
    let kv = MemoryKv::default();
    let (one, two) = (Host::member(&kv, 1).await, Host::member(&kv, 2).await);
    let web = with_password(1, "web");
    let refused = one.define(&web).await.unwrap_err();
    assert!(matches!(refused, Error::FleetUnavailable { .. }), "{refused:?}");
    assert!(refused.to_string().contains("has no key yet"), "{refused}");
    let key = FleetKey::new(&OsEntropy);
    let id = put(keys().key(), key.id().as_bytes());
    kv.commit(Txn { compares: vec![], ops: vec![id] }).await.unwrap();
    let refused = one.define(&web).await.unwrap_err().to_string();
    assert!(refused.contains("key is missing: copy it"), "{refused}");
    // What has none needs no key.
    one.define(&config(2, "db", 64)).await.unwrap();
    // A host without the key does not take what another one sends.
    let arrived = Arrived { domain: uuid(1), id: uuid(7), fleet: None, brings_definition: true };
    let leave = two.owner.receive(arrived, &web.name, Some(&web)).await.unwrap();
    assert!(matches!(leave, Leave::Refused(_)), "{leave:?}");
    one.owner.key_file.write(&FleetKey::new(&OsEntropy)).await.unwrap();
    let refused = one.define(&web).await.unwrap_err().to_string();
    assert!(refused.contains("is another one"), "{refused}");
    for host in [&one, &two] {
        host.owner.key_file.write(&key).await.unwrap();
    }
    one.define(&web).await.unwrap();
    one.rename(1, "www").await.unwrap();
    one.change(&with_password(1, "web"));
    sleep(SOON).await;
    assert_eq!(shown(&kv, 1).await, "xen1 web 64");
    for entry in kv.list(keys().root()).await.unwrap().entries {
        let value = String::from_utf8_lossy(&entry.value).into_owned();
        assert!(!value.contains(SECRET), "{}: {value}", entry.key);
    }
    // Another host has it with the domain.
    let found = FoundDomain::read(&kv, &keys(), uuid(1)).await.unwrap();
    let mut after = found.domain.clone();
    after.defined.as_mut().unwrap().home = Some(host_name(2));
    let txn = found.txn(&kv, &keys(), &after, None).await.unwrap();
    kv.commit(txn).await.unwrap();
    sleep(SOON).await;
    assert_eq!(two.disk.definition(web.uuid()), Some(web.clone()));
    // A value of another domain is of no use.
    let other = found.text.unwrap().replace(&uuid(1).to_string(), &uuid(3).to_string());
    assert!(two.owner.opened(&other, uuid(3)).await.unwrap_err().contains("for another domain"));
}

/// What clients of one host were told about a domain, in the order of what they asked for.
#[derive(Default)]
struct Asked {
    /// The memory of each definition that was asked for since the last one that was acknowledged;
    /// `None` is a deletion.
    since: Vec<Option<u64>>,
    /// That of the definition that was acknowledged last; `None` if nothing was, or a deletion.
    acknowledged: Option<u64>,
}

struct World {
    kv: MemoryKv,
    asked: Mutex<BTreeMap<u128, Asked>>,
    memory: Mutex<u64>,
    random: Random,
    acknowledged: Mutex<usize>,
}

impl World {
    fn next_memory(&self) -> u64 {
        let mut memory = lock(&self.memory);
        *memory += 1;
        *memory
    }

    fn ask(&self, domain: u128, memory: Option<u64>) {
        lock(&self.asked).entry(domain).or_default().since.push(memory);
    }

    fn acknowledge(&self, domain: u128, memory: Option<u64>) {
        let mut asked = lock(&self.asked);
        let asked = asked.entry(domain).or_default();
        asked.acknowledged = memory;
        asked.since.clear();
        *lock(&self.acknowledged) += 1;
    }

    /// What clients of a host do, whose domains are one, four, ... or two, five, ...: they fight
    /// for the names alone.
    async fn drive(self: Arc<Self>, owner: Arc<Owner>, disk: Arc<Disk>, number: usize) {
        loop {
            self.random.pause(4_000).await;
            let domain = number as u128 + 3 * u128::from(self.random.below(2));
            let name = ["web", "db", "www"][usize::try_from(self.random.below(3)).unwrap()];
            let here = disk.definition(uuid(domain));
            let memory = self.next_memory();
            match (here, self.random.below(5)) {
                (None, _) => {
                    let definition = config(domain, name, memory);
                    self.ask(domain, Some(memory));
                    if let Ok(pending) = owner.define(&definition).await {
                        self.random.pause(50).await;
                        disk.save(&definition);
                        pending.done();
                        self.acknowledge(domain, Some(memory));
                    }
                }
                (Some(_), 0) => {
                    self.ask(domain, None);
                    if let Ok(pending) = owner.delete(uuid(domain)).await {
                        self.random.pause(50).await;
                        lock(&disk.defined).remove(&uuid(domain));
                        pending.done();
                        self.acknowledge(domain, None);
                    }
                }
                (Some(_), 1) => {
                    let definition = config(domain, name, memory);
                    self.ask(domain, Some(memory));
                    let name = definition.name.clone();
                    let renamed = owner.rename(uuid(domain), &name, Some(&definition)).await;
                    if let Ok(pending) = renamed {
                        self.random.pause(50).await;
                        disk.save(&definition);
                        pending.done();
                        self.acknowledge(domain, Some(memory));
                    }
                }
                (Some(here), _) => {
                    let definition = config(domain, here.name.as_str(), memory);
                    disk.save(&definition);
                    owner.changed(uuid(domain), Some(&definition));
                    self.acknowledge(domain, Some(memory));
                }
            }
        }
    }

    fn daemon(self: &Arc<Self>, mut host: Host) -> (Host, JoinHandle<()>) {
        host.begin();
        let drive = self.clone().drive(host.owner.clone(), host.disk.clone(), host.number);
        (host, tokio::spawn(drive))
    }
}

/// Faults of all kinds for some minutes. Returns how many changes were acknowledged.
async fn minutes_of_faults(seed: u64) -> usize {
    let world = Arc::new(World {
        kv: MemoryKv::default(),
        asked: Mutex::default(),
        memory: Mutex::new(64),
        random: Random::new(seed),
        acknowledged: Mutex::default(),
    });
    let mut daemons: Vec<_> =
        (0..3).map(|number| Some(world.daemon(Host::new(&world.kv, number)))).collect();
    for _ in 0..120 {
        world.random.pause(2_000).await;
        let number = usize::try_from(world.random.below(3)).unwrap();
        let (mut host, mut driver) = daemons[number].take().unwrap();
        assert!(!driver.is_finished());
        match world.random.below(11) {
            0 | 1 => host.kv.lose_answer(Lost::Happened),
            2 => host.kv.lose_answer(Lost::Never),
            3 | 4 => host.kv.lose_answer(Lost::Later),
            5 => host.kv.deliver(),
            6 => host.kv.set_link(Link::Refused),
            7 => host.kv.set_link(Link::Silent),
            8 | 9 => host.kv.set_link(Link::Up),
            _ => {
                driver.abort();
                driver.await.ok();
                let again = host.restarted();
                (host, driver) = world.daemon(again);
            }
        }
        daemons[number] = Some((host, driver));
        check(&world.kv).await;
    }
    // Then all is well, and nobody asks for more.
    for (host, driver) in daemons.iter().flatten() {
        driver.abort();
        host.kv.set_link(Link::Up);
        host.kv.deliver();
    }
    sleep(LATER * 2).await;
    check(&world.kv).await;
    let asked = std::mem::take(&mut *lock(&world.asked));
    for (domain, asked) in asked {
        let number = usize::try_from(domain % 3).unwrap();
        let copy = daemons[number].as_ref().unwrap().0.memory(domain);
        let there = match shown(&world.kv, domain).await.as_str() {
            "undefined" => None,
            shown => Some(shown.rsplit(' ').next().unwrap().parse::<u64>().unwrap()),
        };
        let is_known = asked.acknowledged == there || asked.since.contains(&there);
        assert!(
            is_known,
            "domain {domain}: {there:?}, but {:?} was acknowledged and {:?} asked for since",
            asked.acknowledged, asked.since
        );
        // A copy whose deletion was cut off can have lost its name to another host meanwhile: both
        // sides stay as they are, and a person is told.
        let owner = &daemons[number].as_ref().unwrap().0.owner;
        let disputed = owner.news_table().disputed.get(&uuid(domain)).cloned();
        let has_lost_name =
            disputed.is_some_and(|disputed| matches!(disputed.dispute, Dispute::Name(_)));
        assert!(
            copy == there || (there.is_none() && has_lost_name),
            "domain {domain}: {copy:?} here and {there:?} there"
        );
    }
    *lock(&world.acknowledged)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn no_acknowledged_definition_is_lost_and_no_name_has_two_domains(seed: u64) {
        let runtime = Builder::new_current_thread().enable_time().start_paused(true).build();
        let acknowledged = runtime.unwrap().block_on(minutes_of_faults(seed));
        prop_assert!(acknowledged > 5, "{} changes", acknowledged);
    }
}

#[tokio::test(start_paused = true)]
async fn a_host_that_has_not_joined_leaves_nothing() {
    let kv = MemoryKv::default();
    let host = Host::new(&kv, 1);
    host.owner.stay_outside();
    let revision = kv.revision();
    host.define(&config(1, "web", 64)).await.unwrap();
    host.change(&config(1, "web", 65));
    host.delete(1).await.unwrap();
    assert_eq!(kv.revision(), revision);
    let is_empty = |dir: &Path| std::fs::read_dir(dir).unwrap().next().is_none();
    assert!(is_empty(host.dir.path()));
}
