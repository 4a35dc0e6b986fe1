//! The one door: every wire's requests come through [`Engine::execute`].

mod admit;
mod host;
mod look;
mod managed;
mod policy;
mod room;
mod watch;

pub(super) use admit::Role;
pub use policy::Policy;

use super::arrivals::Arrivals;
use super::caller::Caller;
use super::error::Error;
use super::inventory::{Inventory, Stock};
use super::journal::{Journal, What};
use super::model::{DomId, DomName, DomainRef, HostInfo, SchedParams, Scheduler, Uuid};
use super::op::{Change, DomainOp, Op, Outcome};
use super::ports::{Clock, Courier, Entropy, Hypervisor, Store};
use super::registry::Registry;
use super::samples::Samples;
use super::snapshot::{Board, DomainView, Snapshot};
use super::vnets::Vnets;
use arc_swap::ArcSwap;
use room::Promised;
use std::future::Future;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::info;

/// How old figures (CPU time, memory in motion) may be when they are given out.
pub const FIGURES_AGE: Duration = Duration::from_millis(250);

/// What the engine's behaviour depends on.
#[derive(Debug, Clone)]
pub struct Settings {
    /// How long the hypervisor may take for one thing. A call that takes longer is given up; a long
    /// one, such as a restore, when nothing of it has changed for twice as long.
    pub hypervisor_limit: Duration,
    /// Where memory of crashed domains is written.
    pub dump_dir: PathBuf,
    /// What the operator says about domains. It can change while the engine runs.
    pub policy: Arc<ArcSwap<Policy>>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            hypervisor_limit: Duration::from_secs(120),
            dump_dir: std::env::temp_dir(),
            policy: Arc::default(),
        }
    }
}

/// What the engine needs of the outside.
#[derive(Clone)]
pub struct Outside {
    /// What runs the domains.
    pub hypervisor: Arc<dyn Hypervisor>,
    /// What must survive a restart.
    pub store: Arc<dyn Store>,
    /// The way to other hosts.
    pub courier: Arc<dyn Courier>,
    /// The time of day.
    pub clock: Arc<dyn Clock>,
    /// Randomness for identifiers.
    pub entropy: Arc<dyn Entropy>,
}

/// What the engine and its drivers share.
pub(super) struct Core {
    pub(super) hypervisor: Arc<dyn Hypervisor>,
    pub(super) store: Arc<dyn Store>,
    pub(super) courier: Arc<dyn Courier>,
    pub(super) arrivals: Arrivals,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) entropy: Arc<dyn Entropy>,
    pub(super) board: Board,
    pub(super) registry: Registry,
    pub(super) stopping: CancellationToken,
    pub(super) info: Arc<HostInfo>,
    pub(super) vnets: Vnets,
    pub(super) stock: Stock,
    pub(super) samples: Samples,
    promised: Promised,
    settings: Settings,
    sweeping: tokio::sync::Mutex<()>,
    born: Instant,
    /// Milliseconds after `born` at which somebody last read.
    last_read: AtomicU64,
}

/// A handle on the engine; clones share it.
#[derive(Clone)]
pub struct Engine(Arc<Core>);

impl Engine {
    /// Takes over the domains that run on the hypervisor and those that are stored, and is ready.
    /// Managed domains that are to be started with xend are started from then on, while others are
    /// served already.
    pub async fn start(outside: Outside, settings: Settings) -> Result<Self, Error> {
        let Outside { hypervisor, store, courier, clock, entropy } = outside;
        let changes = hypervisor.subscribe();
        let info = Arc::new(hypervisor.info().await?);
        let vnets = Vnets::new(store.vnets().await?);
        let stock = Stock::load(&*store).await?;
        let arrivals =
            store.arrivals(clock.now()).await?.into_iter().filter(|(_, note)| note.taken);
        let arrivals = Arrivals::new(arrivals.map(|(id, _)| id));
        let core = Arc::new(Core {
            hypervisor,
            store,
            courier,
            arrivals,
            board: Board::new(Journal::new(clock.clone(), &*entropy)),
            clock,
            entropy,
            registry: Registry::default(),
            stopping: CancellationToken::new(),
            info,
            vnets,
            stock,
            samples: Samples::default(),
            promised: Promised::default(),
            settings,
            sweeping: tokio::sync::Mutex::new(()),
            born: Instant::now(),
            last_read: AtomicU64::new(0),
        });
        core.bring_back_host().await;
        core.populate().await?;
        core.sweep().await?;
        tokio::spawn(core.clone().follow(changes));
        tokio::spawn(core.clone().keep_fresh());
        tokio::spawn(core.clone().take_samples());
        tokio::spawn(core.clone().start_with_xend());
        Ok(Self(core))
    }

    /// Does what a caller asks for.
    pub async fn execute(&self, caller: &Caller, op: impl Into<Op>) -> Result<Outcome, Error> {
        let change = match op.into() {
            Op::Query(query) => return self.0.look(query).await,
            Op::Change(change) => change,
        };
        let (op, target) = (change.name(), change.target().into_owned());
        let about = match &change {
            Change::Domain(domain, _) | Change::Cancel(domain) => {
                self.0.board.current().find(domain).cloned()
            }
            _ => None,
        };
        let outcome = if self.0.stopping.is_cancelled() {
            Err(Error::Stopping)
        } else {
            self.0.change(change).await
        };
        self.0.write_down(caller, op, &target, about.as_deref(), &outcome);
        match &outcome {
            Ok(_) => info!(%caller, op, domain = target, "Done"),
            Err(error) => {
                info!(%caller, op, domain = target, %error, source = source(error), "Failed")
            }
        }
        outcome
    }

    /// The host's own UUID, which never changes.
    pub async fn host_uuid(&self) -> Result<Uuid, Error> {
        self.0
            .limited("Reading the host's UUID", self.0.store.host_uuid(self.0.entropy.uuid()))
            .await
    }

    /// What the host is, which does not change while it is up.
    pub fn host(&self) -> &HostInfo {
        &self.0.info
    }

    /// Tells whenever what reads see has changed. Who is slow misses none but those that later ones
    /// made up for.
    pub fn generations(&self) -> tokio::sync::watch::Receiver<u64> {
        self.0.board.generations()
    }

    /// What the host has beside its domains.
    pub fn inventory(&self) -> Arc<Inventory> {
        self.0.stock.current()
    }

    /// Tells whenever that has changed.
    pub fn inventories(&self) -> tokio::sync::watch::Receiver<u64> {
        self.0.stock.generations()
    }

    /// What has happened to domains since the daemon was started.
    pub fn journal(&self) -> &Journal {
        &self.0.board.journal
    }

    /// What domains have used in the last minutes.
    pub fn samples(&self) -> &Samples {
        &self.0.samples
    }

    /// The time of day.
    pub fn now(&self) -> std::time::SystemTime {
        self.0.clock.now()
    }

    /// What reads see at the moment, however old its figures are.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.0.board.current()
    }

    /// Does with each domain what it is to be done with when xend stops (`on_xend_stop`), and stops
    /// the drivers. All other domains go on.
    pub async fn stop(&self) {
        self.0.stop_with_xend().await;
        self.0.stopping.cancel();
    }
}

/// What only the log may know of a failure.
fn source(error: &Error) -> Option<String> {
    std::error::Error::source(error).map(ToString::to_string)
}

impl Core {
    async fn change(self: &Arc<Self>, change: Change) -> Result<Outcome, Error> {
        match change {
            Change::Create(config) => self.create(*config).await,
            Change::Define(config) => self.define(*config).await,
            Change::Receive(arrival) => self.receive(arrival).await,
            Change::Settle(id) => Ok(Outcome::Verdict(self.arrivals.settle(id).await)),
            Change::Restore { file, paused } => self.restore(file, paused).await,
            Change::ClearDmesg => {
                self.limited("Clearing dmesg", self.hypervisor.clear_dmesg()).await?;
                Ok(Outcome::Done)
            }
            Change::DebugKeys(keys) => {
                self.limited("Pressing keys", self.hypervisor.debug_keys(&keys)).await?;
                Ok(Outcome::Done)
            }
            Change::PowerHost { reboot } => {
                self.limited("Switching the host off", self.hypervisor.power_host(reboot)).await?;
                Ok(Outcome::Done)
            }
            Change::CreateVnet(vnet) => {
                self.vnets.create(&*self.store, vnet).await.map(|()| Outcome::Done)
            }
            Change::DeleteVnet(id) => {
                self.vnets.delete(&*self.store, &id).await.map(|()| Outcome::Done)
            }
            Change::CreateVdi { uuid, vdi, notes, copy } => self
                .stock
                .create_vdi(&*self.store, uuid, *vdi, notes, copy)
                .await
                .map(|()| Outcome::Done),
            Change::SetVdi(uuid, setting) => {
                self.stock.set_vdi(&*self.store, uuid, setting).await.map(|()| Outcome::Done)
            }
            Change::DestroyVdi(uuid) => {
                let domains = self.board.current();
                self.stock.destroy_vdi(&*self.store, &domains, uuid).await.map(|()| Outcome::Done)
            }
            Change::CreatePbd { uuid, notes } => {
                self.stock.create_pbd(&*self.store, uuid, notes).await.map(|()| Outcome::Done)
            }
            Change::DestroyPbd(uuid) => {
                self.stock.destroy_pbd(&*self.store, uuid).await.map(|()| Outcome::Done)
            }
            Change::Network(op) => self.change_network(op).await.map(|()| Outcome::Done),
            Change::Pool(name, op) => self.change_pool(&name, op).await.map(|()| Outcome::Done),
            Change::Note(object, change) => {
                self.stock.note(&*self.store, object, &change).await.map(|()| Outcome::Done)
            }
            Change::Cancel(domain) => {
                let view = find(&self.board.current(), &domain)?;
                let driver = self.registry.driver(&view.uuid);
                let gone = || Error::NoSuchDomain(view.name().to_string());
                driver.ok_or_else(gone)?.cancel().map(|()| Outcome::Done)
            }
            Change::Domain(domain, op) => {
                let view = find(&self.board.current(), &domain)?;
                self.ask(&view, op).await
            }
        }
    }

    /// Notes what became of something that was asked for.
    fn write_down(
        &self,
        caller: &Caller,
        op: &'static str,
        target: &str,
        about: Option<&DomainView>,
        outcome: &Result<Outcome, Error>,
    ) {
        let caller = caller.to_string();
        match outcome {
            Ok(Outcome::Domain(view)) => {
                self.board.journal.operation(Some(view), target, What::Done { op, caller });
            }
            Ok(_) => self.board.journal.operation(about, target, What::Done { op, caller }),
            Err(error) => {
                let error = error.to_string();
                self.board.journal.operation(about, target, What::Failed { op, caller, error });
            }
        }
    }

    /// Has a domain's driver do something.
    async fn ask(&self, view: &DomainView, op: DomainOp) -> Result<Outcome, Error> {
        // The domain can have gone since it was looked up.
        let gone = || Error::NoSuchDomain(view.name().to_string());
        let driver = self.registry.driver(&view.uuid).ok_or_else(gone)?;
        driver.ask(view.name().as_str(), op).await
    }

    /// Waits for the hypervisor, but not for ever.
    pub(super) async fn limited<T>(
        &self,
        what: &'static str,
        call: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        let limit = self.settings.hypervisor_limit;
        tokio::time::timeout(limit, call).await.unwrap_or(Err(Error::Timeout { what, limit }))
    }

    /// How long a long call may stand still. The toolstack has limits of its own for the parts of
    /// one, of a minute and a half of our two: they come first, since it knows the reason.
    pub(super) fn patience(&self) -> Duration {
        self.settings.hypervisor_limit.saturating_mul(2)
    }

    /// What the operator says at the moment.
    pub(super) fn policy(&self) -> arc_swap::Guard<Arc<Policy>> {
        self.settings.policy.load()
    }

    pub(super) fn domid_of(&self, uuid: &Uuid) -> Option<DomId> {
        self.board.current().by_uuid(uuid).and_then(|view| view.domid())
    }

    /// Where a domain's memory is to be written: xend's `YYYY-MMDD-HHMM.SS-NAME.DOMID.core`, in
    /// UTC.
    pub(super) fn core_file(&self, name: &DomName, domid: DomId) -> PathBuf {
        let now =
            jiff::Timestamp::try_from(self.clock.now()).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
        // A name can hold slashes, and a file's name cannot.
        let name = name.as_str().replace('/', "_");
        self.settings
            .dump_dir
            .join(format!("{}-{name}.{domid}.core", now.strftime("%Y-%m%d-%H%M.%S")))
    }
}

/// The host has another scheduler than the one whose parameters are asked for.
pub(super) fn other_scheduler(now: &SchedParams, asked: Scheduler) -> Error {
    Error::Unsupported(format!("The scheduler of this host is {}, not {asked}", now.scheduler()))
}

fn find(snapshot: &Snapshot, domain: &DomainRef) -> Result<Arc<DomainView>, Error> {
    snapshot.find(domain).cloned().ok_or_else(|| Error::NoSuchDomain(domain.to_string()))
}
