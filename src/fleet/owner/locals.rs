//! The domains on this host, and what the fleet has not been told of them.

use crate::core::fleet::HostName;
use crate::core::model::{DomName, Uuid};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use tokio::time::Instant;

/// The most domains of which is remembered that the fleet was not told. With more of them, all are
/// compared.
const MAX_UNWRITTEN: usize = 4096;

/// How long etcd is not waited for after it did not answer.
const SILENCE: Duration = Duration::from_secs(10);

/// What a domain does on this host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// It is being built.
    Starting,
    /// It is here.
    Running,
    /// It moves from here or to here, and it is not known which host has it.
    Moving,
}

/// A domain on this host.
#[derive(Debug)]
struct Here {
    stage: Stage,
    /// `None` while it is not known.
    name: Option<DomName>,
}

#[derive(Debug, Default)]
pub(super) struct Locals {
    here: BTreeMap<Uuid, Here>,
    unwritten: BTreeSet<Uuid>,
    /// The epoch in which all domains were compared with the fleet; `None` before that.
    pub(super) compared_in: Option<u64>,
    /// Domains here that belong to other hosts.
    disputed: BTreeMap<Uuid, HostName>,
    /// Domains that have the name of another one in the fleet, with its host.
    nameless: BTreeMap<Uuid, Option<HostName>>,
    /// When etcd did not answer.
    silent: Option<Instant>,
}

impl Locals {
    pub(super) fn stage(&self, domain: Uuid) -> Option<Stage> {
        self.here.get(&domain).map(|here| here.stage)
    }

    /// Notes what a domain does from now on, `None` if it is not here. Returns what it did.
    pub(super) fn set(&mut self, domain: Uuid, stage: Option<Stage>) -> Option<Stage> {
        let before = self.stage(domain);
        if let Some(stage) = stage {
            self.here.entry(domain).or_insert(Here { stage, name: None }).stage = stage;
        } else {
            self.nameless.remove(&domain);
            self.here.remove(&domain);
        }
        before
    }

    /// What a domain is called, which is here or about to be.
    pub(super) fn name(&self, domain: Uuid) -> Option<DomName> {
        self.here.get(&domain)?.name.clone()
    }

    /// A domain that is here has this name. Tells whether that is news.
    pub(super) fn call(&mut self, domain: Uuid, name: &DomName) -> bool {
        let Some(here) = self.here.get_mut(&domain) else { return false };
        let is_news = here.name.as_ref() != Some(name);
        if is_news {
            here.name = Some(name.clone());
            self.nameless.remove(&domain);
        }
        is_news
    }

    /// All domains that are here, and not on their way.
    pub(super) fn running(&self) -> impl Iterator<Item = Uuid> {
        let running = self.here.iter().filter(|(_, here)| here.stage == Stage::Running);
        running.map(|(domain, _)| *domain)
    }

    /// The fleet is to be told of a domain.
    pub(super) fn mark(&mut self, domain: Uuid) {
        if self.unwritten.len() < MAX_UNWRITTEN || self.unwritten.contains(&domain) {
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

    /// The fleet is to be told of all domains that it does not know: `owned` has those that belong
    /// to this host, and whether that is just as it is to be.
    pub(super) fn mark_differences(&mut self, owned: &BTreeMap<Uuid, bool>) {
        let is_unknown = |domain: &Uuid| owned.get(domain) != Some(&true);
        let come: Vec<Uuid> = self.running().filter(is_unknown).collect();
        let gone = owned.keys().copied().filter(|domain| self.stage(*domain).is_none());
        let gone: Vec<Uuid> = gone.collect();
        for domain in come.into_iter().chain(gone) {
            self.mark(domain);
        }
    }

    /// The fleet knows what a domain does.
    pub(super) fn written(&mut self, domain: Uuid) {
        self.unwritten.remove(&domain);
    }

    pub(super) fn unwritten(&self) -> Vec<Uuid> {
        self.unwritten.iter().copied().collect()
    }

    pub(super) fn is_unwritten(&self, domain: Uuid) -> bool {
        self.unwritten.contains(&domain)
    }

    /// Notes that a domain here has another one's name, and tells whether that is news.
    pub(super) fn share_name(&mut self, domain: Uuid, host: Option<HostName>) -> bool {
        self.nameless.insert(domain, host).is_none()
    }

    /// Notes that a domain here has its name in the fleet.
    pub(super) fn has_name(&mut self, domain: Uuid) {
        self.nameless.remove(&domain);
    }

    /// The domains here whose names other ones have, with their names and the others' hosts.
    pub(super) fn nameless(&self) -> Vec<(Uuid, Option<DomName>, Option<HostName>)> {
        let one = |(domain, host): (&Uuid, &Option<HostName>)| {
            (*domain, self.name(*domain), host.clone())
        };
        self.nameless.iter().map(one).collect()
    }

    /// Notes that a domain here belongs to another host, or no more. Tells whether that is news.
    pub(super) fn dispute(&mut self, domain: Uuid, owner: Option<HostName>) -> bool {
        match owner {
            Some(owner) => self.disputed.insert(domain, owner.clone()) != Some(owner),
            None => self.disputed.remove(&domain).is_some(),
        }
    }

    /// The domains here that belong to other hosts, with these.
    pub(super) fn disputed(&self) -> &BTreeMap<Uuid, HostName> {
        &self.disputed
    }

    /// etcd has answered, or not.
    pub(super) fn note_answer(&mut self, is_answer: bool) {
        self.silent = (!is_answer).then(Instant::now);
    }

    /// Whether etcd did not answer a moment ago.
    pub(super) fn is_silent(&self) -> bool {
        self.silent.is_some_and(|since| since.elapsed() < SILENCE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn domain(number: usize) -> Uuid {
        Uuid::from_u128(number as u128)
    }

    #[test]
    fn what_is_remembered_has_a_bound() {
        let mut locals = Locals { compared_in: Some(1), ..Locals::default() };
        for number in 0..MAX_UNWRITTEN {
            locals.mark(domain(number));
        }
        locals.mark(domain(0));
        assert_eq!((locals.unwritten().len(), locals.compared_in), (MAX_UNWRITTEN, Some(1)));
        locals.mark(Uuid::from_u128(u128::MAX));
        assert_eq!((locals.unwritten().len(), locals.compared_in), (MAX_UNWRITTEN, None));
    }

    /// More domains than are remembered have come while etcd was away.
    #[test]
    fn what_was_not_remembered_is_found_again() {
        let count = MAX_UNWRITTEN + 10;
        let mut locals = Locals::default();
        for number in 0..count {
            locals.set(domain(number), Some(Stage::Running));
            locals.mark(domain(number));
        }
        let mut owned = BTreeMap::from([(domain(count), true)]);
        loop {
            for domain in locals.unwritten() {
                match locals.stage(domain) {
                    Some(_) => owned.insert(domain, true),
                    None => owned.remove(&domain),
                };
                locals.written(domain);
            }
            if locals.compared_in.is_some() {
                break;
            }
            locals.compared_in = Some(1);
            locals.mark_differences(&owned);
        }
        assert!(owned.len() == count && !owned.contains_key(&domain(count)));
    }
}
