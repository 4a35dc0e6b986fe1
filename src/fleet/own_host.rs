//! What a host says of itself.

use super::records::{HostFacts, SCHEMAS};
use crate::core::fleet::HostName;
use crate::core::model::Uuid;

/// This host, as its daemon knows it at its start.
#[derive(Debug, Clone)]
pub struct OwnHost {
    /// Its name in the fleet.
    pub name: HostName,
    /// The host's own UUID, which never changes.
    pub uuid: Uuid,
    /// The kernel's boot id: another one after each boot of the machine.
    pub boot_id: Uuid,
    /// `HOST:PORT` of the listener for domains from other hosts; `None` if there is none.
    pub relocation: Option<String>,
    /// The fingerprint of the certificate that it shows to other hosts; `None` without one.
    pub fingerprint: Option<String>,
    /// The version of its xend.
    pub version: String,
    /// The word for its hypervisor, `xen` or `sim`.
    pub hypervisor: String,
    pub cpus: u32,
    /// Its memory in MiB.
    pub memory_mib: u64,
    /// The names of the storages that it shares with other hosts.
    pub storages: Vec<String>,
}

impl OwnHost {
    /// What its record in the fleet says of it.
    pub(super) fn facts(&self) -> HostFacts {
        let mut storages = self.storages.clone();
        storages.sort_unstable();
        storages.dedup();
        HostFacts {
            relocation: self.relocation.clone(),
            fingerprint: self.fingerprint.clone(),
            version: self.version.clone(),
            hypervisor: self.hypervisor.clone(),
            cpus: self.cpus,
            memory_mib: self.memory_mib,
            storages,
            schemas: Some(SCHEMAS),
        }
    }
}
