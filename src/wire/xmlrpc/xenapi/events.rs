//! Events: changes of VMs and other objects, by any client or by the host itself.
//!
//! There is no queue that could grow. A session keeps the moment of its last answer, and the next
//! answer is the difference to the present: a slow client sees several changes as one.

use super::device_kinds::class_of;
use super::index::GUEST_METRICS;
use super::values::{text, time};
use crate::core::inventory::Inventory;
use crate::core::lifecycle::State;
use crate::core::model::{CompleteConfig, Device, DomId, GuestReport, Item, ObjectKind, Uuid};
use crate::core::snapshot::{DomainView, Snapshot};
use crate::wire::xmlrpc::object_ids::derived_uuid;
use crate::wire::xmlrpc::value::Value;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::SystemTime;

/// A session that registered for events.
#[derive(Debug, Clone)]
pub(crate) struct Registration {
    /// The classes of the events, in lower case; all classes if empty.
    classes: Vec<String>,
    /// The moment of its last answer.
    last: Moment,
    /// The number of the next event.
    next_id: u64,
}

/// All objects that have events, at one moment.
#[derive(Debug, Clone)]
pub(crate) struct Moment {
    vms: HashMap<Uuid, VmState>,
    inventory: Arc<Inventory>,
    /// Whether each task has ended.
    tasks: HashMap<Uuid, bool>,
}

/// The part of a VM that is compared. Its figures are left out, since they change all the time.
#[derive(Debug, Clone)]
struct VmState {
    state: State,
    domid: Option<DomId>,
    config: Arc<CompleteConfig>,
    definition: Option<Arc<CompleteConfig>>,
    report: Option<Arc<GuestReport>>,
}

/// A change of an object: its class, `add`, `mod` or `del`, and its reference.
type Change = (&'static str, &'static str, Uuid);

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

/// The class of an item; `None` for client data without an object of its own.
fn class_of_item(item: &Item) -> Option<&'static str> {
    match item.kind {
        ObjectKind::Vdi(_) => Some("VDI"),
        ObjectKind::Network(_) => Some("network"),
        ObjectKind::Vlan(_) => Some("PIF"),
        ObjectKind::Pool(_) => Some("cpu_pool"),
        ObjectKind::Pbd => Some("PBD"),
        ObjectKind::DataOnly => None,
    }
}

/// The difference between two maps: the operation, the key and the newest value.
fn difference<'a, T>(
    old: &'a HashMap<Uuid, T>,
    new: &'a HashMap<Uuid, T>,
    differs: impl Fn(&T, &T) -> bool + 'a,
) -> impl Iterator<Item = (&'static str, Uuid, &'a T)> {
    let present = new.iter().filter_map(move |(uuid, now)| match old.get(uuid) {
        None => Some(("add", *uuid, now)),
        Some(was) if differs(was, now) => Some(("mod", *uuid, now)),
        Some(_) => None,
    });
    let gone = old.iter().filter(|(uuid, _)| !new.contains_key(uuid));
    present.chain(gone.map(|(uuid, was)| ("del", *uuid, was)))
}

impl Moment {
    /// What one caller sees: a snapshot, an inventory and tasks, of which `tasks` tells whether
    /// they have ended.
    pub(crate) fn new(
        snapshot: &Snapshot,
        inventory: Arc<Inventory>,
        tasks: HashMap<Uuid, bool>,
    ) -> Self {
        let vms = snapshot.domains().map(|view| (view.uuid, VmState::of(view))).collect();
        Self { vms, inventory, tasks }
    }

    /// The changes since `before`: VMs before their devices, removals last.
    fn changes_since(&self, before: &Self) -> Vec<Change> {
        let mut changes = Vec::new();
        for (operation, uuid, _) in difference(&before.vms, &self.vms, VmState::report_differs) {
            let metrics = derived_uuid(uuid, GUEST_METRICS);
            changes.push(("VM_guest_metrics", operation, metrics));
        }
        for (operation, uuid, vm) in difference(&before.vms, &self.vms, VmState::differs) {
            changes.push(("VM", operation, uuid));
            let was = before.vms.get(&uuid).map(VmState::devices).unwrap_or_default();
            let is = if operation == "del" { HashMap::new() } else { vm.devices() };
            let devices = difference(&was, &is, |a, b| a != b);
            changes.extend(
                devices.map(|(operation, uuid, device)| (class_of(device), operation, uuid)),
            );
        }
        if !Arc::ptr_eq(&before.inventory, &self.inventory) {
            let items = |inventory: &Inventory| -> HashMap<Uuid, Arc<Item>> {
                inventory.items().map(|item| (item.uuid, item.clone())).collect()
            };
            let was = items(&before.inventory);
            let is = items(&self.inventory);
            let items = difference(&was, &is, |a, b| a != b);
            changes.extend(items.filter_map(|(operation, uuid, item)| {
                Some((class_of_item(item)?, operation, uuid))
            }));
        }
        let tasks = difference(&before.tasks, &self.tasks, |a, b| a != b);
        changes.extend(tasks.map(|(operation, uuid, _)| ("task", operation, uuid)));
        changes.sort_by_key(|(class, operation, uuid)| {
            (*operation == "del", *class != "VM", *class, *uuid)
        });
        changes
    }
}

impl Registration {
    /// A registration for these classes, given in lower case; for all classes if there are none.
    pub(crate) fn new(classes: Vec<String>, now: Moment) -> Self {
        Self { classes, last: now, next_id: 1 }
    }

    pub(crate) fn add_classes(&mut self, classes: Vec<String>) {
        if classes.is_empty() || self.classes.is_empty() {
            self.classes.clear();
        } else {
            self.classes.extend(classes);
        }
    }

    /// Whether some classes are left.
    pub(crate) fn remove_classes(&mut self, classes: &[String]) -> bool {
        self.classes.retain(|class| !classes.contains(class));
        !classes.is_empty() && !self.classes.is_empty()
    }

    /// The events since the last ones.
    pub(crate) fn events(&mut self, moment: Moment, now: SystemTime) -> Vec<Value> {
        let mut changes = moment.changes_since(&self.last);
        self.last = moment;
        changes.retain(|(class, ..)| {
            self.classes.is_empty() || self.classes.contains(&class.to_ascii_lowercase())
        });
        changes.into_iter().map(|change| self.event(change, now)).collect()
    }

    fn event(&mut self, (class, operation, uuid): Change, now: SystemTime) -> Value {
        let id = self.next_id;
        self.next_id += 1;
        let member = |name: &str, value| (name.to_owned(), value);
        Value::Struct(vec![
            member("id", text(&id)),
            member("timestamp", time(now)),
            member("class", text(class)),
            member("operation", text(operation)),
            member("ref", text(&uuid)),
            member("obj_uuid", text(&uuid)),
            member("field", text("")),
        ])
    }
}
