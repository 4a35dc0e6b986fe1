//! Events: changes of VMs and other objects, by any client or by the host itself.
//!
//! There is no queue that could grow. A session keeps the moment of its last answer, and the next
//! answer is the difference to the present: a slow client sees several changes as one. A moment
//! that has become too old is dropped, and its session is told that it lost events.

use super::moment::Moment;
use super::object_change::ObjectChange;
use super::values::{text, time};
use crate::core::model::Uuid;
use crate::wire::xmlrpc::value::Value;
use std::time::SystemTime;

/// The most names of classes that a session registers, known or not.
pub(crate) const MAX_CLASSES: usize = 100;

/// A session that registered for events.
#[derive(Debug, Clone)]
pub(crate) struct Registration {
    /// The classes of the events, in lower case; all classes if empty.
    classes: Vec<String>,
    /// The moment of its last answer; `None` if that is too old.
    last: Option<Moment>,
    /// How many answers there were.
    answers: u64,
    /// The number of the next event.
    next_id: u64,
}

/// The last answer of a session.
pub(crate) struct LastAnswer {
    /// `None` if it was too long ago.
    pub(crate) moment: Option<Moment>,
    number: u64,
}

/// An event.
#[derive(Debug)]
pub(crate) struct Event {
    id: u64,
    at: SystemTime,
    /// The class of the object.
    pub(crate) class: &'static str,
    /// `add`, `mod` or `del`.
    operation: &'static str,
    pub(crate) object: Uuid,
}

impl Event {
    /// Whether the object has gone.
    pub(crate) fn is_removal(&self) -> bool {
        self.operation == "del"
    }

    /// The event as clients read it, with the record of its object; without one if it has gone.
    pub(crate) fn value(&self, record: Option<Value>) -> Value {
        let member = |name: &str, value| (name.to_owned(), value);
        let mut members = vec![
            member("id", text(&self.id)),
            member("timestamp", time(self.at)),
            member("class", text(self.class)),
            member("operation", text(self.operation)),
            member("ref", text(&self.object)),
            member("obj_uuid", text(&self.object)),
            member("field", text("")),
        ];
        members.extend(record.map(|record| member("snapshot", record)));
        Value::Struct(members)
    }
}

impl Registration {
    /// A registration for these classes, given in lower case; for all classes if there are none.
    pub(crate) fn new(classes: Vec<String>, now: Moment) -> Self {
        Self { classes, last: Some(now), answers: 0, next_id: 1 }
    }

    pub(crate) fn add_classes(&mut self, classes: Vec<String>) {
        if classes.is_empty() || self.classes.is_empty() {
            self.classes.clear();
            return;
        }
        for class in classes {
            if self.classes.len() < MAX_CLASSES && !self.classes.contains(&class) {
                self.classes.push(class);
            }
        }
    }

    /// Whether some classes are left.
    pub(crate) fn remove_classes(&mut self, classes: &[String]) -> bool {
        self.classes.retain(|class| !classes.contains(class));
        !classes.is_empty() && !self.classes.is_empty()
    }

    /// The last answer of the session.
    pub(crate) fn last_answer(&self) -> LastAnswer {
        LastAnswer { moment: self.last.clone(), number: self.answers }
    }

    /// The events of an answer, with the changes since the last one; `None` if another call of the
    /// session has answered since.
    pub(crate) fn answer(
        &mut self,
        last: &LastAnswer,
        moment: Moment,
        mut changes: Vec<ObjectChange>,
        at: SystemTime,
    ) -> Option<Vec<Event>> {
        if self.answers != last.number {
            return None;
        }
        self.answers += 1;
        self.last = Some(moment);
        changes.retain(|(class, ..)| {
            self.classes.is_empty() || self.classes.contains(&class.to_ascii_lowercase())
        });
        Some(changes.into_iter().map(|change| self.event(change, at)).collect())
    }

    /// Drops the moment of the last answer if it keeps too much in memory that has been replaced,
    /// up to this count.
    pub(crate) fn drop_if_too_old(&mut self, replaced: u64) {
        self.last.take_if(|last| last.is_too_old(replaced));
    }

    fn event(&mut self, (class, operation, object): ObjectChange, at: SystemTime) -> Event {
        let id = self.next_id;
        self.next_id += 1;
        Event { id, at, class, operation, object }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::caller::Caller;
    use crate::core::snapshot::Snapshot;
    use crate::wire::xmlrpc::xenapi::moment::VmStates;
    use crate::wire::xmlrpc::xenapi::task_states::TaskStates;
    use std::sync::Arc;

    fn moment() -> Moment {
        let vms = VmStates::new(Snapshot::ALL_DOMAINS);
        let tasks = TaskStates::default().visible_to(&Caller::internal());
        Moment { vms, inventory: Arc::default(), inventory_generation: 0, tasks }
    }

    /// Both calls of a session found the same change: it is one event.
    #[test]
    fn of_two_calls_one_has_the_changes() {
        let mut registration = Registration::new(vec![], moment());
        let [first, second] = [registration.last_answer(), registration.last_answer()];
        let at = SystemTime::UNIX_EPOCH;
        let changes = || vec![("VM", "mod", Uuid::nil())];
        let mut answer = |last: &LastAnswer| registration.answer(last, moment(), changes(), at);
        let ids = |events: Vec<Event>| events.iter().map(|event| event.id).collect::<Vec<_>>();
        assert_eq!(answer(&second).map(ids), Some(vec![1]));
        assert!(answer(&first).is_none());
        let third = registration.last_answer();
        let events = registration.answer(&third, moment(), changes(), at);
        assert_eq!(events.map(ids), Some(vec![2]));
    }
}
