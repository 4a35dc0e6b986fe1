//! The domains on this host, and what the fleet has not been told of them.

use crate::core::model::Uuid;
use std::collections::{BTreeMap, BTreeSet};

/// The most domains of which is remembered that the fleet was not told. With more of them, all are
/// compared.
const MAX_UNWRITTEN: usize = 4096;

/// What a domain does on this host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// It is being built.
    Starting,
    /// It is here.
    Running,
    /// It is suspended, and another host may have it.
    Moving,
}

#[derive(Debug, Default)]
pub(super) struct Locals {
    here: BTreeMap<Uuid, Stage>,
    unwritten: BTreeSet<Uuid>,
    /// The epoch in which all domains were compared with the fleet; `None` before that.
    pub(super) compared_in: Option<u64>,
    /// Domains of which the log says already that they belong to another host.
    disputed: BTreeSet<Uuid>,
}

impl Locals {
    pub(super) fn stage(&self, domain: Uuid) -> Option<Stage> {
        self.here.get(&domain).copied()
    }

    pub(super) fn set(&mut self, domain: Uuid, stage: Stage) {
        self.here.insert(domain, stage);
    }

    /// Removes a domain, and tells whether it was here.
    pub(super) fn remove(&mut self, domain: Uuid) -> bool {
        self.disputed.remove(&domain);
        self.here.remove(&domain).is_some()
    }

    /// All domains that are here, and not on their way.
    pub(super) fn running(&self) -> impl Iterator<Item = Uuid> {
        let running = self.here.iter().filter(|(_, stage)| **stage == Stage::Running);
        running.map(|(domain, _)| *domain)
    }

    /// The fleet is to be told of a domain.
    pub(super) fn mark(&mut self, domain: Uuid) {
        if self.unwritten.len() < MAX_UNWRITTEN {
            self.unwritten.insert(domain);
        } else {
            self.compared_in = None;
        }
    }

    /// The fleet is to be told of all domains that are here.
    pub(super) fn mark_running(&mut self) {
        let running: Vec<Uuid> = self.running().collect();
        for domain in running {
            self.mark(domain);
        }
    }

    /// The fleet knows what a domain does.
    pub(super) fn written(&mut self, domain: Uuid) {
        self.unwritten.remove(&domain);
        self.disputed.remove(&domain);
    }

    pub(super) fn unwritten(&self) -> Vec<Uuid> {
        self.unwritten.iter().copied().collect()
    }

    pub(super) fn is_unwritten(&self, domain: Uuid) -> bool {
        self.unwritten.contains(&domain)
    }

    /// Notes that a domain here belongs to another host, and tells whether that is news.
    pub(super) fn dispute(&mut self, domain: Uuid) -> bool {
        self.disputed.insert(domain)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_remembered_has_a_bound() {
        let mut locals = Locals { compared_in: Some(1), ..Locals::default() };
        for domain in 0..MAX_UNWRITTEN {
            locals.mark(Uuid::from_u128(domain as u128));
        }
        assert_eq!((locals.unwritten().len(), locals.compared_in), (MAX_UNWRITTEN, Some(1)));
        locals.mark(Uuid::from_u128(u128::MAX));
        assert_eq!((locals.unwritten().len(), locals.compared_in), (MAX_UNWRITTEN, None));
    }
}
