//! What the tasks of each session, of each user or host, and of all together take. It is counted
//! when tasks begin and end, so that none is looked through when another one begins.

use super::sessions::CallSession;
use crate::core::caller::Principal;
use crate::core::model::Uuid;
use std::collections::{BTreeSet, HashMap};
use std::time::SystemTime;

/// Those who have tasks.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Owner {
    All,
    /// The account, or the user or host that logged in.
    Originator(String),
    Session(String),
}

/// What the tasks of one owner take.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Usage {
    pub(super) under_way: usize,
    /// The parameters of those under way, in bytes.
    pub(super) size: usize,
    /// Those that have ended, by their ends.
    ended: BTreeSet<(SystemTime, Uuid)>,
}

impl Usage {
    /// The number of tasks.
    pub(super) fn count(&self) -> usize {
        self.under_way + self.ended.len()
    }

    /// The task that ended first, and when.
    pub(super) fn first_ended(&self) -> Option<(SystemTime, Uuid)> {
        self.ended.first().copied()
    }
}

/// What the tasks of each owner take.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct TaskUsage(HashMap<Owner, Usage>);

static NONE: Usage = Usage { under_way: 0, size: 0, ended: BTreeSet::new() };

impl TaskUsage {
    fn of(&self, owner: &Owner) -> &Usage {
        self.0.get(owner).unwrap_or(&NONE)
    }

    pub(super) fn of_all(&self) -> &Usage {
        self.of(&Owner::All)
    }

    pub(super) fn of_session(&self, session: &CallSession) -> &Usage {
        self.of(&Owner::Session(session.reference.clone()))
    }

    /// Of all sessions of the same account, or from the same user or host.
    pub(super) fn of_originator(&self, session: &CallSession) -> &Usage {
        self.of(&Owner::Originator(session.originator.clone()))
    }

    /// Of those that share the limit of memory with a session: an account's sessions have one.
    pub(super) fn of_sharers(&self, session: &CallSession) -> &Usage {
        match &session.principal {
            Principal::User(_) => self.of_originator(session),
            Principal::Operator | Principal::Nobody => self.of_session(session),
        }
    }

    /// Counts a task of a session that begins, with parameters of so many bytes.
    pub(super) fn add(&mut self, session: &CallSession, size: usize) {
        self.change(session, |usage| {
            usage.under_way += 1;
            usage.size += size;
        });
    }

    /// Counts one that ends.
    pub(super) fn end(&mut self, uuid: Uuid, session: &CallSession, size: usize, now: SystemTime) {
        self.change(session, |usage| {
            usage.under_way -= 1;
            usage.size -= size;
            usage.ended.insert((now, uuid));
        });
    }

    /// Counts one no more that is under way.
    pub(super) fn remove(&mut self, session: &CallSession, size: usize) {
        self.change(session, |usage| {
            usage.under_way -= 1;
            usage.size -= size;
        });
    }

    /// Counts one no more that has ended.
    pub(super) fn remove_ended(&mut self, uuid: Uuid, session: &CallSession, when: SystemTime) {
        self.change(session, |usage| {
            usage.ended.remove(&(when, uuid));
        });
    }

    fn change(&mut self, session: &CallSession, change: impl Fn(&mut Usage)) {
        let owners = [
            Owner::All,
            Owner::Originator(session.originator.clone()),
            Owner::Session(session.reference.clone()),
        ];
        for owner in owners {
            let usage = self.0.entry(owner.clone()).or_default();
            change(usage);
            if usage.count() == 0 {
                self.0.remove(&owner);
            }
        }
    }
}
