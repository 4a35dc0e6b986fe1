//! Calls that somebody does not wait for: `Async.CLASS.METHOD`.

use super::XenApi;
use super::failure::Failure;
use super::table::{Call, Class, Field, Work};
use super::world::{World, texts};
use crate::core::model::Uuid;
use crate::wire::xmlrpc::value::Value;
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

/// How long a task is remembered that has ended.
const MEMORY: Duration = Duration::from_secs(60 * 60);

/// How many tasks there can be. Beyond that the one that ended first is forgotten, and if none has ended, none begins.
const MOST: usize = 10_000;

#[derive(Debug, Clone)]
struct Task {
    method: String,
    session: String,
    /// The VM whose progress it shares.
    vm: Option<Uuid>,
    began: SystemTime,
    /// What has become of it, and when.
    ended: Option<(SystemTime, Result<Value, Failure>)>,
}

/// All tasks. They end with the daemon.
#[derive(Debug, Default)]
pub(in crate::wire::xmlrpc) struct Tasks(Mutex<HashMap<Uuid, Task>>);

impl Tasks {
    fn lock(&self) -> MutexGuard<'_, HashMap<Uuid, Task>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A task that begins.
    pub(super) fn begin(&self, method: &str, session: &str, vm: Option<Uuid>) -> Result<Uuid, Failure> {
        let began = SystemTime::now();
        let mut tasks = self.lock();
        let ended = |task: &Task| task.ended.as_ref().map(|(when, _)| *when);
        tasks.retain(|_, task| {
            ended(task).is_none_or(|when| began.duration_since(when).unwrap_or_default() < MEMORY)
        });
        if tasks.len() >= MOST {
            let first = tasks.iter().filter_map(|(uuid, task)| Some((ended(task)?, *uuid))).min();
            let (_, first) = first.ok_or_else(|| {
                Failure::new("OPERATION_NOT_ALLOWED", ["Too many tasks are under way, wait for some of them"])
            })?;
            tasks.remove(&first);
        }
        let uuid = Uuid::new_v4();
        let task = Task { method: method.to_owned(), session: session.to_owned(), vm, began, ended: None };
        tasks.insert(uuid, task);
        Ok(uuid)
    }

    /// What has become of a task.
    pub(super) fn end(&self, uuid: Uuid, outcome: Result<Value, Failure>) {
        if let Some(task) = self.lock().get_mut(&uuid) {
            task.ended = Some((SystemTime::now(), outcome));
        }
    }

    fn get(&self, uuid: Uuid) -> Option<Task> {
        self.lock().get(&uuid).cloned()
    }

    /// In the order in which they began.
    fn all(&self) -> Vec<Uuid> {
        let mut all: Vec<_> = self.lock().iter().map(|(uuid, task)| (task.began, *uuid)).collect();
        all.sort_unstable();
        all.into_iter().map(|(_, uuid)| uuid).collect()
    }
}

fn tasks(world: &World) -> &Tasks {
    let XenApi { tasks, .. } = world.wire.xenapi();
    tasks
}

fn of(world: &World, uuid: Uuid) -> Option<Task> {
    tasks(world).get(uuid)
}

/// How far it is: a domain that is saved, restored or moved says so itself.
fn progress(world: &World, uuid: Uuid) -> Option<Value> {
    let task = of(world, uuid)?;
    let under_way = || world.vm(task.vm?)?.progress.map(|progress| f64::from(progress.percent()) / 100.0);
    let done = if task.ended.is_some() { 1.0 } else { under_way().unwrap_or(0.0) };
    Some(Value::Double(done))
}

pub(super) static TASK: Class = Class {
    name: "task",
    all: |world| tasks(world).all(),
    fields: &[
        Field::read("uuid", |world, uuid| of(world, uuid).map(|_| Value::text(uuid.to_string()))),
        Field::read("name_label", |world, uuid| Some(Value::text(of(world, uuid)?.method))),
        Field::read("name_description", |world, uuid| of(world, uuid).map(|_| Value::text(""))),
        Field::read("status", |world, uuid| {
            Some(Value::text(match of(world, uuid)?.ended {
                None => "pending",
                Some((_, Ok(_))) => "success",
                Some((_, Err(_))) => "failure",
            }))
        }),
        Field::read("progress", progress),
        Field::read("type", |world, uuid| of(world, uuid).map(|_| Value::text(""))),
        Field::read("result", |world, uuid| {
            Some(match of(world, uuid)?.ended {
                None | Some((_, Ok(Value::Nil) | Err(_))) => Value::text(""),
                Some((_, Ok(value))) => value,
            })
        }),
        Field::read("error_info", |world, uuid| {
            Some(match of(world, uuid)?.ended {
                Some((_, Err(failure))) => failure.description(),
                _ => Value::Array(vec![]),
            })
        }),
        Field::read("allowed_operations", |world, uuid| {
            let ended = of(world, uuid)?.ended.is_some();
            Some(texts(ended.then(|| "destroy".to_owned())))
        }),
        Field::read("session", |world, uuid| Some(Value::text(of(world, uuid)?.session))),
    ],
    calls: &[
        // What libxl has begun it ends, and half of it is of no use to anybody.
        Call {
            name: "cancel",
            takes: &["session", "task"],
            one: true,
            make: |_, _, _| {
                Err(Failure::new("OPERATION_NOT_ALLOWED", ["What is under way cannot be stopped"]))
            },
        },
        Call {
            name: "destroy",
            takes: &["session", "task"],
            one: true,
            make: |world, uuid, _| {
                let mut tasks = tasks(world).lock();
                if tasks.get(&uuid).is_some_and(|task| task.ended.is_none()) {
                    return Err(Failure::new("OPERATION_NOT_ALLOWED", ["The task is under way"]));
                }
                tasks.remove(&uuid);
                Ok(Work::Said(Value::Nil))
            },
        },
    ],
};
