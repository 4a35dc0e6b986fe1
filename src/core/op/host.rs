//! Operations on the host's network and CPU pools.

use crate::core::model::{ClientData, InterfaceChange, Network, Pool, PoolSetting, Uuid, Vlan};
use std::borrow::Cow;

/// An operation on the host's network.
#[derive(Debug, Clone)]
pub enum NetworkOp {
    /// Create a network, and its bridge if it does not exist.
    Create { uuid: Uuid, network: Network, client_data: ClientData },
    /// Delete a network that a client created, together with its bridge.
    Destroy(Uuid),
    /// Create a VLAN and attach it to its bridge.
    CreateVlan { uuid: Uuid, vlan: Vlan },
    /// Delete a VLAN.
    DestroyVlan(Uuid),
    /// Change a network interface.
    Interface(InterfaceChange),
}

impl NetworkOp {
    /// The name for logs.
    pub(super) const fn name(&self) -> &'static str {
        match self {
            Self::Create { .. } => "network create",
            Self::Destroy(_) => "network destroy",
            Self::CreateVlan { .. } => "vlan create",
            Self::DestroyVlan(_) => "vlan destroy",
            Self::Interface(InterfaceChange::Adjust { .. }) => "interface set",
            Self::Interface(InterfaceChange::Link { .. }) => "interface link",
        }
    }

    /// The network, VLAN or interface, for logs.
    pub(super) fn target(&self) -> Cow<'_, str> {
        match self {
            Self::Create { network, .. } => network.bridge.as_str().into(),
            Self::CreateVlan { vlan, .. } => vlan.name().into(),
            Self::Destroy(uuid) | Self::DestroyVlan(uuid) => uuid.to_string().into(),
            Self::Interface(
                InterfaceChange::Adjust { name, .. } | InterfaceChange::Link { name, .. },
            ) => name.into(),
        }
    }
}

/// An operation on a CPU pool.
#[derive(Debug, Clone)]
pub enum PoolOp {
    /// Store the definition of a pool.
    Define {
        uuid: Uuid,
        pool: Pool,
        client_data: ClientData,
    },
    /// Change a stored definition.
    Set(PoolSetting),
    /// Delete the definition of a pool that is not started.
    Delete,
    /// Start a defined pool.
    Start,
    /// Stop a pool without domains. Its definition stays.
    Stop,
    /// Add a CPU that is in no pool.
    AddCpu(u32),
    RemoveCpu(u32),
}

impl PoolOp {
    /// The name for logs.
    pub(super) const fn name(&self) -> &'static str {
        match self {
            Self::Define { .. } => "pool new",
            Self::Set(_) => "pool set",
            Self::Delete => "pool delete",
            Self::Start => "pool start",
            Self::Stop => "pool destroy",
            Self::AddCpu(_) => "pool cpu add",
            Self::RemoveCpu(_) => "pool cpu remove",
        }
    }
}
