//! Backends under test.

use crate::expected::Stage;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;
use xend::backend::sim::{Sim, SimSettings};
use xend::core::engine::{Engine, EnginePorts, Settings};
use xend::core::model::{DomainConfig, Scheduler, Uuid};
use xend::core::op::DomainOp;
use xend::core::ports::{Entropy as _, Hypervisor};
use xend::os::{OsEntropy, SystemClock};
use xend::shape::read_config;
use xend::store::DirStore;
use xend::sxp::{Limits, read_one};
use xend::wire::relocation::TcpTransport;

/// A host with an engine on it.
pub(crate) struct Host {
    pub(crate) engine: Engine,
    pub(crate) hypervisor: Arc<dyn Hypervisor>,
    dir: TempDir,
}

impl Host {
    /// A path for a new file.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }
}

/// Time limit of hypervisor calls, unless the machine is slow.
const LIMIT: Duration = Duration::from_secs(120);

/// A backend that must keep the contract.
pub(crate) trait Backend: Sync {
    /// A host on which only Domain-0 runs.
    fn host(&self) -> impl Future<Output = Host> + Send;

    /// A guest with at most 256 MiB, two VCPUs, a disk `xvda` and a network interface. It runs
    /// until it is told to shut down or to crash.
    fn guest(&self, name: &str) -> DomainConfig;

    /// A disk that can be attached to the guest.
    fn spare_disk(&self) -> &'static str;

    /// Time limit for changes that the guest makes by itself.
    fn patience(&self) -> Duration;

    /// Cases `operation state` that this backend cannot pass, with the reasons.
    fn exceptions(&self) -> &'static [(&'static str, &'static str)];

    /// Whether a short run skips an operation in a state.
    fn skips(&self, _op: &DomainOp, _stage: Stage) -> bool {
        false
    }

    /// The scheduler of a new CPU pool on a host with this one.
    fn pool_scheduler(&self, host: Scheduler) -> Scheduler {
        host
    }
}

/// The simulator, with fast guests.
pub(crate) struct Simulator;

impl Backend for Simulator {
    async fn host(&self) -> Host {
        let dir = tempfile::tempdir().unwrap();
        let quick = Duration::from_millis(2);
        let settings = SimSettings {
            boot: quick,
            react: quick,
            block_connect: quick,
            vif_connect: quick,
            other_connect: quick,
            device_model: quick,
            destroy: quick,
            ..SimSettings::default()
        };
        let clock = Arc::new(SystemClock);
        let sim = Sim::open(&dir.path().join("sim"), settings, clock, Arc::new(OsEntropy)).unwrap();
        host(dir, Arc::new(sim), LIMIT).await
    }

    fn guest(&self, name: &str) -> DomainConfig {
        let text = format!(
            "(vm (name {name}) (memory 64) (maxmem 256) (vcpus 2) \
             (on_poweroff preserve) (on_crash preserve) \
             (image (linux (kernel /boot/vmlinuz))) \
             (device (vbd (uname phy:/dev/vg0/{name}) (dev xvda) (mode w))) \
             (device (vif)))"
        );
        parsed(&text)
    }

    fn spare_disk(&self) -> &'static str {
        "(vbd (uname phy:/dev/vg0/spare) (dev xvdb) (mode w))"
    }

    fn patience(&self) -> Duration {
        Duration::from_secs(60)
    }

    fn exceptions(&self) -> &'static [(&'static str, &'static str)] {
        &[]
    }
}

fn parsed(text: &str) -> DomainConfig {
    let mut config = read_config(&read_one(text.as_bytes(), &Limits::default()).unwrap()).unwrap();
    config.uuid = Some(new_uuid());
    config
}

async fn host(dir: TempDir, hypervisor: Arc<dyn Hypervisor>, hypervisor_limit: Duration) -> Host {
    let clock = Arc::new(SystemClock);
    let entropy = Arc::new(OsEntropy);
    let store = Arc::new(DirStore::open(dir.path(), entropy.clone()).unwrap());
    let transport = Arc::new(TcpTransport::new(hypervisor_limit));
    let outside = EnginePorts { hypervisor: hypervisor.clone(), store, transport, clock, entropy };
    let dump_dir = dir.path().to_owned();
    let settings = Settings { hypervisor_limit, dump_dir, ..Settings::default() };
    let engine = Engine::start(outside, settings).await.unwrap();
    Host { engine, hypervisor, dir }
}

/// Xen on this host: `tests/xen` runs the contract in Domain-0 of a virtual machine.
///
/// `XEND_GUEST` is the kernel of a small guest that obeys the toolstack. Its devices are those with
/// the fastest hotplug scripts. `XEND_LIMIT` is the limit of hypervisor calls in seconds, for slow
/// machines. `XEND_CONTRACT=core` selects a short run.
#[cfg(feature = "xen")]
pub(crate) struct RealXen {
    guest: String,
    xen: xend::backend::libxl::Xen,
    limit: Duration,
    core_only: bool,
}

#[cfg(feature = "xen")]
impl RealXen {
    /// `None` unless `XEND_GUEST` is set.
    pub(crate) fn here() -> Option<Self> {
        let guest = std::env::var("XEND_GUEST").ok()?;
        let limit = std::env::var("XEND_LIMIT").ok().and_then(|seconds| seconds.parse().ok());
        let limit = limit.map_or(LIMIT, Duration::from_secs);
        Some(Self {
            guest,
            xen: xend::backend::libxl::Xen::open(limit, None, Arc::new(SystemClock)).unwrap(),
            limit,
            core_only: std::env::var("XEND_CONTRACT").is_ok_and(|part| part == "core"),
        })
    }
}

#[cfg(feature = "xen")]
impl Backend for RealXen {
    async fn host(&self) -> Host {
        let dir = tempfile::tempdir().unwrap();
        host(dir, Arc::new(self.xen.clone()), self.limit).await
    }

    fn guest(&self, name: &str) -> DomainConfig {
        let kernel = &self.guest;
        let text = format!(
            "(vm (name {name}) (memory 8) (maxmem 256) (vcpus 2) \
             (on_poweroff preserve) (on_crash preserve) \
             (image (linux (kernel {kernel}))) \
             (device (vbd (uname phy:/dev/loop6) (dev xvda) (mode w!))) \
             (device (vif (bridge xenbr0) (script /lane/quick))))"
        );
        parsed(&text)
    }

    fn spare_disk(&self) -> &'static str {
        "(vbd (uname phy:/dev/loop7) (dev xvdb) (mode w!))"
    }

    fn patience(&self) -> Duration {
        self.limit
    }

    fn exceptions(&self) -> &'static [(&'static str, &'static str)] {
        &[
            ("mem_target_set Dom0", "the root file system of this Domain-0 is in its memory"),
            ("maxmem_set Dom0", "the root file system of this Domain-0 is in its memory"),
            ("dump Paused", "a paravirtual guest that never ran has not published its memory map"),
        ]
    }

    /// Xen 4.17 hangs as a whole if a pool with the credit scheduler loses its last CPU in the
    /// wrong moment: it waits for the end of the scheduler's accounting, which waits on another
    /// CPU for a lock that it holds. A slow machine meets that moment each time.
    fn pool_scheduler(&self, _: Scheduler) -> Scheduler {
        Scheduler::Credit2
    }

    fn skips(&self, op: &DomainOp, stage: Stage) -> bool {
        let core = matches!(
            op,
            DomainOp::Pause
                | DomainOp::Unpause
                | DomainOp::Destroy
                | DomainOp::Shutdown(_)
                | DomainOp::Reset
                | DomainOp::Start { .. }
                | DomainOp::Save { .. }
                | DomainOp::AttachDevice(_)
                | DomainOp::DetachDevice { .. }
        );
        self.core_only && !(core && matches!(stage, Stage::Halted | Stage::Paused | Stage::Running))
    }
}

/// A random UUID.
pub(crate) fn new_uuid() -> Uuid {
    OsEntropy.uuid()
}
