//! Objects of the class `debug`, which clients create and destroy to try themselves out.

use super::owner::{is_gone, sees};
use crate::core::caller::{Caller, Principal};
use crate::core::model::Uuid;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The limit of their number, for all operators together and for each user.
const MAX_EACH: usize = 1000;

/// All debug objects, with their owners.
#[derive(Debug, Default)]
pub(crate) struct DebugObjects(Mutex<Vec<(Uuid, Principal)>>);

impl DebugObjects {
    fn lock(&self) -> MutexGuard<'_, Vec<(Uuid, Principal)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Those that a caller sees, in the order in which they were created.
    pub(crate) fn all(&self, caller: &Caller) -> Vec<Uuid> {
        let all = self.lock();
        let visible = all.iter().filter(|(_, owner)| sees(caller, owner));
        visible.map(|(uuid, _)| *uuid).collect()
    }

    /// Whether a caller sees this object.
    pub(crate) fn contains(&self, uuid: Uuid, caller: &Caller) -> bool {
        self.lock().iter().any(|(one, owner)| *one == uuid && sees(caller, owner))
    }

    /// Adds an object; `false` at the limit.
    pub(crate) fn add(&self, uuid: Uuid, owner: Principal) -> bool {
        let mut all = self.lock();
        all.retain(|(_, owner)| !is_gone(owner));
        if all.iter().filter(|(_, other)| *other == owner).count() >= MAX_EACH {
            return false;
        }
        all.push((uuid, owner));
        true
    }

    pub(crate) fn remove(&self, uuid: Uuid) {
        self.lock().retain(|(one, _)| *one != uuid);
    }
}
