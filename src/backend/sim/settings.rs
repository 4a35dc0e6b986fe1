//! Settings of a simulated host.

use crate::core::model::{Invalid, MAX_CPUS, MAX_VCPUS, Password, Scheduler};
use std::time::Duration;

/// Settings of a simulated host.
///
/// The settings of Domain-0 count when the host is first opened after the machine was booted;
/// afterwards Domain-0 keeps what it has. A guest keeps the `boot`, `react` and `answer` that it
/// was built with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SimSettings {
    /// The number of physical CPUs.
    pub cpus: u32,
    /// The memory of the host in MiB.
    pub memory_mib: u64,
    /// The scheduler of all pools.
    pub scheduler: Scheduler,
    /// The memory of Domain-0 in MiB.
    pub dom0_memory_mib: u64,
    /// The number of VCPUs of Domain-0.
    pub dom0_vcpus: u32,
    /// The time that a guest takes to boot.
    pub boot: Duration,
    /// The time that a guest which has booted takes to shut down.
    pub react: Duration,
    /// The time that the agent in a guest takes to start once the guest has booted, and for each
    /// answer.
    pub answer: Duration,
    /// The same of a slow agent.
    pub slow_answer: Duration,
    /// The time that a block device takes to connect, or to fail.
    pub block_connect: Duration,
    /// The time that a network interface takes to connect.
    pub vif_connect: Duration,
    /// The time that any other device takes to connect.
    pub other_connect: Duration,
    /// The time that an HVM guest's device model takes to start.
    pub device_model: Duration,
    /// The limit on a hotplug script, after which its device fails. xend waited 100 s.
    pub hotplug_timeout: Duration,
    /// The time that it takes to build a domain with a slow disk.
    pub slow_create: Duration,
    /// The time that it takes to destroy a domain.
    pub destroy: Duration,
    /// The password of VNC screens that have none of their own.
    pub vnc_password: Option<Password>,
    /// The id of this run of the machine: as long as it stays the same, domains outlive the daemon.
    /// `None` is the kernel's boot id.
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
            answer: Duration::from_millis(20),
            slow_answer: Duration::from_secs(3),
            block_connect: Duration::from_millis(100),
            vif_connect: Duration::from_millis(150),
            other_connect: Duration::from_millis(20),
            device_model: Duration::from_millis(200),
            hotplug_timeout: Duration::from_secs(10),
            slow_create: Duration::from_secs(2),
            destroy: Duration::from_millis(20),
            vnc_password: None,
            boot_id: None,
        }
    }
}

impl SimSettings {
    /// The memory of Xen itself, in KiB.
    pub(super) const XEN_KIB: u64 = 64 * 1024;

    /// The most memory that a host can have, in MiB: 16 TiB, which is Xen's own limit.
    const MAX_MEMORY_MIB: u64 = 16 << 20;

    /// The memory of the host in KiB.
    pub(super) fn memory_kib(&self) -> u64 {
        self.memory_mib.saturating_mul(1024)
    }

    /// Refuses settings that are out of range.
    pub fn check(&self) -> Result<(), Invalid> {
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
