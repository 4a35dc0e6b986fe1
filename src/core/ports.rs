//! What the core needs of the outside: a hypervisor, a place for what is stored, a clock,
//! randomness.

mod login;
mod machine;
mod objects;

use super::error::Error;
use super::model::{
    CpuSet, Device, DeviceFacts, DomId, DomName, DomainConfig, DomainFacts, HostFigures, HostInfo,
    Invalid, SchedParams, ShutdownReason, Trigger, Uuid, VcpuFacts, Vnet,
};
use super::transfer::Transfer;
use async_trait::async_trait;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;
use tokio::sync::mpsc;

pub use login::{Authenticator, LoginError};
pub use machine::Machine;
pub use objects::{Extent, Objects, StorageFacts};

/// How much of a guest's console is given out, in bytes.
pub const CONSOLE_TAIL: usize = 64 << 10;

/// Something changed in a domain without the engine having asked for it. It says which domain to
/// look at again, not what changed: an event can be late, doubled or merged with others and does no
/// harm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DomainChanged(pub DomId);

/// A hypervisor and the toolstack around it. Domains live there, not here: they outlive the daemon.
///
/// Every method may be called at any time from any task. None holds up another domain's.
#[async_trait]
pub trait Hypervisor: Machine {
    /// What does not change while the host is up.
    async fn info(&self) -> Result<HostInfo, Error>;

    /// What changes.
    async fn figures(&self) -> Result<HostFigures, Error>;

    /// All domains, Domain-0 first, in one cheap sweep.
    async fn domains(&self) -> Result<Vec<DomainFacts>, Error>;

    /// One domain, or `None` if there is no such domid.
    async fn domain(&self, domid: DomId) -> Result<Option<DomainFacts>, Error>;

    /// The configuration that belongs to a domain, for adopting it: what [`create`](Self::create)
    /// was given or [`store_config`](Self::store_config) last stored, or what can be found out of
    /// another toolstack's domain.
    async fn config(&self, domid: DomId) -> Result<DomainConfig, Error>;

    /// Keeps a running domain's changed configuration where it outlives the daemon.
    async fn store_config(&self, domid: DomId, config: &DomainConfig) -> Result<(), Error>;

    /// Builds a domain and leaves it paused, its devices connecting. The configuration is complete:
    /// it has a UUID, and so have its devices. This can take long for a large domain: `transfer`
    /// shows that it gets on.
    async fn create(
        &self,
        config: &DomainConfig,
        transfer: Arc<Transfer>,
    ) -> Result<DomainFacts, Error>;

    /// Waits until every device of the domain is connected; fails with the first that does not
    /// connect.
    async fn wait_for_devices(&self, domid: DomId) -> Result<(), Error>;

    /// Keeps the domain's VCPUs off the CPUs. Pausing a paused domain is no error.
    async fn pause(&self, domid: DomId) -> Result<(), Error>;

    /// The opposite. Unpausing a running domain is no error.
    async fn unpause(&self, domid: DomId) -> Result<(), Error>;

    /// Takes the domain apart. It is gone when this returns. `transfer` shows that its memory is
    /// being freed.
    async fn destroy(&self, domid: DomId, transfer: Arc<Transfer>) -> Result<(), Error>;

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

    /// Tells the guest to have this much memory, in MiB. It takes its time; what it gains is set
    /// aside at once.
    async fn set_memory_target(&self, domid: DomId, mib: u64) -> Result<(), Error>;

    /// Sets how much memory the domain may have, in MiB.
    async fn set_max_memory(&self, domid: DomId, mib: u64) -> Result<(), Error>;

    /// Tells the guest which of its VCPUs to use, as a bit mask; it does so in a moment.
    async fn set_online_vcpus(&self, domid: DomId, mask: u128) -> Result<(), Error>;

    /// Says on which CPUs each of the domain's VCPUs may be. An empty set is any CPU.
    async fn set_affinity(&self, domid: DomId, affinity: &[CpuSet]) -> Result<(), Error>;

    /// Plugs a device in and waits until it is connected. If it does not get connected, nothing of
    /// it is left.
    async fn attach_device(&self, domid: DomId, device: &Device) -> Result<(), Error>;

    /// Puts a device in the place of the one of the same class and number: another medium, other
    /// PCI functions.
    async fn configure_device(&self, domid: DomId, device: &Device) -> Result<(), Error>;

    /// Unplugs a device; `force` does not wait for the guest to let go of it.
    async fn detach_device(&self, domid: DomId, device: &Device, force: bool) -> Result<(), Error>;

    /// Gives a VCPU an interrupt. What the guest does then is its own business.
    async fn send_trigger(&self, domid: DomId, trigger: Trigger, vcpu: u32) -> Result<(), Error>;

    /// Suspends the domain and writes it to a file or socket, in the hypervisor's own form. `live`
    /// lets the guest go on until most is written. When this returns the domain has stopped with
    /// [`ShutdownReason::Suspend`] and all is written; when it fails it may have stopped, and
    /// [`unsuspend`](Self::unsuspend) lets it go on.
    async fn save(
        &self,
        domid: DomId,
        to: OwnedFd,
        live: bool,
        transfer: Arc<Transfer>,
    ) -> Result<(), Error>;

    /// Lets a suspended guest go on, as if nothing had happened. A guest that has not been
    /// suspended is left alone.
    async fn unsuspend(&self, domid: DomId) -> Result<(), Error>;

    /// Builds a domain from what [`save`](Self::save) wrote, and leaves it paused.
    async fn restore(
        &self,
        config: &DomainConfig,
        from: OwnedFd,
        transfer: Arc<Transfer>,
    ) -> Result<DomainFacts, Error>;

    /// Presses Magic `SysRq` and a key on the guest's keyboard. What the guest does then is its own
    /// business.
    async fn send_sysrq(&self, domid: DomId, key: u8) -> Result<(), Error>;

    /// Writes the domain's memory to a file. One that is there is replaced when all has been
    /// written.
    async fn dump_core(
        &self,
        domid: DomId,
        file: &Path,
        transfer: Arc<Transfer>,
    ) -> Result<(), Error>;

    /// The end of what the guest printed on its console, [`CONSOLE_TAIL`] bytes at most.
    async fn console(&self, domid: DomId) -> Result<Vec<u8>, Error>;

    /// The hypervisor's message buffer.
    async fn dmesg(&self) -> Result<Vec<u8>, Error>;

    /// Empties it.
    async fn clear_dmesg(&self) -> Result<(), Error>;

    /// Presses keys on the hypervisor's own console.
    async fn debug_keys(&self, keys: &str) -> Result<(), Error>;

    /// Switches the host off, or reboots it.
    async fn power_host(&self, reboot: bool) -> Result<(), Error>;

    /// Changes from now on. One receiver is enough: a later one replaces it.
    fn subscribe(&self) -> mpsc::UnboundedReceiver<DomainChanged>;
}

/// A stored domain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Definition {
    /// What it is to be. It has a UUID.
    pub config: DomainConfig,
    /// Whether its memory is kept too, at [`Store::checkpoint`].
    pub suspended: bool,
}

/// What the daemon keeps on disk: definitions of managed domains, saved domains, and notes of what
/// is under way.
///
/// What a method has written survives a crash of the machine from the moment that it returns.
#[async_trait]
pub trait Store: Objects {
    /// All definitions. One that makes no sense is set aside and reported in the log, and is no
    /// error.
    async fn load(&self) -> Result<Vec<Definition>, Error>;

    /// Stores a definition in the place of an earlier one.
    async fn save(&self, uuid: Uuid, config: &DomainConfig) -> Result<(), Error>;

    /// Forgets a definition, and the memory that is kept with it.
    async fn remove(&self, uuid: Uuid) -> Result<(), Error>;

    /// Where the memory of a suspended managed domain is kept.
    fn checkpoint(&self, uuid: Uuid) -> PathBuf;

    /// Removes a file that [`draft`](Self::draft) made. It is no error if there is none.
    async fn discard(&self, file: &Path) -> Result<(), Error>;

    /// Begins a file that holds a whole domain. Under its own name it is to be seen when it is
    /// complete.
    async fn draft(&self, file: &Path, config: &DomainConfig) -> Result<Box<dyn Draft>, Error>;

    /// Opens such a file: what the domain was, and the hypervisor's part of it.
    async fn open(&self, file: &Path) -> Result<(DomainConfig, OwnedFd), Error>;

    /// Notes what is under way with a domain; none if nothing is any more.
    async fn note(&self, uuid: Uuid, note: Option<Note>) -> Result<(), Error>;

    /// All such notes.
    async fn notes(&self) -> Result<Vec<(Uuid, Note)>, Error>;

    /// Notes what has become of a domain that comes from another host; `id` is the migration's.
    async fn note_arrival(&self, id: Uuid, note: Option<ArrivalNote>) -> Result<(), Error>;

    /// All such notes; those of long ago may be left out.
    async fn arrivals(&self) -> Result<Vec<(Uuid, ArrivalNote)>, Error>;

    /// The host's own UUID: made up when it is first asked for, and the same ever after.
    async fn host_uuid(&self) -> Result<Uuid, Error>;

    /// The virtual networks that are known.
    async fn vnets(&self) -> Result<Vec<Vnet>, Error>;

    /// Stores them, in the place of those before.
    async fn save_vnets(&self, vnets: Vec<Vnet>) -> Result<(), Error>;
}

/// What is under way with a domain of this host: for a daemon that comes after one that was killed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Note {
    /// It is being saved or sent. Found suspended, it goes on.
    Saving,
    /// It has been handed over to another host, which may have taken it or not: only that one
    /// knows.
    HandedOver(Handover),
}

/// A domain that was handed over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Handover {
    /// The migration.
    pub id: Uuid,
    /// Where it went.
    pub to: Destination,
}

/// What has become of a domain that comes from another host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ArrivalNote {
    /// The domain.
    pub domain: Uuid,
    /// Whether it is ours now. One that is not is taken away.
    pub taken: bool,
    /// Whether its definition came with it.
    pub defined: bool,
}

/// Another host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Destination {
    /// Its name or address.
    pub host: String,
    /// The port of its relocation server.
    pub port: u16,
}

impl Destination {
    /// Checks a host's name or address. Without a port, or with port 0, which libvirt sends, it is
    /// `default_port`.
    pub fn new(host: &str, port: Option<u16>, default_port: u16) -> Result<Self, Invalid> {
        let name = host.trim();
        let allowed = |c: char| c.is_ascii_alphanumeric() || ".-_:".contains(c);
        if name.is_empty() || name.len() > 255 || !name.chars().all(allowed) {
            let shown = host.escape_debug();
            return Err(Invalid::new(format!(
                "Invalid value for destination: '{shown}' is not a host"
            )));
        }
        let port = port.filter(|port| *port != 0).unwrap_or(default_port);
        Ok(Self { host: name.to_owned(), port })
    }
}

impl std::fmt::Display for Destination {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

/// A domain that is to be sent.
#[derive(Debug, Clone)]
pub struct Parcel {
    /// The migration.
    pub id: Uuid,
    /// What runs.
    pub config: Arc<DomainConfig>,
    /// What is stored, if it is managed.
    pub definition: Option<Arc<DomainConfig>>,
}

/// What another host says of a domain that was handed over to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It has it.
    Taken,
    /// It does not have it, and will not have it.
    NotTaken,
}

/// What another host says of a domain that was sent to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Built {
    /// It is still at this stage.
    NotYet(String),
    /// It has built the domain.
    Completely,
}

/// The way to other hosts.
#[async_trait]
pub trait Courier: Send + Sync + 'static {
    /// Reaches another host, which says whether it would take the domain.
    async fn open(&self, to: &Destination, parcel: &Parcel) -> Result<Box<dyn Outgoing>, Error>;

    /// Asks another host what has become of a domain.
    async fn verdict(&self, of: &Handover) -> Result<Verdict, Error>;
}

/// A domain on its way to another host.
#[async_trait]
pub trait Outgoing: Send {
    /// Where the hypervisor writes the domain to.
    fn stream(&self) -> Result<OwnedFd, Error>;

    /// The next message of the other host after all has been sent.
    async fn built(&mut self) -> Result<Built, Error>;

    /// After a failure to write: why the other host did not want any more of it, if that was the
    /// cause. If it knows of no failure, it is told, and has a moment to clear away what it has of
    /// the domain.
    async fn reason(&mut self) -> Option<Error>;

    /// Lets the other host have it. After a failure nobody here knows whether it has.
    async fn hand_over(&mut self) -> Result<Verdict, Error>;
}

/// A domain on its way from another host.
#[async_trait]
pub trait Incoming: Send {
    /// Tells the other host to send it.
    async fn ready(&mut self) -> Result<(), Error>;

    /// Where the hypervisor reads the domain from.
    fn stream(&self) -> Result<OwnedFd, Error>;

    /// Tells the other host at what stage the domain is.
    async fn building(&mut self, stage: &str) -> Result<(), Error>;

    /// Tells the other host that all has arrived, and waits until it lets us have the domain.
    async fn arrived(&mut self) -> Result<(), Error>;
}

/// A file that is being written. Dropped, it leaves nothing behind.
#[async_trait]
pub trait Draft: Send {
    /// Where the hypervisor writes its part to.
    fn stream(&self) -> Result<OwnedFd, Error>;

    /// Makes it durable and gives it its name.
    async fn commit(self: Box<Self>) -> Result<(), Error>;
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
