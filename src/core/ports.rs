//! What the core needs of the outside: a hypervisor, a clock, randomness.

use super::error::Error;
use super::model::{
    CpuSet, DeviceFacts, DomId, DomName, DomainConfig, DomainFacts, HostFigures, HostInfo, SchedParams,
    ShutdownReason, Uuid, VcpuFacts,
};
use async_trait::async_trait;
use std::path::Path;
use std::time::SystemTime;
use tokio::sync::mpsc;

/// Something changed in a domain without the engine having asked for it. It says which domain to look at again, not
/// what changed: an event can be late, doubled or merged with others and does no harm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DomainChanged(pub DomId);

/// A hypervisor and the toolstack around it. Domains live there, not here: they outlive the daemon.
///
/// Every method may be called at any time from any task. None holds up another domain's.
#[async_trait]
pub trait Hypervisor: Send + Sync + 'static {
    /// What does not change while the host is up.
    async fn info(&self) -> Result<HostInfo, Error>;

    /// What changes.
    async fn figures(&self) -> Result<HostFigures, Error>;

    /// All domains, Domain-0 first, in one cheap sweep.
    async fn domains(&self) -> Result<Vec<DomainFacts>, Error>;

    /// One domain, or `None` if there is no such domid.
    async fn domain(&self, domid: DomId) -> Result<Option<DomainFacts>, Error>;

    /// The configuration that belongs to a domain, for adopting it: what [`create`](Self::create) was given or
    /// [`store_config`](Self::store_config) last stored, or what can be found out of another toolstack's domain.
    async fn config(&self, domid: DomId) -> Result<DomainConfig, Error>;

    /// Keeps a running domain's changed configuration where it outlives the daemon.
    async fn store_config(&self, domid: DomId, config: &DomainConfig) -> Result<(), Error>;

    /// Builds a domain and leaves it paused, its devices connecting. The configuration is complete: it has a UUID,
    /// and so have its devices.
    async fn create(&self, config: &DomainConfig) -> Result<DomainFacts, Error>;

    /// Waits until every device of the domain is connected; fails with the first that does not connect.
    async fn wait_for_devices(&self, domid: DomId) -> Result<(), Error>;

    /// Keeps the domain's VCPUs off the CPUs. Pausing a paused domain is no error.
    async fn pause(&self, domid: DomId) -> Result<(), Error>;

    /// The opposite. Unpausing a running domain is no error.
    async fn unpause(&self, domid: DomId) -> Result<(), Error>;

    /// Takes the domain apart. It is gone when this returns.
    async fn destroy(&self, domid: DomId) -> Result<(), Error>;

    /// Asks the guest to stop (`Crash`: makes it). The guest may ignore it; this does not wait.
    async fn shutdown(&self, domid: DomId, reason: ShutdownReason) -> Result<(), Error>;

    /// Gives the domain another name and, if `uuid` is given, another UUID.
    async fn rename(&self, domid: DomId, name: &DomName, uuid: Option<Uuid>) -> Result<(), Error>;

    /// The domain's VCPUs.
    async fn vcpus(&self, domid: DomId) -> Result<Vec<VcpuFacts>, Error>;

    /// The domain's devices, as its XenStore shows them.
    async fn devices(&self, domid: DomId) -> Result<Vec<DeviceFacts>, Error>;

    /// The domain's parameters in the host's scheduler.
    async fn sched_params(&self, domid: DomId) -> Result<SchedParams, Error>;

    /// Sets them; they must be of the host's scheduler.
    async fn set_sched_params(&self, domid: DomId, params: SchedParams) -> Result<(), Error>;

    /// Tells the guest to have this much memory, in MiB. It takes its time; what it gains is set aside at once.
    async fn set_memory_target(&self, domid: DomId, mib: u64) -> Result<(), Error>;

    /// Sets how much memory the domain may have, in MiB.
    async fn set_max_memory(&self, domid: DomId, mib: u64) -> Result<(), Error>;

    /// Tells the guest which of its VCPUs to use, as a bit mask; it does so in a moment.
    async fn set_online_vcpus(&self, domid: DomId, mask: u128) -> Result<(), Error>;

    /// Says on which CPUs each of the domain's VCPUs may be. An empty set is any CPU.
    async fn set_affinity(&self, domid: DomId, affinity: &[CpuSet]) -> Result<(), Error>;

    /// Presses Magic `SysRq` and a key on the guest's keyboard. What the guest does then is its own business.
    async fn send_sysrq(&self, domid: DomId, key: u8) -> Result<(), Error>;

    /// Writes the domain's memory to a file that does not exist yet.
    async fn dump_core(&self, domid: DomId, file: &Path) -> Result<(), Error>;

    /// The hypervisor's message buffer.
    async fn dmesg(&self) -> Result<Vec<u8>, Error>;

    /// Empties it.
    async fn clear_dmesg(&self) -> Result<(), Error>;

    /// Changes from now on. One receiver is enough: a later one replaces it.
    fn subscribe(&self) -> mpsc::UnboundedReceiver<DomainChanged>;
}

/// The time of day.
pub trait Clock: Send + Sync + 'static {
    /// Now.
    fn now(&self) -> SystemTime;
}

/// Randomness for identifiers.
pub trait Entropy: Send + Sync + 'static {
    /// Fills the buffer.
    fn fill(&self, bytes: &mut [u8]);

    /// A random (version 4) UUID.
    fn uuid(&self) -> Uuid {
        let mut bytes = [0; 16];
        self.fill(&mut bytes);
        uuid::Builder::from_random_bytes(bytes).into_uuid()
    }
}
