//! The hypervisor below the daemon.

/// The hypervisor that runs the domains.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Hypervisor {
    /// The built-in simulator.
    #[default]
    Sim,
    /// The Xen of this host, through libxl.
    #[cfg(feature = "xen")]
    Xen,
}

/// The size of the simulated host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SimHost {
    /// Physical CPUs.
    pub cpus: u32,
    /// Memory in MiB.
    pub memory_mib: u64,
}
