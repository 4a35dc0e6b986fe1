//! The host, as the hypervisor describes it.

use super::sched::Scheduler;

/// The arrangement of the host's CPUs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Topology {
    /// The number of physical CPUs.
    pub cpus: u32,
    /// The number of NUMA nodes.
    pub nodes: u32,
    pub cores_per_socket: u32,
    pub threads_per_core: u32,
    /// The clock rate in kHz.
    pub khz: u64,
}

/// Facts about the host that do not change until it reboots. The default has none: it is what a
/// caller sees who may not read them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HostInfo {
    /// Whether the host is simulated: none of its domains is real.
    pub is_simulated: bool,
    /// Domain-0's system, as `uname` prints it: `system`, `host`, `release`, `version`, `machine`.
    pub uname: [String; 5],
    pub topology: Topology,
    /// `hw_caps`: CPUID words in hexadecimal.
    pub hw_caps: String,
    /// `virt_caps`: `hvm`, `hvm_directio`, or nothing.
    pub virt_caps: String,
    /// The host's memory in MiB.
    pub total_memory: u64,
    pub xen_major: u32,
    pub xen_minor: u32,
    /// The rest of Xen's version: `.6`
    pub xen_extra: String,
    /// The types of guests that this hypervisor runs.
    pub xen_caps: String,
    /// The scheduler of `Pool-0`.
    pub scheduler: Scheduler,
    /// The size of a page in bytes.
    pub pagesize: u64,
    /// `virt_start=0xffff800000000000`
    pub platform_params: String,
    /// The source revision of Xen.
    pub changeset: String,
    /// Xen's command line.
    pub commandline: String,
    /// `cc_compiler`, `cc_compile_by`, `cc_compile_domain`, `cc_compile_date`.
    pub compiled: [String; 4],
}

impl HostInfo {
    /// The word for the hypervisor, as in the key `xend-hypervisor`.
    pub const fn hypervisor(&self) -> &'static str {
        if self.is_simulated { "sim" } else { "xen" }
    }
}

/// The load of the host at one moment.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct HostLoad {
    /// Domain-0's load averages over 1, 5 and 15 minutes.
    pub averages: [f64; 3],
    /// The use of CPUs by all domains together, in percent of one CPU.
    pub cpu: f32,
    /// The number of physical CPUs.
    pub cpus: u32,
    /// Memory in use, in MiB.
    pub memory_used: u64,
    /// The host's memory in MiB.
    pub memory: u64,
}

/// Figures of the host that change all the time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct HostFigures {
    /// Unused memory in MiB.
    pub free_memory: u64,
    /// The number of CPUs in no pool.
    pub free_cpus: u32,
}
