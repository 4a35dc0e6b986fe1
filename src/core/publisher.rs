//! Publishing: the current snapshot, and the journal of what changed in it.

use super::journal::Journal;
use super::lifecycle::State;
use super::model::{CompleteConfig, DomId, DomainFacts, GuestReport, HostFigures, Uuid};
use super::snapshot::{DomainView, KeptTexts, Snapshot};
use super::transfer::Progress;
use arc_swap::ArcSwap;
use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::watch;
use tokio::time::Instant;

/// A driver's view of its domain: a [`DomainView`] without the publisher's part.
#[derive(Debug, Clone)]
pub(super) struct DomainUpdate {
    pub(super) config: Arc<CompleteConfig>,
    pub(super) facts: Option<DomainFacts>,
    pub(super) definition: Option<Arc<CompleteConfig>>,
    pub(super) suspended: bool,
    pub(super) progress: Option<Progress>,
}

/// Differences between a sweep and the published domains, which drivers must check.
#[derive(Debug, Default)]
pub(super) struct SweepDifferences {
    /// Domains without a driver: another toolstack started them.
    pub(super) unknown: Vec<DomId>,
    /// Domains that have gone, or have another state or name.
    pub(super) changed: Vec<Uuid>,
}

/// The current snapshot. Changes are published one at a time.
pub(super) struct Publisher {
    current: ArcSwap<Snapshot>,
    /// Grows with each domain that is published or removed.
    epoch: Mutex<u64>,
    generation: watch::Sender<u64>,
    /// The number of the last change in [`Snapshot::changes`].
    changes: watch::Sender<u64>,
    /// Events, in the order in which the changes are published.
    pub(super) journal: Journal,
}

impl Publisher {
    pub(super) fn new(journal: Journal) -> Self {
        Self {
            current: ArcSwap::from_pointee(Snapshot::empty()),
            epoch: Mutex::new(0),
            generation: watch::Sender::new(0),
            changes: watch::Sender::new(0),
            journal,
        }
    }

    /// The generation of the current snapshot. Slow readers see only the latest.
    pub(super) fn generations(&self) -> watch::Receiver<u64> {
        self.generation.subscribe()
    }

    /// The number of the last change of a domain, figures apart. Slow readers see only the latest.
    pub(super) fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    pub(super) fn current(&self) -> Arc<Snapshot> {
        self.current.load_full()
    }

    /// The epoch to pass to [`apply_sweep`](Self::apply_sweep), taken before the sweep begins.
    pub(super) fn epoch(&self) -> u64 {
        *self.lock()
    }

    /// Publishes a domain.
    pub(super) fn publish(&self, uuid: Uuid, update: DomainUpdate) -> Arc<DomainView> {
        let mut epoch = self.lock();
        *epoch += 1;
        let old = self.current.load().by_uuid(&uuid).cloned();
        let view = Arc::new(view(uuid, update, old.as_deref(), *epoch));
        self.update(|snapshot| snapshot.insert(view.clone()));
        self.journal.record_changes(old.as_deref(), Some(&view));
        view
    }

    /// Publishes domains that were not there before, in one step: each step copies parts of the
    /// snapshot.
    pub(super) fn publish_new(&self, updates: impl Iterator<Item = (Uuid, DomainUpdate)>) {
        let mut epoch = self.lock();
        let views: Vec<_> = updates
            .map(|(uuid, update)| {
                *epoch += 1;
                Arc::new(view(uuid, update, None, *epoch))
            })
            .collect();
        self.update(|snapshot| views.iter().for_each(|view| snapshot.insert(view.clone())));
        for view in &views {
            self.journal.record_changes(None, Some(view));
        }
    }

    /// Publishes what the guest of a domain reports. Whether the domain is published.
    pub(super) fn publish_report(&self, domid: DomId, report: Option<GuestReport>) -> bool {
        let _epoch = self.lock();
        let Some(old) = self.current.load().by_domid(domid).cloned() else { return false };
        if old.report.is_none() && report.is_none() {
            return true;
        }
        let view = Arc::new(DomainView { report: report.map(Arc::new), ..DomainView::clone(&old) });
        self.update(|snapshot| snapshot.replace(view.clone()));
        self.journal.record_changes(Some(&old), Some(&view));
        true
    }

    /// Removes a domain.
    pub(super) fn remove(&self, uuid: &Uuid) {
        let mut epoch = self.lock();
        *epoch += 1;
        let old = self.current.load().by_uuid(uuid).cloned();
        self.update(|snapshot| snapshot.remove(uuid));
        self.journal.record_changes(old.as_deref(), None);
    }

    /// Publishes the result of a sweep that began at epoch `began`, apart from domains that their
    /// drivers have published since.
    pub(super) fn apply_sweep(
        &self,
        began: u64,
        facts: Vec<DomainFacts>,
        figures: HostFigures,
    ) -> SweepDifferences {
        let _epoch = self.lock();
        let mut differences = SweepDifferences::default();
        let mut snapshot = Snapshot::clone(&self.current.load());
        let mut present = HashSet::with_capacity(facts.len());
        let mut is_new = snapshot.figures != figures;
        for facts in facts {
            present.insert(facts.domid);
            let known = snapshot.by_domid(facts.domid).filter(|old| old.uuid == facts.uuid);
            let Some(old) = known.cloned() else {
                differences.unknown.push(facts.domid);
                continue;
            };
            if old.epoch > began {
                continue;
            }
            let epoch = old.epoch;
            if let Some(has_changed) = self.replace_facts(&mut snapshot, &old, epoch, facts) {
                differences.changed.extend(has_changed.then_some(old.uuid));
                is_new = true;
            }
        }
        for view in snapshot.unsorted() {
            if view.epoch <= began && view.domid().is_some_and(|domid| !present.contains(&domid)) {
                differences.changed.push(view.uuid);
            }
        }
        snapshot.figures = figures;
        snapshot.swept = Some(Instant::now());
        snapshot.generation += u64::from(is_new);
        self.store(snapshot);
        differences
    }

    /// Publishes what was read of one domain from epoch `began` on, unless its driver has published
    /// it since. Returns whether the driver must check the domain: it has another state or name.
    pub(super) fn apply_figures(&self, began: u64, facts: DomainFacts) -> bool {
        let mut epoch = self.lock();
        let mut snapshot = Snapshot::clone(&self.current.load());
        let known = snapshot.by_domid(facts.domid).filter(|old| old.uuid == facts.uuid);
        let Some(old) = known.cloned() else { return true };
        if old.epoch > began {
            return false;
        }
        // A sweep that is under way may have read the domain before.
        *epoch += 1;
        let replaced = self.replace_facts(&mut snapshot, &old, *epoch, facts);
        if replaced.is_some() {
            snapshot.generation += 1;
            self.store(snapshot);
        }
        replaced.unwrap_or(false)
    }

    /// Replaces the facts of the domain `old` in a snapshot. Returns whether it has another state
    /// or name then; `None` if the facts are the same.
    fn replace_facts(
        &self,
        snapshot: &mut Snapshot,
        old: &DomainView,
        epoch: u64,
        facts: DomainFacts,
    ) -> Option<bool> {
        if old.facts.as_ref() == Some(&facts) {
            return None;
        }
        let is_renamed = old.facts.as_ref().is_none_or(|known| known.name != facts.name);
        let has_changed = is_renamed || old.state() != State::from_flags(&facts.flags);
        let view = old.with_facts(facts, epoch);
        self.journal.record_changes(Some(old), Some(&view));
        // UUID and domid are the same, and the published name is that of the configuration.
        snapshot.replace(Arc::new(view));
        Some(has_changed)
    }

    fn update(&self, change: impl FnOnce(&mut Snapshot)) {
        let mut snapshot = Snapshot::clone(&self.current.load());
        change(&mut snapshot);
        snapshot.generation += 1;
        self.store(snapshot);
    }

    fn store(&self, snapshot: Snapshot) {
        let generation = snapshot.generation;
        let change = snapshot.changes.number();
        self.current.store(Arc::new(snapshot));
        self.generation.send_if_modified(|last| std::mem::replace(last, generation) != generation);
        self.changes.send_if_modified(|last| std::mem::replace(last, change) != change);
    }

    fn lock(&self) -> MutexGuard<'_, u64> {
        self.epoch.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What is published of a domain, whose view was `old`.
fn view(uuid: Uuid, update: DomainUpdate, old: Option<&DomainView>, epoch: u64) -> DomainView {
    let DomainUpdate { config, facts, definition, suspended, progress } = update;
    // A report is about the guest that made it.
    let domid = facts.as_ref().map(|facts| facts.domid);
    let same_guest = old.filter(|old| domid.is_some() && old.domid() == domid);
    let report = same_guest.and_then(|old| old.report.clone());
    let texts = KeptTexts::default();
    DomainView { uuid, config, facts, report, definition, suspended, progress, epoch, texts }
}
