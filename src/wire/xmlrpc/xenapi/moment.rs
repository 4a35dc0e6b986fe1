//! Moments: the objects that have events, as one caller sees them, and what changes between two
//! moments.
//!
//! A moment is cheap: it shares all that has not changed with the moment before. The difference to
//! a later one costs what has changed in between, however many objects there are. Logs say what has
//! changed; only if that is forgotten, or another access shows other objects, all are compared.

use super::device_kinds::class_of;
use super::index::GUEST_METRICS;
use super::item_changes::ItemChanges;
use super::object_change::{ObjectChange, operation};
use super::task_states::VisibleTasks;
use crate::core::change_log::ChangeLog;
use crate::core::inventory::Inventory;
use crate::core::lifecycle::State;
use crate::core::model::{CompleteConfig, Device, DomId, GuestReport, Uuid};
use crate::core::snapshot::{DomainView, Snapshot};
use crate::wire::xmlrpc::object_ids::derived_uuid;
use rpds::HashTrieMapSync;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
#[cfg(test)]
use std::sync::atomic::{AtomicUsize, Ordering};

/// The part of a VM that has events. Its figures are left out, since they change all the time.
#[derive(Debug, Clone)]
struct VmState {
    state: State,
    domid: Option<DomId>,
    config: Arc<CompleteConfig>,
    definition: Option<Arc<CompleteConfig>>,
    report: Option<Arc<GuestReport>>,
}

impl VmState {
    fn of(view: &DomainView) -> Self {
        Self {
            state: view.state(),
            domid: view.domid(),
            config: view.config.clone(),
            definition: view.definition.clone(),
            report: view.report.clone(),
        }
    }

    fn differs(&self, other: &Self) -> bool {
        let same = |a: &Arc<CompleteConfig>, b: &Arc<CompleteConfig>| Arc::ptr_eq(a, b) || a == b;
        let same_definition = match (&self.definition, &other.definition) {
            (Some(a), Some(b)) => same(a, b),
            (a, b) => a.is_none() && b.is_none(),
        };
        (self.state, self.domid) != (other.state, other.domid)
            || !same_definition
            || !same(&self.config, &other.config)
    }

    /// Whether the guest reports something else. Its memory, which changes all the time, does not
    /// count.
    fn report_differs(&self, other: &Self) -> bool {
        match (&self.report, &other.report) {
            (Some(a), Some(b)) => !Arc::ptr_eq(a, b) && a.differs_from(b),
            (a, b) => a.is_some() != b.is_some(),
        }
    }

    /// Its devices, by their UUIDs.
    fn devices(&self) -> HashMap<Uuid, &Device> {
        let configs = self.definition.iter().chain([&self.config]);
        let devices = configs.flat_map(|config| &config.devices);
        devices.filter_map(|device| Some((device.uuid()?, device))).collect()
    }
}

/// The VMs of one scope at one moment. Copies share their structure.
#[derive(Debug, Clone)]
pub(crate) struct VmStates {
    scope: u64,
    /// The changes up to now.
    changes: ChangeLog,
    by_uuid: HashTrieMapSync<Uuid, VmState>,
    /// That of the snapshot.
    replaced: u64,
    /// VMs that were compared with earlier ones, by all copies.
    #[cfg(test)]
    compared: Arc<AtomicUsize>,
}

impl VmStates {
    /// No VMs, in a scope.
    pub(crate) fn new(scope: u64) -> Self {
        Self {
            scope,
            changes: ChangeLog::default(),
            by_uuid: HashTrieMapSync::new_sync(),
            replaced: 0,
            #[cfg(test)]
            compared: Arc::default(),
        }
    }

    /// Brings the VMs up to a snapshot of their scope, unless they are newer.
    pub(crate) fn follow(&mut self, snapshot: &Snapshot) {
        if self.changes.number() >= snapshot.changes.number() {
            return;
        }
        if let Some(changed) = snapshot.changes.since(self.changes.number()) {
            for uuid in changed {
                if let Some(view) = snapshot.by_uuid(&uuid) {
                    self.by_uuid.insert_mut(uuid, VmState::of(view));
                } else {
                    self.by_uuid.remove_mut(&uuid);
                }
            }
        } else {
            let all = snapshot.domains().map(|view| (view.uuid, VmState::of(view)));
            self.by_uuid = all.collect();
        }
        self.changes = snapshot.changes.clone();
        self.replaced = snapshot.replaced;
    }

    /// The VMs that may differ from those of an earlier moment.
    fn touched_since(&self, before: &Self) -> HashSet<Uuid> {
        let logged = (self.scope == before.scope)
            .then(|| self.changes.since(before.changes.number()))
            .flatten();
        match logged {
            Some(logged) => logged.collect(),
            None => self.by_uuid.keys().chain(before.by_uuid.keys()).copied().collect(),
        }
    }

    fn add_changes(&self, before: &Self, changes: &mut Vec<ObjectChange>) {
        for uuid in self.touched_since(before) {
            #[cfg(test)]
            self.compared.fetch_add(1, Ordering::Relaxed);
            let was = before.by_uuid.get(&uuid);
            let is = self.by_uuid.get(&uuid);
            if let Some(operation) = operation(was, is, VmState::report_differs) {
                let metrics = derived_uuid(uuid, GUEST_METRICS);
                changes.push(("VM_guest_metrics", operation, metrics));
            }
            if let Some(operation) = operation(was, is, VmState::differs) {
                changes.push(("VM", operation, uuid));
                add_device_changes(was, is, changes);
            }
        }
    }

    /// How many VMs were compared, by this copy and all others.
    #[cfg(test)]
    pub(crate) fn compared(&self) -> usize {
        self.compared.load(Ordering::Relaxed)
    }
}

fn add_device_changes(
    was: Option<&VmState>,
    is: Option<&VmState>,
    changes: &mut Vec<ObjectChange>,
) {
    let was = was.map(VmState::devices).unwrap_or_default();
    let is = is.map(VmState::devices).unwrap_or_default();
    let gone = was.iter().filter(|(uuid, _)| !is.contains_key(uuid));
    for (uuid, device) in is.iter().chain(gone) {
        let operation = operation(was.get(uuid), is.get(uuid), |a, b| a != b);
        changes.extend(operation.map(|operation| (class_of(device), operation, *uuid)));
    }
}

/// All objects that have events, at one moment.
#[derive(Debug, Clone)]
pub(crate) struct Moment {
    pub(crate) vms: VmStates,
    pub(crate) inventory: Arc<Inventory>,
    /// The number of the inventory, which grows by what is replaced. The caller's own part of the
    /// inventory may be of an earlier one that showed the same.
    pub(crate) inventory_generation: u64,
    pub(crate) tasks: VisibleTasks,
}

/// How many bytes may have been replaced since a moment that is kept. The moments of all sessions
/// together keep no more of the past, and the memory of one host as it was lately.
const MAX_REPLACED: u64 = 64 << 20;

impl Moment {
    /// The bytes of all that has been replaced up to this moment. An earlier moment keeps in memory
    /// what has been replaced since.
    pub(crate) fn replaced(&self) -> u64 {
        self.vms.replaced + self.inventory_generation + self.tasks.replaced()
    }

    /// Whether it keeps too much in memory that has been replaced, up to this count.
    pub(crate) fn is_too_old(&self, replaced: u64) -> bool {
        replaced.saturating_sub(self.replaced()) > MAX_REPLACED
    }

    /// The changes since `before`: VMs before their devices, removals last. `item_changes` are
    /// those of the scope.
    pub(crate) fn changes_since(
        &self,
        before: &Self,
        item_changes: &ItemChanges,
    ) -> Vec<ObjectChange> {
        let mut changes = Vec::new();
        self.vms.add_changes(&before.vms, &mut changes);
        changes.extend_from_slice(&item_changes.between(&before.inventory, &self.inventory));
        self.tasks.add_changes(&before.tasks, &mut changes);
        changes.sort_by_key(|(class, operation, uuid)| {
            (*operation == "del", *class != "VM", *class, *uuid)
        });
        changes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::caller::Caller;
    use crate::core::change_log::MAX_CHANGES;
    use crate::core::model::{DomName, DomainConfig};
    use crate::core::snapshot::fixtures::{running, snapshot, with_domains};
    use crate::wire::xmlrpc::xenapi::task_states::TaskStates;

    fn vm(number: u32, memory: u64) -> Arc<DomainView> {
        running(number, DomainConfig::new(DomName::adopted(&format!("d{number}")), memory))
    }

    fn changes(now: &VmStates, before: &VmStates) -> Vec<ObjectChange> {
        let mut changes = Vec::new();
        now.add_changes(before, &mut changes);
        changes.sort_unstable();
        changes
    }

    #[test]
    fn only_what_has_changed_is_compared() {
        for count in [10_u32, 1_000] {
            let first = with_domains(snapshot(&[]), (1..=count).map(|number| vm(number, 64)));
            let mut states = VmStates::new(Snapshot::ALL_DOMAINS);
            states.follow(&first);
            let before = states.clone();
            let second = with_domains(first, [vm(7, 128), vm(count + 1, 64)]);
            states.follow(&second);
            let uuid = |number: u32| Uuid::from_u128(number.into());
            let expected = [
                ("VM", "add", uuid(count + 1)),
                ("VM", "mod", uuid(7)),
                ("VM_guest_metrics", "add", derived_uuid(uuid(count + 1), GUEST_METRICS)),
            ];
            assert_eq!(changes(&states, &before), expected);
            assert_eq!(states.compared(), 2, "of {count}");
            assert!(changes(&states, &states).is_empty());
        }
    }

    fn moment(vms: VmStates) -> Moment {
        let tasks = TaskStates::default().visible_to(&Caller::internal());
        Moment { vms, inventory: Arc::default(), inventory_generation: 0, tasks }
    }

    #[test]
    fn a_moment_is_too_old_when_it_keeps_much_of_the_past() {
        let described = |number: u32, letter: &str| {
            let mut config = DomainConfig::new(DomName::adopted("a"), 64);
            config.description = letter.repeat(1 << 20).as_str().into();
            running(number, config)
        };
        let mut states = VmStates::new(Snapshot::ALL_DOMAINS);
        let mut vms = with_domains(snapshot(&[]), [described(1, "a")]);
        states.follow(&vms);
        let before = moment(states.clone());
        for changes in 1..=66 {
            vms = with_domains(vms, [described(1, "b")]);
            states.follow(&vms);
            let replaced = moment(states.clone()).replaced();
            assert_eq!(before.is_too_old(replaced), changes > 63, "{changes}: {replaced}");
        }
        let now = moment(states.clone());
        assert!(!now.is_too_old(now.replaced()));
        // Small changes count as well: there can be many.
        let before = vms.replaced;
        assert!(with_domains(vms, [vm(2, 64)]).replaced >= before + 1024);
    }

    #[test]
    fn a_change_that_was_taken_back_is_none() {
        let first = with_domains(snapshot(&[]), [vm(1, 64)]);
        let mut states = VmStates::new(Snapshot::ALL_DOMAINS);
        states.follow(&first);
        let before = states.clone();
        let changed = with_domains(first, [vm(1, 128), vm(2, 64)]);
        let back = with_domains(changed, [vm(1, 64)]);
        states.follow(&back);
        let all = changes(&states, &before);
        assert!(all.iter().all(|(_, operation, _)| *operation == "add"), "{all:?}");
    }

    #[test]
    fn all_are_compared_when_changes_are_forgotten_or_the_scope_is_another_one() {
        let first = with_domains(snapshot(&[]), [vm(1, 64), vm(2, 64)]);
        let mut states = VmStates::new(Snapshot::ALL_DOMAINS);
        states.follow(&first);
        let before = states.clone();
        let mut other = VmStates::new(7);
        other.follow(&with_domains(snapshot(&[]), [vm(2, 64)]));
        let gone = Uuid::from_u128(1);
        assert!(changes(&other, &before).contains(&("VM", "del", gone)));
        assert_eq!(changes(&other, &before).len(), 2, "with its guest metrics");
        let mut last = first;
        for _ in 0..MAX_CHANGES {
            last = with_domains(last, [vm(1, 128)]);
        }
        last = with_domains(last, [vm(1, 256)]);
        states.follow(&last);
        assert_eq!(changes(&states, &before), [("VM", "mod", gone)]);
    }
}
