//! This host, as its daemon knows it.

use super::mark::MemberMark;
use super::records::HostFacts;
use crate::core::fleet::HostName;
use crate::core::model::Uuid;
use std::sync::Arc;

/// This host, as its daemon knows it at its start.
#[derive(Debug, Clone)]
pub struct OwnHost {
    /// Its name in the fleet.
    pub name: HostName,
    /// The host's own UUID, which never changes.
    pub uuid: Uuid,
    /// The kernel's boot id: another one after each boot of the machine.
    pub boot_id: Uuid,
    /// What its record in the fleet says of it.
    pub facts: HostFacts,
    /// Whether it took part in an earlier run of the daemon.
    pub mark: Arc<dyn MemberMark>,
}
