//! What happens to VMs and other objects, whoever caused it.
//!
//! There is no queue that could grow: a session remembers what it was last told of, and the next
//! answer is the difference. A client that is slow is told of several changes as of one.

use super::failure::Failure;
use super::notes::Shelf;
use super::table::{Call, Class, Field, Work};
use super::world::World;
use super::{XenApi, devices};
use crate::core::inventory::Inventory;
use crate::core::lifecycle::State;
use crate::core::model::{Device, DomId, DomainConfig, Item, Thing, Uuid};
use crate::core::snapshot::DomainView;
use crate::wire::xmlrpc::value::Value;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// How long a client waits for something to happen before it is told that nothing has.
const PATIENCE: Duration = Duration::from_secs(30);

/// What a session was last told of.
#[derive(Debug, Clone)]
pub(super) struct Seen {
    /// The classes that it wants to know of, in lower case; all if there are none.
    classes: Vec<String>,
    vms: HashMap<Uuid, Essence>,
    inventory: Arc<Inventory>,
    /// Whether they have ended.
    tasks: HashMap<Uuid, bool>,
    /// The number of the next event.
    next: u64,
}

/// What makes a change of a VM worth telling: not its figures, which change all the time.
#[derive(Debug, Clone)]
struct Essence {
    state: State,
    domid: Option<DomId>,
    config: Arc<DomainConfig>,
    definition: Option<Arc<DomainConfig>>,
}

impl Essence {
    fn of(view: &DomainView) -> Self {
        let (state, config, definition) =
            (view.state(), view.config.clone(), view.definition.clone());
        Self { state, domid: view.domid(), config, definition }
    }

    fn differs(&self, other: &Self) -> bool {
        let same = |a: &Arc<DomainConfig>, b: &Arc<DomainConfig>| Arc::ptr_eq(a, b) || a == b;
        let stored = match (&self.definition, &other.definition) {
            (Some(a), Some(b)) => same(a, b),
            (a, b) => a.is_none() && b.is_none(),
        };
        (self.state, self.domid) != (other.state, other.domid)
            || !stored
            || !same(&self.config, &other.config)
    }

    /// Its devices, by their UUIDs.
    fn devices(&self) -> HashMap<Uuid, &Device> {
        let devices =
            self.definition.iter().chain([&self.config]).flat_map(|config| &config.devices);
        devices.filter_map(|device| Some((device.uuid()?, device))).collect()
    }
}

/// What happened to an object.
type Change = (&'static str, &'static str, Uuid);

/// The Xen-API's class of a device.
fn class_of(device: &Device) -> &'static str {
    match device {
        Device::Block(_) => "VBD",
        Device::Vif(_) => "VIF",
        Device::Pci(_) => "DPCI",
        Device::Console(_) | Device::Vfb(_) => "console",
        device if devices::is_vtpm(device) => "VTPM",
        device if devices::is_dscsi_hba(device) => "DSCSI_HBA",
        device if devices::is_dscsi(device) => "DSCSI",
        _ => "device",
    }
}

/// The class of an item; none of what is only noted.
fn class_of_item(item: &Item) -> Option<&'static str> {
    match item.thing {
        Thing::Vdi(_) => Some("VDI"),
        Thing::Network(_) => Some("network"),
        Thing::Vlan(_) => Some("PIF"),
        Thing::Pool(_) => Some("cpu_pool"),
        Thing::Pbd => Some("PBD"),
        Thing::Noted => None,
    }
}

/// The difference between two maps.
fn difference<'a, T>(
    old: &'a HashMap<Uuid, T>,
    new: &'a HashMap<Uuid, T>,
    differs: impl Fn(&T, &T) -> bool + 'a,
) -> impl Iterator<Item = (&'static str, Uuid, &'a T)> {
    let here = new.iter().filter_map(move |(uuid, now)| match old.get(uuid) {
        None => Some(("add", *uuid, now)),
        Some(was) if differs(was, now) => Some(("mod", *uuid, now)),
        Some(_) => None,
    });
    here.chain(
        old.iter()
            .filter(|(uuid, _)| !new.contains_key(uuid))
            .map(|(uuid, was)| ("del", *uuid, was)),
    )
}

impl Seen {
    pub(super) fn new(classes: Vec<String>, now: &Now) -> Self {
        let Now { vms, inventory, tasks } = now.clone();
        Self { classes, vms, inventory, tasks, next: 1 }
    }

    /// What is different now.
    fn news(&mut self, now: Now) -> Vec<Value> {
        let mut changes: Vec<Change> = Vec::new();
        for (operation, uuid, essence) in difference(&self.vms, &now.vms, Essence::differs) {
            changes.push(("VM", operation, uuid));
            let nothing = HashMap::new();
            let was = self.vms.get(&uuid).map_or_else(HashMap::new, Essence::devices);
            let is = if operation == "del" { nothing } else { essence.devices() };
            let devices = difference(&was, &is, |a, b| a != b);
            changes.extend(
                devices.map(|(operation, uuid, device)| (class_of(device), operation, uuid)),
            );
        }
        if !Arc::ptr_eq(&self.inventory, &now.inventory) {
            let items = |inventory: &Inventory| -> HashMap<Uuid, Arc<Item>> {
                inventory.items().map(|item| (item.uuid, item.clone())).collect()
            };
            let (was, is) = (items(&self.inventory), items(&now.inventory));
            let items = difference(&was, &is, |a, b| a != b);
            changes.extend(items.filter_map(|(operation, uuid, item)| {
                Some((class_of_item(item)?, operation, uuid))
            }));
        }
        let tasks = difference(&self.tasks, &now.tasks, |a, b| a != b);
        changes.extend(tasks.map(|(operation, uuid, _)| ("task", operation, uuid)));
        (self.vms, self.inventory, self.tasks) = (now.vms, now.inventory, now.tasks);
        let classes = &self.classes;
        changes.retain(|(class, ..)| {
            classes.is_empty() || classes.contains(&class.to_ascii_lowercase())
        });
        // Of a VM before its devices, and what comes before what goes.
        changes.sort_by_key(|(class, operation, uuid)| {
            (*operation == "del", *class != "VM", *class, *uuid)
        });
        changes.into_iter().map(|change| self.event(change)).collect()
    }

    fn event(&mut self, (class, operation, uuid): Change) -> Value {
        let id = self.next;
        self.next += 1;
        let member = |name: &str, value| (name.to_owned(), value);
        Value::Struct(vec![
            member("id", Value::text(id.to_string())),
            member("timestamp", World::time(SystemTime::now())),
            member("class", Value::text(class)),
            member("operation", Value::text(operation)),
            member("ref", Value::text(uuid.to_string())),
            member("obj_uuid", Value::text(uuid.to_string())),
            member("field", Value::text("")),
        ])
    }
}

/// What there is at one moment.
#[derive(Debug, Clone)]
pub(super) struct Now {
    vms: HashMap<Uuid, Essence>,
    inventory: Arc<Inventory>,
    tasks: HashMap<Uuid, bool>,
}

impl Now {
    fn look(xenapi: &XenApi) -> Self {
        let snapshot = xenapi.engine().snapshot();
        let vms = snapshot.domains().map(|view| (view.uuid, Essence::of(view))).collect();
        Self { vms, inventory: xenapi.engine().inventory(), tasks: xenapi.tasks.state() }
    }
}

/// Waits until something has happened that a session wants to know of.
pub(super) async fn next(xenapi: &XenApi, session: &str) -> Result<Value, Failure> {
    let engine = xenapi.engine();
    let mut domains = engine.generations();
    let (mut inventory, mut tasks) = (engine.inventories(), xenapi.tasks.generations());
    let deadline = tokio::time::Instant::now() + PATIENCE;
    loop {
        domains.mark_unchanged();
        inventory.mark_unchanged();
        tasks.mark_unchanged();
        let now = Now::look(xenapi);
        let news = xenapi.sessions.seen(session, |seen| match seen {
            Some(seen) => Ok(seen.news(now)),
            None => Err(Failure::new("SESSION_NOT_REGISTERED", [session])),
        })??;
        if !news.is_empty() {
            return Ok(Value::Array(news));
        }
        let over = tokio::select! {
            changed = domains.changed() => changed.is_err(),
            changed = inventory.changed() => changed.is_err(),
            changed = tasks.changed() => changed.is_err(),
            () = tokio::time::sleep_until(deadline) => true,
        };
        if over {
            return Ok(Value::Array(vec![]));
        }
    }
}

/// The names of classes, in lower case.
fn classes(values: &[Value]) -> Result<Vec<String>, Failure> {
    let wrong = || Failure::value("classes", "an array of names of classes is expected");
    let Some(Value::Array(names)) = values.get(1) else { return Err(wrong()) };
    let name = |value: &Value| match value {
        Value::Text(name) => Some(name.to_ascii_lowercase()),
        _ => None,
    };
    names.iter().map(name).collect::<Option<_>>().ok_or_else(wrong)
}

fn told(world: &World, change: impl FnOnce(&mut Option<Seen>)) -> Result<Work, Failure> {
    world.wire.sessions.seen(&world.session, change)?;
    Ok(Work::Said(Value::Nil))
}

pub(super) static EVENT: Class = Class {
    name: "event",
    // They are told once and have no references.
    all: |_| vec![],
    needs: &[],
    shelf: Shelf::Inventory,
    fields: &[Field::read("uuid", |_, _| None)],
    calls: &[
        // Of the class of an empty list is every class.
        Call::free("register", &["session", "classes"], |world, _, args| {
            let more = classes(args.values)?;
            told(world, |seen| match seen {
                Some(seen) if more.is_empty() || seen.classes.is_empty() => seen.classes = vec![],
                Some(seen) => seen.classes.extend(more),
                None => {
                    let now = Now::look(&world.wire);
                    *seen = Some(Seen::new(more, &now));
                }
            })
        }),
        Call::free("unregister", &["session", "classes"], |world, _, args| {
            let less = classes(args.values)?;
            told(world, |seen| {
                if let Some(now) = seen {
                    now.classes.retain(|class| !less.contains(class));
                    if less.is_empty() || now.classes.is_empty() {
                        *seen = None;
                    }
                }
            })
        }),
        Call::free("next", &["session"], |_, _, _| Ok(Work::NextEvent)),
    ],
};
