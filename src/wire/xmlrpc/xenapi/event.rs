//! What happens to VMs, whoever caused it.
//!
//! There is no queue that could grow: a session remembers what it was last told of, and the next answer is the difference. A
//! client that is slow is told of several changes as of one.

use super::XenApi;
use super::failure::Failure;
use super::table::{Call, Class, Work};
use super::world::World;
use crate::core::engine::Engine;
use crate::core::lifecycle::State;
use crate::core::model::{DomId, DomainConfig, Uuid};
use crate::core::snapshot::{DomainView, Snapshot};
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
    /// The number of the next event.
    next: u64,
}

/// What makes a change of a VM worth telling: not its figures, which change all the time.
#[derive(Debug, Clone)]
struct Essence {
    state: State,
    domid: Option<DomId>,
    config: Arc<DomainConfig>,
    managed: bool,
}

impl Essence {
    fn of(view: &DomainView) -> Self {
        let (state, config) = (view.state(), view.config.clone());
        Self { state, domid: view.domid(), config, managed: view.managed }
    }

    fn differs(&self, other: &Self) -> bool {
        let same_config = Arc::ptr_eq(&self.config, &other.config) || self.config == other.config;
        (self.state, self.domid, self.managed) != (other.state, other.domid, other.managed) || !same_config
    }
}

impl Seen {
    pub(super) fn new(classes: Vec<String>, snapshot: &Snapshot) -> Self {
        let vms = snapshot.domains().map(|view| (view.uuid, Essence::of(view))).collect();
        Self { classes, vms, next: 1 }
    }

    /// What is different now.
    fn news(&mut self, snapshot: &Snapshot) -> Vec<Value> {
        let now: HashMap<Uuid, Essence> =
            snapshot.domains().map(|view| (view.uuid, Essence::of(view))).collect();
        let mut changes: Vec<(&'static str, Uuid)> = Vec::new();
        for (uuid, essence) in &now {
            match self.vms.get(uuid) {
                None => changes.push(("add", *uuid)),
                Some(old) if old.differs(essence) => changes.push(("mod", *uuid)),
                Some(_) => {}
            }
        }
        changes.extend(self.vms.keys().filter(|uuid| !now.contains_key(uuid)).map(|uuid| ("del", *uuid)));
        self.vms = now;
        if !self.classes.is_empty() && !self.classes.iter().any(|class| class == "vm") {
            return Vec::new();
        }
        changes.into_iter().map(|(operation, uuid)| self.event(operation, uuid)).collect()
    }

    fn event(&mut self, operation: &str, uuid: Uuid) -> Value {
        let id = self.next;
        self.next += 1;
        let member = |name: &str, value| (name.to_owned(), value);
        let seconds = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
        Value::Struct(vec![
            member("id", Value::text(id.to_string())),
            member("timestamp", Value::text(seconds.to_string())),
            member("class", Value::text("VM")),
            member("operation", Value::text(operation)),
            member("ref", Value::text(uuid.to_string())),
            member("obj_uuid", Value::text(uuid.to_string())),
            member("field", Value::text("")),
        ])
    }
}

/// Waits until something has happened that a session wants to know of.
pub(super) async fn next(engine: &Engine, xenapi: &XenApi, session: &str) -> Result<Value, Failure> {
    let mut generations = engine.generations();
    let deadline = tokio::time::Instant::now() + PATIENCE;
    loop {
        generations.mark_unchanged();
        let snapshot = engine.snapshot();
        let news = xenapi.sessions.seen(session, |seen| match seen {
            Some(seen) => Ok(seen.news(&snapshot)),
            None => Err(Failure::new("SESSION_NOT_REGISTERED", [session])),
        })??;
        if !news.is_empty() {
            return Ok(Value::Array(news));
        }
        tokio::select! {
            changed = generations.changed() => if changed.is_err() { return Ok(Value::Array(vec![])) },
            () = tokio::time::sleep_until(deadline) => return Ok(Value::Array(vec![])),
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
    world.wire.xenapi().sessions.seen(&world.session, change)?;
    Ok(Work::Said(Value::Nil))
}

pub(super) static EVENT: Class = Class {
    name: "event",
    all: |_| vec![],
    fields: &[],
    calls: &[
        // Of the class of an empty list is every class.
        Call {
            name: "register",
            takes: &["session", "classes"],
            one: false,
            make: |world, _, args| {
                let more = classes(args.values)?;
                told(world, |seen| match seen {
                    Some(seen) if more.is_empty() || seen.classes.is_empty() => seen.classes = vec![],
                    Some(seen) => seen.classes.extend(more),
                    None => *seen = Some(Seen::new(more, &world.snapshot)),
                })
            },
        },
        Call {
            name: "unregister",
            takes: &["session", "classes"],
            one: false,
            make: |world, _, args| {
                let less = classes(args.values)?;
                told(world, |seen| {
                    if let Some(now) = seen {
                        now.classes.retain(|class| !less.contains(class));
                        if less.is_empty() || now.classes.is_empty() {
                            *seen = None;
                        }
                    }
                })
            },
        },
        Call { name: "next", takes: &["session"], one: false, make: |_, _, _| Ok(Work::NextEvent) },
    ],
};
