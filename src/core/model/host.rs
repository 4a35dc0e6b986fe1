//! What a hypervisor says of itself and of its domains.

use super::{CpuSet, Device, DomId, DomName, DomainConfig, Invalid, Property, Scheduler, Uuid};
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// Why a guest stopped, or is asked to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ShutdownReason {
    /// It switched itself off.
    Poweroff,
    /// It wants to be started again.
    Reboot,
    /// It stopped the way `halt` does; handled as a poweroff.
    Halt,
    /// It saved itself.
    Suspend,
    /// It crashed.
    Crash,
}

impl ShutdownReason {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::Poweroff, Self::Reboot, Self::Halt, Self::Suspend, Self::Crash];

    /// xend's word for it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Poweroff => "poweroff",
            Self::Reboot => "reboot",
            Self::Halt => "halt",
            Self::Suspend => "suspend",
            Self::Crash => "crash",
        }
    }
}

impl fmt::Display for ShutdownReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for ShutdownReason {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        Self::ALL.into_iter().find(|reason| reason.name() == text).ok_or_else(|| {
            Invalid::new(format!("'{text}' is not one of {}", Self::ALL.map(Self::name).join(", ")))
        })
    }
}

/// An interrupt that a toolstack can give to a VCPU.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trigger {
    /// A non-maskable interrupt.
    Nmi,
    /// The reset line.
    Reset,
    /// The INIT signal.
    Init,
    /// The power button.
    Power,
    /// The sleep button.
    Sleep,
    /// The end of ACPI sleep S3.
    S3Resume,
}

impl Trigger {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Nmi, Self::Reset, Self::Init, Self::Power, Self::Sleep, Self::S3Resume];

    /// xend's word for it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Nmi => "nmi",
            Self::Reset => "reset",
            Self::Init => "init",
            Self::Power => "power",
            Self::Sleep => "sleep",
            Self::S3Resume => "s3resume",
        }
    }
}

impl FromStr for Trigger {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        Self::ALL.into_iter().find(|trigger| trigger.name() == text).ok_or_else(|| {
            Invalid::new(format!("'{text}' is not one of {}", Self::ALL.map(Self::name).join(", ")))
        })
    }
}

/// How the CPUs of a host are arranged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Topology {
    /// Physical CPUs in all.
    pub cpus: u32,
    /// NUMA nodes.
    pub nodes: u32,
    /// Cores of a socket.
    pub cores_per_socket: u32,
    /// Threads of a core.
    pub threads_per_core: u32,
    /// The clock in kHz.
    pub khz: u64,
}

/// What does not change while the host is up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostInfo {
    /// Domain-0's system, as `uname` prints it: `system`, `host`, `release`, `version`, `machine`.
    pub uname: [String; 5],
    /// CPUs.
    pub topology: Topology,
    /// `hw_caps`: CPUID words in hexadecimal.
    pub hw_caps: String,
    /// `virt_caps`: `hvm`, `hvm_directio`, or nothing.
    pub virt_caps: String,
    /// Memory of the host in MiB.
    pub total_memory: u64,
    /// Xen's version.
    pub xen_major: u32,
    /// Xen's version.
    pub xen_minor: u32,
    /// Xen's version: `.6`
    pub xen_extra: String,
    /// Guest types that this hypervisor runs.
    pub xen_caps: String,
    /// The scheduler of `Pool-0`.
    pub scheduler: Scheduler,
    /// Bytes in a page.
    pub pagesize: u64,
    /// `virt_start=0xffff800000000000`
    pub platform_params: String,
    /// The revision Xen was built from.
    pub changeset: String,
    /// Xen's command line.
    pub commandline: String,
    /// `cc_compiler`, `cc_compile_by`, `cc_compile_domain`, `cc_compile_date`.
    pub compiled: [String; 4],
}

/// What changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct HostFigures {
    /// Memory that nobody has, in MiB.
    pub free_memory: u64,
    /// CPUs in no pool.
    pub free_cpus: u32,
}

/// A domain's flags, as the hypervisor keeps them; `rbpscd` in xend's answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[allow(clippy::struct_excessive_bools)]
pub struct RunFlags {
    /// A VCPU is on a CPU.
    pub running: bool,
    /// All VCPUs wait for something.
    pub blocked: bool,
    /// The toolstack paused it.
    pub paused: bool,
    /// The guest has stopped.
    pub shutdown: Option<ShutdownReason>,
    /// It is being taken apart.
    pub dying: bool,
}

impl RunFlags {
    /// Whether the guest has crashed.
    pub fn crashed(&self) -> bool {
        self.shutdown == Some(ShutdownReason::Crash)
    }
}

/// What the hypervisor says of a domain at one moment. Cheap: one sweep over all domains yields
/// these.
#[derive(Debug, Clone, PartialEq)]
pub struct DomainFacts {
    /// The number.
    pub domid: DomId,
    /// The UUID.
    pub uuid: Uuid,
    /// The name as XenStore holds it.
    pub name: DomName,
    /// What it is doing.
    pub flags: RunFlags,
    /// CPU time of all its VCPUs.
    pub cpu_time: Duration,
    /// The memory it has now, in KiB.
    pub memory_kib: u64,
    /// VCPUs that are online.
    pub online_vcpus: u32,
    /// When it was built; none for Domain-0.
    pub start_time: Option<SystemTime>,
    /// The page that it shares with XenStore.
    pub store_mfn: Option<u64>,
    /// The page that it shares with the console daemon; PV guests only.
    pub console_mfn: Option<u64>,
    /// Where its console is: the event channel of a PV console.
    pub console_port: Option<u32>,
    /// The TCP port at which its screen can be seen over VNC.
    pub vnc_port: Option<u16>,
    /// What the kernel's ELF notes said when it was built.
    pub notes: Arc<[Property]>,
}

impl DomainFacts {
    /// Where one of the domain's devices can be reached, as xend printed it: the number of a
    /// console's event channel, the address of a screen. A domain has one screen: its first frame
    /// buffer is on it.
    pub fn location(&self, config: &DomainConfig, device: &Device) -> Option<String> {
        match device {
            Device::Console(_) => self.console_port.map(|port| port.to_string()),
            Device::Vfb(vfb) => {
                let first = config.devices.iter().find(|one| matches!(one, Device::Vfb(_)));
                let port = self.vnc_port.filter(|_| first == Some(device))?;
                Some(format!("{}:{port}", vfb.vnc_listen()))
            }
            _ => None,
        }
    }
}

/// What the hypervisor says of a VCPU.
#[derive(Debug, Clone, PartialEq)]
#[allow(clippy::struct_excessive_bools)]
pub struct VcpuFacts {
    /// The number within the domain.
    pub number: u32,
    /// Whether the guest uses it.
    pub online: bool,
    /// Whether it waits.
    pub blocked: bool,
    /// Whether it is on a CPU.
    pub running: bool,
    /// Time it was on a CPU.
    pub cpu_time: Duration,
    /// The CPU it is on, or was last.
    pub cpu: Option<u32>,
    /// The CPUs it may be on; never empty.
    pub affinity: CpuSet,
}

/// What the guest's XenStore says of one of its devices.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceFacts {
    /// xend's class of device.
    pub class: String,
    /// The number by which the guest knows it: a block device's own, the others count from 0 by
    /// class.
    pub number: u32,
    /// The nodes below it: `state`, `backend`, `ring-ref`, ...
    pub nodes: Vec<Property>,
    /// Bytes that the guest has read and written through it, or received and sent, if that is
    /// counted.
    pub io: Option<(u64, u64)>,
}
