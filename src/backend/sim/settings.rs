//! What a simulated host is like.

use crate::core::model::{Invalid, MAX_CPUS, MAX_VCPUS, Password, Scheduler};
use std::time::Duration;

/// What a simulated host is like.
///
/// Domain-0's figures count when the host is up for the first time since the machine was booted;
/// afterwards Domain-0 keeps what it has. A guest keeps the pace (`boot`, `react`) that it was
/// built with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SimSettings {
    /// Physical CPUs.
    pub cpus: u32,
    /// Memory of the host in MiB.
    pub memory_mib: u64,
    /// The scheduler.
    pub scheduler: Scheduler,
    /// Memory of Domain-0 in MiB.
    pub dom0_memory_mib: u64,
    /// VCPUs of Domain-0.
    pub dom0_vcpus: u32,
    /// How long a guest takes to boot.
    pub boot: Duration,
    /// How long a guest that has booted takes to obey a shutdown request.
    pub react: Duration,
    /// How long a block device takes to be connected, or to fail.
    pub block_connect: Duration,
    /// How long a network interface takes.
    pub vif_connect: Duration,
    /// How long any other device takes.
    pub other_connect: Duration,
    /// How long an HVM guest's device model takes to start.
    pub device_model: Duration,
    /// How long a device is waited for whose hotplug script is not heard of. xend waited 100 s.
    pub device_patience: Duration,
    /// How long building a domain takes that has a slow disk.
    pub slow_create: Duration,
    /// How long taking a domain apart takes.
    pub destroy: Duration,
    /// Password of VNC screens that name none.
    pub vnc_password: Option<Password>,
    /// What tells one run of the machine from the next: a restart of the daemon finds its domains
    /// again as long as it stays the same. `None` asks the kernel.
    pub boot_id: Option<String>,
}

impl Default for SimSettings {
    fn default() -> Self {
        Self {
            cpus: 4,
            memory_mib: 16 * 1024,
            scheduler: Scheduler::default(),
            dom0_memory_mib: 1024,
            dom0_vcpus: 2,
            boot: Duration::from_millis(400),
            react: Duration::from_millis(200),
            block_connect: Duration::from_millis(100),
            vif_connect: Duration::from_millis(150),
            other_connect: Duration::from_millis(20),
            device_model: Duration::from_millis(200),
            device_patience: Duration::from_secs(10),
            slow_create: Duration::from_secs(2),
            destroy: Duration::from_millis(20),
            vnc_password: None,
            boot_id: None,
        }
    }
}

impl SimSettings {
    /// What Xen keeps for itself, in KiB.
    pub(super) const XEN_KIB: u64 = 64 * 1024;

    /// The most memory that a host can have here, in MiB: 16 TiB, which is Xen's own limit.
    const MAX_MEMORY_MIB: u64 = 16 << 20;

    /// Memory of the host in KiB.
    pub(super) fn memory_kib(&self) -> u64 {
        self.memory_mib.saturating_mul(1024)
    }

    /// Whether there can be such a host.
    pub(super) fn check(&self) -> Result<(), Invalid> {
        let range = |what: &str, value: u64, low: u64, high: u64| {
            let fits = (low..=high).contains(&value);
            fits.then_some(()).ok_or_else(|| {
                Invalid::new(format!("{what}: {value} is out of range, {low} to {high}"))
            })
        };
        range("CPUs of the host", self.cpus.into(), 1, MAX_CPUS.into())?;
        range("VCPUs of Domain-0", self.dom0_vcpus.into(), 1, MAX_VCPUS.into())?;
        let least = Self::XEN_KIB / 1024 + 1;
        range("Memory of the host in MiB", self.memory_mib, least, Self::MAX_MEMORY_MIB)?;
        range(
            "Memory of Domain-0 in MiB",
            self.dom0_memory_mib,
            1,
            self.memory_mib - Self::XEN_KIB / 1024,
        )
    }
}
