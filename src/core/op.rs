//! What a caller can ask for, and what comes back.

mod host;
mod words;

pub use host::{NetworkOp, PoolOp};

use super::model::{
    BlockClass, CpuSet, Device, DeviceFacts, DomId, DomName, DomainConfig, DomainRef, Hardware,
    HostFigures, HostInfo, Interface, Invalid, NoteChange, Notes, PoolFacts, SchedParams,
    Scheduler, SedfParams, Setting, ShutdownReason, Trigger, Uuid, VcpuFacts, Vdi, VdiSetting,
    VirtualDevice, Vnet,
};
use super::ports::{Destination, Extent, Incoming, Parcel, StorageFacts, Verdict};
use super::snapshot::{DomainView, Snapshot};
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

/// Everything that can be asked for. One variant a thing; a wire turns its own words into these and
/// nothing else.
#[derive(Debug, Clone)]
pub enum Op {
    /// Something that only looks: it is answered beside whatever else goes on.
    Query(Query),
    /// Something that changes the host or a domain: what one domain does is ordered.
    Change(Change),
}

/// What only looks.
#[derive(Debug, Clone)]
pub enum Query {
    /// All domains.
    Domains,
    /// One domain.
    Domain(DomainRef),
    /// The host.
    Host,
    /// The hypervisor's messages.
    Dmesg,
    /// The end of what a guest printed on its console.
    Console(DomainRef),
    /// A domain's VCPUs.
    Vcpus(DomainRef),
    /// A domain's devices of a class, as its XenStore shows them.
    Devices(DomainRef, String),
    /// All devices of a domain, as its XenStore shows them.
    AllDevices(DomainRef),
    /// What a domain was that is in a file.
    Saved(PathBuf),
    /// What the machine is made of.
    Hardware,
    /// Domain-0's network interfaces.
    Interfaces,
    /// CPU pools.
    Pools,
    /// Where disk images are, and how much room there is.
    Storage,
    /// How large files or disks are.
    Extents(Vec<PathBuf>),
    /// A domain's SEDF parameters.
    Sedf(DomainRef),
    /// A domain's parameters in one scheduler; an error if the host has another one.
    Sched(DomainRef, Scheduler),
    /// All virtual networks.
    Vnets,
    /// One virtual network, by its id.
    Vnet(String),
    /// Wait until a domain's devices are connected.
    DevicesConnected(DomainRef),
}

/// What changes something.
#[derive(Debug, Clone)]
pub enum Change {
    /// Build a domain and leave it paused.
    Create(Box<DomainConfig>),
    /// Store a domain's definition; what runs of it goes on as it is.
    Define(Box<DomainConfig>),
    /// Build a domain from a file that [`DomainOp::Save`] made.
    Restore {
        /// The file.
        file: PathBuf,
        /// Whether it stays paused.
        paused: bool,
    },
    /// Take in a domain that comes from another host.
    Receive(Arrival),
    /// Say what has become of a migration to this host, and if it is not over, that nothing will
    /// come of it.
    Settle(Uuid),
    /// Make a disk image known, and make it if its location is empty.
    CreateVdi {
        /// Its UUID.
        uuid: Uuid,
        /// What it is.
        vdi: Box<Vdi>,
        /// What is noted on it.
        notes: Notes,
        /// An image of ours whose bytes it has.
        copy: Option<Uuid>,
    },
    /// Change something of one.
    SetVdi(Uuid, VdiSetting),
    /// Forget one; one that we made is removed.
    DestroyVdi(Uuid),
    /// Note another way to attach the local storage.
    CreatePbd {
        /// Its UUID.
        uuid: Uuid,
        /// What is noted on it.
        notes: Notes,
    },
    /// Forget it.
    DestroyPbd(Uuid),
    /// Change the host's network.
    Network(NetworkOp),
    /// Something with a CPU pool, by its name.
    Pool(String, PoolOp),
    /// Note something on an object that is no domain.
    Note(Uuid, NoteChange),
    /// Stop a domain's being saved or sent to another host: it goes on here.
    Cancel(DomainRef),
    /// Something with one domain.
    Domain(DomainRef, DomainOp),
    /// Empty the hypervisor's message buffer.
    ClearDmesg,
    /// Press keys on the hypervisor's own console: what each of them prints is in its messages.
    DebugKeys(String),
    /// Switch the host off, or reboot it.
    PowerHost {
        /// Whether it comes up again.
        reboot: bool,
    },
    /// Make a virtual network known.
    CreateVnet(Vnet),
    /// Forget one.
    DeleteVnet(String),
}

/// What can be done with one domain.
#[derive(Debug, Clone)]
pub enum DomainOp {
    /// Keep its VCPUs off the CPUs.
    Pause,
    /// The opposite.
    Unpause,
    /// Take it apart.
    Destroy,
    /// Ask the guest to stop.
    Shutdown(ShutdownReason),
    /// Give it another name.
    Rename(DomName),
    /// Set SEDF parameters, translated if the host's scheduler is another one.
    SetSedf(SedfParams),
    /// Set parameters of a credit scheduler; an error if the host has another one.
    SetShare {
        /// Credit or credit2.
        scheduler: Scheduler,
        /// The share; what it is if none.
        weight: Option<u16>,
        /// The limit in percent of one CPU, 0 for none; what it is if none.
        cap: Option<u16>,
    },
    /// Let the guest have this much memory, in MiB.
    SetMemory(u64),
    /// Let the guest be given this much memory at most, in MiB.
    SetMaxMemory(u64),
    /// Give the guest this many of its VCPUs to use.
    SetVcpus(u32),
    /// Say on which CPUs a VCPU, or each of them, may be. The empty set is any.
    Pin {
        /// The VCPU; each if none.
        vcpu: Option<u32>,
        /// The CPUs.
        cpus: CpuSet,
    },
    /// Put it into another CPU pool.
    MoveToPool(String),
    /// Press Magic `SysRq` and this key on the guest's keyboard.
    Sysrq(u8),
    /// Give a VCPU an interrupt that is no device's.
    Trigger(Trigger, u32),
    /// Take it apart and build it anew: the button on a machine's front.
    Reset,
    /// Start a defined domain.
    Start {
        /// Whether it stays paused.
        paused: bool,
    },
    /// Start a defined domain with another configuration than the stored one.
    CreateFrom(Box<DomainConfig>),
    /// Store this as its definition.
    Define(Box<DomainConfig>),
    /// Forget its definition.
    Delete,
    /// Change its configuration, and nothing of what runs.
    Set(Setting),
    /// Keep a managed domain's memory in a file and take it off the host.
    Suspend,
    /// The opposite.
    Resume {
        /// Whether it stays paused.
        paused: bool,
    },
    /// Write the domain into a file and take it off the host.
    Save {
        /// The file. One that is there is replaced when all has been written.
        file: PathBuf,
        /// Whether it goes on afterwards instead.
        checkpoint: bool,
    },
    /// Bring a defined domain back from a file.
    RestoreFrom {
        /// What it was.
        config: Box<DomainConfig>,
        /// The hypervisor's part.
        stream: Once<OwnedFd>,
        /// Whether it stays paused.
        paused: bool,
    },
    /// Send it to another host.
    Migrate {
        /// Where to.
        to: Destination,
        /// Whether its guest goes on while most of its memory is sent.
        live: bool,
    },
    /// Bring a defined domain back from another host.
    Arrive(Arrival),
    /// Write its memory to a file, for a debugger.
    Dump {
        /// The file. One that is there is replaced when all has been written. If none, one where
        /// memory of crashed domains is written.
        file: Option<PathBuf>,
        /// Whether the guest goes on meanwhile.
        live: bool,
        /// What is done with it afterwards.
        then: AfterDump,
    },
    /// Plug a device in.
    AttachDevice(Box<Device>),
    /// Plug in a device again that the definition has and the running domain has not.
    PlugDevice(Uuid),
    /// Change a device: the medium of a CD-ROM drive, the functions of a PCI device.
    ConfigureDevice {
        /// Which device.
        device: DeviceRef,
        /// What it is to be.
        to: Box<Device>,
    },
    /// Unplug a device.
    DetachDevice {
        /// Its class.
        class: String,
        /// Which one of the class.
        device: DeviceRef,
        /// Whether the guest is not asked.
        force: bool,
        /// Whether it is forgotten, too; otherwise a managed domain has it again when it next
        /// starts.
        forget: bool,
    },
}

/// Something that only one can have, in an operation that can be cloned all the same.
pub struct Once<T>(Arc<Mutex<Option<T>>>);

impl<T> Once<T> {
    /// Holds it.
    pub fn new(it: T) -> Self {
        Self(Arc::new(Mutex::new(Some(it))))
    }

    /// Takes it; the second time there is none.
    pub fn take(&self) -> Option<T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl<T> Clone for Once<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T> std::fmt::Debug for Once<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Once")
    }
}

/// A domain that comes from another host.
#[derive(Debug, Clone)]
pub struct Arrival {
    /// What is sent.
    pub parcel: Parcel,
    /// The way that it comes.
    pub link: Once<Box<dyn Incoming>>,
}

/// How a caller names a device within its class: by its number, and a block device by its name too.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceRef {
    /// The text as it was given.
    pub text: String,
    /// What it stands for.
    pub number: u32,
}

impl DeviceRef {
    /// The device that `dev` means in its class.
    pub fn parse(class: &str, dev: &str) -> Result<Self, Invalid> {
        let invalid = |reason: String| Invalid::new(format!("Invalid value for dev: {reason}"));
        let text = dev.trim();
        let number = if BlockClass::includes(class) {
            let name = text.split(':').find(|part| *part != "ioemu").unwrap_or(text);
            VirtualDevice::parse(name).map_err(|reason| invalid(reason.to_string()))?.0
        } else {
            text.parse().map_err(|_| invalid(format!("'{dev}' is not the number of a {class}")))?
        };
        Ok(Self { text: text.to_owned(), number })
    }
}

/// What is done with a domain whose memory has been dumped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AfterDump {
    /// It goes on.
    GoOn,
    /// It is destroyed.
    Crash,
    /// It is built anew.
    Reset,
}

impl From<Query> for Op {
    fn from(query: Query) -> Self {
        Self::Query(query)
    }
}

impl From<Change> for Op {
    fn from(change: Change) -> Self {
        Self::Change(change)
    }
}

/// What comes back if all went well.
#[derive(Debug, Clone)]
pub enum Outcome {
    /// It is done, and there is nothing to say.
    Done,
    /// All domains.
    Domains(Arc<Snapshot>),
    /// A domain, found or just created.
    Domain(Arc<DomainView>),
    /// The host.
    Host(Arc<HostInfo>, HostFigures),
    /// Text as the hypervisor has it.
    Text(Vec<u8>),
    /// A domain's VCPUs.
    Vcpus(Arc<DomainView>, Vec<VcpuFacts>),
    /// Devices, as the guest's XenStore shows them.
    Devices(Vec<DeviceFacts>),
    /// Devices of a domain that is not on the host, as they are defined.
    DefinedDevices(Vec<Device>),
    /// A device that was plugged in.
    Attached {
        /// Its class.
        class: String,
        /// Its number.
        id: u32,
        /// Whose it is; none if the domain is not on the host.
        domid: Option<DomId>,
    },
    /// What a domain was that is in a file.
    Saved(Box<DomainConfig>),
    /// What the machine is made of.
    Hardware(Hardware),
    /// Domain-0's network interfaces, by their names.
    Interfaces(Vec<Interface>),
    /// CPU pools, `Pool-0` first.
    Pools(Vec<PoolFacts>),
    /// Where disk images are, and how much room there is.
    Storage(StorageFacts),
    /// How large each of them is; none that is not there.
    Extents(Vec<Option<Extent>>),
    /// Virtual networks, sorted by id.
    Vnets(Vec<Vnet>),
    /// A virtual network.
    Vnet(Vnet),
    /// What has become of a migration to this host.
    Verdict(Verdict),
    /// A domain's SEDF parameters.
    Sedf(Arc<DomainView>, SedfParams),
    /// A domain's parameters in the host's scheduler.
    Sched(Arc<DomainView>, SchedParams),
}
