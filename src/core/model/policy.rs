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
    /// How domains are sent to other hosts, unless a migration says otherwise.
    pub relocation: RelocationDefaults,
    /// Where wires look for the domain that a request names.
    pub lookup: DomainLookup,
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
            relocation: RelocationDefaults::default(),
            lookup: DomainLookup::ThisHost,
            devices: DeviceDefaults::default(),
        }
    }
}

/// Where wires look for the domain that a request names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DomainLookup {
    /// On this host alone.
    ThisHost,
    /// On this host first, then on the others of the fleet, to which the request is passed on.
    Fleet,
}

/// How domains are sent to other hosts, unless a migration says otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RelocationDefaults {
    /// The relocation port of other hosts.
    pub plain_port: u16,
    /// Their encrypted relocation port.
    pub ssl_port: u16,
    /// Whether connections are encrypted.
    pub ssl: bool,
}

impl Default for RelocationDefaults {
    fn default() -> Self {
        Self { plain_port: 8002, ssl_port: 8003, ssl: false }
    }
}

impl RelocationDefaults {
    /// The port for encrypted or for plain connections.
    pub const fn port(&self, encrypted: bool) -> u16 {
        if encrypted { self.ssl_port } else { self.plain_port }
    }
}
