//! Events: changes of VMs and other objects, by any client or by the host itself.
//!
//! There is no queue that could grow. A session keeps the moment of its last answer, and the next
//! answer is the difference to the present: a slow client sees several changes as one.

use super::item_changes::ItemChanges;
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
    /// The moment of its last answer.
    last: Moment,
    /// The number of the next event.
    next_id: u64,
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
        Self { classes, last: now, next_id: 1 }
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

    /// The events since the last ones. `item_changes` are those of the scope.
    pub(crate) fn events(
        &mut self,
        moment: Moment,
        item_changes: &ItemChanges,
        at: SystemTime,
    ) -> Vec<Event> {
        let mut changes = moment.changes_since(&self.last, item_changes);
        self.last = moment;
        changes.retain(|(class, ..)| {
            self.classes.is_empty() || self.classes.contains(&class.to_ascii_lowercase())
        });
        changes.into_iter().map(|change| self.event(change, at)).collect()
    }

    fn event(&mut self, (class, operation, object): ObjectChange, at: SystemTime) -> Event {
        let id = self.next_id;
        self.next_id += 1;
        Event { id, at, class, operation, object }
    }
}
