//! Changes of the host and its domains.

use super::domain::{Arrival, DomainOp};
use super::guest::{GuestOp, StoreOp};
use super::host::{NetworkOp, PoolOp};
use crate::core::model::{
    ClientData, ClientDataChange, DomainConfig, DomainRef, Uuid, Vdi, VdiSetting, Vnet,
};
use std::borrow::Cow;
use std::path::PathBuf;
use std::time::Duration;

/// What a new disk image holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ImageContent {
    /// Nothing.
    Empty,
    /// A copy of this image of the local storage.
    CopyOf(Uuid),
    /// What was uploaded, see [`ImageUpload`](crate::core::engine::ImageUpload).
    Uploaded,
}

/// A change of the host or a domain. Wires translate their own requests into these. Changes of one
/// domain are ordered.
#[derive(Debug, Clone)]
pub enum Change {
    /// Build a domain and leave it paused.
    Create(Box<DomainConfig>),
    /// Store the definition of a domain. A running domain with the definition stays as it is.
    Define(Box<DomainConfig>),
    /// Build a domain from a configuration that an operator keeps in a file, and let it run. The
    /// right to start a domain of the name suffices, and limits of accounts do not count: the wire
    /// vouches that the configuration is the operator's.
    StartFromFile(Box<DomainConfig>),
    /// Build a domain from a file that [`DomainOp::Save`] wrote.
    Restore {
        file: PathBuf,
        /// Whether the domain stays paused.
        paused: bool,
    },
    /// Delete a file that [`DomainOp::Save`] wrote.
    RemoveSaved(PathBuf),
    /// Receive a domain from another host.
    Receive(Arrival),
    /// Tell whether a migration to this host has succeeded. A migration that is still in progress
    /// is cancelled.
    Settle(Uuid),
    /// Create the object of a disk image, and the image if its location is empty.
    CreateVdi {
        uuid: Uuid,
        vdi: Box<Vdi>,
        client_data: ClientData,
        /// What a new image holds.
        content: ImageContent,
    },
    /// Change a disk image.
    SetVdi(Uuid, VdiSetting),
    /// Delete the object of a disk image, and the image if xend created it.
    DestroyVdi(Uuid),
    /// Record another attachment of the local storage.
    CreatePbd { uuid: Uuid, client_data: ClientData },
    /// Delete the record of an attachment.
    DestroyPbd(Uuid),
    /// Change the host's network.
    Network(NetworkOp),
    /// Change the CPU pool with this name.
    Pool(String, PoolOp),
    /// Change the client data of an object other than a domain.
    SetClientData(Uuid, ClientDataChange),
    /// Cancel the save or the migration of a domain, which stays on this host.
    Cancel(DomainRef),
    /// Change one domain.
    Domain(DomainRef, DomainOp),
    /// Have the agent inside a guest do something. Other operations on the domain do not wait for
    /// it. The limit is for each answer of the agent.
    Guest { domain: DomainRef, op: GuestOp, limit: Duration },
    /// Change nodes of a domain in XenStore.
    GuestStore(DomainRef, StoreOp),
    /// Clear the hypervisor's message buffer.
    ClearDmesg,
    /// Press keys on the hypervisor's own console. The output goes to the message buffer.
    DebugKeys(String),
    /// Switch the host off, or reboot it.
    PowerHost {
        /// Whether to reboot.
        reboot: bool,
    },
    /// Have the fleet not take this host for dead for so long, though it may be silent.
    GoAway(Duration),
    /// End that.
    ComeBack,
    /// Create a virtual network.
    CreateVnet(Vnet),
    /// Delete the virtual network with this id.
    DeleteVnet(String),
}

impl Change {
    /// The name for logs.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Create(_) => "create",
            Self::Define(_) => "new",
            Self::StartFromFile(_) => "start",
            Self::Restore { .. } => "restore",
            Self::RemoveSaved(_) => "saved delete",
            Self::Receive(_) => "receive",
            Self::Settle(_) => "settle",
            Self::ClearDmesg => "dmesg clear",
            Self::DebugKeys(_) => "debug keys",
            Self::PowerHost { reboot: false } => "node shutdown",
            Self::PowerHost { reboot: true } => "node reboot",
            Self::GoAway(_) => "node away",
            Self::ComeBack => "node back",
            Self::CreateVnet(_) => "vnet create",
            Self::DeleteVnet(_) => "vnet delete",
            Self::CreateVdi { .. } => "vdi create",
            Self::SetVdi(..) => "vdi set",
            Self::DestroyVdi(_) => "vdi destroy",
            Self::CreatePbd { .. } => "pbd create",
            Self::DestroyPbd(_) => "pbd destroy",
            Self::SetClientData(..) => "note",
            Self::Network(op) => op.name(),
            Self::Pool(_, op) => op.name(),
            Self::Cancel(_) => "cancel",
            Self::Guest { op, .. } => op.name(),
            Self::GuestStore(_, op) => op.name(),
            Self::Domain(_, op) => op.name(),
        }
    }

    /// Whether it changes nothing: it asks a guest's agent what it is and what it can do.
    pub fn is_read(&self) -> bool {
        match self {
            Self::Guest { op, .. } => op.is_read(),
            _ => false,
        }
    }

    /// The domain or object, as the caller named it, for logs; empty for the host.
    pub fn target(&self) -> Cow<'_, str> {
        match self {
            Self::Create(config) | Self::Define(config) | Self::StartFromFile(config) => {
                config.name.as_str().into()
            }
            Self::Restore { file, .. } | Self::RemoveSaved(file) => file.to_string_lossy(),
            Self::Receive(arrival) => arrival.migrated.config.name.as_str().into(),
            Self::Settle(id) => id.to_string().into(),
            Self::Cancel(domain)
            | Self::Domain(domain, _)
            | Self::Guest { domain, .. }
            | Self::GuestStore(domain, _) => domain.as_str().into(),
            Self::CreateVnet(vnet) => vnet.id.as_str().into(),
            Self::DeleteVnet(id) => id.into(),
            Self::CreateVdi { uuid, .. }
            | Self::SetVdi(uuid, _)
            | Self::DestroyVdi(uuid)
            | Self::CreatePbd { uuid, .. }
            | Self::DestroyPbd(uuid)
            | Self::SetClientData(uuid, _) => uuid.to_string().into(),
            Self::Network(op) => op.target(),
            Self::Pool(name, _) => name.into(),
            Self::ClearDmesg
            | Self::DebugKeys(_)
            | Self::PowerHost { .. }
            | Self::GoAway(_)
            | Self::ComeBack => "".into(),
        }
    }
}
