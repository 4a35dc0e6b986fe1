//! The journal: events of domains, and the operations of callers.
//!
//! All readers share one ring of events and none has a queue. A reader remembers the number of its
//! last event, and is told when the ring has dropped events in between. The last events of each
//! domain are kept besides.

use super::caller::Caller;
use super::lifecycle::State;
use super::model::{DomId, DomainRef, GuestReport, Uuid};
use super::ports::{Clock, Entropy};
use super::rights::{Access, User};
use super::snapshot::DomainView;
use super::transfer::Progress;
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;
use tokio::sync::watch;

/// Events in the ring.
const RING_EVENTS: usize = 4096;
/// Events in the history of one domain.
const HISTORY_EVENTS: usize = 50;
/// Characters kept of texts whose length a caller decides, such as paths and error messages.
const TEXT_LIMIT: usize = 300;
/// Number of histories kept of domains that are gone. A domain that is restored has its history
/// again.
const GONE_HISTORIES: usize = 256;

/// Something that happened.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// Numbers begin at 1 when the daemon starts and have no gaps.
    pub number: u64,
    /// The time of day.
    pub at: SystemTime,
    /// The domain; `None` if the event is about something else.
    pub uuid: Option<Uuid>,
    /// The domain's name at that time, or the name of the other object.
    pub name: String,
    /// The domain's domid at that time.
    pub domid: Option<DomId>,
    /// What happened.
    pub what: EventKind,
}

/// What happened.
#[derive(Debug, Clone, PartialEq)]
pub enum EventKind {
    /// The domain was created, defined or found, in this state.
    Appeared(State),
    Gone,
    /// The domain's state has changed.
    State {
        from: State,
        to: State,
    },
    /// The domain has another name.
    Renamed {
        from: String,
    },
    /// The domain's configuration or definition has changed.
    Configured,
    /// The guest reports something new about itself.
    Reported,
    /// In a fleet, the domain belongs to another host, and may run on both.
    Disputed {
        /// The name of the other host.
        owner: String,
    },
    /// A long operation makes progress; `None` when it is over.
    Progress(Option<Progress>),
    /// An operation has succeeded.
    Done {
        op: &'static str,
        caller: Author,
    },
    /// An operation has failed, with this message to the caller.
    Failed {
        op: &'static str,
        caller: Author,
        error: String,
    },
}

/// The caller of an operation, as it is recorded.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Author {
    /// The name of the account; `None` for an operator without one.
    pub user: Option<String>,
    /// The caller in words: `steve at 192.0.2.7:4711`, `unix uid 0`.
    pub text: String,
}

impl Author {
    /// The author as the user `name` sees it: where others come from is for operators.
    fn shown_to(&self, name: &str) -> Self {
        let text = match &self.user {
            Some(user) if user == name => return self.clone(),
            Some(_) => "another user",
            None => "an operator",
        };
        Self { user: None, text: text.to_owned() }
    }
}

impl From<&Caller> for Author {
    fn from(caller: &Caller) -> Self {
        let user = caller.user().map(|user| user.name().to_owned());
        Self { user, text: caller.to_string() }
    }
}

impl Event {
    /// The event as a user sees it; `None` if it is about a domain that the user does not see. A
    /// domain that gets another name can come into sight, or leave it.
    pub(super) fn shown_to(self: &Arc<Self>, user: &User, access: &Access) -> Option<Arc<Self>> {
        let uuid = self.uuid?;
        let sees = |name: &str| !access.rights_on(Some(uuid), name).is_empty();
        let what = match &self.what {
            EventKind::Renamed { from } => match (sees(from), sees(&self.name)) {
                (true, true) => return Some(self.clone()),
                (true, false) => {
                    return Some(Arc::new(Self {
                        name: from.clone(),
                        what: EventKind::Gone,
                        ..Self::clone(self)
                    }));
                }
                (false, true) => EventKind::Configured,
                (false, false) => return None,
            },
            _ if !sees(&self.name) => return None,
            EventKind::Disputed { .. } => EventKind::Disputed { owner: "another host".to_owned() },
            EventKind::Done { op, caller } => {
                EventKind::Done { op, caller: caller.shown_to(user.name()) }
            }
            EventKind::Failed { op, caller, error } => {
                let own = caller.user.as_deref() == Some(user.name());
                let error = if own { error.clone() } else { "refused or failed".to_owned() };
                EventKind::Failed { op, caller: caller.shown_to(user.name()), error }
            }
            _ => return Some(self.clone()),
        };
        Some(Arc::new(Self { what, ..Self::clone(self) }))
    }
}

impl EventKind {
    /// Whether the event is of no interest once its operation is over.
    pub fn is_progress(&self) -> bool {
        matches!(self, Self::Progress(_))
    }

    /// Whether the event is kept in the history of its domain. A guest cannot push others out.
    fn is_history(&self) -> bool {
        !matches!(self, Self::Progress(_) | Self::Reported)
    }
}

/// Events for a reader.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct EventBatch {
    /// The next events in order, up to the limit that the reader gave.
    pub events: Vec<Arc<Event>>,
    /// Whether events before these have been dropped from the ring.
    pub lost: bool,
    /// The number after which the batch begins: the reader's, unless events were lost.
    pub after: u64,
    /// The number up to which the batch goes. Events that the reader does not see count.
    pub read_to: u64,
}

/// The journal.
pub struct Journal {
    entries: Mutex<Entries>,
    clock: Arc<dyn Clock>,
    last_number: watch::Sender<u64>,
    /// A random number of this run of the daemon: event numbers of another run mean nothing here.
    pub volume: u32,
}

#[derive(Default)]
struct Entries {
    ring: VecDeque<Arc<Event>>,
    last_number: u64,
    histories: HashMap<Uuid, VecDeque<Arc<Event>>>,
    /// Domains that are gone and have a history, the longest gone first.
    gone: VecDeque<Uuid>,
}

impl Journal {
    pub(super) fn new(clock: Arc<dyn Clock>, entropy: &dyn Entropy) -> Self {
        let mut volume = [0; 4];
        entropy.fill(&mut volume);
        Self {
            entries: Mutex::default(),
            clock,
            last_number: watch::Sender::new(0),
            volume: u32::from_be_bytes(volume),
        }
    }

    /// The number of the latest event, as it grows.
    pub fn numbers(&self) -> watch::Receiver<u64> {
        self.last_number.subscribe()
    }

    /// How many events are kept for readers, and the number of the latest.
    pub(super) fn kept(&self) -> (usize, u64) {
        let entries = self.lock();
        (entries.ring.len(), entries.last_number)
    }

    /// The events after event `number`, `most` at most.
    pub fn after(&self, number: u64, most: usize) -> EventBatch {
        let entries = self.lock();
        let first = entries.ring.front().map_or(entries.last_number + 1, |event| event.number);
        let skipped = usize::try_from((number + 1).saturating_sub(first)).unwrap_or(usize::MAX);
        let events: Vec<_> = entries.ring.iter().skip(skipped).take(most).cloned().collect();
        let after = number.max(first - 1);
        let read_to = events.last().map_or(after, |event| event.number);
        EventBatch { events, lost: number < after, after, read_to }
    }

    /// The domain of the latest event under this name or UUID, even if it is gone since. `shown`
    /// gives an event as the reader sees it.
    pub fn find(
        &self,
        domain: &DomainRef,
        shown: impl Fn(&Arc<Event>) -> Option<Arc<Event>>,
    ) -> Option<Uuid> {
        let uuid = domain.uuid();
        let matches = |event: &Arc<Event>| {
            event.uuid.is_some() && (event.name == domain.as_str() || event.uuid == uuid)
        };
        let entries = self.lock();
        entries.ring.iter().rev().filter_map(shown).find(matches).and_then(|event| event.uuid)
    }

    /// The history of a domain, the latest event first.
    pub fn of(&self, uuid: &Uuid) -> Vec<Arc<Event>> {
        self.lock()
            .histories
            .get(uuid)
            .map(|events| events.iter().rev().cloned().collect())
            .unwrap_or_default()
    }

    /// Records the differences between two views of a domain.
    pub(super) fn record_changes(&self, old: Option<&DomainView>, new: Option<&DomainView>) {
        let changes = match (old, new) {
            (None, Some(new)) => vec![EventKind::Appeared(new.state())],
            (Some(_), None) => vec![EventKind::Gone],
            (Some(old), Some(new)) => differences(old, new),
            (None, None) => vec![],
        };
        let Some(view) = new.or(old).filter(|_| !changes.is_empty()) else { return };
        let mut entries = self.lock();
        for what in changes {
            self.add(&mut entries, Some(view.uuid), view.name().to_string(), view.domid(), what);
        }
    }

    /// Records the result of an operation on the domain `view`, or on something else called `name`.
    pub(super) fn record_operation(&self, view: Option<&DomainView>, name: &str, what: EventKind) {
        let name = view.map_or_else(|| shortened(name), |view| view.name().to_string());
        let what = match what {
            EventKind::Failed { op, caller, error } => {
                EventKind::Failed { op, caller, error: shortened(&error) }
            }
            what => what,
        };
        let uuid = view.map(|view| view.uuid);
        self.add(&mut self.lock(), uuid, name, view.and_then(DomainView::domid), what);
    }

    fn add(
        &self,
        entries: &mut Entries,
        uuid: Option<Uuid>,
        name: String,
        domid: Option<DomId>,
        what: EventKind,
    ) {
        entries.last_number += 1;
        let number = entries.last_number;
        let event = Arc::new(Event { number, at: self.clock.now(), uuid, name, domid, what });
        if let Some(uuid) = uuid {
            entries.add_to_history(uuid, &event);
        }
        if entries.ring.len() == RING_EVENTS {
            entries.ring.pop_front();
        }
        entries.ring.push_back(event);
        self.last_number.send_replace(number);
    }

    fn lock(&self) -> MutexGuard<'_, Entries> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entries {
    fn add_to_history(&mut self, uuid: Uuid, event: &Arc<Event>) {
        match event.what {
            EventKind::Appeared(_) => self.gone.retain(|gone| *gone != uuid),
            EventKind::Gone => self.gone.push_back(uuid),
            _ => {}
        }
        if self.gone.len() > GONE_HISTORIES {
            if let Some(longest) = self.gone.pop_front() {
                self.histories.remove(&longest);
            }
        }
        if !event.what.is_history() {
            return;
        }
        // Late events of a domain that is gone do not bring its history back.
        let history = match event.what {
            EventKind::Appeared(_) => self.histories.entry(uuid).or_default(),
            _ => match self.histories.get_mut(&uuid) {
                Some(history) => history,
                None => return,
            },
        };
        if history.len() == HISTORY_EVENTS {
            history.pop_front();
        }
        history.push_back(event.clone());
    }
}

/// The beginning of a text, with a mark if it was longer.
fn shortened(text: &str) -> String {
    match text.char_indices().nth(TEXT_LIMIT) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

fn differences(old: &DomainView, new: &DomainView) -> Vec<EventKind> {
    let mut changes = Vec::new();
    if old.name() != new.name() {
        changes.push(EventKind::Renamed { from: old.name().to_string() });
    }
    if old.state() != new.state() {
        changes.push(EventKind::State { from: old.state(), to: new.state() });
    }
    let same = |old: &Arc<_>, new: &Arc<_>| Arc::ptr_eq(old, new) || old == new;
    let same_definition = match (&old.definition, &new.definition) {
        (Some(old), Some(new)) => same(old, new),
        (old, new) => old.is_none() && new.is_none(),
    };
    if !same_definition || !same(&old.config, &new.config) {
        changes.push(EventKind::Configured);
    }
    let is_new = |new: &Arc<GuestReport>| {
        old.report.as_ref().is_none_or(|old| !Arc::ptr_eq(old, new) && new.differs_from(old))
    };
    let has_gone = old.report.is_some() && new.report.is_none() && old.domid() == new.domid();
    if has_gone || new.report.as_ref().is_some_and(is_new) {
        changes.push(EventKind::Reported);
    }
    let percent =
        |view: &DomainView| view.progress.map(|progress| (progress.what, progress.percent()));
    if percent(old) != percent(new) {
        changes.push(EventKind::Progress(new.progress));
    }
    changes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::model::{DomName, DomainConfig};
    use crate::core::snapshot::fixtures::facts;
    use std::time::Duration;

    struct Noon;

    impl Clock for Noon {
        fn now(&self) -> SystemTime {
            SystemTime::UNIX_EPOCH + Duration::from_secs(43_200)
        }

        fn monotonic(&self) -> Duration {
            Duration::ZERO
        }
    }

    impl Entropy for Noon {
        fn fill(&self, bytes: &mut [u8]) {
            bytes.fill(1);
        }
    }

    fn journal() -> Journal {
        Journal::new(Arc::new(Noon), &Noon)
    }

    fn view(number: u128, name: &str) -> DomainView {
        let config = DomainConfig::new(DomName::new(name).unwrap(), 64);
        DomainView::defined(Uuid::from_u128(number), config)
    }

    fn running(view: &DomainView, paused: bool) -> DomainView {
        let mut facts = facts(7, Duration::ZERO);
        facts.flags.paused = paused;
        let mut view = view.clone();
        view.facts = Some(facts);
        view
    }

    #[test]
    fn each_difference_is_an_event() {
        let journal = journal();
        let defined = view(1, "pv1");
        journal.record_changes(None, Some(&defined));
        let paused = running(&defined, true);
        let runs = running(&defined, false);
        journal.record_changes(Some(&defined), Some(&paused));
        journal.record_changes(Some(&paused), Some(&paused));
        let mut figures = paused.clone();
        figures.facts.as_mut().unwrap().cpu_time = Duration::from_secs(1);
        journal.record_changes(Some(&paused), Some(&figures));
        journal.record_changes(Some(&paused), Some(&runs));
        let mut renamed = runs.clone();
        renamed.config = view(1, "pv2").config;
        journal.record_changes(Some(&runs), Some(&renamed));
        journal.record_changes(Some(&renamed), None);
        let changes: Vec<_> =
            journal.after(0, 99).events.iter().map(|event| event.what.clone()).collect();
        assert_eq!(
            changes,
            [
                EventKind::Appeared(State::Halted),
                EventKind::State { from: State::Halted, to: State::Paused },
                EventKind::State { from: State::Paused, to: State::Running },
                EventKind::Renamed { from: "pv1".into() },
                EventKind::Configured,
                EventKind::Gone,
            ]
        );
        assert_eq!(journal.of(&defined.uuid).len(), 6);
        assert_eq!(journal.of(&defined.uuid)[0].what, EventKind::Gone);
    }

    #[test]
    fn a_slow_reader_is_told_that_it_lost_some() {
        let journal = journal();
        let pv1 = view(1, "pv1");
        journal.record_changes(None, Some(&pv1));
        let none = EventBatch { after: 1, read_to: 1, ..EventBatch::default() };
        assert_eq!(journal.after(1, 9), none);
        for _ in 0..RING_EVENTS {
            journal.record_operation(
                None,
                "host",
                EventKind::Done { op: "x", caller: Author::default() },
            );
        }
        let news = journal.after(0, 9);
        assert!(news.lost && news.events.len() == 9 && news.events[0].number == 2);
        assert_eq!((news.after, news.read_to), (1, 10));
        assert!(!journal.after(1, 9).lost);
        assert_eq!(journal.after(RING_EVENTS as u64, 9).events.len(), 1);
        assert_eq!(*journal.numbers().borrow(), RING_EVENTS as u64 + 1);
    }

    #[test]
    fn long_texts_are_shortened() {
        let journal = journal();
        let caller = Author::default();
        let error = "ä".repeat(1 << 20);
        journal.record_operation(
            None,
            &error,
            EventKind::Failed { op: "restore", caller, error: error.clone() },
        );
        let event = journal.after(0, 1).events.remove(0);
        let EventKind::Failed { error, .. } = &event.what else { panic!("{event:?}") };
        assert!(error.len() < 1000 && event.name.len() < 1000 && error.ends_with('…'));
    }

    #[test]
    fn a_domain_that_is_gone_is_still_found() {
        let journal = journal();
        let pv1 = view(1, "pv1");
        journal.record_changes(None, Some(&pv1));
        journal.record_changes(Some(&pv1), None);
        let find =
            |domain: &str| journal.find(&DomainRef::new(domain), |event| Some(event.clone()));
        assert_eq!(find("pv1"), Some(pv1.uuid));
        assert_eq!(find(&pv1.uuid.to_string()), Some(pv1.uuid));
        assert_eq!(find("other"), None);
        assert_eq!(journal.find(&DomainRef::new("pv1"), |_| None), None);
    }

    #[test]
    fn progress_is_reported_by_the_percent_and_kept_in_no_history() {
        let journal = journal();
        let pv1 = view(1, "pv1");
        journal.record_changes(None, Some(&pv1));
        let at = |done| {
            let mut view = pv1.clone();
            view.progress = Some(Progress { what: "Saving", done, total: 1000 });
            view
        };
        journal.record_changes(Some(&pv1), Some(&at(10)));
        journal.record_changes(Some(&at(10)), Some(&at(11)));
        journal.record_changes(Some(&at(11)), Some(&at(20)));
        journal.record_changes(Some(&at(20)), Some(&pv1));
        assert_eq!(journal.after(1, 99).events.len(), 3);
        assert_eq!(journal.of(&pv1.uuid).len(), 1);
    }

    #[test]
    fn histories_are_bounded() {
        let journal = journal();
        for number in 0..=(GONE_HISTORIES as u128) {
            let one = view(number, "x");
            journal.record_changes(None, Some(&one));
            journal.record_changes(Some(&one), None);
        }
        assert_eq!(journal.lock().histories.len(), GONE_HISTORIES);
        let first = view(0, "x");
        journal.record_operation(Some(&first), "x", EventKind::Gone);
        assert!(journal.of(&first.uuid).is_empty());
        let kept = view(1, "x");
        journal.record_changes(None, Some(&kept));
        for _ in 0..HISTORY_EVENTS * 2 {
            journal.record_operation(Some(&kept), "x", EventKind::Configured);
        }
        assert_eq!(journal.of(&kept.uuid).len(), HISTORY_EVENTS);
    }
}
