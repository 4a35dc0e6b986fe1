//! What is kept of snapshots between requests, for each scope.

use super::Snapshot;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

/// A value for each scope of snapshots: one for callers who see all domains, and those of the users
/// who were there last.
#[derive(Debug)]
pub struct ByScope<T> {
    of_all: Arc<T>,
    /// By scope, the last used one first.
    of_users: Mutex<VecDeque<(u64, Arc<T>)>>,
    most: usize,
}

impl<T> ByScope<T> {
    /// The value for callers who see all domains, and room for those of `most` users.
    pub fn new(of_all: T, most: usize) -> Self {
        Self { of_all: Arc::new(of_all), of_users: Mutex::default(), most }
    }

    /// The value for the scope of a snapshot, made if there is none. The one that was used least
    /// recently goes.
    pub fn get(&self, snapshot: &Snapshot, make: impl FnOnce() -> T) -> Arc<T> {
        let scope = snapshot.scope;
        if scope == Snapshot::ALL_DOMAINS {
            return self.of_all.clone();
        }
        let mut of_users = self.of_users.lock().unwrap_or_else(PoisonError::into_inner);
        let known = of_users.iter().position(|(of, _)| *of == scope);
        let entry =
            known.and_then(|at| of_users.remove(at)).unwrap_or_else(|| (scope, Arc::new(make())));
        let value = entry.1.clone();
        of_users.push_front(entry);
        of_users.truncate(self.most);
        value
    }

    /// The scopes of users, the last used one first.
    #[cfg(test)]
    pub(crate) fn scopes(&self) -> Vec<u64> {
        self.of_users.lock().unwrap().iter().map(|(scope, _)| *scope).collect()
    }
}
