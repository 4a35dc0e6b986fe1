//! What the tests of the simulated host share.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::{Duration, SystemTime};
use tokio::time::Instant;
use xend::backend::sim::{Sim, SimError, SimSettings};
use xend::core::model::{
    Backend, Block, BlockClass, BlockKind, BlockMode, Device, DomId, DomName, DomainConfig,
    DomainFacts, GuestKind, Image, Uuid, Vif, VirtualDevice,
};
use xend::core::ports::{Clock, Entropy, Hypervisor};

/// A time of day that goes with Tokio's own, which the tests stop and push on.
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

pub(crate) fn name(text: &str) -> DomName {
    DomName::new(text).unwrap()
}

/// A PV guest without devices.
pub(crate) fn config(text: &str, memory: u64) -> DomainConfig {
    let mut config = DomainConfig::new(name(text), memory);
    config.uuid = Some(Uuid::from_u128(u128::from(memory) << 64 | text.len() as u128));
    config.image = Some(Image {
        kind: GuestKind::Pv,
        builder: "linux".into(),
        kernel: "/boot/vmlinuz".into(),
        ramdisk: None,
        args: "root=/dev/sda1 ro".into(),
        loader: None,
        device_model: None,
        rest: vec![],
    });
    config
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

pub(crate) fn block(dev: &str, uname: &str) -> Block {
    Block {
        class: BlockClass::Vbd,
        uname: uname.into(),
        dev: dev.into(),
        number: VirtualDevice::parse(dev).unwrap(),
        kind: BlockKind::Disk,
        mode: BlockMode::ReadWrite,
        bootable: None,
        backend: None,
        vdi: None,
        uuid: None,
        rest: vec![],
    }
}

pub(crate) fn disk(dev: &str, uname: &str) -> Device {
    Device::Block(block(dev, uname))
}

pub(crate) fn disk_from(backend: &str) -> Device {
    Device::Block(Block { backend: Some(Backend(backend.into())), ..block("sdc", "phy:/dev/c") })
}

pub(crate) fn vif() -> Device {
    Device::Vif(Vif::default())
}

pub(crate) async fn facts(sim: &Sim, domid: DomId) -> DomainFacts {
    sim.domain(domid).await.unwrap().unwrap()
}

pub(crate) async fn free(sim: &Sim) -> u64 {
    sim.figures().await.unwrap().free_memory
}

pub(crate) async fn pass(millis: u64) {
    tokio::time::sleep(Duration::from_millis(millis)).await;
}
