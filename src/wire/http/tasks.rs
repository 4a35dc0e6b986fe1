//! Operations that clients do not wait for (`Prefer: respond-async`).
//!
//! Operators see all tasks, users those of their account. The Xen-API has tasks of its own, which
//! belong to its sessions.

use super::json::problem::Problem;
use super::json::problem_kind::ProblemKind;
use super::json::task::{Task as TaskJson, moment};
use crate::core::caller::{Caller, Principal};
use crate::core::model::{DomName, Uuid};
use crate::core::snapshot::{DomainView, Snapshot};
use serde_json::value::RawValue;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

/// Time for which an ended task is kept.
const RETENTION: Duration = Duration::from_secs(60 * 60);
/// The most tasks. A further one replaces the one that ended first.
const MAX_TASKS: usize = 1000;
/// The most tasks of one account. Users leave room for operators.
const MAX_OF_USER: usize = 200;
/// The most tasks of one account, or of operators, that are under way.
const MAX_UNDER_WAY: usize = 64;
/// The most bytes of all results. Those of the tasks that ended first are dropped.
const MAX_RESULTS: usize = 16 << 20;

/// A task.
#[derive(Clone)]
pub(super) struct Task {
    pub(super) op: &'static str,
    pub(super) owner: Principal,
    /// `None` for an operation on the host, and until a domain that is restored is known.
    pub(super) domain: Option<TaskDomain>,
    /// Whether it moves the domain's memory, which the engine tells the progress of.
    pub(super) is_transfer: bool,
    pub(super) began: SystemTime,
    pub(super) ended: Option<Ended>,
}

/// The domain of a task.
#[derive(Clone)]
pub(super) struct TaskDomain {
    /// Its name when the task began.
    pub(super) name: String,
    /// `None` for a domain that is created, and has no UUID in the request.
    pub(super) uuid: Option<Uuid>,
}

impl From<&DomainView> for TaskDomain {
    fn from(view: &DomainView) -> Self {
        Self { name: view.name().to_string(), uuid: Some(view.uuid) }
    }
}

impl TaskDomain {
    fn view<'a>(&self, snapshot: &'a Snapshot) -> Option<&'a DomainView> {
        let view = match &self.uuid {
            Some(uuid) => snapshot.by_uuid(uuid),
            None => snapshot.by_name(&DomName::adopted(&self.name)),
        };
        view.map(AsRef::as_ref)
    }
}

/// The end of a task: the body of an answer, or what went wrong.
#[derive(Clone)]
pub(super) struct Ended {
    pub(super) at: SystemTime,
    pub(super) outcome: Result<Option<Arc<RawValue>>, Problem>,
}

impl Ended {
    fn size(&self) -> usize {
        let result = self.outcome.as_ref().ok().and_then(Option::as_ref);
        result.map_or(0, |result| result.get().len())
    }
}

impl Task {
    /// About how many bytes it has as JSON.
    pub(super) fn size(&self) -> usize {
        const WITHOUT_RESULT: usize = 512;
        WITHOUT_RESULT + self.ended.as_ref().map_or(0, Ended::size)
    }

    fn is_seen_by(&self, caller: &Caller) -> bool {
        caller.is_operator() || caller.principal == self.owner
    }

    /// As an answer shows it. `snapshot` has the progress of its domain.
    pub(super) fn to_json(&self, id: Uuid, snapshot: &Snapshot) -> TaskJson<'_> {
        let progress = || {
            let view = self.domain.as_ref().and_then(|domain| domain.view(snapshot));
            let known = view.and_then(|view| view.progress).map(|progress| progress.percent());
            // It waits for its turn, or has just begun.
            known.or(self.is_transfer.then_some(0))
        };
        let (state, progress, result, problem) = match self.ended.as_ref().map(|it| &it.outcome) {
            None => ("running", progress(), None, None),
            Some(Ok(result)) => ("succeeded", Some(100), result.as_deref(), None),
            Some(Err(problem)) => ("failed", None, None, Some(problem)),
        };
        TaskJson {
            id: id.to_string(),
            op: self.op,
            domain: self.domain.as_ref().map(|domain| domain.name.as_str()),
            state,
            created_at: moment(self.began),
            ended_at: self.ended.as_ref().map(|ended| moment(ended.at)),
            progress_percent: progress,
            result,
            problem,
        }
    }
}

/// All tasks.
#[derive(Default)]
pub(super) struct Tasks(Mutex<BTreeMap<Uuid, Task>>);

impl Tasks {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<Uuid, Task>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a task, if there is room.
    pub(super) fn begin(&self, id: Uuid, task: Task) -> Result<(), Problem> {
        let mut tasks = self.lock();
        let now = task.began;
        let age = |ended: &Ended| now.duration_since(ended.at).unwrap_or_default();
        tasks.retain(|_, old| old.ended.as_ref().is_none_or(|ended| age(ended) < RETENTION));
        let is_own = |other: &Task| other.owner == task.owner;
        let under_way = tasks.values().filter(|other| is_own(other) && other.ended.is_none());
        let too_many = || {
            let text = "Too many tasks are under way, wait for some of them";
            Problem::new(ProblemKind::BUSY, text)
        };
        if under_way.count() >= MAX_UNDER_WAY {
            return Err(too_many());
        }
        let is_of_user = matches!(task.owner, Principal::User(_));
        let own = tasks.values().filter(|other| is_own(other)).count();
        let user_is_full = is_of_user && own >= MAX_OF_USER;
        if user_is_full || tasks.len() >= MAX_TASKS {
            let replaceable = tasks.iter().filter(|(_, other)| !user_is_full || is_own(other));
            let first =
                replaceable.filter_map(|(id, other)| Some((other.ended.as_ref()?.at, *id))).min();
            let (_, first) = first.ok_or_else(too_many)?;
            tasks.remove(&first);
        }
        tasks.insert(id, task);
        Ok(())
    }

    /// Ends a task. `domain` is the one that it made. Its result can displace earlier ones.
    pub(super) fn end(&self, id: Uuid, ended: Ended, domain: Option<TaskDomain>) {
        let mut tasks = self.lock();
        if let Some(task) = tasks.get_mut(&id) {
            task.ended = Some(ended);
            task.domain = domain.or_else(|| task.domain.take());
        }
        let of = |task: &Task| task.ended.as_ref().map_or(0, Ended::size);
        while tasks.values().map(of).sum::<usize>() > MAX_RESULTS {
            let results = tasks.values_mut().filter(|task| of(task) > 0);
            let mut ended = results.filter_map(|task| task.ended.as_mut());
            let Some(first) = ended.next() else { return };
            let first = ended.fold(first, |a, b| if b.at < a.at { b } else { a });
            first.outcome = Ok(None);
        }
    }

    /// The number of tasks that are under way, and of those that have ended and are kept.
    pub(super) fn counts(&self) -> (usize, usize) {
        let tasks = self.lock();
        let ended = tasks.values().filter(|task| task.ended.is_some()).count();
        (tasks.len() - ended, ended)
    }

    /// A task; `None` for one that the caller does not see.
    pub(super) fn get(&self, id: Uuid, caller: &Caller) -> Option<Task> {
        self.lock().get(&id).filter(|task| task.is_seen_by(caller)).cloned()
    }

    /// Those that a caller sees, in the order in which they began.
    pub(super) fn all(&self, caller: &Caller) -> Vec<(Uuid, Task)> {
        let tasks = self.lock();
        let seen = tasks.iter().filter(|(_, task)| task.is_seen_by(caller));
        let mut seen: Vec<_> = seen.map(|(id, task)| (*id, task.clone())).collect();
        seen.sort_by_key(|(id, task)| (task.began, *id));
        seen
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::caller::Via;
    use crate::core::model::DomainConfig;
    use crate::core::rights::{Access, Account, Credential, User};
    use crate::core::snapshot::fixtures::{running, snapshot, with_domains};
    use crate::core::transfer::Progress;
    use serde_json::value::to_raw_value;

    const START: SystemTime = SystemTime::UNIX_EPOCH;

    fn user(name: &str) -> Principal {
        let account = Account::new(name, Credential::None, Access::default());
        Principal::User(Arc::new(User::new(account)))
    }

    fn caller(principal: &Principal) -> Caller {
        Caller { via: Via::Internal, principal: principal.clone() }
    }

    fn begin(
        tasks: &Tasks,
        number: u128,
        owner: &Principal,
        began: SystemTime,
    ) -> Result<(), Problem> {
        let owner = owner.clone();
        let task = Task { op: "save", owner, domain: None, is_transfer: true, began, ended: None };
        tasks.begin(Uuid::from_u128(number), task)
    }

    fn end(tasks: &Tasks, number: u128, size: usize, after: u64) {
        let result = to_raw_value(&"x".repeat(size)).unwrap();
        let at = START + Duration::from_secs(after);
        let ended = Ended { at, outcome: Ok(Some(Arc::from(result))) };
        tasks.end(Uuid::from_u128(number), ended, None);
    }

    #[test]
    fn users_see_the_tasks_of_their_account() {
        let tasks = Tasks::default();
        let [steve, ann] = ["steve", "ann"].map(user);
        begin(&tasks, 1, &steve, START).unwrap();
        begin(&tasks, 2, &ann, START).unwrap();
        begin(&tasks, 3, &Principal::Operator, START).unwrap();
        let seen = |principal: &Principal| -> Vec<u128> {
            tasks.all(&caller(principal)).iter().map(|(id, _)| id.as_u128()).collect()
        };
        assert_eq!((seen(&steve), seen(&ann)), (vec![1], vec![2]));
        assert_eq!(seen(&Principal::Operator), [1, 2, 3]);
        assert!(tasks.get(Uuid::from_u128(2), &caller(&steve)).is_none());
        assert!(tasks.get(Uuid::from_u128(2), &caller(&ann)).is_some());
    }

    #[test]
    fn a_task_shows_the_progress_of_its_domain() {
        let config = |name: &str| DomainConfig::new(DomName::new(name).unwrap(), 64);
        let mut domain = DomainView::clone(&running(7, config("web1")));
        let of = |name: &str, uuid, is_transfer| Task {
            op: "save",
            owner: Principal::Operator,
            domain: Some(TaskDomain { name: name.to_owned(), uuid }),
            is_transfer,
            began: START,
            ended: None,
        };
        let percent = |domain: &DomainView, task: &Task| {
            let all = with_domains(snapshot(&[]), [Arc::new(domain.clone())]);
            task.to_json(Uuid::nil(), &all).progress_percent
        };
        let save = of("web1", Some(domain.uuid), true);
        assert_eq!(percent(&domain, &save), Some(0));
        assert_eq!(percent(&domain, &of("web1", Some(domain.uuid), false)), None);
        domain.progress = Some(Progress { what: "Saving", done: 1, total: 4 });
        assert_eq!(percent(&domain, &save), Some(25));
        assert_eq!(percent(&domain, &of("web1", None, false)), Some(25));
        assert_eq!(percent(&domain, &of("web2", None, false)), None);
    }

    #[test]
    fn tasks_have_limits_of_number_and_age() {
        let tasks = Tasks::default();
        let steve = user("steve");
        for number in 0..MAX_UNDER_WAY as u128 {
            begin(&tasks, number, &steve, START).unwrap();
        }
        assert_eq!(tasks.counts(), (MAX_UNDER_WAY, 0));
        assert!(begin(&tasks, 1000, &steve, START).is_err());
        begin(&tasks, 1000, &Principal::Operator, START).unwrap();
        for number in 0..MAX_OF_USER as u128 + 50 {
            end(&tasks, number, 1, 1);
            begin(&tasks, number + 64, &steve, START).ok();
        }
        assert_eq!(tasks.all(&caller(&steve)).len(), MAX_OF_USER);
        begin(&tasks, 2000, &Principal::Operator, START + 2 * RETENTION).unwrap();
        let left = tasks.all(&caller(&Principal::Operator));
        assert!(left.iter().all(|(_, task)| task.ended.is_none()));
    }

    #[test]
    fn the_oldest_results_make_room_for_later_ones() {
        let tasks = Tasks::default();
        for number in 0..5 {
            begin(&tasks, number, &Principal::Operator, START).unwrap();
            end(&tasks, number, 4 << 20, 10 - u64::try_from(number).unwrap());
        }
        let kept: Vec<bool> = (0..5)
            .map(|number| {
                let task = tasks.get(Uuid::from_u128(number), &caller(&Principal::Operator));
                task.unwrap().ended.unwrap().size() > 0
            })
            .collect();
        // Each is a little more than 4 MiB: two have gone, those of the earliest ends.
        assert_eq!(kept, [true, true, true, false, false]);
    }
}
