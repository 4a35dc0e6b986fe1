//! The state of the Xen-API between calls. It ends with the daemon.

use super::debug_objects::DebugObjects;
use super::failure::Failure;
use super::sessions::{CallSession, Now, Sessions};
use super::tasks::Tasks;
use crate::core::model::Uuid;
use crate::wire::xmlrpc::value::Value;
use std::collections::HashSet;

/// Sessions, tasks and debug objects.
pub(crate) struct ApiState {
    pub(crate) sessions: Sessions,
    pub(crate) tasks: Tasks,
    pub(crate) debug_objects: DebugObjects,
    new_uuid: Box<dyn Fn() -> Uuid + Send + Sync>,
}

impl ApiState {
    /// `new_uuid` gives random UUIDs: a session's reference cannot be guessed.
    pub(crate) fn new(new_uuid: impl Fn() -> Uuid + Send + Sync + 'static) -> Self {
        Self {
            sessions: Sessions::default(),
            tasks: Tasks::default(),
            debug_objects: DebugObjects::default(),
            new_uuid: Box::new(new_uuid),
        }
    }

    /// A random UUID for a new object.
    pub(crate) fn new_uuid(&self) -> Uuid {
        (self.new_uuid)()
    }

    /// Ends a task. Its result is dropped at once if its session is over by now.
    pub(crate) fn end_task(&self, task: Uuid, outcome: Result<Value, Failure>, now: Now) {
        let session = self.tasks.end(task, outcome, now.time);
        if let Some(over) = session.filter(|session| !self.sessions.is_live(session, now)) {
            self.tasks.drop_results(&HashSet::from([over]));
        }
    }

    /// Ends a session. The results of its tasks go with it.
    pub(crate) fn end_session(&self, session: &CallSession) {
        self.sessions.end(&session.reference);
        self.tasks.drop_results(&HashSet::from([session.reference.clone()]));
    }

    /// Forgets the sessions that are over with their results, and the tasks that ended long ago.
    pub(crate) fn forget_old(&self, now: Now) {
        self.sessions.end_old(now);
        self.tasks.forget_old(now.time);
        // Never with the locks of tasks and of sessions together: a registration for events takes
        // them in the other order.
        let mut over = self.tasks.sessions_with_results();
        over.retain(|session| !self.sessions.is_live(session, now));
        if !over.is_empty() {
            self.tasks.drop_results(&over);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::caller::{Caller, Principal};
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::time::{Duration, SystemTime};

    #[test]
    fn the_results_of_a_session_go_at_its_end() {
        let last = AtomicU64::new(0);
        let new_uuid = move || Uuid::from_u128(u128::from(last.fetch_add(1, Ordering::Relaxed)));
        let state = ApiState::new(new_uuid);
        let monotonic = Duration::from_secs(1_000_000);
        let now = Now { time: SystemTime::UNIX_EPOCH + monotonic, monotonic };
        let begin_session = || {
            let uuid = state.new_uuid();
            let origin = uuid.to_string();
            state.sessions.begin(uuid, "root".into(), Principal::Operator, origin, now);
            state.sessions.check(&uuid.to_string(), now).unwrap()
        };
        let [one, other, slow] = [begin_session(), begin_session(), begin_session()];
        let begin_task = |session: &CallSession| {
            let task = state.new_uuid();
            state.tasks.begin(task, "VM.get_all", 0, session, now.time).unwrap();
            task
        };
        let is_gone = |task| {
            let task = state.tasks.get(task, &Caller::internal()).unwrap();
            task.outcome().is_some() && task.result_is_gone
        };
        let [of_one, of_other, of_slow] = [begin_task(&one), begin_task(&other), begin_task(&slow)];
        state.end_task(of_one, Ok(Value::text("x")), now);
        state.end_task(of_other, Ok(Value::text("x")), now);
        assert!(!is_gone(of_one) && !is_gone(of_other));
        state.end_session(&one);
        assert!(is_gone(of_one) && !is_gone(of_other));
        state.end_session(&slow);
        state.end_task(of_slow, Ok(Value::text("x")), now);
        assert!(is_gone(of_slow), "it ended after its session");
        let day = Duration::from_secs(24 * 60 * 60);
        let late = begin_task(&other);
        state.end_task(
            late,
            Ok(Value::text("x")),
            now + day.saturating_sub(Duration::from_secs(1)),
        );
        assert!(!is_gone(late));
        state.forget_old(now + day);
        assert!(is_gone(late), "its session is over");
        assert!(state.tasks.get(of_one, &Caller::internal()).is_none(), "it ended long ago");
    }
}
