//! Tasks: calls that the client does not wait for (`Async.CLASS.METHOD`).

use super::failure::Failure;
use super::owner::sees;
use super::sessions::CallSession;
use super::task_states::{TaskStates, VisibleTasks};
use super::task_usage::TaskUsage;
use crate::core::caller::{Caller, Principal};
use crate::core::model::Uuid;
use crate::wire::xmlrpc::value::Value;
use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
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

/// Limit of tasks of one session that are under way.
const MAX_UNDER_WAY: usize = 64;

/// The same limit of all sessions from one user or host: many sessions leave room for others, too.
const MAX_OF_ORIGINATOR: usize = 1000;

/// Limit of what the tasks of one session keep, or of all sessions of one account, in bytes: the
/// parameters of those under way, and as much again of results.
const MAX_SIZE_OF_ONE: usize = 16 << 20;

/// The same limit of all tasks together.
const MAX_SIZE: usize = 128 << 20;

/// Results up to this size, in bytes, do not count: they are few enough by the number of tasks.
const SMALL_RESULT: usize = 1024;

/// Stands for a result that was dropped.
pub(crate) const RESULT_IS_GONE: &str =
    "The result is gone: xend keeps the latest ones, until their session is over";

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
    /// Whether it had a result that was dropped.
    pub(crate) result_is_gone: bool,
    began: SystemTime,
    /// The memory of its parameters while it is under way, then of its result, in bytes.
    size: usize,
    ended: Option<Ended>,
}

/// The end of a task.
#[derive(Debug, Clone)]
struct Ended {
    when: SystemTime,
    outcome: Arc<Result<Value, Failure>>,
}

impl Task {
    /// Its outcome; `None` while it is under way.
    pub(crate) fn outcome(&self) -> Option<&Result<Value, Failure>> {
        self.ended.as_ref().map(|ended| &*ended.outcome)
    }

    pub(crate) fn is_cancellable(&self) -> bool {
        let method = self.method.as_str();
        self.ended.is_none() && (CANCELLABLE.contains(&method) || method == WAIT)
    }

    fn is_seen_by(&self, caller: &Caller) -> bool {
        sees(caller, &self.session.principal)
    }

    /// Whether it shares the limits of a session: those of an account's sessions are the same.
    fn shares_limits_of(&self, session: &CallSession) -> bool {
        match &session.principal {
            Principal::User(_) => self.session.principal == session.principal,
            Principal::Operator | Principal::Nobody => self.session.reference == session.reference,
        }
    }

    fn has_result(&self) -> bool {
        self.ended.is_some() && self.size > 0
    }

    fn drop_result(&mut self) {
        if let Some(ended) = &mut self.ended {
            ended.outcome = Arc::new(Ok(Value::text(RESULT_IS_GONE)));
        }
        self.size = 0;
        self.result_is_gone = true;
    }
}

/// All tasks.
#[derive(Debug, Default)]
pub(crate) struct Tasks {
    table: Mutex<Table>,
    generation: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct Table {
    all: HashMap<Uuid, Task>,
    usage: TaskUsage,
    /// The tasks with results that count, in the order in which they ended. Some may be gone.
    results: VecDeque<Uuid>,
    /// What events tell of them.
    states: TaskStates,
}

impl Table {
    fn insert(&mut self, uuid: Uuid, task: Task) {
        self.states.set(uuid, &task.session.principal, false);
        self.usage.add(&task.session, task.size);
        self.all.insert(uuid, task);
    }

    fn remove(&mut self, uuid: Uuid) {
        if let Some(Task { session, size, ended, .. }) = self.all.remove(&uuid) {
            match ended {
                Some(ended) => self.usage.remove_ended(uuid, &session, ended.when),
                None => self.usage.remove(&session, size),
            }
        }
        self.states.remove(uuid);
    }

    /// Removes the tasks that ended long ago. Tells whether there were any.
    fn remove_old(&mut self, now: SystemTime) -> bool {
        let mut has_old = false;
        while let Some((when, first)) = self.usage.of_all().first_ended() {
            if now.duration_since(when).unwrap_or_default() < RETENTION {
                break;
            }
            self.remove(first);
            has_old = true;
        }
        has_old
    }

    /// Fails if there is no room for a task of a session with parameters of so many bytes.
    fn check_room(&self, size: usize, session: &CallSession) -> Result<(), Failure> {
        let usage = &self.usage;
        if usage.of_session(session).under_way >= MAX_UNDER_WAY {
            let reason = "Too many tasks of this session are under way, wait for some of them";
            return Err(Failure::not_allowed(reason));
        }
        if usage.of_originator(session).under_way >= MAX_OF_ORIGINATOR {
            let reason = "Too many tasks of this user or host are under way, wait for some of them";
            return Err(Failure::not_allowed(reason));
        }
        let is_beyond = |taken: usize, limit: usize| taken.saturating_add(size) > limit;
        if is_beyond(usage.of_sharers(session).size, MAX_SIZE_OF_ONE)
            || is_beyond(usage.of_all().size, MAX_SIZE)
        {
            let reason = "The parameters of the tasks under way are too long, wait for some tasks";
            return Err(Failure::not_allowed(reason));
        }
        Ok(())
    }

    /// Drops results, those of the tasks that ended first, until all that `counts` take at most
    /// `limit` bytes.
    fn drop_first(&mut self, limit: usize, counts: impl Fn(&Task) -> bool) {
        let Self { all, results, .. } = self;
        results.retain(|uuid| all.get(uuid).is_some_and(Task::has_result));
        let tasks = results.iter().filter_map(|uuid| all.get(uuid));
        let mut size: usize = tasks.filter(|task| counts(task)).map(|task| task.size).sum();
        for uuid in &*results {
            if size <= limit {
                break;
            }
            if let Some(task) = all.get_mut(uuid).filter(|task| counts(task)) {
                size = size.saturating_sub(task.size);
                task.drop_result();
            }
        }
    }
}

impl Tasks {
    fn lock(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins a task whose parameters take `size` bytes. The token stops it, if it only waits.
    pub(crate) fn begin(
        &self,
        uuid: Uuid,
        method: &str,
        size: usize,
        session: &CallSession,
        now: SystemTime,
    ) -> Result<CancellationToken, Failure> {
        let mut table = self.lock();
        table.remove_old(now);
        table.check_room(size, session)?;
        let is_of_user = matches!(session.principal, Principal::User(_));
        let of_originator = table.usage.of_originator(session);
        let user_is_full = is_of_user && of_originator.count() >= MAX_OF_USER;
        if user_is_full || table.all.len() >= MAX_TASKS {
            let full = if user_is_full { of_originator } else { table.usage.of_all() };
            let (_, first) = full.first_ended().ok_or_else(|| {
                Failure::not_allowed("Too many tasks are under way, wait for some of them")
            })?;
            table.remove(first);
        }
        let stop = CancellationToken::new();
        let task = Task {
            method: method.to_owned(),
            session: session.clone(),
            vm: None,
            stop: stop.clone(),
            result_is_gone: false,
            began: now,
            size,
            ended: None,
        };
        table.insert(uuid, task);
        drop(table);
        self.changed();
        Ok(stop)
    }

    /// Sets the VM that the task shows the progress of.
    pub(crate) fn set_vm(&self, uuid: Uuid, vm: Option<Uuid>) {
        if let Some(task) = self.lock().all.get_mut(&uuid) {
            task.vm = vm;
        }
    }

    /// Ends a task, and tells its session. Its result can displace those of tasks that ended
    /// before. `None` if no such task is under way.
    pub(crate) fn end(
        &self,
        uuid: Uuid,
        outcome: Result<Value, Failure>,
        now: SystemTime,
    ) -> Option<String> {
        let mut guard = self.lock();
        let table = &mut *guard;
        let task = table.all.get_mut(&uuid).filter(|task| task.ended.is_none())?;
        table.usage.end(uuid, &task.session, task.size, now);
        task.size = outcome.as_ref().map_or(0, Value::heap_size);
        task.ended = Some(Ended { when: now, outcome: Arc::new(outcome) });
        table.states.set(uuid, &task.session.principal, true);
        let session = task.session.clone();
        if task.size > MAX_SIZE_OF_ONE {
            task.drop_result();
        } else if task.size > SMALL_RESULT {
            table.results.push_back(uuid);
            table.drop_first(MAX_SIZE_OF_ONE, |task| task.shares_limits_of(&session));
            table.drop_first(MAX_SIZE, |_| true);
        }
        drop(guard);
        self.changed();
        Some(session.reference)
    }

    /// The references of the sessions that have results.
    pub(crate) fn sessions_with_results(&self) -> HashSet<String> {
        let table = self.lock();
        let tasks = table.all.values().filter(|task| task.has_result());
        tasks.map(|task| task.session.reference.clone()).collect()
    }

    /// Drops all results of these sessions.
    pub(crate) fn drop_results(&self, sessions: &HashSet<String>) {
        for task in self.lock().all.values_mut() {
            if task.has_result() && sessions.contains(&task.session.reference) {
                task.drop_result();
            }
        }
    }

    /// Forgets the tasks that ended long ago.
    pub(crate) fn forget_old(&self, now: SystemTime) {
        if self.lock().remove_old(now) {
            self.changed();
        }
    }

    /// The number of tasks that are under way, and of those that have ended and are kept.
    pub(crate) fn counts(&self) -> (usize, usize) {
        let table = self.lock();
        let under_way = table.usage.of_all().under_way;
        (under_way, table.all.len().saturating_sub(under_way))
    }

    pub(crate) fn forget(&self, uuid: Uuid) {
        self.lock().remove(uuid);
        self.changed();
    }

    fn changed(&self) {
        self.generation.send_modify(|generation| *generation += 1);
    }

    /// Changes with each task that begins, ends or is forgotten.
    pub(crate) fn generations(&self) -> watch::Receiver<u64> {
        self.generation.subscribe()
    }

    /// The tasks that a caller sees, for the comparison that makes events.
    pub(crate) fn visible(&self, caller: &Caller) -> VisibleTasks {
        self.lock().states.visible_to(caller)
    }

    /// A task; `None` for one that the caller does not see.
    pub(crate) fn get(&self, uuid: Uuid, caller: &Caller) -> Option<Task> {
        self.lock().all.get(&uuid).filter(|task| task.is_seen_by(caller)).cloned()
    }

    /// Those that a caller sees, in the order in which they began.
    pub(crate) fn all(&self, caller: &Caller) -> Vec<Uuid> {
        let table = self.lock();
        let visible = table.all.iter().filter(|(_, task)| task.is_seen_by(caller));
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
    use crate::wire::xmlrpc::xenapi::object_change::ObjectChange;

    fn user(name: &str) -> Principal {
        Principal::User(Arc::new(User::new(Account::new(
            name,
            Credential::None,
            Access::default(),
        ))))
    }

    fn session(reference: &str, principal: &Principal) -> CallSession {
        let originator = match principal {
            Principal::User(user) => format!("user {}", user.name()),
            Principal::Operator | Principal::Nobody => "uid 0".to_owned(),
        };
        CallSession {
            reference: reference.to_owned(),
            user: "x".to_owned(),
            principal: principal.clone(),
            originator,
        }
    }

    /// Fails if a walk over all tasks counts something else than what is known of them.
    fn check_usage(tasks: &Tasks) {
        let table = tasks.lock();
        let mut counted = TaskUsage::default();
        for (uuid, task) in &table.all {
            match &task.ended {
                None => counted.add(&task.session, task.size),
                Some(ended) => {
                    counted.add(&task.session, 0);
                    counted.end(*uuid, &task.session, 0, ended.when);
                }
            }
        }
        assert_eq!(table.usage, counted);
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
            let session = session(&(number / MAX_UNDER_WAY).to_string(), owner);
            tasks.begin(uuid, "VM.start", 0, &session, now).map(|_| uuid)
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
        assert!(tasks.get(of_ann, &steve).is_none());
        assert_eq!(tasks.visible(&steve).has_ended(first), None);
        assert_eq!(tasks.all(&caller(&ann)), [of_ann]);
        let operator = caller(&Principal::Operator);
        assert_eq!(tasks.all(&operator).len(), MAX_OF_USER + 2);
        assert!(tasks.get(of_ann, &operator).is_some());
        assert_eq!(tasks.visible(&operator).has_ended(first), Some(true));
    }

    /// A result of so many bytes and a little more.
    fn result(size: usize) -> Value {
        Value::text("x".repeat(size))
    }

    /// Begins a task of an operator's session and ends it with a result. The tasks are numbered.
    fn run(tasks: &Tasks, number: u128, reference: &str, size: usize) -> Uuid {
        let uuid = Uuid::from_u128(number);
        let session = session(reference, &Principal::Operator);
        let now = SystemTime::UNIX_EPOCH;
        tasks.begin(uuid, "VM.get_all_records", 0, &session, now).unwrap();
        tasks.end(uuid, Ok(result(size)), now);
        uuid
    }

    fn is_gone(tasks: &Tasks, uuid: Uuid) -> bool {
        let task = tasks.get(uuid, &caller(&Principal::Operator)).unwrap();
        let is_gone = task.outcome() == Some(&Ok(Value::text(RESULT_IS_GONE)));
        assert_eq!(is_gone, task.result_is_gone);
        is_gone
    }

    fn size_of_results(tasks: &Tasks) -> usize {
        tasks.lock().all.values().map(|task| task.size).sum()
    }

    #[test]
    fn the_oldest_results_of_a_session_make_room_for_later_ones() {
        let tasks = Tasks::default();
        let size = 1 << 20;
        let other = run(&tasks, 100, "other", size);
        let all: Vec<_> = (0..20).map(|number| run(&tasks, number, "one", size)).collect();
        let gone: Vec<_> = all.iter().map(|uuid| is_gone(&tasks, *uuid)).collect();
        // Each is a little more than a mebibyte.
        let expected: Vec<_> = (0..20).map(|number| number < 5).collect();
        assert_eq!(gone, expected);
        assert!(!is_gone(&tasks, other));
        assert!(size_of_results(&tasks) <= MAX_SIZE_OF_ONE + 2 * size);
        let large = run(&tasks, 200, "one", 2 * MAX_SIZE_OF_ONE);
        assert!(is_gone(&tasks, large), "it fits in nowhere");
        assert!(!is_gone(&tasks, all[19]), "it displaces none");
    }

    #[test]
    fn the_results_of_all_sessions_have_a_limit() {
        let tasks = Tasks::default();
        let size = 15 << 20;
        let run = |number: u128| run(&tasks, number, &number.to_string(), size);
        let all: Vec<_> = (0..10).map(run).collect();
        assert!(size_of_results(&tasks) <= MAX_SIZE);
        let gone = all.iter().filter(|uuid| is_gone(&tasks, **uuid)).count();
        assert_eq!(gone, 10 - MAX_SIZE / size);
        assert!(is_gone(&tasks, all[0]) && !is_gone(&tasks, all[9]));
    }

    #[test]
    fn results_go_with_their_session() {
        let tasks = Tasks::default();
        let of_one = run(&tasks, 1, "one", 100);
        let of_other = run(&tasks, 2, "other", 100);
        let names = |names: &[&str]| -> HashSet<String> {
            names.iter().map(|name| (*name).to_owned()).collect()
        };
        assert_eq!(tasks.sessions_with_results(), names(&["one", "other"]));
        tasks.drop_results(&names(&["one"]));
        assert!(is_gone(&tasks, of_one) && !is_gone(&tasks, of_other));
        assert_eq!(tasks.sessions_with_results(), names(&["other"]));
        // A failure is short, and stays.
        let failed = Uuid::from_u128(3);
        let now = SystemTime::UNIX_EPOCH;
        let session = session("one", &Principal::Operator);
        tasks.begin(failed, "VM.start", 0, &session, now).unwrap();
        tasks.end(failed, Err(Failure::not_allowed("no")), now);
        tasks.drop_results(&names(&["one"]));
        assert!(!is_gone(&tasks, failed));
        tasks.forget_old(now + RETENTION);
        assert!(tasks.lock().all.is_empty());
    }

    #[test]
    fn a_session_has_a_limit_of_tasks_under_way_and_of_their_parameters() {
        let tasks = Tasks::default();
        let now = SystemTime::UNIX_EPOCH;
        let begin = |number: usize, size: usize, session: &CallSession| {
            tasks.begin(Uuid::from_u128(number as u128), "debug.wait", size, session, now)
        };
        let one = session("one", &Principal::Operator);
        let other = session("other", &Principal::Operator);
        for number in 0..MAX_UNDER_WAY {
            begin(number, 0, &one).unwrap();
        }
        begin(1000, 0, &one).unwrap_err();
        begin(1000, 0, &other).unwrap();
        tasks.end(Uuid::from_u128(0), Ok(Value::Nil), now);
        begin(1001, MAX_SIZE_OF_ONE, &one).unwrap();
        tasks.end(Uuid::from_u128(1), Ok(Value::Nil), now);
        begin(1002, 1, &one).unwrap_err();
        begin(1002, 0, &one).unwrap();
        begin(1003, 1, &other).unwrap();
        // The sessions of an account share the limit of parameters.
        let steve = user("steve");
        begin(1004, MAX_SIZE_OF_ONE, &session("a", &steve)).unwrap();
        begin(1005, 1, &session("b", &steve)).unwrap_err();
        begin(1005, 1, &session("b", &user("ann"))).unwrap();
    }

    #[test]
    fn many_sessions_of_one_operator_leave_room_for_others() {
        let tasks = Tasks::default();
        let now = SystemTime::UNIX_EPOCH;
        let begin = |number: usize, session: &CallSession| {
            tasks.begin(Uuid::from_u128(number as u128), "debug.wait", 0, session, now)
        };
        let own =
            |number: usize| session(&(number / MAX_UNDER_WAY).to_string(), &Principal::Operator);
        for number in 0..MAX_OF_ORIGINATOR {
            begin(number, &own(number)).unwrap();
        }
        let full = begin(MAX_TASKS, &own(MAX_TASKS)).unwrap_err();
        assert!(matches!(full, Failure::Code("OPERATION_NOT_ALLOWED", _)), "{full:?}");
        let other = CallSession { originator: "uid 7".to_owned(), ..own(MAX_TASKS) };
        begin(MAX_TASKS, &other).unwrap();
        begin(MAX_TASKS + 1, &session("ann", &user("ann"))).unwrap();
        check_usage(&tasks);
        tasks.end(Uuid::from_u128(0), Ok(Value::Nil), now);
        begin(MAX_TASKS + 2, &own(MAX_TASKS + 2)).unwrap();
        check_usage(&tasks);
        tasks.forget(Uuid::from_u128(0));
        for number in 0..MAX_OF_ORIGINATOR {
            tasks.end(Uuid::from_u128(number as u128), Ok(Value::Nil), now);
        }
        check_usage(&tasks);
        tasks.forget_old(now + RETENTION);
        check_usage(&tasks);
        assert_eq!(tasks.counts(), (3, 0));
    }

    #[test]
    fn changes_of_tasks_are_those_that_the_caller_sees() {
        let tasks = Tasks::default();
        let steve = user("steve");
        let now = SystemTime::UNIX_EPOCH;
        let begin = |number: u128, owner: &Principal, now| {
            let uuid = Uuid::from_u128(number);
            tasks.begin(uuid, "VM.start", 0, &session("", owner), now).unwrap();
            uuid
        };
        let old = begin(1, &steve, now);
        let callers = [&steve, &Principal::Operator].map(caller);
        let before = callers.each_ref().map(|caller| tasks.visible(caller));
        let changes = || {
            let visible = callers.each_ref().map(|caller| tasks.visible(caller));
            [0, 1].map(|at| {
                let mut changes = Vec::new();
                visible[at].add_changes(&before[at], &mut changes);
                changes.sort_unstable();
                changes
            })
        };
        assert_eq!(changes(), [[], []].map(|none: [ObjectChange; 0]| none.to_vec()));
        tasks.end(old, Ok(Value::Nil), now);
        let passing = begin(2, &steve, now);
        tasks.forget(passing);
        let other = begin(3, &Principal::Operator, now);
        let ended = ("task", "mod", old);
        assert_eq!(changes(), [vec![ended], vec![("task", "add", other), ended]]);
        // An old task makes room when the next one begins.
        let last = begin(4, &steve, now + RETENTION);
        let own = vec![("task", "add", last), ("task", "del", old)];
        let all = vec![("task", "add", other), ("task", "add", last), ("task", "del", old)];
        assert_eq!(changes(), [own, all]);
    }
}
