//! What the operator says about domains, and can change while the engine runs.

use crate::core::model::DeviceDefaults;

/// What the operator says about domains.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// The least memory that Domain-0 is left with, in MiB.
    pub dom0_min_mem_mib: u64,
    /// Whether Domain-0 gives memory to domains that are built.
    pub dom0_ballooning: bool,
    /// Whether the memory of every domain that crashes is written to a file, whatever its
    /// `on_crash` says.
    pub enable_dump: bool,
    /// What devices have whose configuration leaves it open.
    pub devices: DeviceDefaults,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            dom0_min_mem_mib: 196,
            dom0_ballooning: true,
            enable_dump: false,
            devices: DeviceDefaults::default(),
        }
    }
}
