//! What events tell of tasks: which there are, and which have ended.

use super::object_change::{ObjectChange, operation};
use super::owner::sees;
use crate::core::caller::{Caller, Principal};
use crate::core::change_log::ChangeLog;
use crate::core::content_size::CHANGE;
use crate::core::model::Uuid;
use rpds::HashTrieMapSync;
use std::collections::HashSet;

/// The part of a task that has events.
#[derive(Debug, Clone)]
struct TaskState {
    owner: Principal,
    has_ended: bool,
}

/// All tasks, and what has changed among them. Copies share their structure.
#[derive(Debug, Clone, Default)]
pub(crate) struct TaskStates {
    changes: ChangeLog,
    by_uuid: HashTrieMapSync<Uuid, TaskState>,
}

impl TaskStates {
    /// Records a task that has begun, or has ended.
    pub(crate) fn set(&mut self, uuid: Uuid, owner: &Principal, has_ended: bool) {
        self.changes.add(uuid);
        self.by_uuid.insert_mut(uuid, TaskState { owner: owner.clone(), has_ended });
    }

    /// Records that a task is forgotten.
    pub(crate) fn remove(&mut self, uuid: Uuid) {
        if self.by_uuid.remove_mut(&uuid) {
            self.changes.add(uuid);
        }
    }

    /// Those that a caller sees.
    pub(crate) fn visible_to(&self, caller: &Caller) -> VisibleTasks {
        let sees_all = caller.is_operator();
        VisibleTasks { all: self.clone(), caller: caller.clone(), sees_all }
    }
}

/// The tasks that a caller sees at one moment.
#[derive(Debug, Clone)]
pub(crate) struct VisibleTasks {
    all: TaskStates,
    caller: Caller,
    sees_all: bool,
}

impl VisibleTasks {
    /// About how many bytes other states had taken that there are not any more.
    pub(crate) fn replaced(&self) -> u64 {
        self.all.changes.number() * CHANGE as u64
    }

    /// Whether a task has ended; `None` for one that the caller does not see.
    pub(crate) fn has_ended(&self, uuid: Uuid) -> Option<bool> {
        let is_seen = |state: &&TaskState| self.sees_all || sees(&self.caller, &state.owner);
        self.all.by_uuid.get(&uuid).filter(is_seen).map(|state| state.has_ended)
    }

    /// Adds the changes since an earlier moment.
    pub(crate) fn add_changes(&self, before: &Self, changes: &mut Vec<ObjectChange>) {
        let logged = (self.sees_all == before.sees_all)
            .then(|| self.all.changes.since(before.all.changes.number()))
            .flatten();
        let touched: HashSet<Uuid> = match logged {
            Some(logged) => logged.collect(),
            None => self.all.by_uuid.keys().chain(before.all.by_uuid.keys()).copied().collect(),
        };
        for uuid in touched {
            let was = before.has_ended(uuid);
            let is = self.has_ended(uuid);
            let operation = operation(was.as_ref(), is.as_ref(), |a, b| a != b);
            changes.extend(operation.map(|operation| ("task", operation, uuid)));
        }
    }
}
