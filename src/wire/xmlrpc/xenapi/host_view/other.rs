//! Another host of the fleet as one call sees it.

use super::HostView;
use crate::core::fleet::{HostName, Member};
use crate::core::model::{HostInfo, Topology, Uuid};
use crate::core::snapshot::Snapshot;
use crate::core::view::View;
use crate::wire::xmlrpc::xenapi::fetched::Fetched;
use crate::wire::xmlrpc::xenapi::hosts::ShownHost;
use crate::wire::xmlrpc::xenapi::index::VmIndex;
use crate::wire::xmlrpc::xenapi::indices::VdiIndex;
use crate::wire::xmlrpc::xenapi::service::XenApi;
use crate::wire::xmlrpc::xenapi::sessions::CallSession;
use std::sync::Arc;
use std::time::SystemTime;

/// What a fleet knows of another host.
pub(crate) struct OtherHost {
    pub(crate) name: HostName,
    pub(crate) member: Member,
    /// Its domains, as the caller may see them.
    pub(crate) snapshot: Snapshot,
    pub(crate) is_enabled: bool,
    /// When it was so.
    pub(crate) told: SystemTime,
}

fn info_of(name: &HostName, member: &Member) -> HostInfo {
    let [system, _, release, version, machine] = <[String; 5]>::default();
    HostInfo {
        is_simulated: member.hypervisor == "sim",
        uname: [system, name.to_string(), release, version, machine],
        topology: Topology { cpus: member.cpus, ..Topology::default() },
        total_memory: member.memory_mib,
        ..HostInfo::default()
    }
}

impl HostView {
    /// Another host of the fleet, as far as the fleet tells of it: nothing is fetched there.
    pub(crate) fn of_other(
        api: &XenApi,
        view: &View,
        session: CallSession,
        other: OtherHost,
    ) -> Self {
        let OtherHost { name, member, snapshot, is_enabled, told } = other;
        let host = member.uuid;
        let vms: Vec<Uuid> = snapshot.domains().map(|vm| vm.uuid).collect();
        let mut index = VmIndex::new(host);
        index.update(&snapshot);
        Self {
            host,
            info: Arc::new(info_of(&name, &member)),
            shown: ShownHost::Other { name, version: member.version },
            figures: snapshot.figures,
            is_enabled,
            now: told,
            fetched: Fetched::of_other_host(&vms),
            index: Arc::new(index),
            inventory: Arc::default(),
            vdi_index: Arc::new(VdiIndex::new(Arc::default())),
            kept_facts: Arc::default(),
            snapshot: Arc::new(snapshot),
            ..Self::at(api, view, session, view.snapshot())
        }
    }

    /// The host's name in the fleet; `None` if the fleet is not shown.
    pub(crate) fn name_in_fleet(&self) -> Option<&HostName> {
        match &self.shown {
            ShownHost::Own(name) => name.as_ref(),
            ShownHost::Other { name, .. } => Some(name),
        }
    }

    /// Whether the other hosts of the fleet are shown as well.
    pub(crate) fn shows_fleet(&self) -> bool {
        self.name_in_fleet().is_some()
    }

    /// Whether it is another host than the one that answers.
    pub(crate) fn is_other(&self) -> bool {
        matches!(self.shown, ShownHost::Other { .. })
    }

    /// The domains as the caller sees them.
    pub(crate) fn snapshot(&self) -> &Arc<Snapshot> {
        &self.snapshot
    }
}
