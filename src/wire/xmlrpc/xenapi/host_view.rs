//! The host as one call sees it: a snapshot, and the facts that were fetched for the call.

pub(crate) mod other;

use super::device_places::DevicePlaces;
use super::failure::{Failure, FailureContext};
use super::fetched::Fetched;
use super::hosts::{ShownHost, XenApiHosts};
use super::index::VmIndex;
use super::indices::{ScopeIndices, VdiIndex};
use super::kept_facts::KeptFacts;
use super::moment::Moment;
use super::service::XenApi;
use super::sessions::CallSession;
use super::state::ApiState;
use super::values::text;
use super::version::Version;
use crate::core::caller::Caller;
use crate::core::inventory::Inventory;
use crate::core::model::{
    ClientData, Device, DomId, DomName, DomainRef, HostFigures, HostInfo, Policy, Uuid,
};
use crate::core::rights::{Access, Right};
use crate::core::snapshot::{DomainView, Snapshot};
use crate::core::view::View;
use crate::wire::xmlrpc::object_ids::derived_uuid;
use crate::wire::xmlrpc::value::Value;
use std::collections::{BTreeSet, HashMap, HashSet};
#[cfg(test)]
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::SystemTime;

/// The host at one moment, for one call, as its caller may see it. A caller who may not read facts
/// about the host sees one without CPUs, cards, pools and devices, and without a version.
pub(crate) struct HostView {
    pub(crate) host: Uuid,
    pub(crate) shown: ShownHost,
    pub(crate) caller: Caller,
    pub(crate) access: Arc<Access>,
    pub(crate) info: Arc<HostInfo>,
    pub(crate) figures: HostFigures,
    /// Whether VMs can be started.
    pub(crate) is_enabled: bool,
    pub(crate) inventory: Arc<Inventory>,
    pub(crate) policy: Arc<Policy>,
    pub(crate) session: CallSession,
    /// Sessions, tasks and other things that no snapshot holds.
    pub(crate) state: Arc<ApiState>,
    pub(crate) now: SystemTime,
    pub(crate) fetched: Fetched,
    pub(crate) index: Arc<VmIndex>,
    pub(crate) vdi_index: Arc<VdiIndex>,
    pub(crate) version: Version,
    pub(crate) kept_facts: Arc<KeptFacts>,
    indices: Arc<ScopeIndices>,
    snapshot: Arc<Snapshot>,
    /// The names of all bridges, from their first use on.
    pub(crate) bridges: OnceLock<BTreeSet<String>>,
    /// The bridges of networks, from their first use on.
    pub(crate) bridges_of_networks: OnceLock<HashMap<Uuid, String>>,
    /// The bridge of interfaces that name none, from its first use on.
    pub(crate) default_bridge: OnceLock<Option<String>>,
    /// The references of CPU pools by their names, from their first use on.
    pub(crate) pool_refs: OnceLock<HashMap<String, Uuid>>,
    /// Where the devices of VMs are, of each VM from the first use on.
    device_places: Mutex<HashMap<Uuid, Arc<DevicePlaces>>>,
    /// VMs that [`vms`](Self::vms) has returned.
    #[cfg(test)]
    visited: AtomicUsize,
    /// Devices that were walked through to find some.
    #[cfg(test)]
    walked: AtomicUsize,
}

/// A device with its VM.
#[derive(Clone, Copy)]
pub(crate) struct VmDevice<'a> {
    pub(crate) vm: &'a Arc<DomainView>,
    pub(crate) device: &'a Device,
    /// Whether the running VM has it, and not only the definition.
    pub(crate) attached: bool,
}

impl HostView {
    /// The host as it is now.
    pub(crate) async fn open(
        api: &XenApi,
        view: &View,
        session: CallSession,
    ) -> Result<Self, Failure> {
        let failed = |error| Failure::from_error(error, &FailureContext::default());
        let snapshot = view.domains().await.map_err(failed)?;
        Ok(Self::at(api, view, session, snapshot))
    }

    /// The host for a call about one object, if there is such an object: figures of other VMs than
    /// the object's can be older than in [`open`](Self::open), so that the call does not wait for
    /// those of all VMs.
    pub(crate) async fn open_for(
        api: &XenApi,
        view: &View,
        session: CallSession,
        object: Uuid,
    ) -> Result<Self, Failure> {
        let snapshot = view.snapshot();
        let index = api.indices.of(&snapshot).vms(&snapshot);
        match index.vm_of_object(object, &snapshot) {
            Some(vm) => {
                let snapshot = view.domains_with(vm).await;
                Ok(Self::at(api, view, session, snapshot))
            }
            None => Self::open(api, view, session).await,
        }
    }

    /// The host at the moment of a snapshot, which must be one of the view's.
    fn at(api: &XenApi, view: &View, session: CallSession, snapshot: Arc<Snapshot>) -> Self {
        let host = api.context.host();
        let engine = api.context.engine();
        // After the snapshot: what was made for the scope of an earlier access is never shown to
        // a later one, but the other way round it would be.
        let access = view.caller().access();
        let shows_host = access.has(Right::HostFacts);
        let version = Version {
            generation: snapshot.generation,
            swept: snapshot.swept(),
            // Before the inventory: a change in between is one too many, and not one too few.
            inventory: *view.inventory_generations().borrow(),
        };
        let indices = api.indices.of(&snapshot);
        let vdi_index = indices.vdis(view, &snapshot);
        let in_fleet = api.hosts == XenApiHosts::Fleet && shows_host;
        Self {
            host,
            shown: ShownHost::Own(if in_fleet { view.own_host() } else { None }),
            caller: view.caller().clone(),
            access,
            info: if shows_host { view.host_info().clone() } else { unknown(view.host_info()) },
            figures: snapshot.figures,
            is_enabled: view.is_host_enabled(&host),
            policy: view.policy(),
            session,
            state: api.state.clone(),
            now: engine.now(),
            fetched: Fetched::default(),
            index: indices.vms(&snapshot),
            inventory: vdi_index.inventory().clone(),
            vdi_index,
            version,
            kept_facts: indices.kept_facts.clone(),
            indices,
            snapshot,
            bridges: OnceLock::new(),
            bridges_of_networks: OnceLock::new(),
            default_bridge: OnceLock::new(),
            pool_refs: OnceLock::new(),
            device_places: Mutex::default(),
            #[cfg(test)]
            visited: AtomicUsize::new(0),
            #[cfg(test)]
            walked: AtomicUsize::new(0),
        }
    }

    /// The session of the call.
    pub(crate) fn into_session(self) -> CallSession {
        self.session
    }

    /// Whose view it is: that of callers who see the same.
    pub(crate) fn scope(&self) -> u64 {
        self.snapshot.scope
    }

    /// The present moment, for the comparison that makes events.
    pub(crate) fn moment(&self) -> Moment {
        Moment {
            vms: self.indices.vm_states(&self.snapshot),
            inventory: self.inventory.clone(),
            inventory_generation: self.version.inventory,
            tasks: self.state.tasks.visible(&self.caller),
        }
    }

    /// Whether the caller may read facts about the host.
    pub(crate) fn shows_host(&self) -> bool {
        self.access.has(Right::HostFacts)
    }

    /// The number of CPUs that a call may name. A caller who does not see them may name any, and
    /// may pin no VCPU to them: the engine refuses that.
    pub(crate) fn nameable_cpus(&self) -> u32 {
        if self.shows_host() { self.info.topology.cpus } else { u32::MAX }
    }

    /// All VMs, sorted by name. A call about one object has no need of them.
    pub(crate) fn vms(&self) -> impl Iterator<Item = &Arc<DomainView>> {
        let vms = self.snapshot.domains();
        #[cfg(test)]
        let vms = vms.inspect(|_| {
            self.visited.fetch_add(1, Ordering::Relaxed);
        });
        vms
    }

    pub(crate) fn vm(&self, uuid: Uuid) -> Option<&Arc<DomainView>> {
        self.snapshot.by_uuid(&uuid)
    }

    pub(crate) fn vm_by_name(&self, name: &DomName) -> Option<&Arc<DomainView>> {
        self.snapshot.by_name(name)
    }

    pub(crate) fn vm_by_domid(&self, domid: DomId) -> Option<&Arc<DomainView>> {
        self.snapshot.by_domid(domid)
    }

    /// The VM with this name, domid or UUID.
    pub(crate) fn find_vm(&self, name: &str) -> Option<&Arc<DomainView>> {
        self.snapshot.find(&DomainRef::new(name))
    }

    /// These VMs, sorted by name.
    pub(crate) fn sorted_vms(
        &self,
        uuids: impl IntoIterator<Item = Uuid>,
    ) -> Vec<&Arc<DomainView>> {
        let mut vms: Vec<_> = uuids.into_iter().filter_map(|uuid| self.vm(uuid)).collect();
        vms.sort_by(|a, b| a.name().cmp(b.name()));
        vms.dedup_by_key(|vm| vm.uuid);
        vms
    }

    /// A device of any VM.
    pub(crate) fn device(&self, uuid: Uuid) -> Option<VmDevice<'_>> {
        let mut vms = self.index.vms_with_device(uuid).filter_map(|vm| self.vm(vm));
        vms.find_map(|vm| {
            let (device, is_running) = self.device_places(vm).find(vm, uuid)?;
            Some(VmDevice { vm, device, attached: is_running && vm.facts.is_some() })
        })
    }

    fn device_places(&self, vm: &DomainView) -> Arc<DevicePlaces> {
        let mut known = self.device_places.lock().unwrap_or_else(PoisonError::into_inner);
        let places = known.entry(vm.uuid).or_insert_with(|| {
            #[cfg(test)]
            self.walked.fetch_add(DevicePlaces::devices_of(vm), Ordering::Relaxed);
            Arc::new(DevicePlaces::of(vm))
        });
        places.clone()
    }

    /// The VM that these are the metrics of this kind of: [`METRICS`](super::index::METRICS) or
    /// [`GUEST_METRICS`](super::index::GUEST_METRICS).
    pub(crate) fn vm_of_metrics(&self, metrics: Uuid, kind: &str) -> Option<&Arc<DomainView>> {
        let (vm, known) = self.index.vm_of_metrics(metrics)?;
        self.vm(vm).filter(|_| known == kind)
    }

    /// The VM that an object belongs to; `None` if it belongs to none.
    pub(crate) fn vm_of_object(&self, object: Uuid) -> Option<&Arc<DomainView>> {
        self.vm(self.index.vm_of_object(object, &self.snapshot)?)
    }

    /// The UUID of a new VM; `None` for a user's, which the engine chooses: a UUID that a user
    /// brings along could be that of a VM that the user does not see.
    pub(crate) fn uuid_of_new_vm(&self) -> Option<Uuid> {
        self.access.operator.then(|| self.state.new_uuid())
    }

    /// The host's reference.
    pub(crate) fn host_ref(&self) -> Value {
        text(&self.host)
    }

    /// The UUID of an object that the host has by itself.
    pub(crate) fn host_object(&self, name: &str) -> Uuid {
        derived_uuid(self.host, name)
    }

    /// Client data of an object that is neither a VM nor a device.
    pub(crate) fn client_data(&self, object: Uuid) -> ClientData {
        self.inventory.client_data(&object).cloned().unwrap_or_default()
    }
}

/// What callers see of a host whose properties are not theirs to see.
fn unknown(info: &HostInfo) -> Arc<HostInfo> {
    Arc::new(HostInfo { is_simulated: info.is_simulated, ..HostInfo::default() })
}

/// All devices of a VM: those that the running VM has, then those that only its definition has.
pub(crate) fn devices(vm: &Arc<DomainView>) -> impl Iterator<Item = VmDevice<'_>> {
    let running = vm.config.devices.as_slice();
    let attached = vm.facts.is_some();
    let defined = vm.configs().nth(1).into_iter().flat_map(|config| &config.devices);
    let mut known: Option<HashSet<Uuid>> = None;
    let only_defined = defined.filter(move |device| {
        let known = known.get_or_insert_with(|| running.iter().filter_map(Device::uuid).collect());
        device.uuid().is_some_and(|uuid| !known.contains(&uuid))
    });
    let attached_ones = running.iter().map(move |device| VmDevice { vm, device, attached });
    attached_ones.chain(only_defined.map(move |device| VmDevice { vm, device, attached: false }))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::core::model::{Scheduler, Topology};
    use crate::wire::xmlrpc::xenapi::indices::Indices;
    use std::time::Duration;

    /// The host's UUID in tests.
    pub(crate) const HOST: Uuid = Uuid::from_u128(0xb05);

    fn info() -> HostInfo {
        let text = || "x".to_owned();
        HostInfo {
            is_simulated: true,
            uname: [text(), text(), text(), text(), text()],
            topology: Topology {
                cpus: 4,
                nodes: 1,
                cores_per_socket: 2,
                threads_per_core: 2,
                khz: 1_000_000,
            },
            hw_caps: text(),
            virt_caps: text(),
            total_memory: 1024,
            xen_major: 4,
            xen_minor: 17,
            xen_extra: text(),
            xen_caps: text(),
            scheduler: Scheduler::Credit,
            pagesize: 4096,
            platform_params: text(),
            changeset: text(),
            commandline: text(),
            compiled: [text(), text(), text(), text()],
        }
    }

    impl HostView {
        /// A host with these VMs, of which nothing was fetched.
        pub(crate) fn of(snapshot: Snapshot) -> Self {
            let caller = Caller::internal();
            let indices = Indices::new(HOST).of(&snapshot);
            let version =
                Version { generation: snapshot.generation, swept: snapshot.swept(), inventory: 0 };
            let session = CallSession {
                reference: String::new(),
                user: "root".to_owned(),
                principal: caller.principal.clone(),
                originator: "internal".to_owned(),
            };
            Self {
                host: HOST,
                shown: ShownHost::Own(None),
                access: caller.access(),
                caller,
                info: Arc::new(info()),
                figures: HostFigures::default(),
                is_enabled: true,
                policy: Arc::default(),
                session,
                state: Arc::new(ApiState::new(|| Uuid::from_u128(1))),
                now: SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000),
                fetched: Fetched::default(),
                index: indices.vms(&snapshot),
                vdi_index: Arc::new(VdiIndex::new(Arc::default())),
                inventory: Arc::default(),
                version,
                kept_facts: indices.kept_facts.clone(),
                indices,
                snapshot: Arc::new(snapshot),
                bridges: OnceLock::new(),
                bridges_of_networks: OnceLock::new(),
                default_bridge: OnceLock::new(),
                pool_refs: OnceLock::new(),
                device_places: Mutex::default(),
                visited: AtomicUsize::new(0),
                walked: AtomicUsize::new(0),
            }
        }

        /// How many devices were walked through since this was last asked.
        pub(crate) fn take_devices_walked(&self) -> usize {
            self.walked.swap(0, Ordering::Relaxed)
        }

        /// How many VMs [`vms`](Self::vms) has returned since this was last asked.
        pub(crate) fn take_visited(&self) -> usize {
            self.visited.swap(0, Ordering::Relaxed)
        }
    }
}
