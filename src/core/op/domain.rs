//! Operations on one domain.

use super::once::Once;
use crate::core::model::{
    BlockClass, CompleteConfig, CpuSet, Device, DomName, Invalid, Scheduler, SedfParams, Setting,
    ShutdownReason, Trigger, Uuid, VirtualDevice,
};
use crate::core::ports::{Destination, IncomingMigration, MigratedDomain};
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::Arc;

/// An operation on one domain.
#[derive(Debug, Clone)]
pub enum DomainOp {
    Pause,
    Unpause,
    Destroy,
    /// Ask the guest to stop.
    Shutdown(ShutdownReason),
    Rename(DomName),
    /// Set SEDF parameters, translated if the host has another scheduler.
    SetSedf(SedfParams),
    /// Set the parameters of a credit scheduler; an error if the host has another scheduler.
    SetShare {
        /// Credit or credit2.
        scheduler: Scheduler,
        /// The share; `None` keeps it.
        weight: Option<u16>,
        /// The limit in percent of one CPU, 0 for no limit; `None` keeps it.
        cap: Option<u16>,
    },
    /// Set the memory target in MiB.
    SetMemory(u64),
    /// Set the memory limit in MiB.
    SetMaxMemory(u64),
    /// Set the number of VCPUs that are online.
    SetVcpus(u32),
    /// Set the affinity of VCPUs.
    Pin {
        /// `None` for all VCPUs.
        vcpu: Option<u32>,
        /// The CPUs; an empty set means any CPU.
        cpus: CpuSet,
    },
    /// Move the domain into another CPU pool.
    MoveToPool(String),
    /// Press Magic `SysRq` and this key on the guest's keyboard.
    Sysrq(u8),
    /// Inject an interrupt into a VCPU.
    Trigger(Trigger, u32),
    /// Destroy the domain and build it again, like the reset button of a machine.
    Reset,
    /// Start a defined domain.
    Start {
        /// Whether the domain stays paused.
        paused: bool,
    },
    /// Start a defined domain with another configuration than the stored definition.
    CreateFrom(Arc<CompleteConfig>),
    /// Replace the stored definition.
    Define(Arc<CompleteConfig>),
    /// Delete the stored definition.
    Delete,
    /// Change the configuration without touching the running domain.
    Set(Setting),
    /// Save a managed domain's memory to its checkpoint, and destroy the domain.
    Suspend,
    /// Restore a managed domain from its checkpoint.
    Resume {
        /// Whether the domain stays paused.
        paused: bool,
    },
    /// Save the domain to a file, and destroy the domain.
    Save {
        /// It appears once everything is written.
        file: PathBuf,
        /// Whether the domain continues to run instead.
        checkpoint: bool,
        /// Whether an existing file is replaced; otherwise it is an error.
        replace: bool,
    },
    /// Restore a defined domain from a file.
    RestoreFrom {
        /// The configuration in the file.
        config: Arc<CompleteConfig>,
        /// The hypervisor's part of the file.
        stream: Once<OwnedFd>,
        /// Whether the domain stays paused.
        paused: bool,
    },
    /// Migrate the domain to another host.
    Migrate {
        to: Destination,
        /// Whether the guest runs until most of its memory is sent.
        live: bool,
    },
    /// Receive a defined domain from another host.
    Arrive(Arrival),
    /// Write the domain's memory to a file, for a debugger.
    Dump {
        /// An existing file is replaced once everything is written. `None` for a file in the
        /// directory of core dumps.
        file: Option<PathBuf>,
        /// Whether the guest runs meanwhile.
        live: bool,
        /// The action afterwards.
        then: AfterDump,
    },
    AttachDevice(Box<Device>),
    /// Attach a device of the definition that was detached from the running domain.
    PlugDevice(Uuid),
    /// Change a device: the medium of a CD-ROM drive, the functions of a PCI device.
    ConfigureDevice {
        device: DeviceRef,
        /// The device after the change.
        to: Box<Device>,
    },
    /// Detach a device.
    DetachDevice {
        class: String,
        /// The device within its class.
        device: DeviceRef,
        /// Whether to detach the device without asking the guest.
        force: bool,
        /// Whether to remove the device from the definition, too. Otherwise a managed domain has it
        /// again at its next start.
        forget: bool,
    },
}

impl DomainOp {
    /// The name for logs.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Pause => "pause",
            Self::Unpause => "unpause",
            Self::Destroy => "destroy",
            Self::Shutdown(_) => "shutdown",
            Self::Rename(_) => "rename",
            Self::SetSedf(_) => "cpu_sedf_set",
            Self::SetShare { .. } => "domain_sched_credit_set",
            Self::SetMemory(_) => "mem_target_set",
            Self::SetMaxMemory(_) => "maxmem_set",
            Self::SetVcpus(_) => "set_vcpus",
            Self::Pin { .. } => "pincpu",
            Self::MoveToPool(_) => "move to pool",
            Self::Sysrq(_) => "sysrq",
            Self::Trigger(..) => "send_trigger",
            Self::Reset => "reset",
            Self::Start { .. } => "start",
            Self::CreateFrom(_) => "create",
            Self::Define(_) => "new",
            Self::Delete => "delete",
            Self::Set(_) => "set",
            Self::Suspend => "suspend",
            Self::Resume { .. } => "resume",
            Self::Save { .. } => "save",
            Self::RestoreFrom { .. } => "restore",
            Self::Migrate { .. } => "migrate",
            Self::Arrive(_) => "receive",
            Self::Dump { .. } => "dump",
            Self::AttachDevice(_) => "device_create",
            Self::PlugDevice(_) => "device_plug",
            Self::ConfigureDevice { .. } => "device_configure",
            Self::DetachDevice { .. } => "device_destroy",
        }
    }
}

/// A domain that comes from another host.
#[derive(Debug, Clone)]
pub struct Arrival {
    pub migrated: MigratedDomain,
    pub link: Once<Box<dyn IncomingMigration>>,
}

/// A caller's reference to a device within its class: the number, or the name of a block device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceRef {
    /// The text that the caller sent.
    pub text: String,
    /// The number that the text stands for.
    pub number: u32,
}

impl DeviceRef {
    /// The device of `class` that `dev` refers to: its number, the name of a block device, or the
    /// class with the number, as in `vif0`.
    pub fn parse(class: &str, dev: &str) -> Result<Self, Invalid> {
        let invalid = |reason: String| Invalid::new(format!("Invalid value for dev: {reason}"));
        let text = dev.trim();
        let number = if BlockClass::includes(class) {
            let name = text.split(':').find(|part| *part != "ioemu").unwrap_or(text);
            VirtualDevice::parse(name).map_err(|reason| invalid(reason.to_string()))?.0
        } else {
            let number = text.strip_prefix(class).unwrap_or(text);
            number.parse().map_err(|_| {
                invalid(format!("'{dev}' is not the number of a {class}, like 0 or {class}0"))
            })?
        };
        Ok(Self { text: text.to_owned(), number })
    }
}

/// The action for a domain after its memory was dumped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AfterDump {
    /// Let the domain run.
    GoOn,
    /// Destroy the domain.
    Crash,
    /// Destroy the domain and build it again.
    Reset,
}
