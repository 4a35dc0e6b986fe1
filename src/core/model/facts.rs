//! The state of domains, VCPUs and devices, as the hypervisor reports it.

use super::config::DomainConfig;
use super::cpu_set::CpuSet;
use super::device::Device;
use super::ids::{DomId, DomName, Uuid};
use super::property::Property;
use super::shutdown::ShutdownReason;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// A domain's flags, as the hypervisor keeps them; `rbpscd` in xend's answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[allow(clippy::struct_excessive_bools)]
pub struct RunFlags {
    /// A VCPU is on a CPU.
    pub running: bool,
    /// All VCPUs are blocked.
    pub blocked: bool,
    /// The toolstack paused the domain.
    pub paused: bool,
    /// The guest has stopped.
    pub shutdown: Option<ShutdownReason>,
    /// The domain is being destroyed.
    pub dying: bool,
}

impl RunFlags {
    /// Whether the guest has crashed.
    pub fn crashed(&self) -> bool {
        self.shutdown == Some(ShutdownReason::Crash)
    }
}

/// The state of a domain at one moment. It is cheap: one sweep of the hypervisor yields the facts
/// of all domains.
#[derive(Debug, Clone, PartialEq)]
pub struct DomainFacts {
    pub domid: DomId,
    pub uuid: Uuid,
    /// The name in XenStore.
    pub name: DomName,
    pub flags: RunFlags,
    /// The CPU time of all VCPUs.
    pub cpu_time: Duration,
    /// The present memory in KiB.
    pub memory_kib: u64,
    pub online_vcpus: u32,
    /// The time at which the domain was built; `None` for Domain-0.
    pub start_time: Option<SystemTime>,
    /// The page shared with XenStore.
    pub store_mfn: Option<u64>,
    /// The page shared with the console daemon; PV guests only.
    pub console_mfn: Option<u64>,
    /// The event channel of the PV console.
    pub console_port: Option<u32>,
    /// The TCP port of the VNC server.
    pub vnc_port: Option<u16>,
    /// The kernel's ELF notes.
    pub notes: Arc<[Property]>,
}

impl DomainFacts {
    /// Whether the facts are the same apart from figures: CPU time, memory, VCPUs, and whether a
    /// VCPU is on a CPU.
    pub fn is_same_beside_figures(&self, other: &Self) -> bool {
        let Self {
            domid,
            uuid,
            name,
            flags: RunFlags { running: _, blocked: _, paused, shutdown, dying },
            cpu_time: _,
            memory_kib: _,
            online_vcpus: _,
            start_time,
            store_mfn,
            console_mfn,
            console_port,
            vnc_port,
            notes,
        } = self;
        let flags = &other.flags;
        (*domid, *uuid, name) == (other.domid, other.uuid, &other.name)
            && (*paused, *shutdown, *dying) == (flags.paused, flags.shutdown, flags.dying)
            && *start_time == other.start_time
            && (*store_mfn, *console_mfn) == (other.store_mfn, other.console_mfn)
            && (*console_port, *vnc_port) == (other.console_port, other.vnc_port)
            && (Arc::ptr_eq(notes, &other.notes) || *notes == other.notes)
    }

    /// The location of a device, as xend printed it: the event channel of a console, the address of
    /// a frame buffer. A domain has one screen, which shows its first frame buffer.
    pub fn location(&self, config: &DomainConfig, device: &Device) -> Option<String> {
        match device {
            Device::Console(_) => self.console_port.map(|port| port.to_string()),
            Device::Vfb(vfb) => {
                let port = self.vnc_port.filter(|_| config.frame_buffer() == Some(vfb))?;
                Some(format!("{}:{port}", vfb.vnc_listen()))
            }
            _ => None,
        }
    }

    /// The address of the domain's screen, `127.0.0.1:5900`; `None` if it has none.
    pub fn screen_address(&self, config: &DomainConfig) -> Option<String> {
        let mut frame_buffers = config.devices.iter();
        let first = frame_buffers.find(|device| matches!(device, Device::Vfb(_)))?;
        self.location(config, first)
    }
}

/// The state of a VCPU.
#[derive(Debug, Clone, PartialEq)]
#[allow(clippy::struct_excessive_bools)]
pub struct VcpuFacts {
    /// The number within the domain.
    pub number: u32,
    pub online: bool,
    pub blocked: bool,
    /// Whether the VCPU is on a CPU.
    pub running: bool,
    pub cpu_time: Duration,
    /// The present CPU, or the last one.
    pub cpu: Option<u32>,
    /// The CPUs on which the VCPU may run; never empty.
    pub affinity: CpuSet,
}

/// The state of a device, from the guest's XenStore.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceFacts {
    /// xend's class of device.
    pub class: String,
    /// The number by which the guest knows the device: a block device has its own, the devices of
    /// the other classes count from 0.
    pub number: u32,
    /// The nodes below the device: `state`, `backend`, `ring-ref`, ...
    pub nodes: Vec<Property>,
    /// Bytes read and written by the guest, or received and sent; `None` if they are not counted.
    pub io: Option<(u64, u64)>,
}
