//! Calls that somebody does not wait for: `Async.CLASS.METHOD`.

use super::failure::{About, Failure};
use super::notes::Shelf;
use super::table::{Call, Class, Field, Work};
use super::world::{World, text, texts};
use crate::core::model::{DomainRef, Uuid};
use crate::core::op::Change;
use crate::wire::xmlrpc::value::Value;
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// How long a task is remembered that has ended.
const MEMORY: Duration = Duration::from_secs(60 * 60);

/// How many tasks there can be. Beyond that the one that ended first is forgotten, and if none has
/// ended, none begins.
const MOST: usize = 10_000;

#[derive(Debug, Clone)]
struct Task {
    method: String,
    session: String,
    user: String,
    /// The VM whose progress it shares.
    vm: Option<Uuid>,
    /// What stops it, if it only waits.
    stop: CancellationToken,
    began: SystemTime,
    /// What has become of it, and when.
    ended: Option<(SystemTime, Result<Value, Failure>)>,
}

/// All tasks. They end with the daemon.
#[derive(Debug, Default)]
pub(super) struct Tasks {
    all: Mutex<HashMap<Uuid, Task>>,
    generation: watch::Sender<u64>,
}

impl Tasks {
    fn lock(&self) -> MutexGuard<'_, HashMap<Uuid, Task>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A task that begins, and what it is stopped by.
    pub(super) fn begin(
        &self,
        method: &str,
        session: &str,
        user: &str,
        vm: Option<Uuid>,
    ) -> Result<(Uuid, CancellationToken), Failure> {
        let began = SystemTime::now();
        let mut tasks = self.lock();
        let ended = |task: &Task| task.ended.as_ref().map(|(when, _)| *when);
        tasks.retain(|_, task| {
            ended(task).is_none_or(|when| began.duration_since(when).unwrap_or_default() < MEMORY)
        });
        if tasks.len() >= MOST {
            let first = tasks.iter().filter_map(|(uuid, task)| Some((ended(task)?, *uuid))).min();
            let (_, first) = first.ok_or_else(|| {
                Failure::new(
                    "OPERATION_NOT_ALLOWED",
                    ["Too many tasks are under way, wait for some of them"],
                )
            })?;
            tasks.remove(&first);
        }
        let uuid = Uuid::new_v4();
        let stop = CancellationToken::new();
        let (method, session, user) = (method.to_owned(), session.to_owned(), user.to_owned());
        tasks.insert(
            uuid,
            Task { method, session, user, vm, stop: stop.clone(), began, ended: None },
        );
        self.changed();
        Ok((uuid, stop))
    }

    /// Says which VM's progress is its own.
    pub(super) fn is_about(&self, uuid: Uuid, vm: Option<Uuid>) {
        if let Some(task) = self.lock().get_mut(&uuid) {
            task.vm = vm;
        }
    }

    /// What has become of a task.
    pub(super) fn end(&self, uuid: Uuid, outcome: Result<Value, Failure>) {
        if let Some(task) = self.lock().get_mut(&uuid) {
            task.ended = Some((SystemTime::now(), outcome));
        }
        self.changed();
    }

    fn changed(&self) {
        self.generation.send_modify(|generation| *generation += 1);
    }

    /// Tells of each task that begins, ends or is forgotten.
    pub(super) fn generations(&self) -> watch::Receiver<u64> {
        self.generation.subscribe()
    }

    /// Which tasks there are, and whether they have ended.
    pub(super) fn state(&self) -> HashMap<Uuid, bool> {
        self.lock().iter().map(|(uuid, task)| (*uuid, task.ended.is_some())).collect()
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
    &world.wire.tasks
}

fn of(world: &World, uuid: Uuid) -> Option<Task> {
    tasks(world).get(uuid)
}

/// How far it is: a domain that is saved, restored or moved says so itself.
fn progress(world: &World, uuid: Uuid) -> Option<Value> {
    let task = of(world, uuid)?;
    let under_way =
        || world.vm(task.vm?)?.progress.map(|progress| f64::from(progress.percent()) / 100.0);
    let done = if task.ended.is_some() { 1.0 } else { under_way().unwrap_or(0.0) };
    Some(Value::Double(done))
}

/// Calls whose work can be stopped in the middle: the domain goes on then.
const STOPPABLE: [&str; 3] = ["VM.save", "VM.suspend", "VM.migrate"];

fn is_stoppable(task: &Task) -> bool {
    task.ended.is_none()
        && (STOPPABLE.contains(&task.method.as_str()) || task.method == "debug.wait")
}

/// A task that a session may do something with: its user's own.
fn mine(world: &World, uuid: Uuid) -> Result<Task, Failure> {
    let task = of(world, uuid)
        .ok_or_else(|| Failure::new("HANDLE_INVALID", ["task", &uuid.to_string()]))?;
    if task.user == world.who.user { Ok(task) } else { Err(Failure::new("PERMISSION_DENIED", [])) }
}

fn cancel(world: &World, uuid: Uuid) -> Result<Work, Failure> {
    let task = mine(world, uuid)?;
    if !is_stoppable(&task) {
        let why = if task.ended.is_some() {
            "The task has ended"
        } else {
            "What is under way cannot be stopped"
        };
        return Err(Failure::new("OPERATION_NOT_ALLOWED", [why]));
    }
    task.stop.cancel();
    let vm = task.vm.filter(|_| task.method != "debug.wait");
    let op = vm.map(|vm| Change::Cancel(DomainRef::new(vm.to_string())).into());
    let about = About { vm: vm.map(|vm| vm.to_string()).unwrap_or_default(), ..About::default() };
    Ok(Work::silent(op.into_iter().collect(), about))
}

fn destroy(world: &World, uuid: Uuid) -> Result<Work, Failure> {
    if mine(world, uuid)?.ended.is_none() {
        return Err(Failure::new("OPERATION_NOT_ALLOWED", ["The task is under way"]));
    }
    tasks(world).lock().remove(&uuid);
    tasks(world).changed();
    Ok(Work::Said(Value::Nil))
}

/// The session that began it, if it is this one: a reference is a secret.
fn session(world: &World, uuid: Uuid) -> Option<Value> {
    let session = of(world, uuid)?.session;
    text(if session == world.session { session } else { String::new() })
}

pub(super) static TASK: Class = Class {
    name: "task",
    all: |world| tasks(world).all(),
    needs: &[],
    shelf: Shelf::Inventory,
    fields: &[
        Field::read("uuid", |world, uuid| of(world, uuid).and_then(|_| text(uuid))),
        Field::read("name_label", |world, uuid| text(of(world, uuid)?.method)),
        Field::read("name_description", |world, uuid| of(world, uuid).and_then(|_| text(""))),
        Field::read("status", |world, uuid| {
            text(match of(world, uuid)?.ended {
                None => "pending",
                Some((_, Ok(_))) => "success",
                Some((_, Err(_))) => "failure",
            })
        }),
        Field::read("progress", progress),
        Field::read("type", |world, uuid| of(world, uuid).and_then(|_| text(""))),
        Field::read("result", |world, uuid| match of(world, uuid)?.ended {
            None | Some((_, Ok(Value::Nil) | Err(_))) => text(""),
            Some((_, Ok(value))) => Some(value),
        }),
        Field::read("error_info", |world, uuid| {
            Some(match of(world, uuid)?.ended {
                Some((_, Err(failure))) => failure.description(),
                _ => Value::Array(vec![]),
            })
        }),
        Field::read("allowed_operations", |world, uuid| {
            let task = of(world, uuid)?;
            let words = [("destroy", task.ended.is_some()), ("cancel", is_stoppable(&task))];
            Some(texts(words.into_iter().filter(|(_, on)| *on).map(|(word, _)| word.to_owned())))
        }),
        Field::read("session", session),
    ],
    calls: &[
        Call::one("cancel", &["session", "task"], |world, uuid, _| cancel(world, uuid)),
        Call::one("destroy", &["session", "task"], |world, uuid, _| destroy(world, uuid)),
    ],
};
