//! Hosts of a fleet: engines on simulated hosts, and a store of keys in memory.

use crate::sim_support::{TestClock, config, engine_ports};
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, UNIX_EPOCH};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use xend::core::caller::Caller;
use xend::core::engine::{Engine, Settings};
use xend::core::error::Error;
use xend::core::fingerprint::Fingerprint;
use xend::core::fleet::HostName;
use xend::core::model::{DomName, DomainRef, Uuid};
use xend::core::op::{Change, DomainOp, Outcome};
use xend::core::ports::{Alone, Destination, Ownership};
use xend::fleet::guard::GuardClient;
use xend::fleet::{
    FleetReader, HostFacts, HostRecord, KeyFile, Keys, Kv, MemberMark, MemoryKv, Notes, Op,
    OwnHost, Owner, SCHEMAS, SchemaRecord, Txn, ViewRecord, take_part,
};
use xend::os::OsEntropy;
use xend::peers::AllowedHosts;
use xend::server::Identities;
use xend::wire::relocation::RelocationServer;

/// Longer than changes are gathered.
pub(crate) const SOON: Duration = Duration::from_secs(3);

/// A fleet in memory.
pub(crate) struct Lab {
    /// A way to the store without faults.
    pub(crate) kv: Arc<MemoryKv>,
    pub(crate) keys: Keys,
}

/// A host of it.
pub(crate) struct FleetHost {
    pub(crate) engine: Engine,
    /// Its own way to the store, with faults.
    pub(crate) kv: Arc<MemoryKv>,
    pub(crate) own: OwnHost,
    /// The certificate that it shows to other hosts.
    pub(crate) certificate: watch::Sender<Option<Fingerprint>>,
    pub(crate) mark: Arc<Mark>,
    owner: Arc<Owner>,
    keys: Keys,
    part: Option<(CancellationToken, JoinHandle<()>)>,
    dir: TempDir,
}

/// The relocation port of a host, until it is ended.
pub(crate) struct RelocationPort {
    pub(crate) to: Destination,
    stop: CancellationToken,
    serving: JoinHandle<()>,
}

impl RelocationPort {
    /// A port with this number; 0 is any.
    pub(crate) async fn open(engine: &Engine, port: u16) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", port)).await.unwrap();
        let to = Destination {
            host: "127.0.0.1".to_owned(),
            port: listener.local_addr().unwrap().port(),
            encrypted: false,
            member: None,
        };
        let stop = CancellationToken::new();
        let callers = Arc::new(Identities::new(Arc::default(), Arc::default()));
        let allowed = Arc::new(Arc::new(AllowedHosts::parse("").unwrap()).into());
        let limit = Duration::from_secs(60);
        let server = RelocationServer::new(engine.clone(), allowed, callers, limit);
        let serving = tokio::spawn(server.serve(listener, stop.clone()));
        Self { to, stop, serving }
    }

    pub(crate) async fn end(self) {
        self.stop.cancel();
        self.serving.await.unwrap();
    }
}

/// Starts a host's engine on the files in a directory.
async fn start(
    dir: &Path,
    kv: &Arc<MemoryKv>,
    keys: &Keys,
    name: &HostName,
    ownership: impl FnOnce(Arc<Owner>) -> Arc<dyn Ownership>,
) -> (Engine, Arc<Owner>) {
    let ports = engine_ports(dir, TestClock::new(), Arc::new(OsEntropy));
    let fleet = FleetReader::new(kv.clone(), keys.clone(), name.clone());
    let notes = Notes::open(&dir.join("fleet"));
    let key = KeyFile::at(dir.join("fleet/key"));
    let entropy = Arc::new(OsEntropy);
    let guard = Arc::new(GuardClient::new("/nonexistent/guard".into()));
    let owner = Owner::new(kv.clone(), keys.clone(), name.clone(), entropy, notes, key, guard);
    let ownership = ownership(owner.clone());
    let dump_dir = dir.to_owned();
    let settings = Settings { dump_dir, fleet: Some(fleet), ownership, ..Settings::default() };
    (Engine::start(ports, settings).await.unwrap(), owner)
}

/// A mark that stays as long as the host.
#[derive(Debug, Default)]
pub(crate) struct Mark(AtomicBool);

impl MemberMark for Mark {
    fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    fn set(&self) -> io::Result<()> {
        self.0.store(true, Ordering::Relaxed);
        Ok(())
    }
}

impl Lab {
    /// A new fleet.
    pub(crate) async fn new() -> Self {
        let kv = Arc::new(MemoryKv::default());
        let keys = Keys::new("lab".parse().unwrap());
        let lab = Self { kv, keys };
        lab.put(lab.keys.schema(), SchemaRecord { schema: 1 }.encode()).await;
        lab
    }

    pub(crate) async fn put(&self, key: String, value: Vec<u8>) {
        self.commit(vec![Op::Put { key, value, lease: None }]).await;
    }

    pub(crate) async fn commit(&self, ops: Vec<Op>) {
        self.kv.commit(Txn { compares: vec![], ops }).await.unwrap();
    }

    /// A host that has not joined yet. It knows the fleet, and its domains are its own.
    pub(crate) async fn host(&self, name: &str, number: u128) -> FleetHost {
        self.host_with(name, number, |_| Arc::new(Alone)).await
    }

    /// A host that has joined, and asks the fleet for its domains.
    pub(crate) async fn owner(&self, name: &str, number: u128) -> FleetHost {
        let mut host = self.host_with(name, number, |owner| owner).await;
        self.join(&host).await;
        host.begin();
        sleep(SOON).await;
        host
    }

    /// A host that would ask the fleet for its domains, and has not joined yet.
    pub(crate) async fn newcomer(&self, name: &str, number: u128) -> FleetHost {
        let mut host = self.host_with(name, number, |owner| owner).await;
        host.begin();
        sleep(SOON).await;
        host
    }

    /// A host that was a member when its daemon ran before.
    pub(crate) async fn former_member(&self, name: &str, number: u128) -> FleetHost {
        let mut host = self.host_with(name, number, |owner| owner).await;
        host.mark.set().unwrap();
        host.begin();
        sleep(SOON).await;
        host
    }

    async fn host_with(
        &self,
        name: &str,
        number: u128,
        ownership: impl FnOnce(Arc<Owner>) -> Arc<dyn Ownership>,
    ) -> FleetHost {
        let dir = tempfile::tempdir().unwrap();
        let kv = Arc::new(self.kv.another_client());
        let name: HostName = name.parse().unwrap();
        let (engine, owner) = start(dir.path(), &kv, &self.keys, &name, ownership).await;
        let mark = Arc::<Mark>::default();
        let own = OwnHost {
            name,
            mark: mark.clone(),
            uuid: Uuid::from_u128(number),
            boot_id: Uuid::from_u128(0xb007),
            facts: HostFacts {
                relocation: Some("xen:8002".to_owned()),
                version: "0.1.0".to_owned(),
                hypervisor: "sim".to_owned(),
                cpus: 4,
                memory_mib: 4096,
                storages: vec!["iscsi".to_owned(), "nfs".to_owned()],
                schemas: Some(SCHEMAS),
                ..HostFacts::default()
            },
        };
        let certificate = watch::Sender::new(None);
        let keys = self.keys.clone();
        FleetHost { engine, kv, own, certificate, mark, owner, keys, part: None, dir }
    }

    /// To whom a domain belongs, in short: `xen1 running`.
    pub(crate) async fn owned(&self, domain: u128) -> String {
        let key = self.keys.own(Uuid::from_u128(domain));
        let Some(entry) = self.kv.get(&key).await.unwrap() else { return "nobody".to_owned() };
        let value: serde_json::Value = serde_json::from_slice(&entry.value).unwrap();
        let phase = match &value["phase"] {
            serde_json::Value::String(phase) => phase.clone(),
            _ => "moving".to_owned(),
        };
        format!("{} {phase}", value["host"].as_str().unwrap())
    }

    /// The definition of a domain in the fleet, in short: `xen1 web`.
    pub(crate) async fn defined(&self, domain: u128) -> String {
        let key = self.keys.definition(Uuid::from_u128(domain));
        let Some(entry) = self.kv.get(&key).await.unwrap() else { return "nowhere".to_owned() };
        let value: serde_json::Value = serde_json::from_slice(&entry.value).unwrap();
        let word = |key: &str| value[key].as_str().unwrap_or("-").to_owned();
        format!("{} {}", word("host"), word("name"))
    }

    /// The text of a definition in the fleet.
    pub(crate) async fn definition(&self, domain: u128) -> String {
        let key = self.keys.definition(Uuid::from_u128(domain));
        let entry = self.kv.get(&key).await.unwrap().unwrap();
        let value: serde_json::Value = serde_json::from_slice(&entry.value).unwrap();
        value["config"].as_str().unwrap().to_owned()
    }

    /// Changes a definition in the fleet, as another daemon of its home would.
    pub(crate) async fn rewrite(&self, domain: u128, change: impl FnOnce(&mut serde_json::Value)) {
        let uuid = Uuid::from_u128(domain);
        let key = self.keys.definition(uuid);
        let entry = self.kv.get(&key).await.unwrap().unwrap();
        let mut record: serde_json::Value = serde_json::from_slice(&entry.value).unwrap();
        let op = Uuid::from_u128(0x0b + domain).to_string();
        record["op"] = op.clone().into();
        change(&mut record);
        let put = |key, value| Op::Put { key, value, lease: None };
        let mut ops = vec![put(key, record.to_string().into_bytes())];
        if let Some(host) = record["host"].as_str() {
            ops.push(put(self.keys.home(&host.parse().unwrap(), uuid), op.into_bytes()));
        }
        self.commit(ops).await;
    }

    /// Gives a definition another home.
    pub(crate) async fn rehome(&self, domain: u128, from: &str, to: &str) {
        let old = self.keys.home(&from.parse().unwrap(), Uuid::from_u128(domain));
        self.commit(vec![Op::Delete { key: old }]).await;
        self.rewrite(domain, |record| record["host"] = to.into()).await;
    }

    /// The domain that has a name, if one has.
    pub(crate) async fn named(&self, name: &str) -> Option<Uuid> {
        let key = self.keys.name(&DomName::new(name).unwrap());
        let entry = self.kv.get(&key).await.unwrap()?;
        Some(Uuid::try_parse_ascii(&entry.value).unwrap())
    }

    /// Writes what a daemon of the host left that was killed while it started a domain.
    pub(crate) async fn leave_half_started(&self, host: &str, domain: u128) {
        let op = Uuid::from_u128(0x0b);
        let value = format!(r#"{{"host":"{host}","epoch":1,"phase":"starting","op":"{op}"}}"#);
        self.put(self.keys.own(Uuid::from_u128(domain)), value.into_bytes()).await;
    }

    /// What `xend fleet join` does.
    pub(crate) async fn join(&self, host: &FleetHost) {
        let record = HostRecord::joining(host.own.uuid, UNIX_EPOCH);
        self.put(self.keys.host(&host.own.name), record.encode()).await;
    }

    /// What `xend fleet leave` does.
    pub(crate) async fn leave(&self, host: &FleetHost) {
        let name = &host.own.name;
        self.commit(vec![
            Op::Delete { key: self.keys.host(name) },
            Op::Delete { key: self.keys.alive(name) },
            Op::DeleteBelow { prefix: self.keys.views_of(name) },
        ])
        .await;
    }

    /// A host that has joined and takes part.
    pub(crate) async fn member(&self, name: &str, number: u128) -> FleetHost {
        let mut host = self.host(name, number).await;
        self.join(&host).await;
        host.begin();
        sleep(SOON).await;
        host
    }

    pub(crate) async fn record(&self, host: &FleetHost) -> HostRecord {
        let entry = self.kv.get(&self.keys.host(&host.own.name)).await.unwrap().unwrap();
        HostRecord::decode(&entry.value).unwrap()
    }

    pub(crate) async fn is_alive(&self, host: &FleetHost) -> bool {
        self.kv.get(&self.keys.alive(&host.own.name)).await.unwrap().is_some()
    }

    /// The names and states of a host's domains as etcd has them, without Domain-0.
    pub(crate) async fn published(&self, host: &FleetHost) -> Vec<String> {
        let listing = self.kv.list(&self.keys.views_of(&host.own.name)).await.unwrap();
        let read = |value: &[u8]| ViewRecord::decode(value).unwrap();
        let domains = listing.entries.iter().map(|entry| read(&entry.value));
        let guests = domains.filter(|domain| domain.name.as_str() != "Domain-0");
        let mut shown: Vec<_> =
            guests.map(|domain| format!("{} {}", domain.name, domain.state.name())).collect();
        shown.sort_unstable();
        shown
    }
}

impl FleetHost {
    /// The daemon takes part in the fleet.
    pub(crate) fn begin(&mut self) {
        let stopping = CancellationToken::new();
        let kv = self.kv.clone();
        let keys = self.keys.clone();
        let part = take_part(
            kv,
            keys,
            self.own.clone(),
            self.certificate.subscribe(),
            self.engine.clone(),
            self.owner.clone(),
            stopping.clone(),
        );
        self.part = Some((stopping, tokio::spawn(part)));
    }

    /// The daemon stops.
    pub(crate) async fn stop(&mut self) {
        let (stopping, part) = self.part.take().unwrap();
        stopping.cancel();
        part.await.unwrap();
    }

    /// The daemon ends, and begins again with its files.
    pub(crate) async fn restarted(mut self) -> Self {
        if self.part.is_some() {
            self.stop().await;
        }
        let Self { engine, owner, kv, own, certificate, mark, keys, dir, .. } = self;
        engine.stop().await;
        // It holds the simulated host.
        drop((engine, owner));
        let (engine, owner) = start(dir.path(), &kv, &keys, &own.name, |owner| owner).await;
        let mut host = Self { engine, kv, own, certificate, mark, owner, keys, part: None, dir };
        host.begin();
        sleep(SOON).await;
        host
    }

    /// Whether there is a file in the state directory.
    pub(crate) fn has_file(&self, file: &str) -> bool {
        self.dir.path().join(file).exists()
    }

    /// Creates a paused domain.
    pub(crate) async fn create(&self, name: &str, number: u128) {
        let mut config = config(name, 64);
        config.uuid = Some(Uuid::from_u128(number));
        self.execute(Change::Create(Box::new(config))).await;
    }

    pub(crate) async fn change(&self, domain: &str, op: DomainOp) {
        self.execute(Change::Domain(DomainRef::new(domain), op)).await;
    }

    pub(crate) async fn execute(&self, change: Change) {
        self.try_execute(change).await.unwrap();
    }

    pub(crate) async fn try_execute(&self, change: Change) -> Result<Outcome, Error> {
        self.engine.execute(&Caller::internal(), change).await
    }

    pub(crate) async fn try_change(&self, domain: &str, op: DomainOp) -> Result<Outcome, Error> {
        self.try_execute(Change::Domain(DomainRef::new(domain), op)).await
    }
}
