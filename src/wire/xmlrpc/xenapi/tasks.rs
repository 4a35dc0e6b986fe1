//! Tasks: calls that the client does not wait for (`Async.CLASS.METHOD`).

use super::failure::Failure;
use super::owner::sees;
use super::sessions::CallSession;
use crate::core::caller::{Caller, Principal};
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

/// Limit of tasks of one account, which is kept in the same way. Users leave room for operators.
const MAX_OF_USER: usize = 200;

/// Methods that can be cancelled. The domain goes on afterwards.
const CANCELLABLE: [&str; 3] = ["VM.save", "VM.suspend", "VM.migrate"];

/// The method that only waits.
pub(crate) const WAIT: &str = "debug.wait";

/// A task.
#[derive(Debug, Clone)]
pub(crate) struct Task {
    pub(crate) method: String,
    /// The session that began it.
    pub(crate) session: CallSession,
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

    fn is_seen_by(&self, caller: &Caller) -> bool {
        sees(caller, &self.session.principal)
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
        session: &CallSession,
        now: SystemTime,
    ) -> Result<CancellationToken, Failure> {
        let mut tasks = self.lock();
        let ended = |task: &Task| task.ended.as_ref().map(|(when, _)| *when);
        tasks.retain(|_, task| {
            ended(task).is_none_or(|when| now.duration_since(when).unwrap_or_default() < RETENTION)
        });
        let is_of_user = matches!(session.principal, Principal::User(_));
        let is_own = |task: &Task| task.session.principal == session.principal;
        let user_is_full =
            is_of_user && tasks.values().filter(|task| is_own(task)).count() >= MAX_OF_USER;
        if user_is_full || tasks.len() >= MAX_TASKS {
            let replaceable = tasks.iter().filter(|(_, task)| !user_is_full || is_own(task));
            let first = replaceable.filter_map(|(uuid, task)| Some((ended(task)?, *uuid))).min();
            let (_, first) = first.ok_or_else(|| {
                Failure::not_allowed("Too many tasks are under way, wait for some of them")
            })?;
            tasks.remove(&first);
        }
        let stop = CancellationToken::new();
        let task = Task {
            method: method.to_owned(),
            session: session.clone(),
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

    /// Whether each task that a caller sees has ended.
    pub(crate) fn ended(&self, caller: &Caller) -> HashMap<Uuid, bool> {
        let all = self.lock();
        let visible = all.iter().filter(|(_, task)| task.is_seen_by(caller));
        visible.map(|(uuid, task)| (*uuid, task.ended.is_some())).collect()
    }

    /// A task; `None` for one that the caller does not see.
    pub(crate) fn get(&self, uuid: Uuid, caller: &Caller) -> Option<Task> {
        self.lock().get(&uuid).filter(|task| task.is_seen_by(caller)).cloned()
    }

    /// Those that a caller sees, in the order in which they began.
    pub(crate) fn all(&self, caller: &Caller) -> Vec<Uuid> {
        let tasks = self.lock();
        let visible = tasks.iter().filter(|(_, task)| task.is_seen_by(caller));
        let mut all: Vec<_> = visible.map(|(uuid, task)| (task.began, *uuid)).collect();
        all.sort_unstable();
        all.into_iter().map(|(_, uuid)| uuid).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::caller::Via;
    use crate::core::rights::{Access, Account, Credential, User};
    use std::sync::Arc;

    fn user(name: &str) -> Principal {
        Principal::User(Arc::new(User::new(Account::new(
            name,
            Credential::None,
            Access::default(),
        ))))
    }

    fn session(principal: &Principal) -> CallSession {
        let principal = principal.clone();
        CallSession { reference: String::new(), user: "x".to_owned(), principal }
    }

    fn caller(principal: &Principal) -> Caller {
        Caller { via: Via::Internal, principal: principal.clone() }
    }

    #[test]
    fn a_user_sees_the_tasks_of_the_account_and_leaves_room_for_others() {
        let tasks = Tasks::default();
        let steve = user("steve");
        let ann = user("ann");
        let now = SystemTime::UNIX_EPOCH;
        let begin = |number: usize, owner: &Principal| {
            let uuid = Uuid::from_u128(number as u128);
            tasks.begin(uuid, "VM.start", &session(owner), now).map(|_| uuid)
        };
        let first = begin(0, &Principal::Operator).unwrap();
        let of_ann = begin(1, &ann).unwrap();
        tasks.end(first, Ok(Value::Nil), now);
        for number in 2..2 + MAX_OF_USER {
            begin(number, &steve).unwrap();
        }
        let full = begin(1_000, &steve).unwrap_err();
        assert!(matches!(full, Failure::Code("OPERATION_NOT_ALLOWED", _)), "{full:?}");
        let own = Uuid::from_u128(7);
        tasks.end(own, Ok(Value::Nil), now);
        begin(1_000, &steve).unwrap();
        let steve = caller(&steve);
        assert!(tasks.get(own, &steve).is_none(), "it was replaced");
        assert_eq!(tasks.all(&steve).len(), MAX_OF_USER);
        assert!(tasks.get(of_ann, &steve).is_none() && !tasks.ended(&steve).contains_key(&first));
        assert_eq!(tasks.all(&caller(&ann)), [of_ann]);
        let operator = caller(&Principal::Operator);
        assert_eq!(tasks.all(&operator).len(), MAX_OF_USER + 2);
        assert!(tasks.get(of_ann, &operator).is_some());
        assert_eq!(tasks.ended(&operator).get(&first), Some(&true));
    }
}
