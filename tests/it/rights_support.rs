//! A simulated host with domains in every state, and callers with rights on some of them.

use crate::sim_support::{TestClock, open};
use arc_swap::ArcSwap;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;
use xend::core::caller::{Caller, Via};
use xend::core::engine::{Engine, EnginePorts, Settings};
use xend::core::error::Error;
use xend::core::lifecycle::State;
use xend::core::model::{
    ClientData, CompleteConfig, Device, DomName, DomainConfig, DomainRef, Policy, Uuid, Vdi,
    VdiKind, Vnet,
};
use xend::core::op::{Change, DeviceRef, DomainOp, ImageContent};
use xend::core::ports::Entropy as _;
use xend::core::rights::{Access, Account, Credential, Limits, Right, Rights, User};
use xend::core::snapshot::DomainView;
use xend::os::OsEntropy;
use xend::shape::{read_config, read_device};
use xend::store::DirStore;
use xend::sxp::{self, read_one};
use xend::wire::relocation::TcpTransport;

/// The state of a domain before a request about it. All domains are managed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    /// There is none: the request makes it.
    Absent,
    Halted,
    Paused,
    Running,
    Suspended,
    /// Halted, and saved to [`Subject::file`].
    Saved,
    /// Running. Its disk is detached from the running domain, and is in its definition.
    Unplugged,
}

impl Stage {
    /// The stages of a domain that exists.
    pub(crate) const PRESENT: [Self; 6] =
        [Self::Halted, Self::Paused, Self::Running, Self::Suspended, Self::Saved, Self::Unplugged];
}

/// The way in which a request names a domain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NamedBy {
    Name,
    Domid,
    Uuid,
}

impl NamedBy {
    pub(crate) const ALL: [Self; 3] = [Self::Name, Self::Domid, Self::Uuid];
}

/// A domain that requests are about, whether it exists or not, with objects beside it.
#[derive(Debug, Clone)]
pub(crate) struct Subject {
    pub(crate) name: String,
    pub(crate) uuid: Uuid,
    /// The domid; a number that is no domid if the domain is not on the host.
    pub(crate) domid: u32,
    /// The file that the domain is saved to.
    pub(crate) file: PathBuf,
    /// The domain's disk.
    pub(crate) disk: Uuid,
    /// The domain's CD-ROM drive.
    pub(crate) drive: Uuid,
    /// The domain's network interface.
    pub(crate) vif: Uuid,
    /// The object of the domain's disk.
    pub(crate) image: Uuid,
    /// The object of a disk that no domain has.
    pub(crate) vdi: Uuid,
    /// A record of the local storage.
    pub(crate) pbd: Uuid,
}

/// A domid that no domain has.
const NO_DOMID: u32 = 999;

impl Subject {
    /// A domain that does not exist.
    pub(crate) fn missing(name: &str, dir: &Path) -> Self {
        let uuid = || OsEntropy.uuid();
        Self {
            name: name.to_owned(),
            uuid: uuid(),
            domid: NO_DOMID,
            file: dir.join(format!("{name}.save")),
            disk: uuid(),
            drive: uuid(),
            vif: uuid(),
            image: uuid(),
            vdi: uuid(),
            pbd: uuid(),
        }
    }

    /// The text by which a request names the domain.
    pub(crate) fn named(&self, by: NamedBy) -> String {
        match by {
            NamedBy::Name => self.name.clone(),
            NamedBy::Domid => self.domid.to_string(),
            NamedBy::Uuid => self.uuid.to_string(),
        }
    }

    /// The virtual network beside the domain.
    pub(crate) fn vnet(&self) -> String {
        format!("net-{}", self.vdi.simple())
    }

    /// A configuration of the domain. xend chooses its UUID.
    pub(crate) fn config(&self) -> DomainConfig {
        read_config(&parsed(&config_text(&self.name))).unwrap()
    }

    /// A complete configuration of the domain.
    pub(crate) fn completed(&self) -> Arc<CompleteConfig> {
        let config = DomainConfig { uuid: Some(self.uuid), ..self.config() };
        Arc::new(CompleteConfig::for_definition(config, &OsEntropy).unwrap())
    }

    /// A text with words in the place of what the subject is known by: two answers that are equal
    /// then differ in nothing but what the requests named.
    pub(crate) fn without_identity(&self, text: &str) -> String {
        let ids = [self.uuid, self.disk, self.drive, self.vif, self.image, self.vdi, self.pbd];
        let plain = text.replace(&self.name, "NAME").replace(&self.vnet(), "VNET");
        let plain = ids.iter().fold(plain, |text, id| text.replace(&id.to_string(), "UUID"));
        let domid = regex::Regex::new(&format!(r"\b{}\b", self.domid)).unwrap();
        domid.replace_all(&plain, "DOMID").into_owned()
    }
}

/// The configuration of a domain that an account may create.
pub(crate) fn config_text(name: &str) -> String {
    format!(
        "(vm (name {name}) (memory 64) (maxmem 256) (vcpus 2) \
         (on_poweroff preserve) (on_crash preserve) \
         (image (linux (kernel /boot/guests/vmlinuz))) \
         (device (vbd (uname phy:/dev/vg0/{name}) (dev xvda) (mode w))) \
         (device (vbd (uname '') (dev hdc:cdrom) (mode r))) \
         (device (vif (bridge xenbr0))) (device (vfb (vnc 1))))"
    )
}

pub(crate) fn parsed(text: &str) -> sxp::Sxp {
    read_one(text.as_bytes(), &sxp::Limits::default()).unwrap()
}

pub(crate) fn device(text: &str) -> Device {
    read_device(&parsed(text)).unwrap().unwrap()
}

/// A disk at a location that xend did not make.
pub(crate) fn vdi_at(location: &str) -> Vdi {
    let kind = VdiKind::User;
    let location = location.into();
    Vdi { location, size: 0, kind, own: false, sharable: false, read_only: false }
}

pub(crate) fn rights(rights: impl IntoIterator<Item = Right>) -> Rights {
    rights.into_iter().collect()
}

/// Every right but this one.
pub(crate) fn all_but(without: Right) -> Rights {
    rights(Right::ALL.into_iter().filter(|right| *right != without))
}

/// An operator on a trusted listener.
pub(crate) fn operator() -> Caller {
    Caller::operator(tcp("127.0.0.1:4711"))
}

/// Somebody who has not logged in.
pub(crate) fn nobody() -> Caller {
    Caller::nobody(tcp("127.0.0.1:4712"))
}

fn tcp(peer: &str) -> Via {
    let local = SocketAddr::from(([127, 0, 0, 1], 8000));
    Via::Tcp { peer: peer.parse().unwrap(), local, encrypted: true }
}

/// A caller with an account.
pub(crate) fn caller_with(name: &str, peer: &str, access: Access) -> Caller {
    let account = Account::new(name, Credential::None, access);
    Caller::of_user(tcp(peer), Arc::new(User::new(account)))
}

/// A host.
pub(crate) struct World {
    pub(crate) engine: Engine,
    pub(crate) store: Arc<DirStore>,
    pub(crate) policy: Arc<ArcSwap<Policy>>,
    pub(crate) dir: TempDir,
}

impl World {
    /// A virtual network that is always there.
    pub(crate) const VNET: &str = "lan";

    pub(crate) async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        for files in ["files", "foreign", "configs"] {
            std::fs::create_dir(dir.path().join(files)).unwrap();
        }
        // A damaged record of a domain takes the domids up to its own: those of the tests are
        // numbers that occur nowhere else.
        let records = dir.path().join("sim/domains");
        std::fs::create_dir_all(&records).unwrap();
        std::fs::write(records.join("700.sxp"), "").unwrap();
        let clock = TestClock::new();
        let entropy = Arc::new(OsEntropy);
        let store = Arc::new(DirStore::open(dir.path(), entropy.clone()).unwrap());
        let ports = EnginePorts {
            hypervisor: Arc::new(open(&dir.path().join("sim"), &clock)),
            store: store.clone(),
            transport: Arc::new(TcpTransport::new(Duration::from_secs(60))),
            clock,
            entropy,
        };
        let settings = Settings { dump_dir: dir.path().to_owned(), ..Settings::default() };
        let policy = Policy { node_shutdown: true, ..Policy::default() };
        settings.policy.store(Arc::new(policy));
        let policy = settings.policy.clone();
        let engine = Engine::start(ports, settings).await.unwrap();
        let world = Self { engine, store, policy, dir };
        let vnet = Vnet { id: Self::VNET.to_owned(), rest: vec![] };
        world.execute(Change::CreateVnet(vnet)).await.unwrap();
        world
    }

    /// The directory of files that accounts may name.
    pub(crate) fn files(&self) -> PathBuf {
        self.dir.path().join("files")
    }

    /// A directory of files that no account may name.
    pub(crate) fn foreign_files(&self) -> PathBuf {
        self.dir.path().join("foreign")
    }

    /// The directory of configuration files of domains.
    pub(crate) fn config_files(&self) -> PathBuf {
        self.dir.path().join("configs")
    }

    fn config_file(&self, name: &str) -> PathBuf {
        self.config_files().join(format!("{name}.cfg"))
    }

    /// Limits that allow what [`config_text`] needs.
    pub(crate) fn limits(&self) -> Limits {
        Limits {
            disks: vec!["/dev/vg0/".to_owned(), "/srv/".to_owned()],
            bridges: vec!["xenbr0".to_owned()],
            kernels: vec!["/boot/guests".into()],
            files: vec![self.files()],
            hosts: vec!["127.0.0.1".to_owned()],
            ..Limits::default()
        }
    }

    /// A user with these rights on these domains.
    pub(crate) fn user(&self, domains: &[&str], rights: Rights) -> Caller {
        let domains = domains.iter().map(|domain| domain.parse().unwrap());
        let access = Access { limits: self.limits(), ..Access::to(domains, rights) };
        caller_with("steve", "192.0.2.7:4713", access)
    }

    /// Makes a change as the operator.
    pub(crate) async fn execute(&self, change: Change) -> Result<(), Error> {
        self.engine.execute(&operator(), change).await.map(drop)
    }

    async fn change(&self, name: &str, op: DomainOp) {
        let what = format!("{name}: {op:?}");
        let done = self.execute(Change::Domain(DomainRef::new(name), op)).await;
        done.unwrap_or_else(|error| panic!("{what}: {error}"));
    }

    /// The domain with this name, as the operator sees it.
    pub(crate) async fn find(&self, name: &str) -> Option<Arc<DomainView>> {
        self.engine.view(&operator()).domain(&DomainRef::new(name)).await.ok()
    }

    /// Brings a new domain into a stage, and makes the objects beside it.
    pub(crate) async fn add(&self, name: &str, stage: Stage, dir: &Path) -> Subject {
        let mut subject = Subject::missing(name, dir);
        let text = format!("name = '{name}'\nmemory = 64\nkernel = '/boot/guests/vmlinuz'\n");
        std::fs::write(self.config_file(name), text).unwrap();
        let vdi = |uuid, location: String| Change::CreateVdi {
            uuid,
            vdi: Box::new(vdi_at(&location)),
            client_data: ClientData::default(),
            content: ImageContent::Empty,
        };
        for change in [
            vdi(subject.vdi, format!("phy:/dev/vg0/{name}-spare")),
            vdi(subject.image, format!("phy:/dev/vg0/{name}")),
            Change::CreatePbd { uuid: subject.pbd, client_data: ClientData::default() },
            Change::CreateVnet(Vnet { id: subject.vnet(), rest: vec![] }),
        ] {
            self.execute(change).await.unwrap();
        }
        if stage == Stage::Absent {
            return subject;
        }
        self.define(subject.config()).await;
        if stage != Stage::Halted {
            self.change(name, DomainOp::Start { paused: stage == Stage::Paused }).await;
        }
        match stage {
            Stage::Suspended => self.change(name, DomainOp::Suspend).await,
            Stage::Saved => {
                let file = subject.file.clone();
                self.change(name, DomainOp::Save { file, checkpoint: false, replace: true }).await;
            }
            Stage::Unplugged => {
                let device = DeviceRef::parse("vbd", "xvda").unwrap();
                let class = "vbd".to_owned();
                let op = DomainOp::DetachDevice { class, device, force: false, forget: false };
                self.change(name, op).await;
            }
            Stage::Absent | Stage::Halted | Stage::Paused | Stage::Running => {}
        }
        let view = self.find(name).await.unwrap();
        subject.uuid = view.uuid;
        subject.domid = view.domid().map_or(NO_DOMID, |domid| domid.0);
        let definition = view.definition.as_ref().unwrap();
        let uuid = |n: usize| definition.devices[n].uuid().unwrap();
        (subject.disk, subject.drive, subject.vif) = (uuid(0), uuid(1), uuid(2));
        subject
    }

    /// Stores a definition.
    pub(crate) async fn define(&self, config: DomainConfig) {
        self.execute(Change::Define(Box::new(config))).await.unwrap();
    }

    /// Removes what is left of a subject.
    pub(crate) async fn remove(&self, subject: &Subject) {
        let all = self.engine.view(&operator()).domains().await.unwrap();
        let view = all.by_uuid(&subject.uuid).or_else(|| {
            let name = DomName::adopted(&subject.name);
            all.by_name(&name)
        });
        if let Some(view) = view {
            let uuid = view.uuid.to_string();
            if view.state() != State::Halted {
                self.change(&uuid, DomainOp::Destroy).await;
            }
            if view.managed() {
                self.change(&uuid, DomainOp::Delete).await;
            }
        }
        // The request can have removed these.
        let _ = self.execute(Change::DestroyVdi(subject.vdi)).await;
        let _ = self.execute(Change::DestroyVdi(subject.image)).await;
        let _ = self.execute(Change::DestroyPbd(subject.pbd)).await;
        let _ = self.execute(Change::DeleteVnet(subject.vnet())).await;
        let _ = std::fs::remove_file(&subject.file);
        std::fs::remove_file(self.config_file(&subject.name)).unwrap();
    }

    /// Lets guests boot and devices connect.
    pub(crate) async fn settle(&self) {
        tokio::time::sleep(Duration::from_secs(5)).await;
    }

    /// Everything that a change can change.
    pub(crate) async fn state(&self) -> HostState {
        let mut parts = BTreeMap::new();
        read_files(self.dir.path(), &mut parts);
        let view = self.engine.view(&operator());
        for domain in view.domains().await.unwrap().domains() {
            let shown = (domain.state(), domain.domid(), &domain.config, &domain.definition);
            parts.insert(format!("domain {}", domain.uuid), format!("{shown:?}"));
        }
        for item in view.inventory().items() {
            parts.insert(format!("object {}", item.uuid), format!("{item:?}"));
        }
        parts.insert("pools".to_owned(), format!("{:?}", view.pools().await.unwrap()));
        parts.insert("interfaces".to_owned(), format!("{:?}", view.interfaces().await.unwrap()));
        parts.insert("vnets".to_owned(), format!("{:?}", view.vnets().await.unwrap()));
        HostState(parts)
    }
}

/// The state of a host: the files of the store and of the simulated host, and what the operator
/// sees.
pub(crate) struct HostState(BTreeMap<String, String>);

impl HostState {
    /// The parts that have changed since `before`.
    pub(crate) fn changes_since(&self, before: &Self) -> Vec<String> {
        let names = self.0.keys().chain(before.0.keys());
        let changed = names.filter(|name| self.0.get(*name) != before.0.get(*name));
        let changed: std::collections::BTreeSet<&String> = changed.collect();
        changed.into_iter().cloned().collect()
    }
}

fn read_files(dir: &Path, files: &mut BTreeMap<String, String>) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        // What domains use goes on, whoever asks for what.
        if path.is_dir() && path.file_name().is_some_and(|name| name == "history") {
            continue;
        }
        if path.is_dir() {
            read_files(&path, files);
        } else if let Ok(content) = std::fs::read(&path) {
            files.insert(path.display().to_string(), String::from_utf8_lossy(&content).into());
        }
    }
}

/// A host with a domain in each stage. The names begin with `prefix`.
pub(crate) async fn host_with_subjects(prefix: &str, foreign: bool) -> (World, Vec<Subject>) {
    let world = World::new().await;
    let dir = if foreign { world.foreign_files() } else { world.files() };
    let mut subjects = Vec::new();
    for stage in Stage::PRESENT {
        let name = format!("{prefix}{stage:?}").to_lowercase();
        subjects.push(world.add(&name, stage, &dir).await);
    }
    world.settle().await;
    (world, subjects)
}

/// The subject in a stage; a halted one, whose name is taken, for a request that makes a domain.
pub(crate) fn subject_in(stage: Stage, subjects: &[Subject]) -> &Subject {
    &subjects[Stage::PRESENT.iter().position(|present| *present == stage).unwrap_or(0)]
}
