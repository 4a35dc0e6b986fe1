//! Domains on the host that have no driver, since they cannot be adopted.

use super::model::Uuid;
use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The domains that were left out.
#[derive(Debug, Default)]
pub(super) struct LeftOut(Mutex<BTreeSet<Uuid>>);

impl LeftOut {
    /// Adds a domain, and tells whether that is news.
    pub(super) fn add(&self, domain: Uuid) -> bool {
        self.lock().insert(domain)
    }

    /// All of them.
    pub(super) fn all(&self) -> BTreeSet<Uuid> {
        self.lock().clone()
    }

    /// Removes a domain.
    pub(super) fn remove(&self, domain: Uuid) {
        self.lock().remove(&domain);
    }

    fn lock(&self) -> MutexGuard<'_, BTreeSet<Uuid>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
