//! What can be done with the host's network and CPU pools.

use crate::core::model::{InterfaceChange, Network, Notes, Pool, PoolSetting, Uuid, Vlan};

/// What can be done with the host's network.
#[derive(Debug, Clone)]
pub enum NetworkOp {
    /// Make a network, and its bridge if there is none.
    Create {
        /// Its UUID.
        uuid: Uuid,
        /// What it is.
        network: Network,
        /// What is noted on it.
        notes: Notes,
    },
    /// Take one away that somebody made, with its bridge.
    Destroy(Uuid),
    /// Make a virtual LAN and put it on its bridge.
    CreateVlan {
        /// Its UUID.
        uuid: Uuid,
        /// What it is.
        vlan: Vlan,
    },
    /// Take one away.
    DestroyVlan(Uuid),
    /// Change something of an interface.
    Interface(InterfaceChange),
}

/// What can be done with a CPU pool.
#[derive(Debug, Clone)]
pub enum PoolOp {
    /// Store one.
    Define {
        /// Its UUID.
        uuid: Uuid,
        /// What it is.
        pool: Pool,
        /// What is noted on it.
        notes: Notes,
    },
    /// Change something of a stored one.
    Set(PoolSetting),
    /// Forget a stored one that is not started.
    Delete,
    /// Start a stored one.
    Start,
    /// Take one apart that has no domains; it stays stored.
    Stop,
    /// Give it a CPU that is in none.
    AddCpu(u32),
    /// Take a CPU away from it.
    RemoveCpu(u32),
}
