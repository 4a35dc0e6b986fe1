//! An engine on a simulated host with faults.

use crate::sim_support::{CountingEntropy, TestClock, config, open};
use async_trait::async_trait;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;
use tempfile::TempDir;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use xend::backend::sim::Sim;
use xend::core::caller::Caller;
use xend::core::engine::{Engine, EnginePorts, Settings};
use xend::core::error::Error;
use xend::core::model::{
    CompleteConfig, CpuSet, Device, DeviceFacts, DomId, DomName, DomainConfig, DomainFacts,
    DomainRef, Hardware, HostFigures, HostInfo, Interface, NetworkChange, PoolChange, PoolFacts,
    SchedParams, ShutdownReason, StorePath, Trigger, Uuid, VcpuFacts,
};
use xend::core::op::{Change, DomainOp, Outcome};
use xend::core::ports::{
    DomainChanged, GuestStore, GuestStream, Hypervisor, Machine, OpenConsole, TreeLimits,
};
use xend::core::snapshot::DomainView;
use xend::core::transfer::Transfer;
use xend::store::DirStore;
use xend::wire::relocation::TcpTransport;

/// The engine's limit for calls of the hypervisor.
pub(crate) const HYPERVISOR_LIMIT: Duration = Duration::from_secs(30);
/// The engine's limit for a stop, shorter than that for the hypervisor.
pub(crate) const STOP_LIMIT: Duration = Duration::from_secs(25);
/// How long a slow save takes: it ends within the stop limit.
pub(crate) const SLOW_SAVE: Duration = Duration::from_secs(20);

/// An engine on a simulated host.
pub(crate) struct TestHost {
    pub(crate) engine: Engine,
    pub(crate) hypervisor: Arc<FaultyHypervisor>,
    pub(crate) dir: TempDir,
}

impl TestHost {
    pub(crate) async fn new() -> Self {
        Self::start(false).await.unwrap()
    }

    /// Starts an engine on a hypervisor that answers, or one that hangs.
    pub(crate) async fn start(hangs: bool) -> Result<Self, Error> {
        let dir = tempfile::tempdir().unwrap();
        let clock = TestClock::new();
        let entropy = Arc::new(CountingEntropy::default());
        let sim = open(&dir.path().join("sim"), &clock);
        let hypervisor = Arc::new(FaultyHypervisor {
            sim,
            hangs: AtomicBool::new(hangs),
            sweeps_hang: AtomicBool::new(false),
            save_fails: AtomicBool::new(false),
            save_is_slow: AtomicBool::new(false),
            configs_are_bare: AtomicBool::new(false),
            guests_are_dying: AtomicBool::new(false),
            trees_fail: AtomicBool::new(false),
            nodes_read: AtomicUsize::new(0),
        });
        let outside = EnginePorts {
            hypervisor: hypervisor.clone(),
            store: Arc::new(DirStore::open(dir.path(), entropy.clone()).unwrap()),
            transport: Arc::new(TcpTransport::new(Duration::from_secs(60))),
            clock,
            entropy,
        };
        let settings = Settings {
            hypervisor_limit: HYPERVISOR_LIMIT,
            stop_limit: STOP_LIMIT,
            dump_dir: dir.path().to_owned(),
            ..Settings::default()
        };
        let engine = Engine::start(outside, settings).await?;
        Ok(Self { engine, hypervisor, dir })
    }

    pub(crate) async fn change(&self, domain: &str, op: DomainOp) -> Result<Outcome, Error> {
        self.engine.execute(&Caller::internal(), Change::Domain(DomainRef::new(domain), op)).await
    }

    /// Makes a request in a task of its own, and lets its operation begin.
    pub(crate) async fn begin(
        &self,
        domain: &str,
        op: DomainOp,
    ) -> JoinHandle<Result<Outcome, Error>> {
        let engine = self.engine.clone();
        let change = Change::Domain(DomainRef::new(domain), op);
        let task = tokio::spawn(async move { engine.execute(&Caller::internal(), change).await });
        tokio::time::sleep(Duration::from_secs(1)).await;
        task
    }

    pub(crate) async fn create(&self, config: DomainConfig) -> Result<Outcome, Error> {
        self.engine.execute(&Caller::internal(), Change::Create(Box::new(config))).await
    }

    /// A guest that has run for over a minute: a restart now is not taken for a loop.
    pub(crate) async fn old_guest(
        &self,
        change: impl FnOnce(&mut DomainConfig),
    ) -> Arc<DomainView> {
        let mut config = config("a", 64);
        change(&mut config);
        self.create(config).await.unwrap();
        self.change("a", DomainOp::Unpause).await.unwrap();
        tokio::time::sleep(Duration::from_secs(61)).await;
        self.find("a").await.unwrap()
    }

    pub(crate) async fn find(&self, domain: &str) -> Option<Arc<DomainView>> {
        self.engine.view(&Caller::internal()).domain(&DomainRef::new(domain)).await.ok()
    }

    /// How many core files were written.
    pub(crate) fn core_files(&self) -> usize {
        let files = std::fs::read_dir(self.dir.path()).unwrap();
        files
            .filter(|file| file.as_ref().unwrap().path().extension().is_some_and(|e| e == "core"))
            .count()
    }
}

/// The simulator with faults.
pub(crate) struct FaultyHypervisor {
    pub(crate) sim: Sim,
    /// Whether queries about the host and its domains, and pauses, never return.
    pub(crate) hangs: AtomicBool,
    /// Whether a query about all domains never returns.
    pub(crate) sweeps_hang: AtomicBool,
    /// Whether a save fails before it writes anything.
    pub(crate) save_fails: AtomicBool,
    pub(crate) save_is_slow: AtomicBool,
    /// Whether the devices of configurations have no numbers and UUIDs, like those of a domain that
    /// another toolstack built.
    pub(crate) configs_are_bare: AtomicBool,
    /// Whether somebody has destroyed the guests in the hypervisor alone: they are dying until the
    /// toolstack destroys them.
    pub(crate) guests_are_dying: AtomicBool,
    /// Whether several nodes of XenStore cannot be read at a time.
    pub(crate) trees_fail: AtomicBool,
    /// How many nodes of XenStore were read in trees.
    pub(crate) nodes_read: AtomicUsize,
}

impl FaultyHypervisor {
    async fn hang(&self) {
        Self::hang_if(&self.hangs).await;
    }

    async fn hang_if(hangs: &AtomicBool) {
        if hangs.load(Ordering::Relaxed) {
            std::future::pending::<()>().await;
        }
    }

    fn with_fault(&self, mut facts: DomainFacts) -> DomainFacts {
        let is_dying = self.guests_are_dying.load(Ordering::Relaxed);
        facts.flags.dying |= is_dying && facts.domid != DomId::ZERO;
        facts
    }
}

#[async_trait]
impl Machine for FaultyHypervisor {
    async fn hardware(&self) -> Result<Hardware, Error> {
        self.sim.hardware().await
    }
    async fn interfaces(&self) -> Result<Vec<Interface>, Error> {
        self.sim.interfaces().await
    }
    async fn change_network(&self, change: NetworkChange) -> Result<(), Error> {
        self.sim.change_network(change).await
    }
    async fn load_average(&self) -> Result<[f64; 3], Error> {
        self.sim.load_average().await
    }
    async fn pools(&self) -> Result<Vec<PoolFacts>, Error> {
        self.sim.pools().await
    }
    async fn change_pools(&self, change: PoolChange) -> Result<(), Error> {
        self.sim.change_pools(change).await
    }
}

#[async_trait]
impl GuestStore for FaultyHypervisor {
    async fn read_node(&self, domid: DomId, path: &StorePath) -> Result<Option<Vec<u8>>, Error> {
        self.sim.read_node(domid, path).await
    }
    async fn read_tree(
        &self,
        domid: DomId,
        path: &StorePath,
        limits: TreeLimits,
    ) -> Result<Vec<(String, Vec<u8>)>, Error> {
        if self.trees_fail.load(Ordering::Relaxed) {
            let reason = std::io::Error::other("connection lost");
            return Err(Error::backend("XenStore failed", reason));
        }
        let nodes = self.sim.read_tree(domid, path, limits).await?;
        self.nodes_read.fetch_add(nodes.len(), Ordering::Relaxed);
        Ok(nodes)
    }
    async fn write_node(&self, domid: DomId, path: &StorePath, value: &[u8]) -> Result<(), Error> {
        self.sim.write_node(domid, path, value).await
    }
    async fn remove_node(&self, domid: DomId, path: &StorePath) -> Result<(), Error> {
        self.sim.remove_node(domid, path).await
    }
    fn subscribe_reports(&self) -> mpsc::UnboundedReceiver<DomId> {
        self.sim.subscribe_reports()
    }
}

#[async_trait]
impl Hypervisor for FaultyHypervisor {
    async fn info(&self) -> Result<HostInfo, Error> {
        self.hang().await;
        self.sim.info().await
    }
    async fn figures(&self) -> Result<HostFigures, Error> {
        self.sim.figures().await
    }
    async fn domains(&self) -> Result<Vec<DomainFacts>, Error> {
        self.hang().await;
        Self::hang_if(&self.sweeps_hang).await;
        let all = self.sim.domains().await?;
        Ok(all.into_iter().map(|facts| self.with_fault(facts)).collect())
    }
    async fn domain(&self, domid: DomId) -> Result<Option<DomainFacts>, Error> {
        self.hang().await;
        Ok(self.sim.domain(domid).await?.map(|facts| self.with_fault(facts)))
    }
    async fn config(&self, domid: DomId) -> Result<DomainConfig, Error> {
        let mut config = self.sim.config(domid).await?;
        if self.configs_are_bare.load(Ordering::Relaxed) {
            for device in &mut config.devices {
                *device.uuid_mut() = None;
                device.clear_id();
            }
        }
        Ok(config)
    }
    async fn store_config(&self, domid: DomId, config: &CompleteConfig) -> Result<(), Error> {
        self.sim.store_config(domid, config).await
    }
    async fn create(
        &self,
        config: &CompleteConfig,
        transfer: Arc<Transfer>,
    ) -> Result<DomainFacts, Error> {
        self.sim.create(config, transfer).await
    }
    async fn wait_for_devices(&self, domid: DomId) -> Result<(), Error> {
        self.sim.wait_for_devices(domid).await
    }
    async fn pause(&self, domid: DomId) -> Result<(), Error> {
        self.hang().await;
        self.sim.pause(domid).await
    }
    async fn unpause(&self, domid: DomId) -> Result<(), Error> {
        self.sim.unpause(domid).await
    }
    async fn destroy(&self, domid: DomId, transfer: Arc<Transfer>) -> Result<(), Error> {
        self.sim.destroy(domid, transfer).await
    }
    async fn shutdown(&self, domid: DomId, reason: ShutdownReason) -> Result<(), Error> {
        self.sim.shutdown(domid, reason).await
    }
    async fn rename(&self, domid: DomId, name: &DomName, uuid: Option<Uuid>) -> Result<(), Error> {
        self.sim.rename(domid, name, uuid).await
    }
    async fn vcpus(&self, domid: DomId) -> Result<Vec<VcpuFacts>, Error> {
        self.sim.vcpus(domid).await
    }
    async fn devices(&self, domid: DomId) -> Result<Vec<DeviceFacts>, Error> {
        self.sim.devices(domid).await
    }
    async fn sched_params(&self, domid: DomId) -> Result<SchedParams, Error> {
        self.sim.sched_params(domid).await
    }
    async fn set_sched_params(&self, domid: DomId, params: SchedParams) -> Result<(), Error> {
        self.sim.set_sched_params(domid, params).await
    }
    async fn set_memory_target(&self, domid: DomId, mib: u64) -> Result<(), Error> {
        self.sim.set_memory_target(domid, mib).await
    }
    async fn set_max_memory(&self, domid: DomId, mib: u64) -> Result<(), Error> {
        self.sim.set_max_memory(domid, mib).await
    }
    async fn set_online_vcpus(&self, domid: DomId, mask: u128) -> Result<(), Error> {
        self.sim.set_online_vcpus(domid, mask).await
    }
    async fn set_affinity(&self, domid: DomId, affinity: &[CpuSet]) -> Result<(), Error> {
        self.sim.set_affinity(domid, affinity).await
    }
    async fn send_sysrq(&self, domid: DomId, key: u8) -> Result<(), Error> {
        self.sim.send_sysrq(domid, key).await
    }
    async fn attach_device(&self, domid: DomId, device: &Device) -> Result<(), Error> {
        self.sim.attach_device(domid, device).await
    }
    async fn configure_device(&self, domid: DomId, device: &Device) -> Result<(), Error> {
        self.sim.configure_device(domid, device).await
    }
    async fn detach_device(&self, domid: DomId, device: &Device, force: bool) -> Result<(), Error> {
        self.sim.detach_device(domid, device, force).await
    }
    async fn send_trigger(&self, domid: DomId, trigger: Trigger, vcpu: u32) -> Result<(), Error> {
        self.sim.send_trigger(domid, trigger, vcpu).await
    }
    async fn save(
        &self,
        domid: DomId,
        to: OwnedFd,
        live: bool,
        transfer: Arc<Transfer>,
    ) -> Result<(), Error> {
        if self.save_fails.load(Ordering::Relaxed) {
            let reason = std::io::Error::other("no logdirty mode");
            return Err(Error::backend("Saving failed: no logdirty mode", reason));
        }
        if self.save_is_slow.load(Ordering::Relaxed) {
            tokio::time::sleep(SLOW_SAVE).await;
        }
        self.sim.save(domid, to, live, transfer).await
    }
    async fn unsuspend(&self, domid: DomId) -> Result<(), Error> {
        self.sim.unsuspend(domid).await
    }
    async fn restore(
        &self,
        config: &CompleteConfig,
        from: OwnedFd,
        transfer: Arc<Transfer>,
    ) -> Result<DomainFacts, Error> {
        self.sim.restore(config, from, transfer).await
    }
    async fn debug_keys(&self, keys: &str) -> Result<(), Error> {
        self.sim.debug_keys(keys).await
    }
    async fn power_host(&self, reboot: bool) -> Result<(), Error> {
        self.sim.power_host(reboot).await
    }
    async fn dump_core(
        &self,
        domid: DomId,
        file: &Path,
        transfer: Arc<Transfer>,
    ) -> Result<(), Error> {
        self.sim.dump_core(domid, file, transfer).await
    }
    async fn console(&self, domid: DomId) -> Result<Vec<u8>, Error> {
        self.sim.console(domid).await
    }
    async fn open_console(&self, domid: DomId) -> Result<OpenConsole, Error> {
        self.sim.open_console(domid).await
    }
    async fn open_screen(&self, domid: DomId) -> Result<Box<dyn GuestStream>, Error> {
        self.sim.open_screen(domid).await
    }
    async fn dmesg(&self) -> Result<Vec<u8>, Error> {
        self.sim.dmesg().await
    }
    async fn clear_dmesg(&self) -> Result<(), Error> {
        self.sim.clear_dmesg().await
    }
    fn subscribe(&self) -> mpsc::UnboundedReceiver<DomainChanged> {
        self.sim.subscribe()
    }
}
