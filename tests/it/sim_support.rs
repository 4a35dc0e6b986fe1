//! Helpers for tests on a simulated host: a clock, configurations, figures.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::{Duration, SystemTime};
use tempfile::TempDir;
use tokio::time::Instant;
use xend::backend::sim::{Sim, SimError, SimSettings};
use xend::core::engine::EnginePorts;
use xend::core::model::{CompleteConfig, Device, DomId, DomName, DomainConfig, DomainFacts, Uuid};
use xend::core::ports::{Clock, Entropy, Hypervisor};
use xend::shape::{read_config, read_device};
use xend::store::DirStore;
use xend::sxp::{Limits, Sxp, read_one};
use xend::wire::relocation::TcpTransport;

/// A time of day that follows Tokio's clock, which tests pause and advance.
pub(crate) struct TestClock {
    start: Instant,
}

impl TestClock {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self { start: Instant::now() })
    }
}

impl Clock for TestClock {
    fn now(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_170_000) + self.start.elapsed()
    }

    fn monotonic(&self) -> Duration {
        self.start.elapsed()
    }
}

/// Counts up instead of random bytes.
#[derive(Default)]
pub(crate) struct CountingEntropy(AtomicU8);

impl Entropy for CountingEntropy {
    fn fill(&self, bytes: &mut [u8]) {
        bytes.fill_with(|| self.0.fetch_add(1, Ordering::Relaxed));
    }
}

pub(crate) fn settings() -> SimSettings {
    SimSettings { boot_id: Some("this-run".into()), ..SimSettings::default() }
}

pub(crate) fn try_open(
    dir: &Path,
    clock: &Arc<TestClock>,
    settings: SimSettings,
) -> Result<Sim, SimError> {
    Sim::open(dir, settings, Arc::clone(clock) as _, Arc::new(CountingEntropy::default()))
}

pub(crate) fn open(dir: &Path, clock: &Arc<TestClock>) -> Sim {
    try_open(dir, clock, settings()).unwrap()
}

/// The ports of an engine whose hypervisor and store are in `dir`.
pub(crate) fn engine_ports(
    dir: &Path,
    clock: Arc<TestClock>,
    entropy: Arc<dyn Entropy>,
) -> EnginePorts {
    ports_on(Arc::new(open(&dir.join("sim"), &clock)), dir, clock, entropy)
}

/// The ports of an engine on a simulated host whose store is in `dir`.
pub(crate) fn ports_on(
    sim: Arc<Sim>,
    dir: &Path,
    clock: Arc<TestClock>,
    entropy: Arc<dyn Entropy>,
) -> EnginePorts {
    EnginePorts {
        hypervisor: sim,
        store: Arc::new(DirStore::open(dir, entropy.clone()).unwrap()),
        transport: Arc::new(TcpTransport::new(Duration::from_secs(60))),
        clock,
        entropy,
    }
}

/// A new host and its directory.
pub(crate) fn host(settings: SimSettings) -> (TempDir, Sim) {
    let dir = tempfile::tempdir().unwrap();
    let sim = try_open(dir.path(), &TestClock::new(), settings).unwrap();
    (dir, sim)
}

pub(crate) fn name(text: &str) -> DomName {
    DomName::new(text).unwrap()
}

fn parsed(text: &str) -> Sxp {
    read_one(text.as_bytes(), &Limits::default()).unwrap()
}

/// A PV guest without devices.
pub(crate) fn config(name: &str, memory: u64) -> DomainConfig {
    let image = "(image (linux (kernel /boot/vmlinuz) (args 'root=/dev/sda1 ro')))";
    let mut config =
        read_config(&parsed(&format!("(vm (name {name}) (memory 1) {image})"))).unwrap();
    config.memory = memory;
    config.maxmem = memory;
    config.uuid = Some(Uuid::from_u128(u128::from(memory) << 64 | name.len() as u128));
    config
}

/// Completes a configuration, as the engine does.
pub(crate) fn completed(config: &DomainConfig) -> CompleteConfig {
    CompleteConfig::for_definition(config.clone(), &CountingEntropy::default()).unwrap()
}

pub(crate) fn with_args(mut config: DomainConfig, args: &str) -> DomainConfig {
    config.image.as_mut().unwrap().args = args.into();
    config
}

pub(crate) fn with_devices(
    mut config: DomainConfig,
    devices: impl IntoIterator<Item = Device>,
) -> DomainConfig {
    config.devices.extend(devices);
    config
}

pub(crate) fn device(text: &str) -> Device {
    read_device(&parsed(text)).unwrap().unwrap()
}

pub(crate) fn disk(dev: &str, uname: &str) -> Device {
    device(&format!("(vbd (uname \"{uname}\") (dev {dev}) (mode w))"))
}

/// A disk whose backend is another domain.
pub(crate) fn disk_from(backend: &str) -> Device {
    device(&format!("(vbd (uname phy:/dev/c) (dev sdc) (mode w) (backend {backend}))"))
}

pub(crate) fn vif() -> Device {
    device("(vif)")
}

pub(crate) async fn facts(sim: &Sim, domid: DomId) -> DomainFacts {
    sim.domain(domid).await.unwrap().unwrap()
}

pub(crate) async fn free(sim: &Sim) -> u64 {
    sim.figures().await.unwrap().free_memory
}

pub(crate) async fn advance(millis: u64) {
    tokio::time::sleep(Duration::from_millis(millis)).await;
}
