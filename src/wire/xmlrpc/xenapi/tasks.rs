//! Tasks: calls that the client does not wait for (`Async.CLASS.METHOD`).

use super::failure::Failure;
use crate::core::model::Uuid;
use crate::wire::xmlrpc::value::Value;
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// Time for which an ended task is kept.
const RETENTION: Duration = Duration::from_secs(60 * 60);

/// Limit of tasks. A further task replaces the one that ended first; while none has ended, no
/// further task begins.
const MAX_TASKS: usize = 10_000;

/// Methods that can be cancelled. The domain goes on afterwards.
const CANCELLABLE: [&str; 3] = ["VM.save", "VM.suspend", "VM.migrate"];

/// The method that only waits.
pub(crate) const WAIT: &str = "debug.wait";

/// A task.
#[derive(Debug, Clone)]
pub(crate) struct Task {
    pub(crate) method: String,
    pub(crate) session: String,
    pub(crate) user: String,
    /// The VM that the task shows the progress of; `None` if it is about no VM.
    pub(crate) vm: Option<Uuid>,
    /// Stops a task that only waits.
    pub(crate) stop: CancellationToken,
    began: SystemTime,
    ended: Option<(SystemTime, Result<Value, Failure>)>,
}

impl Task {
    /// Its outcome; `None` while it is under way.
    pub(crate) fn outcome(&self) -> Option<&Result<Value, Failure>> {
        self.ended.as_ref().map(|(_, outcome)| outcome)
    }

    pub(crate) fn is_cancellable(&self) -> bool {
        let method = self.method.as_str();
        self.ended.is_none() && (CANCELLABLE.contains(&method) || method == WAIT)
    }
}

/// All tasks.
#[derive(Debug, Default)]
pub(crate) struct Tasks {
    all: Mutex<HashMap<Uuid, Task>>,
    generation: watch::Sender<u64>,
}

impl Tasks {
    fn lock(&self) -> MutexGuard<'_, HashMap<Uuid, Task>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins a task. The token stops it, if it only waits.
    pub(crate) fn begin(
        &self,
        uuid: Uuid,
        method: &str,
        session: &str,
        user: &str,
        now: SystemTime,
    ) -> Result<CancellationToken, Failure> {
        let mut tasks = self.lock();
        let ended = |task: &Task| task.ended.as_ref().map(|(when, _)| *when);
        tasks.retain(|_, task| {
            ended(task).is_none_or(|when| now.duration_since(when).unwrap_or_default() < RETENTION)
        });
        if tasks.len() >= MAX_TASKS {
            let first = tasks.iter().filter_map(|(uuid, task)| Some((ended(task)?, *uuid))).min();
            let (_, first) = first.ok_or_else(|| {
                Failure::not_allowed("Too many tasks are under way, wait for some of them")
            })?;
            tasks.remove(&first);
        }
        let stop = CancellationToken::new();
        let task = Task {
            method: method.to_owned(),
            session: session.to_owned(),
            user: user.to_owned(),
            vm: None,
            stop: stop.clone(),
            began: now,
            ended: None,
        };
        tasks.insert(uuid, task);
        self.changed();
        Ok(stop)
    }

    /// Sets the VM that the task shows the progress of.
    pub(crate) fn set_vm(&self, uuid: Uuid, vm: Option<Uuid>) {
        if let Some(task) = self.lock().get_mut(&uuid) {
            task.vm = vm;
        }
    }

    pub(crate) fn end(&self, uuid: Uuid, outcome: Result<Value, Failure>, now: SystemTime) {
        if let Some(task) = self.lock().get_mut(&uuid) {
            task.ended = Some((now, outcome));
        }
        self.changed();
    }

    pub(crate) fn forget(&self, uuid: Uuid) {
        self.lock().remove(&uuid);
        self.changed();
    }

    fn changed(&self) {
        self.generation.send_modify(|generation| *generation += 1);
    }

    /// Changes with each task that begins, ends or is forgotten.
    pub(crate) fn generations(&self) -> watch::Receiver<u64> {
        self.generation.subscribe()
    }

    /// Whether each task has ended.
    pub(crate) fn ended(&self) -> HashMap<Uuid, bool> {
        self.lock().iter().map(|(uuid, task)| (*uuid, task.ended.is_some())).collect()
    }

    pub(crate) fn get(&self, uuid: Uuid) -> Option<Task> {
        self.lock().get(&uuid).cloned()
    }

    /// In the order in which they began.
    pub(crate) fn all(&self) -> Vec<Uuid> {
        let mut all: Vec<_> = self.lock().iter().map(|(uuid, task)| (task.began, *uuid)).collect();
        all.sort_unstable();
        all.into_iter().map(|(_, uuid)| uuid).collect()
    }
}
