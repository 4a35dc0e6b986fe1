//! What reads see: immutable, swapped in one step, never waited for.
//!
//! A [`Snapshot`] shares its domains with the one before it, so that publishing a change to one of
//! 10,000 domains does not copy the others.

use super::journal::Journal;
use super::lifecycle::State;
use super::model::{DomId, DomName, DomainConfig, DomainFacts, DomainRef, HostFigures, Uuid};
use super::transfer::Progress;
use arc_swap::ArcSwap;
use rpds::{HashTrieMapSync, RedBlackTreeMapSync};
use std::ops::Bound;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::watch;
use tokio::time::Instant;

/// How many changes of configurations a snapshot remembers.
const CONFIG_CHANGES: usize = 4096;

/// A domain as it was at one moment.
#[derive(Debug, Clone, PartialEq)]
pub struct DomainView {
    /// Its UUID.
    pub uuid: Uuid,
    /// What it was asked to be.
    pub config: Arc<DomainConfig>,
    /// What it is; none while it has no domid.
    pub facts: Option<DomainFacts>,
    /// What is stored, if it is managed: then it stays when it is not on the host.
    pub definition: Option<Arc<DomainConfig>>,
    /// Whether it is not on the host and its memory is in a file.
    pub suspended: bool,
    /// What is going on with it that takes long.
    pub progress: Option<Progress>,
    /// When it was published: a sweep that began earlier knows less than this does.
    epoch: u64,
}

impl DomainView {
    /// A domain that is defined and nothing else, for tests.
    #[cfg(test)]
    pub(super) fn of(uuid: Uuid, config: Arc<DomainConfig>) -> Self {
        let definition = Some(config.clone());
        Self { uuid, config, facts: None, definition, suspended: false, progress: None, epoch: 0 }
    }

    /// Its name.
    pub fn name(&self) -> &DomName {
        &self.config.name
    }

    /// Whether its definition is stored.
    pub fn managed(&self) -> bool {
        self.definition.is_some()
    }

    /// Its domid, if it has one.
    pub fn domid(&self) -> Option<DomId> {
        self.facts.as_ref().map(|facts| facts.domid)
    }

    /// Whether it is Domain-0.
    pub fn is_privileged(&self) -> bool {
        self.domid() == Some(DomId::ZERO)
    }

    /// Everything that it is configured to be: what it runs with, and what is stored.
    pub fn configs(&self) -> impl Iterator<Item = &Arc<DomainConfig>> {
        let stored = self.definition.iter().filter(|stored| !Arc::ptr_eq(stored, &self.config));
        std::iter::once(&self.config).chain(stored)
    }

    /// Where it is in its life.
    pub fn state(&self) -> State {
        match &self.facts {
            Some(facts) => State::observed(&facts.flags),
            None if self.suspended => State::Suspended,
            None => State::Halted,
        }
    }
}

/// What a driver shows of its domain: [`DomainView`] without what the board adds.
#[derive(Debug, Clone)]
pub(super) struct Shown {
    pub(super) config: Arc<DomainConfig>,
    pub(super) facts: Option<DomainFacts>,
    pub(super) definition: Option<Arc<DomainConfig>>,
    pub(super) suspended: bool,
    pub(super) progress: Option<Progress>,
}

/// All domains, as they were at one moment.
#[derive(Debug, Clone)]
pub struct Snapshot {
    domains: HashTrieMapSync<Uuid, Arc<DomainView>>,
    names: RedBlackTreeMapSync<DomName, Uuid>,
    domids: HashTrieMapSync<DomId, Uuid>,
    /// Grows with every change: what was printed from a snapshot of the same generation can be sent
    /// again.
    pub generation: u64,
    /// Grows with every change of a configuration or definition, and with every domain that comes
    /// or goes; not with states and figures.
    pub config_generation: u64,
    /// The domains of the last changes, by `config_generation`.
    config_changes: RedBlackTreeMapSync<u64, Uuid>,
    /// What the host had free.
    pub figures: HostFigures,
    swept: Option<Instant>,
}

impl Snapshot {
    fn empty() -> Self {
        Self {
            domains: HashTrieMapSync::new_sync(),
            names: RedBlackTreeMapSync::new_sync(),
            domids: HashTrieMapSync::new_sync(),
            generation: 0,
            config_generation: 0,
            config_changes: RedBlackTreeMapSync::new_sync(),
            figures: HostFigures::default(),
            swept: None,
        }
    }

    /// All domains, sorted by name.
    pub fn domains(&self) -> impl Iterator<Item = &Arc<DomainView>> {
        self.names.values().filter_map(|uuid| self.domains.get(uuid))
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.domains.size()
    }

    /// Whether there are none, which is so before the first sweep only.
    pub fn is_empty(&self) -> bool {
        self.domains.is_empty()
    }

    /// The domain that `name` means: by name, else by domid, else by UUID.
    pub fn find(&self, name: &DomainRef) -> Option<&Arc<DomainView>> {
        let uuid = (self.names.get(name.as_str()).copied())
            .or_else(|| self.domids.get(&name.domid()?).copied())
            .or_else(|| name.uuid())?;
        self.domains.get(&uuid)
    }

    /// The domain with this name.
    pub fn by_name(&self, name: &DomName) -> Option<&Arc<DomainView>> {
        self.domains.get(self.names.get(name)?)
    }

    /// The domain with this UUID.
    pub fn by_uuid(&self, uuid: &Uuid) -> Option<&Arc<DomainView>> {
        self.domains.get(uuid)
    }

    /// The domain with this domid.
    pub fn by_domid(&self, domid: DomId) -> Option<&Arc<DomainView>> {
        self.domains.get(self.domids.get(&domid)?)
    }

    /// When the figures (CPU time, memory in motion) were last read from the hypervisor.
    pub fn swept(&self) -> Option<Instant> {
        self.swept
    }

    /// The domains whose configuration changed after a `config_generation`, those that came and
    /// went among them; `None` if that was too long ago.
    pub fn configs_changed_since(&self, generation: u64) -> Option<impl Iterator<Item = &Uuid>> {
        let remembered = self.config_generation - self.config_changes.size() as u64;
        let after = (Bound::Excluded(generation), Bound::Unbounded);
        (generation >= remembered).then(|| self.config_changes.range(after).map(|(_, uuid)| uuid))
    }

    fn config_changed(&mut self, uuid: Uuid) {
        self.config_generation += 1;
        self.config_changes.insert_mut(self.config_generation, uuid);
        if self.config_changes.size() > CONFIG_CHANGES {
            let oldest = self.config_generation - CONFIG_CHANGES as u64;
            self.config_changes.remove_mut(&oldest);
        }
    }

    fn insert(&mut self, view: Arc<DomainView>) {
        let configs = |view: &DomainView| view.configs().map(Arc::as_ptr).collect::<Vec<_>>();
        if self.domains.get(&view.uuid).map(|old| configs(old)) != Some(configs(&view)) {
            self.config_changed(view.uuid);
        }
        self.unlink(&view.uuid);
        if let Some(domid) = view.domid() {
            self.domids.insert_mut(domid, view.uuid);
        }
        self.names.insert_mut(view.config.name.clone(), view.uuid);
        self.domains.insert_mut(view.uuid, view);
    }

    fn forget(&mut self, uuid: &Uuid) {
        if self.unlink(uuid) {
            self.config_changed(*uuid);
        }
    }

    /// Whether the domain was there.
    fn unlink(&mut self, uuid: &Uuid) -> bool {
        let Some(old) = self.domains.get(uuid).cloned() else { return false };
        self.domains.remove_mut(uuid);
        if self.names.get(old.name()) == Some(uuid) {
            self.names.remove_mut(old.name());
        }
        if let Some(domid) = old.domid().filter(|domid| self.domids.get(domid) == Some(uuid)) {
            self.domids.remove_mut(&domid);
        }
        true
    }
}

/// Where snapshots are published.
pub(super) struct Board {
    current: ArcSwap<Snapshot>,
    epoch: Mutex<u64>,
    /// The generation of what was published last.
    published: watch::Sender<u64>,
    /// What happened, written down as it is published.
    pub(super) journal: Journal,
}

/// What a sweep found that no driver knows of yet.
#[derive(Debug, Default)]
pub(super) struct Strange {
    /// Domains that somebody else started.
    pub(super) unknown: Vec<DomId>,
    /// Domains whose state or name is not what was published, or that are not there any more.
    pub(super) changed: Vec<Uuid>,
}

impl Board {
    pub(super) fn new(journal: Journal) -> Self {
        let (current, published) =
            (ArcSwap::from_pointee(Snapshot::empty()), watch::Sender::new(0));
        Self { current, epoch: Mutex::new(0), published, journal }
    }

    /// Tells of each generation, or of the last of several.
    pub(super) fn generations(&self) -> watch::Receiver<u64> {
        self.published.subscribe()
    }

    pub(super) fn current(&self) -> Arc<Snapshot> {
        self.current.load_full()
    }

    /// The moment before a sweep: what is published after it is newer than what the sweep will
    /// find.
    pub(super) fn epoch(&self) -> u64 {
        *self.lock()
    }

    /// Shows a domain as its driver knows it.
    pub(super) fn publish(&self, uuid: Uuid, shown: Shown) -> Arc<DomainView> {
        let mut epoch = self.lock();
        *epoch += 1;
        let Shown { config, facts, definition, suspended, progress } = shown;
        let view = Arc::new(DomainView {
            uuid,
            config,
            facts,
            definition,
            suspended,
            progress,
            epoch: *epoch,
        });
        let old = self.current.load().by_uuid(&uuid).cloned();
        self.swap(|snapshot| snapshot.insert(view.clone()));
        self.journal.compare(old.as_deref(), Some(&view));
        view
    }

    /// Shows a domain no more.
    pub(super) fn remove(&self, uuid: &Uuid) {
        let mut epoch = self.lock();
        *epoch += 1;
        let old = self.current.load().by_uuid(uuid).cloned();
        self.swap(|snapshot| snapshot.forget(uuid));
        self.journal.compare(old.as_deref(), None);
    }

    /// Takes over what a sweep that began at `began` has found, where no driver has published
    /// something newer.
    pub(super) fn sweep(
        &self,
        began: u64,
        facts: Vec<DomainFacts>,
        figures: HostFigures,
    ) -> Strange {
        let _epoch = self.lock();
        let mut strange = Strange::default();
        let mut snapshot = Snapshot::clone(&self.current.load());
        let mut present = std::collections::HashSet::with_capacity(facts.len());
        let mut moved = snapshot.figures != figures;
        for facts in facts {
            present.insert(facts.domid);
            let Some(old) = snapshot.by_domid(facts.domid).filter(|old| old.uuid == facts.uuid)
            else {
                strange.unknown.push(facts.domid);
                continue;
            };
            if old.epoch > began || old.facts.as_ref() == Some(&facts) {
                continue;
            }
            let renamed = old.facts.as_ref().is_none_or(|known| known.name != facts.name);
            if renamed || old.state() != State::observed(&facts.flags) {
                strange.changed.push(old.uuid);
            }
            let view = DomainView { facts: Some(facts), ..DomainView::clone(old) };
            self.journal.compare(Some(old), Some(&view));
            // Neither the name it is shown by, domid nor UUID differ, so the indices stay as they
            // are.
            snapshot.domains.insert_mut(view.uuid, Arc::new(view));
            moved = true;
        }
        for (uuid, view) in &snapshot.domains {
            if view.epoch <= began && view.domid().is_some_and(|domid| !present.contains(&domid)) {
                strange.changed.push(*uuid);
            }
        }
        snapshot.figures = figures;
        snapshot.swept = Some(Instant::now());
        snapshot.generation += u64::from(moved);
        self.show(snapshot);
        strange
    }

    fn swap(&self, change: impl FnOnce(&mut Snapshot)) {
        let mut snapshot = Snapshot::clone(&self.current.load());
        change(&mut snapshot);
        snapshot.generation += 1;
        self.show(snapshot);
    }

    fn show(&self, snapshot: Snapshot) {
        let generation = snapshot.generation;
        self.current.store(Arc::new(snapshot));
        self.published.send_if_modified(|last| std::mem::replace(last, generation) != generation);
    }

    fn lock(&self) -> MutexGuard<'_, u64> {
        self.epoch.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::core::model::RunFlags;
    use std::time::Duration;

    /// A running domain's facts; `number` is its domid and its UUID.
    pub(in crate::core) fn facts(number: u32, cpu_time: Duration) -> DomainFacts {
        DomainFacts {
            domid: DomId(number),
            uuid: Uuid::from_u128(number.into()),
            name: DomName::adopted(&format!("d{number}")),
            flags: RunFlags::default(),
            cpu_time,
            memory_kib: 65_536,
            online_vcpus: 1,
            start_time: None,
            store_mfn: None,
            console_mfn: None,
            console_port: None,
            vnc_port: None,
            notes: Arc::new([]),
        }
    }

    /// These domains, as a sweep just found them.
    pub(crate) fn snapshot(domains: &[DomainFacts]) -> Snapshot {
        let mut snapshot = Snapshot::empty();
        for facts in domains {
            let mut view =
                DomainView::of(facts.uuid, Arc::new(DomainConfig::new(facts.name.clone(), 64)));
            view.facts = Some(facts.clone());
            snapshot.insert(Arc::new(view));
        }
        snapshot.swept = Some(Instant::now());
        snapshot
    }

    /// A running domain with this configuration; `number` is its domid and its UUID.
    pub(crate) fn running(number: u32, config: DomainConfig) -> Arc<DomainView> {
        let facts = Some(facts(number, Duration::ZERO));
        let view = DomainView::of(Uuid::from_u128(number.into()), Arc::new(config));
        Arc::new(DomainView { facts, ..view })
    }

    /// `base` with these domains added or replaced.
    pub(crate) fn with_domains(
        mut base: Snapshot,
        views: impl IntoIterator<Item = Arc<DomainView>>,
    ) -> Snapshot {
        for view in views {
            base.insert(view);
        }
        base
    }

    #[test]
    fn a_snapshot_tells_which_configurations_have_changed() {
        let uuid = Uuid::from_u128;
        let domain =
            |number, name: &str| running(number, DomainConfig::new(DomName::adopted(name), 64));
        let changed = |snapshot: &Snapshot, since| {
            let changed = snapshot.configs_changed_since(since)?;
            Some(changed.copied().collect::<Vec<_>>())
        };
        let mut snapshot = Snapshot::empty();
        assert_eq!(changed(&snapshot, 0), Some(vec![]));
        let first = domain(1, "a");
        snapshot.insert(first.clone());
        snapshot.insert(domain(2, "b"));
        let since = snapshot.config_generation;
        // A new state is no new configuration.
        snapshot.insert(Arc::new(DomainView { facts: None, ..DomainView::clone(&first) }));
        assert_eq!(changed(&snapshot, since), Some(vec![]));
        snapshot.insert(domain(1, "a"));
        snapshot.forget(&uuid(2));
        snapshot.forget(&uuid(3));
        assert_eq!(changed(&snapshot, since), Some(vec![uuid(1), uuid(2)]));
        assert_eq!(changed(&snapshot, 0).map(|all| all.len()), Some(4));
        for _ in 0..=CONFIG_CHANGES {
            snapshot.insert(domain(1, "a"));
        }
        assert_eq!(changed(&snapshot, since), None);
        let last = snapshot.config_generation - 1;
        assert_eq!(changed(&snapshot, last), Some(vec![uuid(1)]));
    }
}
