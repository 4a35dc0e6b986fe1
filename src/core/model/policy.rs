//! The operator's policy.

use super::defaults::DeviceDefaults;
use std::path::PathBuf;

/// The operator's policy about the host and its domains. Wires follow it, too.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// Memory that Domain-0 keeps, in MiB.
    pub dom0_min_mem_mib: u64,
    /// Whether Domain-0 gives memory to new domains.
    pub dom0_ballooning: bool,
    /// Whether the memory of every crashed domain is written to a file, whatever its `on_crash`
    /// says.
    pub enable_dump: bool,
    /// The directories of files to save to, restore from and dump to, for all callers but root on a
    /// unix socket; empty for any path. The files of users are also bounded by their accounts.
    pub file_dirs: Vec<PathBuf>,
    /// Whether callers may shut the host down.
    pub node_shutdown: bool,
    /// The relocation port of other hosts, unless a migration names one.
    pub relocation_port: u16,
    /// Defaults for properties that a device's configuration leaves out.
    pub devices: DeviceDefaults,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            dom0_min_mem_mib: 196,
            dom0_ballooning: true,
            enable_dump: false,
            file_dirs: Vec::new(),
            node_shutdown: false,
            relocation_port: 8002,
            devices: DeviceDefaults::default(),
        }
    }
}
