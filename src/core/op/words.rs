//! What operations are called in logs.

use super::{Change, DomainOp, NetworkOp, PoolOp};
use crate::core::model::InterfaceChange;
use std::borrow::Cow;

impl Change {
    /// A word for logs.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Create(_) => "create",
            Self::Define(_) => "new",
            Self::Restore { .. } => "restore",
            Self::Receive(_) => "receive",
            Self::Settle(_) => "settle",
            Self::ClearDmesg => "dmesg clear",
            Self::DebugKeys(_) => "debug keys",
            Self::PowerHost { reboot: false } => "node shutdown",
            Self::PowerHost { reboot: true } => "node reboot",
            Self::CreateVnet(_) => "vnet create",
            Self::DeleteVnet(_) => "vnet delete",
            Self::CreateVdi { .. } => "vdi create",
            Self::SetVdi(..) => "vdi set",
            Self::DestroyVdi(_) => "vdi destroy",
            Self::CreatePbd { .. } => "pbd create",
            Self::DestroyPbd(_) => "pbd destroy",
            Self::Note(..) => "note",
            Self::Network(op) => op.name(),
            Self::Pool(_, op) => op.name(),
            Self::Cancel(_) => "cancel",
            Self::Domain(_, op) => op.name(),
        }
    }

    /// The domain that it is about, as the caller named it.
    pub fn target(&self) -> Cow<'_, str> {
        match self {
            Self::Create(config) | Self::Define(config) => config.name.as_str().into(),
            Self::Restore { file, .. } => file.to_string_lossy(),
            Self::Receive(arrival) => arrival.parcel.config.name.as_str().into(),
            Self::Settle(id) => id.to_string().into(),
            Self::Cancel(domain) | Self::Domain(domain, _) => domain.as_str().into(),
            Self::CreateVnet(vnet) => vnet.id.as_str().into(),
            Self::DeleteVnet(id) => id.into(),
            Self::CreateVdi { uuid, .. }
            | Self::SetVdi(uuid, _)
            | Self::DestroyVdi(uuid)
            | Self::CreatePbd { uuid, .. }
            | Self::DestroyPbd(uuid)
            | Self::Note(uuid, _) => uuid.to_string().into(),
            Self::Network(op) => op.target(),
            Self::Pool(name, _) => name.into(),
            Self::ClearDmesg | Self::DebugKeys(_) | Self::PowerHost { .. } => "".into(),
        }
    }
}

impl DomainOp {
    /// A word for logs.
    pub const fn name(&self) -> &'static str {
        match self {
            DomainOp::Pause => "pause",
            DomainOp::Unpause => "unpause",
            DomainOp::Destroy => "destroy",
            DomainOp::Shutdown(_) => "shutdown",
            DomainOp::Rename(_) => "rename",
            DomainOp::SetSedf(_) => "cpu_sedf_set",
            DomainOp::SetShare { .. } => "domain_sched_credit_set",
            DomainOp::SetMemory(_) => "mem_target_set",
            DomainOp::SetMaxMemory(_) => "maxmem_set",
            DomainOp::SetVcpus(_) => "set_vcpus",
            DomainOp::Pin { .. } => "pincpu",
            DomainOp::MoveToPool(_) => "move to pool",
            DomainOp::Sysrq(_) => "sysrq",
            DomainOp::Trigger(..) => "send_trigger",
            DomainOp::Reset => "reset",
            DomainOp::Start { .. } => "start",
            DomainOp::CreateFrom(_) => "create",
            DomainOp::Define(_) => "new",
            DomainOp::Delete => "delete",
            DomainOp::Set(_) => "set",
            DomainOp::Suspend => "suspend",
            DomainOp::Resume { .. } => "resume",
            DomainOp::Save { .. } => "save",
            DomainOp::RestoreFrom { .. } => "restore",
            DomainOp::Migrate { .. } => "migrate",
            DomainOp::Arrive(_) => "receive",
            DomainOp::Dump { .. } => "dump",
            DomainOp::AttachDevice(_) => "device_create",
            DomainOp::PlugDevice(_) => "device_plug",
            DomainOp::ConfigureDevice { .. } => "device_configure",
            DomainOp::DetachDevice { .. } => "device_destroy",
        }
    }
}

impl NetworkOp {
    const fn name(&self) -> &'static str {
        match self {
            Self::Create { .. } => "network create",
            Self::Destroy(_) => "network destroy",
            Self::CreateVlan { .. } => "vlan create",
            Self::DestroyVlan(_) => "vlan destroy",
            Self::Interface(InterfaceChange::Adjust { .. }) => "interface set",
            Self::Interface(InterfaceChange::Link { .. }) => "interface link",
        }
    }

    fn target(&self) -> Cow<'_, str> {
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

impl PoolOp {
    const fn name(&self) -> &'static str {
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
