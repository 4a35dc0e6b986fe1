//! UUIDs of objects without a stored one. They follow from the UUID of the host or of a VM: a
//! reference stays the same across restarts.

use crate::core::inventory::Inventory;
use crate::core::model::{PoolFacts, Uuid};

/// The UUID of an object that belongs to another one.
pub(super) fn derived_uuid(owner: Uuid, name: &str) -> Uuid {
    Uuid::new_v5(&owner, name.as_bytes())
}

/// The UUID of one of a host's CPUs.
pub(super) fn cpu_uuid(host: Uuid, cpu: u32) -> Uuid {
    derived_uuid(host, &format!("cpu{cpu}"))
}

/// The UUID of a CPU pool. That of a pool that is not stored follows from its name.
pub(super) fn pool_uuid(inventory: &Inventory, host: Uuid, name: &str) -> Uuid {
    let stored = inventory.pools().find(|(_, pool)| pool.name == name);
    stored.map_or_else(|| derived_uuid(host, &format!("cpu_pool {name}")), |(item, _)| item.uuid)
}

/// The names of all CPU pools: the running ones, then those that are stored and do not run.
pub(super) fn pool_names(inventory: &Inventory, running: &[PoolFacts]) -> Vec<String> {
    let stored = inventory.pools().map(|(_, pool)| &pool.name);
    let more = stored.filter(|name| !running.iter().any(|pool| pool.name == **name));
    running.iter().map(|pool| &pool.name).chain(more).cloned().collect()
}
