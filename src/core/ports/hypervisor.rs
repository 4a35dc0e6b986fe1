//! The hypervisor and its toolstack.

use super::guest_store::GuestStore;
use super::guest_stream::{GuestStream, OpenConsole};
use super::machine::Machine;
use crate::core::error::Error;
use crate::core::model::{
    CompleteConfig, CpuSet, Device, DeviceFacts, DomId, DomName, DomainConfig, DomainFacts,
    HostFigures, HostInfo, SchedParams, ShutdownReason, Trigger, Uuid, VcpuFacts,
};
use crate::core::transfer::Transfer;
use async_trait::async_trait;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::Arc;
use tokio::sync::mpsc;

/// The largest part of a guest's console that [`Hypervisor::console`] returns, in bytes.
pub const CONSOLE_TAIL: usize = 64 << 10;

/// A domain changed without a request of the engine. The event says which domain to look at, not
/// what has changed: a late, repeated or merged event does no harm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DomainChanged(pub DomId);

impl From<DomId> for DomainChanged {
    fn from(domid: DomId) -> Self {
        Self(domid)
    }
}

/// A hypervisor and the toolstack around it. Domains live there: they outlive the daemon.
///
/// Every method may be called at any time from any task. A call for one domain never delays calls
/// for other domains.
#[async_trait]
pub trait Hypervisor: Machine + GuestStore {
    /// Facts about the host that do not change until it reboots.
    async fn info(&self) -> Result<HostInfo, Error>;

    /// Figures of the host that change all the time.
    async fn figures(&self) -> Result<HostFigures, Error>;

    /// All domains, Domain-0 first, in one cheap sweep.
    async fn domains(&self) -> Result<Vec<DomainFacts>, Error>;

    /// One domain; `None` if there is no domain with this domid.
    async fn domain(&self, domid: DomId) -> Result<Option<DomainFacts>, Error>;

    /// The configuration of a domain that is adopted: as given to [`create`](Self::create) or last
    /// to [`store_config`](Self::store_config). For a domain of another toolstack it is derived
    /// from the state of the domain, and may be incomplete.
    async fn config(&self, domid: DomId) -> Result<DomainConfig, Error>;

    /// Stores the changed configuration of a running domain where it outlives the daemon.
    async fn store_config(&self, domid: DomId, config: &CompleteConfig) -> Result<(), Error>;

    /// Builds a domain and leaves it paused, with its devices connecting. The call takes long for a
    /// large domain; `transfer` shows its progress.
    async fn create(
        &self,
        config: &CompleteConfig,
        transfer: Arc<Transfer>,
    ) -> Result<DomainFacts, Error>;

    /// Waits until all devices of the domain are connected. Fails with the first device that does
    /// not connect.
    async fn wait_for_devices(&self, domid: DomId) -> Result<(), Error>;

    /// Pauses the domain. Pausing a paused domain is no error.
    async fn pause(&self, domid: DomId) -> Result<(), Error>;

    /// Unpauses the domain. Unpausing a running domain is no error.
    async fn unpause(&self, domid: DomId) -> Result<(), Error>;

    /// Destroys the domain, which has gone when the call returns. `transfer` shows how its memory
    /// is freed.
    async fn destroy(&self, domid: DomId, transfer: Arc<Transfer>) -> Result<(), Error>;

    /// Asks the guest to stop, or makes it crash, without waiting for it. The guest may ignore the
    /// request.
    async fn shutdown(&self, domid: DomId, reason: ShutdownReason) -> Result<(), Error>;

    /// Renames the domain and, if `uuid` is given, changes its UUID.
    async fn rename(&self, domid: DomId, name: &DomName, uuid: Option<Uuid>) -> Result<(), Error>;

    /// The VCPUs of the domain.
    async fn vcpus(&self, domid: DomId) -> Result<Vec<VcpuFacts>, Error>;

    /// The devices of the domain, from its XenStore.
    async fn devices(&self, domid: DomId) -> Result<Vec<DeviceFacts>, Error>;

    /// The parameters of the domain in the host's scheduler.
    async fn sched_params(&self, domid: DomId) -> Result<SchedParams, Error>;

    /// Sets the parameters of the domain; they must belong to the host's scheduler.
    async fn set_sched_params(&self, domid: DomId, params: SchedParams) -> Result<(), Error>;

    /// Sets the memory target in MiB. The guest follows with a delay; additional memory is reserved
    /// at once.
    async fn set_memory_target(&self, domid: DomId, mib: u64) -> Result<(), Error>;

    /// Sets the memory limit in MiB.
    async fn set_max_memory(&self, domid: DomId, mib: u64) -> Result<(), Error>;

    /// Asks the guest to use the VCPUs of this bit mask. The guest follows with a delay.
    async fn set_online_vcpus(&self, domid: DomId, mask: u128) -> Result<(), Error>;

    /// Sets the affinity of each VCPU. An empty set means any CPU.
    async fn set_affinity(&self, domid: DomId, affinity: &[CpuSet]) -> Result<(), Error>;

    /// Attaches a device and waits until it is connected. After a failure nothing is left of the
    /// device.
    async fn attach_device(&self, domid: DomId, device: &Device) -> Result<(), Error>;

    /// Replaces the device of the same class and number: another medium, other PCI functions.
    async fn configure_device(&self, domid: DomId, device: &Device) -> Result<(), Error>;

    /// Detaches a device; `force` does not wait for the guest to release it.
    async fn detach_device(&self, domid: DomId, device: &Device, force: bool) -> Result<(), Error>;

    /// Injects an interrupt into a VCPU. The guest may ignore it.
    async fn send_trigger(&self, domid: DomId, trigger: Trigger, vcpu: u32) -> Result<(), Error>;

    /// Suspends the domain and writes it to a file or socket, in the hypervisor's own format.
    /// `live` lets the guest run until most of the memory is written. After success the domain has
    /// stopped with [`ShutdownReason::Suspend`] and everything is written. After a failure the
    /// domain may have stopped, and [`unsuspend`](Self::unsuspend) makes it run again.
    async fn save(
        &self,
        domid: DomId,
        to: OwnedFd,
        live: bool,
        transfer: Arc<Transfer>,
    ) -> Result<(), Error>;

    /// Makes a suspended guest run again as if it had not been suspended. A guest that is not
    /// suspended is left alone.
    async fn unsuspend(&self, domid: DomId) -> Result<(), Error>;

    /// Builds a domain from the output of [`save`](Self::save), and leaves it paused.
    async fn restore(
        &self,
        config: &CompleteConfig,
        from: OwnedFd,
        transfer: Arc<Transfer>,
    ) -> Result<DomainFacts, Error>;

    /// Presses Magic `SysRq` and a key on the guest's keyboard. The guest may ignore it.
    async fn send_sysrq(&self, domid: DomId, key: u8) -> Result<(), Error>;

    /// Writes the domain's memory to a file. An existing file is replaced once everything is
    /// written.
    async fn dump_core(
        &self,
        domid: DomId,
        file: &Path,
        transfer: Arc<Transfer>,
    ) -> Result<(), Error>;

    /// The end of the guest's console output, at most [`CONSOLE_TAIL`] bytes.
    async fn console(&self, domid: DomId) -> Result<Vec<u8>, Error>;

    /// Opens the guest's console. Of a console that is opened twice, each output goes to one of the
    /// two: the caller opens it once at a time. It closes when it is dropped.
    async fn open_console(&self, domid: DomId) -> Result<OpenConsole, Error>;

    /// Connects to the guest's screen: an RFB server (RFC 6143) after its handshake, which waits
    /// for `ClientInit`. Every viewer has a connection of its own.
    async fn open_screen(&self, domid: DomId) -> Result<Box<dyn GuestStream>, Error>;

    /// The hypervisor's message buffer.
    async fn dmesg(&self) -> Result<Vec<u8>, Error>;

    /// Clears the hypervisor's message buffer.
    async fn clear_dmesg(&self) -> Result<(), Error>;

    /// Presses keys on the hypervisor's own console.
    async fn debug_keys(&self, keys: &str) -> Result<(), Error>;

    /// Switches the host off, or reboots it.
    async fn power_host(&self, reboot: bool) -> Result<(), Error>;

    /// Changes from now on. There is one receiver: a later call replaces it.
    fn subscribe(&self) -> mpsc::UnboundedReceiver<DomainChanged>;
}
