//! The one door: every wire's requests come through [`Engine::execute`].

mod watch;

use super::caller::Caller;
use super::driver::{Driver, Handle};
use super::error::Error;
use super::model::{
    Console, Device, DomId, DomName, DomainConfig, DomainRef, HostInfo, Invalid, Mac, SchedParams, Scheduler,
    Uuid,
};
use super::op::{Change, Op, Outcome, Query};
use super::ports::{Clock, Entropy, Hypervisor};
use super::registry::{Registry, Taken};
use super::sedf;
use super::snapshot::{Board, DomainView, Snapshot};
use std::future::Future;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::info;

/// How old figures (CPU time, memory in motion) may be when they are given out.
pub const FIGURES_AGE: Duration = Duration::from_millis(250);

/// What the engine's behaviour depends on.
#[derive(Debug, Clone)]
pub struct Settings {
    /// How long the hypervisor may take for one thing. A call that takes longer is given up.
    pub hypervisor_limit: Duration,
    /// Where memory of crashed domains is written.
    pub dump_dir: PathBuf,
    /// The least memory that Domain-0 is left with, in MiB. It can change while the engine runs.
    pub dom0_min_mem: Arc<AtomicU64>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            hypervisor_limit: Duration::from_secs(120),
            dump_dir: std::env::temp_dir(),
            dom0_min_mem: Arc::new(AtomicU64::new(196)),
        }
    }
}

/// What the engine and its drivers share.
pub(super) struct Core {
    pub(super) hypervisor: Arc<dyn Hypervisor>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) entropy: Arc<dyn Entropy>,
    pub(super) board: Board,
    pub(super) registry: Registry,
    pub(super) stopping: CancellationToken,
    info: Arc<HostInfo>,
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
    /// Takes over the domains that run on the hypervisor, and is ready.
    pub async fn start(
        hypervisor: Arc<dyn Hypervisor>,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
        settings: Settings,
    ) -> Result<Self, Error> {
        let changes = hypervisor.subscribe();
        let info = Arc::new(hypervisor.info().await?);
        let core = Arc::new(Core {
            hypervisor,
            clock,
            entropy,
            board: Board::new(),
            registry: Registry::default(),
            stopping: CancellationToken::new(),
            info,
            settings,
            sweeping: tokio::sync::Mutex::new(()),
            born: Instant::now(),
            last_read: AtomicU64::new(0),
        });
        for facts in core.hypervisor.domains().await? {
            core.adopt(facts).await;
        }
        core.sweep().await?;
        tokio::spawn(core.clone().follow(changes));
        tokio::spawn(core.clone().keep_fresh());
        Ok(Self(core))
    }

    /// Does what a caller asks for.
    pub async fn execute(&self, caller: &Caller, op: impl Into<Op>) -> Result<Outcome, Error> {
        let change = match op.into() {
            Op::Query(query) => return self.0.look(query).await,
            Op::Change(change) => change,
        };
        let (op, target) = (change.name(), change.target().to_owned());
        let outcome =
            if self.0.stopping.is_cancelled() { Err(Error::Stopping) } else { self.0.change(change).await };
        match &outcome {
            Ok(_) => info!(%caller, op, domain = target, "Done"),
            Err(error) => info!(%caller, op, domain = target, %error, source = source(error), "Failed"),
        }
        outcome
    }

    /// What reads see at the moment, however old its figures are.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.0.board.current()
    }

    /// Stops the drivers. Domains go on.
    pub fn stop(&self) {
        self.0.stopping.cancel();
    }
}

/// What only the log may know of a failure.
fn source(error: &Error) -> Option<String> {
    std::error::Error::source(error).map(ToString::to_string)
}

impl Core {
    async fn look(self: &Arc<Self>, query: Query) -> Result<Outcome, Error> {
        match query {
            Query::Domains => Ok(Outcome::Domains(self.fresh().await)),
            Query::Domain(domain) => Ok(Outcome::Domain(find(&*self.fresh().await, &domain)?)),
            Query::Host => Ok(Outcome::Host(self.info.clone(), self.fresh().await.figures)),
            Query::Dmesg => Ok(Outcome::Text(self.limited("Reading dmesg", self.hypervisor.dmesg()).await?)),
            Query::Vcpus(domain) => {
                let (view, domid) = self.running(&domain)?;
                let vcpus = self.limited("Reading VCPUs", self.hypervisor.vcpus(domid)).await?;
                Ok(Outcome::Vcpus(view, vcpus))
            }
            Query::Devices(domain, class) => {
                if !Device::is_class(&class) {
                    return Err(Invalid::new(format!("Unknown device type: {class}")).into());
                }
                let (_, domid) = self.running(&domain)?;
                let mut devices = self.limited("Reading devices", self.hypervisor.devices(domid)).await?;
                // To a guest all block devices are alike, whoever serves them: xend gave them under each of the three.
                let block = |class: &str| ["vbd", "tap", "tap2"].contains(&class);
                devices.retain(|device| device.class == class || (block(&class) && block(&device.class)));
                Ok(Outcome::Devices(devices))
            }
            Query::Sedf(domain) => {
                let (view, domid) = self.running(&domain)?;
                let params = match view.config.sedf {
                    Some(remembered) => remembered,
                    None => sedf::meaning(
                        &self
                            .limited("Reading scheduler parameters", self.hypervisor.sched_params(domid))
                            .await?,
                    ),
                };
                Ok(Outcome::Sedf(view, params))
            }
            Query::Sched(domain, scheduler) => {
                let (view, domid) = self.running(&domain)?;
                let params =
                    self.limited("Reading scheduler parameters", self.hypervisor.sched_params(domid)).await?;
                if params.scheduler() != scheduler {
                    return Err(other_scheduler(&params, scheduler));
                }
                Ok(Outcome::Sched(view, params))
            }
            Query::DevicesConnected(domain) => {
                let (view, domid) = self.running(&domain)?;
                if !view.is_privileged() {
                    self.limited("Waiting for devices", self.hypervisor.wait_for_devices(domid)).await?;
                }
                Ok(Outcome::Done)
            }
        }
    }

    /// A domain that has a domid.
    fn running(&self, domain: &DomainRef) -> Result<(Arc<DomainView>, DomId), Error> {
        let view = find(&self.board.current(), domain)?;
        match view.domid() {
            Some(domid) => Ok((view, domid)),
            None => Err(Error::BadState {
                verb: "look into",
                name: view.name().to_string(),
                state: "not running",
            }),
        }
    }

    async fn change(self: &Arc<Self>, change: Change) -> Result<Outcome, Error> {
        match change {
            Change::Create(config) => self.create(*config).await,
            Change::ClearDmesg => {
                self.limited("Clearing dmesg", self.hypervisor.clear_dmesg()).await?;
                Ok(Outcome::Done)
            }
            Change::Domain(domain, op) => {
                let view = find(&self.board.current(), &domain)?;
                // The domain can go between the two lines.
                let driver = self
                    .registry
                    .driver(&view.uuid)
                    .ok_or_else(|| Error::NoSuchDomain(domain.to_string()))?;
                driver.ask(view.name().as_str(), op).await
            }
        }
    }

    async fn create(self: &Arc<Self>, mut config: DomainConfig) -> Result<Outcome, Error> {
        let uuid = self.complete(&mut config);
        config.check()?;
        let (handle, inbox) = Handle::new();
        self.registry.reserve(uuid, &config.name, handle).map_err(|Taken(owner)| Error::Exists {
            name: config.name.to_string(),
            domid: self.domid_of(&owner),
        })?;
        // In a task of its own: a client that hangs up does not leave half a domain.
        let (answer, answered) = oneshot::channel();
        let core = self.clone();
        tokio::spawn(async move {
            match Driver::build(core, inbox, uuid, Arc::new(config)).await {
                Ok((driver, view)) => {
                    let _ = answer.send(Ok(Outcome::Domain(view)));
                    driver.run().await;
                }
                Err(error) => {
                    let _ = answer.send(Err(error));
                }
            }
        });
        answered.await.unwrap_or(Err(Error::Stopping))
    }

    /// Makes up what a configuration leaves open: UUIDs and MAC addresses.
    fn complete(&self, config: &mut DomainConfig) -> Uuid {
        let uuid = *config.uuid.get_or_insert_with(|| self.entropy.uuid());
        if !config.devices.iter().any(|device| matches!(device, Device::Console(_))) {
            config.devices.push(Device::Console(Console { protocol: "vt100".into(), ..Console::default() }));
        }
        for device in &mut config.devices {
            device.uuid_mut().get_or_insert_with(|| self.entropy.uuid());
            if let Device::Vif(vif) = device {
                vif.mac.get_or_insert_with(|| {
                    let mut random = [0; 3];
                    self.entropy.fill(&mut random);
                    Mac::in_xen_range(random)
                });
            }
        }
        uuid
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

    pub(super) fn dom0_min_mem(&self) -> &AtomicU64 {
        &self.settings.dom0_min_mem
    }

    pub(super) fn domid_of(&self, uuid: &Uuid) -> Option<DomId> {
        self.board.current().by_uuid(uuid).and_then(|view| view.domid())
    }

    /// Where a domain's memory is to be written: xend's `YYYY-MMDD-HHMM.SS-NAME.DOMID.core`, in UTC.
    pub(super) fn core_file(&self, name: &DomName, domid: DomId) -> PathBuf {
        let now = jiff::Timestamp::try_from(self.clock.now()).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
        // A name can hold slashes, and a file's name cannot.
        let name = name.as_str().replace('/', "_");
        self.settings.dump_dir.join(format!("{}-{name}.{domid}.core", now.strftime("%Y-%m%d-%H%M.%S")))
    }
}

/// The host has another scheduler than the one whose parameters are asked for.
pub(super) fn other_scheduler(now: &SchedParams, asked: Scheduler) -> Error {
    Error::Unsupported(format!("The scheduler of this host is {}, not {asked}", now.scheduler()))
}

fn find(snapshot: &Snapshot, domain: &DomainRef) -> Result<Arc<DomainView>, Error> {
    snapshot.find(domain).cloned().ok_or_else(|| Error::NoSuchDomain(domain.to_string()))
}
