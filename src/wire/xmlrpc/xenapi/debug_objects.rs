//! Objects of the class `debug`, which clients create and destroy to try themselves out.

use crate::core::model::Uuid;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The limit of their number.
const MAX_OBJECTS: usize = 1000;

/// All debug objects.
#[derive(Debug, Default)]
pub(crate) struct DebugObjects(Mutex<Vec<Uuid>>);

impl DebugObjects {
    fn lock(&self) -> MutexGuard<'_, Vec<Uuid>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// In the order in which they were created.
    pub(crate) fn all(&self) -> Vec<Uuid> {
        self.lock().clone()
    }

    pub(crate) fn contains(&self, uuid: Uuid) -> bool {
        self.lock().contains(&uuid)
    }

    /// Adds an object; `false` at the limit.
    pub(crate) fn add(&self, uuid: Uuid) -> bool {
        let mut all = self.lock();
        if all.len() >= MAX_OBJECTS {
            return false;
        }
        all.push(uuid);
        true
    }

    pub(crate) fn remove(&self, uuid: Uuid) {
        self.lock().retain(|one| *one != uuid);
    }
}
