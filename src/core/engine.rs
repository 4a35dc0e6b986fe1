//! The one door: every wire's requests come through [`Engine::execute`].

use super::caller::Caller;
use super::driver::{Driver, Handle};
use super::error::Error;
use super::model::{
    Console, Device, DomId, DomName, DomainConfig, DomainFacts, DomainRef, HostInfo, Mac, SchedParams,
    Scheduler, Uuid,
};
use super::op::{Change, Op, Outcome, Query};
use super::ports::{Clock, DomainChanged, Entropy, Hypervisor};
use super::registry::{Registry, Taken};
use super::sedf;
use super::snapshot::{Board, DomainView, Snapshot, Strange};
use std::future::Future;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

/// How old figures (CPU time, memory in motion) may be when they are given out.
pub const FIGURES_AGE: Duration = Duration::from_millis(250);

/// While somebody reads, figures are read from the hypervisor this often, so that no reader has to wait for them.
const SWEEP: Duration = Duration::from_millis(200);

/// How long after the last read figures are kept fresh.
const ATTENTION: Duration = Duration::from_secs(5);

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

    async fn adopt(self: &Arc<Self>, facts: DomainFacts) {
        let config = match self.limited("Reading a configuration", self.hypervisor.config(facts.domid)).await
        {
            Ok(config) => config,
            Err(error) => {
                warn!(domain = %facts.name, domid = %facts.domid, %error, "Adopting a domain without its configuration");
                let mut config = DomainConfig::new(facts.name.clone(), (facts.memory_kib / 1024).max(1));
                config.set_vcpus(facts.online_vcpus);
                config.uuid = Some(facts.uuid);
                config
            }
        };
        let (handle, inbox) = Handle::new();
        if self.registry.reserve(facts.uuid, &config.name, handle).is_err() {
            if !self.registry.minds(&facts.uuid) {
                warn!(domain = %config.name, domid = %facts.domid, "Not adopting a domain: its name is taken");
            }
            return;
        }
        tokio::spawn(Driver::adopt(self.clone(), inbox, Arc::new(config), facts).run());
    }

    /// A snapshot whose figures are young enough. If the hypervisor does not answer, an older one: a read never waits
    /// for what is stuck.
    async fn fresh(self: &Arc<Self>) -> Arc<Snapshot> {
        let now = Instant::now();
        let since_birth = now.duration_since(self.born).as_millis();
        self.last_read.store(u64::try_from(since_birth).unwrap_or(u64::MAX), Ordering::Relaxed);
        let snapshot = self.board.current();
        if snapshot.swept().is_some_and(|swept| now.duration_since(swept) <= FIGURES_AGE) {
            return snapshot;
        }
        let _ = tokio::time::timeout(FIGURES_AGE, self.sweep()).await;
        self.board.current()
    }

    /// Reads the figures of all domains. Whoever comes while somebody else does it waits for that one.
    async fn sweep(self: &Arc<Self>) -> Result<(), Error> {
        let asked = Instant::now();
        let _one = self.sweeping.lock().await;
        if self.board.current().swept().is_some_and(|swept| swept >= asked) {
            return Ok(());
        }
        let began = self.board.epoch();
        let figures = self.limited("Reading the host", self.hypervisor.figures()).await?;
        let facts = self.limited("Reading the domains", self.hypervisor.domains()).await?;
        let Strange { unknown, changed } = self.board.sweep(began, facts, figures);
        for uuid in changed {
            if let Some(driver) = self.registry.driver(&uuid) {
                driver.changed();
            }
        }
        for domid in unknown {
            tokio::spawn(self.clone().meet(domid));
        }
        Ok(())
    }

    /// Adopts a domain that nobody minds, if it is still there.
    async fn meet(self: Arc<Self>, domid: DomId) {
        match self.limited("Reading a domain", self.hypervisor.domain(domid)).await {
            Ok(Some(facts)) if !self.registry.minds(&facts.uuid) && !facts.flags.dying => {
                info!(domain = %facts.name, domid = %facts.domid, "Adopting a domain that was started by somebody else");
                self.adopt(facts).await;
            }
            Ok(_) => {}
            Err(error) => warn!(%domid, %error, "Could not look at a domain"),
        }
    }

    /// Tells drivers of changes.
    async fn follow(self: Arc<Self>, mut events: tokio::sync::mpsc::UnboundedReceiver<DomainChanged>) {
        loop {
            let event = tokio::select! {
                () = self.stopping.cancelled() => return,
                event = events.recv() => event,
            };
            let Some(DomainChanged(domid)) = event else { return };
            let known = self.board.current().by_domid(domid).map(|view| view.uuid);
            match known.and_then(|uuid| self.registry.driver(&uuid)) {
                Some(driver) => driver.changed(),
                None => drop(tokio::spawn(self.clone().meet(domid))),
            }
        }
    }

    /// Keeps figures fresh while somebody reads.
    async fn keep_fresh(self: Arc<Self>) {
        let mut ticks = tokio::time::interval(SWEEP);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut failing = false;
        loop {
            tokio::select! {
                () = self.stopping.cancelled() => return,
                _ = ticks.tick() => {}
            }
            let last_read = self.born + Duration::from_millis(self.last_read.load(Ordering::Relaxed));
            if last_read.elapsed() > ATTENTION {
                continue;
            }
            let swept = self.sweep().await;
            if let (Err(error), false) = (&swept, failing) {
                warn!(%error, "The hypervisor does not answer, figures are getting old");
            }
            failing = swept.is_err();
        }
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
