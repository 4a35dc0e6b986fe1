//! The state of the host that reads see: immutable, and replaced in one step.
//!
//! A [`Snapshot`] shares its domains with the one before it: publishing a change to one of 10,000
//! domains does not copy the others.

mod by_scope;
#[cfg(test)]
pub(crate) mod fixtures;
mod kept_texts;
mod of_fleet;
mod visible;

pub use by_scope::ByScope;
#[cfg(test)]
pub(crate) use kept_texts::take_printed;
pub use kept_texts::{GappedText, TextForm};

use super::change_log::ChangeLog;
use super::content_size::{content_size, with_replaced};
use super::error::Error;
use super::lifecycle::State;
use super::model::{
    CompleteConfig, DomId, DomName, DomainFacts, DomainRef, GuestReport, HostFigures, Uuid,
};
#[cfg(test)]
use super::model::{DomainConfig, completed};
use super::transfer::Progress;
pub(super) use kept_texts::KeptTexts;
use rpds::{HashTrieMapSync, RedBlackTreeMapSync};
use std::ptr;
use std::sync::{Arc, Weak};
use tokio::time::Instant;

/// The scope of callers who see no domain. No access has this number.
const NOBODY: u64 = u64::MAX;

/// A domain at one moment.
#[derive(Debug, Clone, PartialEq)]
pub struct DomainView {
    pub uuid: Uuid,
    /// The configuration that the domain runs with; the definition if it is not on the host.
    pub config: Arc<CompleteConfig>,
    /// Figures and flags of the hypervisor; `None` while the domain has no domid.
    pub facts: Option<DomainFacts>,
    /// What an agent inside the guest reports; `None` without an agent.
    pub report: Option<Arc<GuestReport>>,
    /// The stored definition; `None` if the domain is not managed. A managed domain stays when it
    /// leaves the host.
    pub definition: Option<Arc<CompleteConfig>>,
    /// Whether the domain is off the host and its memory is in a file.
    pub suspended: bool,
    /// Progress of a long call about the domain.
    pub progress: Option<Progress>,
    /// The publisher's counter when the view was published. A sweep that began at an earlier count
    /// is older than the view.
    pub(super) epoch: u64,
    /// What was printed of the domain, figures apart. A changed copy of the view begins anew.
    pub(super) texts: KeptTexts,
}

impl DomainView {
    /// A defined domain that is not on the host.
    #[cfg(test)]
    pub(crate) fn defined(uuid: Uuid, config: DomainConfig) -> Self {
        let config = Arc::new(completed(DomainConfig { uuid: Some(uuid), ..config }));
        let definition = Some(config.clone());
        Self {
            uuid,
            config,
            facts: None,
            report: None,
            definition,
            suspended: false,
            progress: None,
            epoch: 0,
            texts: KeptTexts::default(),
        }
    }

    /// The domain's name.
    pub fn name(&self) -> &DomName {
        &self.config.name
    }

    /// Whether the domain has a stored definition.
    pub fn managed(&self) -> bool {
        self.definition.is_some()
    }

    /// The domain's number on the host; `None` if it is not there.
    pub fn domid(&self) -> Option<DomId> {
        self.facts.as_ref().map(|facts| facts.domid)
    }

    /// The address of the domain's screen, `127.0.0.1:5900`; `None` if it has none, or is not on
    /// the host.
    pub fn screen_address(&self) -> Option<String> {
        self.facts.as_ref()?.screen_address(&self.config)
    }

    /// Whether this is Domain-0.
    pub fn is_privileged(&self) -> bool {
        self.domid() == Some(DomId::ZERO)
    }

    /// The running configuration, and the definition if it is another one.
    pub fn configs(&self) -> impl Iterator<Item = &Arc<CompleteConfig>> {
        let stored = self.definition.iter().filter(|stored| !Arc::ptr_eq(stored, &self.config));
        std::iter::once(&self.config).chain(stored)
    }

    /// What was printed of the domain in a form, without its figures: its CPU time, memory and
    /// VCPUs in use, and whether it is on a CPU. Everything else may be in the text. It is printed
    /// if nobody has done so since it changed.
    pub fn text(&self, form: TextForm, print: impl FnOnce() -> GappedText) -> &GappedText {
        self.texts.get(form, print)
    }

    /// This domain with other facts. What was printed of it serves on, unless more than figures is
    /// new.
    pub(super) fn with_facts(&self, facts: DomainFacts, epoch: u64) -> Self {
        let same = self.facts.as_ref().is_some_and(|old| old.is_same_beside_figures(&facts));
        let texts = if same { self.texts.share() } else { KeptTexts::default() };
        Self {
            uuid: self.uuid,
            config: self.config.clone(),
            facts: Some(facts),
            report: self.report.clone(),
            definition: self.definition.clone(),
            suspended: self.suspended,
            progress: self.progress,
            epoch,
            texts,
        }
    }

    /// About how many bytes its configurations and its report take.
    fn size(&self) -> usize {
        let configs: usize = self.configs().map(|config| content_size(&**config)).sum();
        configs + self.report.as_deref().map_or(0, content_size)
    }

    /// The domain's state.
    pub fn state(&self) -> State {
        match &self.facts {
            Some(facts) => State::from_flags(&facts.flags),
            None if self.suspended => State::Suspended,
            None => State::Halted,
        }
    }

    /// Whether the other view has another state or domid, or another report of the guest. A report
    /// counts if more of it is new than the guest's memory, which changes all the time.
    fn has_other_state(&self, other: &Self) -> bool {
        let has_other_report = match (&self.report, &other.report) {
            (Some(old), Some(new)) => !Arc::ptr_eq(old, new) && new.differs_from(old),
            (old, new) => old.is_some() != new.is_some(),
        };
        has_other_report || (self.state(), self.domid()) != (other.state(), other.domid())
    }

    /// What tells whether a later view shows the same apart from figures.
    pub fn identity(&self) -> DomainIdentity {
        DomainIdentity {
            uuid: self.uuid,
            config: Arc::downgrade(&self.config),
            definition: self.definition.as_ref().map(Arc::downgrade),
            facts: self.facts.clone(),
            suspended: self.suspended,
        }
    }
}

/// What a domain shows apart from figures (CPU time, memory, VCPUs), progress and the guest's
/// report, to be compared with a later view. It keeps no configuration in memory.
#[derive(Debug)]
pub struct DomainIdentity {
    uuid: Uuid,
    config: Weak<CompleteConfig>,
    definition: Option<Weak<CompleteConfig>>,
    facts: Option<DomainFacts>,
    suspended: bool,
}

impl DomainIdentity {
    /// Whether the view shows the same.
    pub fn is_of(&self, view: &DomainView) -> bool {
        let same_facts = match (&self.facts, &view.facts) {
            (Some(facts), Some(other)) => facts.is_same_beside_figures(other),
            (facts, other) => facts.is_none() && other.is_none(),
        };
        let definition = self.definition.as_ref().map(Weak::as_ptr);
        same_facts
            && (self.uuid, self.suspended) == (view.uuid, view.suspended)
            && ptr::eq(self.config.as_ptr(), Arc::as_ptr(&view.config))
            && definition == view.definition.as_ref().map(Arc::as_ptr)
    }
}

/// All domains at one moment.
#[derive(Debug, Clone)]
pub struct Snapshot {
    domains: HashTrieMapSync<Uuid, Arc<DomainView>>,
    names: RedBlackTreeMapSync<DomName, Uuid>,
    domids: HashTrieMapSync<DomId, Uuid>,
    /// Grows with every change: an answer printed from the same generation can be sent again.
    pub generation: u64,
    /// Changes of configurations and definitions, and domains that came or went; not states and
    /// figures.
    pub config_changes: ChangeLog,
    /// The same, and changes of states and domids and of what guests report: what events tell of.
    pub changes: ChangeLog,
    /// The bytes of all configurations and reports that there were before and are not any more:
    /// whoever keeps what was there at an earlier count keeps the difference in memory.
    pub replaced: u64,
    /// The host's free resources.
    pub figures: HostFigures,
    /// Whose snapshot it is: [`ALL_DOMAINS`](Self::ALL_DOMAINS), or a number of the access by which
    /// it was filtered. Answers that are kept are those of one scope and generation.
    pub scope: u64,
    pub(super) swept: Option<Instant>,
}

impl Snapshot {
    /// The scope of callers who see all domains.
    pub const ALL_DOMAINS: u64 = 0;

    pub(super) fn empty() -> Self {
        Self {
            domains: HashTrieMapSync::new_sync(),
            names: RedBlackTreeMapSync::new_sync(),
            domids: HashTrieMapSync::new_sync(),
            generation: 0,
            config_changes: ChangeLog::default(),
            changes: ChangeLog::default(),
            replaced: 0,
            figures: HostFigures::default(),
            scope: Self::ALL_DOMAINS,
            swept: None,
        }
    }

    /// The domains that nobody sees: none, in a scope of its own.
    pub(super) fn of_nobody() -> Self {
        Self { scope: NOBODY, ..Self::empty() }
    }

    /// All domains, sorted by name.
    pub fn domains(&self) -> impl Iterator<Item = &Arc<DomainView>> {
        self.names.values().filter_map(|uuid| self.domains.get(uuid))
    }

    /// The number of domains.
    pub fn len(&self) -> usize {
        self.domains.size()
    }

    /// Whether there is no domain, not even Domain-0: before the first sweep only.
    pub fn is_empty(&self) -> bool {
        self.domains.is_empty()
    }

    /// The domain with this name, else with this domid, else with this UUID.
    pub fn find(&self, name: &DomainRef) -> Option<&Arc<DomainView>> {
        let uuid = (self.names.get(name.as_str()).copied())
            .or_else(|| self.domids.get(&name.domid()?).copied())
            .or_else(|| name.uuid())?;
        self.domains.get(&uuid)
    }

    /// The same, or an error that names the missing domain.
    pub(super) fn lookup(&self, name: &DomainRef) -> Result<Arc<DomainView>, Error> {
        self.find(name).cloned().ok_or_else(|| Error::NoSuchDomain(name.to_string()))
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

    /// The time of the last sweep, which reads the figures (CPU time, memory) of all domains.
    pub fn swept(&self) -> Option<Instant> {
        self.swept
    }

    /// The domains in no particular order.
    pub(super) fn unsorted(&self) -> impl Iterator<Item = &Arc<DomainView>> {
        self.domains.values()
    }

    /// Adds a domain, or replaces it.
    pub(super) fn insert(&mut self, view: Arc<DomainView>) {
        let old = self.domains.get(&view.uuid);
        let has_same_configs = |old: &Arc<DomainView>| {
            old.configs().map(Arc::as_ptr).eq(view.configs().map(Arc::as_ptr))
        };
        if !old.is_some_and(has_same_configs) {
            self.config_changes.add(view.uuid);
            self.add_change(&view.uuid);
        } else if old.is_some_and(|old| old.has_other_state(&view)) {
            self.add_change(&view.uuid);
        }
        self.unlink(&view.uuid);
        self.link(view);
    }

    fn link(&mut self, view: Arc<DomainView>) {
        if let Some(domid) = view.domid() {
            self.domids.insert_mut(domid, view.uuid);
        }
        self.names.insert_mut(view.config.name.clone(), view.uuid);
        self.domains.insert_mut(view.uuid, view);
    }

    /// Replaces a domain by a view with the same UUID, name, domid and configurations.
    pub(super) fn replace(&mut self, view: Arc<DomainView>) {
        if self.domains.get(&view.uuid).is_some_and(|old| old.has_other_state(&view)) {
            self.add_change(&view.uuid);
        }
        self.domains.insert_mut(view.uuid, view);
    }

    pub(super) fn remove(&mut self, uuid: &Uuid) {
        if self.domains.contains_key(uuid) {
            self.config_changes.add(*uuid);
            self.add_change(uuid);
            self.unlink(uuid);
        }
    }

    /// Records that a domain is about to be another one, or to go.
    fn add_change(&mut self, uuid: &Uuid) {
        let old = self.domains.get(uuid).map_or(0, |old| old.size());
        self.replaced = with_replaced(self.replaced, old);
        self.changes.add(*uuid);
    }

    fn unlink(&mut self, uuid: &Uuid) {
        let Some(old) = self.domains.get(uuid).cloned() else { return };
        self.domains.remove_mut(uuid);
        if self.names.get(old.name()) == Some(uuid) {
            self.names.remove_mut(old.name());
        }
        if let Some(domid) = old.domid().filter(|domid| self.domids.get(domid) == Some(uuid)) {
            self.domids.remove_mut(&domid);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::fixtures::{facts, running};
    use super::*;
    use crate::core::rights::{Access, Right};
    use std::time::{Duration, SystemTime};

    /// Domains come, go, and change their names, domids and configurations, in any order. The part
    /// that follows them is the one that is made anew.
    #[test]
    fn the_visible_part_follows_all_changes() {
        let access = Access::to(["a*".parse().unwrap()], [Right::See].into_iter().collect());
        let mut full = Snapshot::empty();
        let mut part = full.visible_to(&access, 1, None);
        let mut random = 1_u64;
        let mut next = |below: u64| {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            u32::try_from((random >> 33) % below).unwrap()
        };
        let mut largest = 0;
        for step in 0..5_000 {
            // Sometimes several changes are seen at once.
            for _ in 0..=next(3) {
                let uuid = Uuid::from_u128(next(8).into());
                let name =
                    DomName::adopted(&format!("{}{}", ["a", "b"][next(2) as usize], next(6)));
                let domid = DomId(next(8));
                let is_free =
                    |found: Option<&Arc<DomainView>>| found.is_none_or(|found| found.uuid == uuid);
                if next(4) == 0 || !is_free(full.by_name(&name)) || !is_free(full.by_domid(domid)) {
                    full.remove(&uuid);
                    continue;
                }
                let mut view = DomainView::defined(uuid, DomainConfig::new(name, 64));
                if next(2) == 0 {
                    view.facts = Some(DomainFacts { domid, ..facts(0, Duration::ZERO) });
                }
                full.insert(Arc::new(view));
            }
            part = full.visible_to(&access, 1, Some(&part));
            let anew = full.visible_to(&access, 1, None);
            let all = |snapshot: &Snapshot| -> Vec<_> {
                snapshot.domains().map(|view| (view.uuid, Arc::as_ptr(view))).collect()
            };
            assert_eq!(all(&part), all(&anew), "step {step}");
            assert_eq!((part.len(), part.domids.size()), (anew.len(), anew.domids.size()));
            for domid in (0..8).map(DomId) {
                let found = [&part, &anew].map(|one| one.by_domid(domid).map(Arc::as_ptr));
                assert_eq!(found[0], found[1], "step {step}");
            }
            largest = largest.max(part.len());
        }
        assert!(largest > 3, "{largest}");
    }

    #[test]
    fn a_snapshot_tells_which_domains_have_changed() {
        let uuid = Uuid::from_u128;
        let domain =
            |number, name: &str| running(number, DomainConfig::new(DomName::adopted(name), 64));
        let changed =
            |log: &ChangeLog, since| log.since(since).map(Iterator::collect::<Vec<_>>).unwrap();
        let mut snapshot = Snapshot::empty();
        let first = domain(1, "a");
        snapshot.insert(first.clone());
        snapshot.insert(domain(2, "b"));
        let configs = snapshot.config_changes.number();
        let since = snapshot.changes.number();
        assert_eq!((configs, since), (2, 2));
        // Figures are no change.
        let busy = Some(facts(1, Duration::from_secs(9)));
        snapshot.replace(Arc::new(DomainView { facts: busy, ..DomainView::clone(&first) }));
        assert!(changed(&snapshot.changes, since).is_empty());
        // A new state is no new configuration.
        snapshot.insert(Arc::new(DomainView { facts: None, ..DomainView::clone(&first) }));
        assert!(changed(&snapshot.config_changes, configs).is_empty());
        assert_eq!(changed(&snapshot.changes, since), [uuid(1)]);
        let mut paused = facts(2, Duration::ZERO);
        paused.flags.paused = true;
        let second = snapshot.by_uuid(&uuid(2)).cloned().unwrap();
        snapshot
            .replace(Arc::new(DomainView { facts: Some(paused), ..DomainView::clone(&second) }));
        snapshot.insert(domain(1, "a"));
        snapshot.remove(&uuid(2));
        snapshot.remove(&uuid(3));
        assert_eq!(changed(&snapshot.config_changes, configs), [uuid(1), uuid(2)]);
        assert_eq!(changed(&snapshot.changes, since), [1, 2, 1, 2].map(uuid));
    }

    #[test]
    fn figures_are_told_from_the_rest() {
        let view = running(1, DomainConfig::new(DomName::adopted("a"), 64));
        let with = |change: &dyn Fn(&mut DomainFacts)| {
            let mut facts = facts(1, Duration::ZERO);
            change(&mut facts);
            DomainView { facts: Some(facts), ..DomainView::clone(&view) }
        };
        let figures: [&dyn Fn(&mut DomainFacts); 5] = [
            &|facts| facts.cpu_time = Duration::from_secs(1),
            &|facts| facts.memory_kib = 1,
            &|facts| facts.online_vcpus = 7,
            &|facts| facts.flags.running = true,
            &|facts| facts.flags.blocked = true,
        ];
        for change in figures {
            assert!(view.identity().is_of(&with(change)));
        }
        let others: [&dyn Fn(&mut DomainFacts); 5] = [
            &|facts| facts.domid = DomId(9),
            &|facts| facts.flags.paused = true,
            &|facts| facts.vnc_port = Some(5900),
            &|facts| facts.console_port = Some(3),
            &|facts| facts.start_time = Some(SystemTime::UNIX_EPOCH),
        ];
        for change in others {
            assert!(!view.identity().is_of(&with(change)));
        }
        let halted = DomainView { facts: None, ..DomainView::clone(&view) };
        let other_config = running(1, DomainConfig::new(DomName::adopted("a"), 64));
        assert!(!view.identity().is_of(&halted));
        assert!(!view.identity().is_of(&other_config));
    }
}
