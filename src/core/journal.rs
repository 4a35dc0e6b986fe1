//! What has happened to domains: who asked for what, and what became of it.
//!
//! There is one ring for everybody who follows along. Nobody has a queue: a reader remembers how
//! far it has read, and one that is too slow is told that the ring has gone on without it. Each
//! domain keeps the last of its own events besides.

use super::lifecycle::State;
use super::model::{DomId, DomainRef, Uuid};
use super::ports::{Clock, Entropy};
use super::snapshot::DomainView;
use super::transfer::Progress;
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;
use tokio::sync::watch;

/// How many events are kept.
const KEPT: usize = 4096;
/// How many are kept of each domain.
const KEPT_OF_ONE: usize = 50;
/// How many characters of a text are kept that a caller can make as long as he likes: of a file's
/// path, of what is said of it.
const KEPT_OF_TEXT: usize = 300;
/// How many domains that are gone are remembered: one that is restored or comes back has its
/// history again.
const GONE: usize = 256;

/// Something that happened.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// Its number: 1 for the first since the daemon was started, without gaps.
    pub number: u64,
    /// When.
    pub at: SystemTime,
    /// To which domain, if it is about one.
    pub uuid: Option<Uuid>,
    /// The domain's name then; or what else it is about.
    pub name: String,
    /// The domain's domid then.
    pub domid: Option<DomId>,
    /// What.
    pub what: What,
}

/// What happened.
#[derive(Debug, Clone, PartialEq)]
pub enum What {
    /// The domain is there, in this state: made, defined, or found.
    Appeared(State),
    /// It is not there any more.
    Gone,
    /// Its state has changed.
    State {
        /// What it was.
        from: State,
        /// What it is.
        to: State,
    },
    /// It has another name.
    Renamed {
        /// What it was called.
        from: String,
    },
    /// Its configuration or its definition is another one.
    Configured,
    /// Something that takes long goes on with it; none if it is over.
    Progress(Option<Progress>),
    /// Somebody asked for an operation, and it was done.
    Done {
        /// The operation.
        op: &'static str,
        /// Who asked for it.
        caller: String,
    },
    /// Somebody asked for an operation, and it failed.
    Failed {
        /// The operation.
        op: &'static str,
        /// Who asked for it.
        caller: String,
        /// What they were told.
        error: String,
    },
}

impl What {
    /// Whether it is one of many steps of the same thing, and of no interest once that is over.
    pub fn is_passing(&self) -> bool {
        matches!(self, Self::Progress(_))
    }
}

/// What a reader gets.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct News {
    /// What came after what it had, in order; not all of it if that is much.
    pub events: Vec<Arc<Event>>,
    /// Whether there was more between than is kept.
    pub lost: bool,
}

/// Where it is written down.
pub struct Journal {
    book: Mutex<Book>,
    clock: Arc<dyn Clock>,
    last: watch::Sender<u64>,
    /// Another one each time that the daemon is started: a number of an earlier journal means
    /// nothing in this one.
    pub volume: u32,
}

#[derive(Default)]
struct Book {
    events: VecDeque<Arc<Event>>,
    last: u64,
    histories: HashMap<Uuid, VecDeque<Arc<Event>>>,
    /// Those of the histories whose domains are gone, the longest gone first.
    gone: VecDeque<Uuid>,
}

impl Journal {
    pub(super) fn new(clock: Arc<dyn Clock>, entropy: &dyn Entropy) -> Self {
        let mut volume = [0; 4];
        entropy.fill(&mut volume);
        let volume = u32::from_be_bytes(volume);
        Self { book: Mutex::default(), clock, last: watch::Sender::new(0), volume }
    }

    /// Tells of the last event's number whenever there is another one.
    pub fn numbers(&self) -> watch::Receiver<u64> {
        self.last.subscribe()
    }

    /// What came after event `number`, `most` events at most.
    pub fn after(&self, number: u64, most: usize) -> News {
        let book = self.lock();
        let first = book.events.front().map_or(book.last + 1, |event| event.number);
        let skipped = usize::try_from((number + 1).saturating_sub(first)).unwrap_or(usize::MAX);
        News {
            events: book.events.iter().skip(skipped).take(most).cloned().collect(),
            lost: number + 1 < first,
        }
    }

    /// The domain that something was last told of under this name or UUID, though it may have gone
    /// since.
    pub fn find(&self, domain: &DomainRef) -> Option<Uuid> {
        let (book, uuid) = (self.lock(), domain.uuid());
        let meant = |event: &&Arc<Event>| {
            event.uuid.is_some() && (event.name == domain.as_str() || event.uuid == uuid)
        };
        book.events.iter().rev().find(meant).and_then(|event| event.uuid)
    }

    /// What happened to a domain, the last first.
    pub fn of(&self, uuid: &Uuid) -> Vec<Arc<Event>> {
        self.lock()
            .histories
            .get(uuid)
            .map(|events| events.iter().rev().cloned().collect())
            .unwrap_or_default()
    }

    /// Writes down what is different between two views of a domain.
    pub(super) fn compare(&self, old: Option<&DomainView>, new: Option<&DomainView>) {
        let whats = match (old, new) {
            (None, Some(new)) => vec![What::Appeared(new.state())],
            (Some(_), None) => vec![What::Gone],
            (Some(old), Some(new)) => differences(old, new),
            (None, None) => vec![],
        };
        let Some(view) = new.or(old).filter(|_| !whats.is_empty()) else { return };
        let mut book = self.lock();
        for what in whats {
            self.add(&mut book, Some(view.uuid), view.name().to_string(), view.domid(), what);
        }
    }

    /// Writes down what became of something that somebody asked for. `view` is the domain that it
    /// was about, `name` what else it was about.
    pub(super) fn operation(&self, view: Option<&DomainView>, name: &str, what: What) {
        let shown = view.map_or_else(|| cut(name), |view| view.name().to_string());
        let what = match what {
            What::Failed { op, caller, error } => What::Failed { op, caller, error: cut(&error) },
            what => what,
        };
        let mut book = self.lock();
        self.add(
            &mut book,
            view.map(|view| view.uuid),
            shown,
            view.and_then(DomainView::domid),
            what,
        );
    }

    fn add(
        &self,
        book: &mut Book,
        uuid: Option<Uuid>,
        name: String,
        domid: Option<DomId>,
        what: What,
    ) {
        book.last += 1;
        let event =
            Arc::new(Event { number: book.last, at: self.clock.now(), uuid, name, domid, what });
        if let Some(uuid) = uuid {
            book.remember(uuid, &event);
        }
        if book.events.len() == KEPT {
            book.events.pop_front();
        }
        book.events.push_back(event);
        self.last.send_replace(book.last);
    }

    fn lock(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Book {
    fn remember(&mut self, uuid: Uuid, event: &Arc<Event>) {
        match event.what {
            What::Appeared(_) => self.gone.retain(|gone| *gone != uuid),
            What::Gone => self.gone.push_back(uuid),
            _ => {}
        }
        if self.gone.len() > GONE {
            if let Some(longest) = self.gone.pop_front() {
                self.histories.remove(&longest);
            }
        }
        if event.what.is_passing() {
            return;
        }
        // What is told of a domain after it has gone does not bring its history back.
        let history = match event.what {
            What::Appeared(_) => self.histories.entry(uuid).or_default(),
            _ => match self.histories.get_mut(&uuid) {
                Some(history) => history,
                None => return,
            },
        };
        if history.len() == KEPT_OF_ONE {
            history.pop_front();
        }
        history.push_back(event.clone());
    }
}

/// The beginning of a text, with a sign that there was more.
fn cut(text: &str) -> String {
    match text.char_indices().nth(KEPT_OF_TEXT) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

fn differences(old: &DomainView, new: &DomainView) -> Vec<What> {
    let mut whats = Vec::new();
    if old.name() != new.name() {
        whats.push(What::Renamed { from: old.name().to_string() });
    }
    if old.state() != new.state() {
        whats.push(What::State { from: old.state(), to: new.state() });
    }
    let same = |old: &Arc<_>, new: &Arc<_>| Arc::ptr_eq(old, new) || old == new;
    let stored = match (&old.definition, &new.definition) {
        (Some(old), Some(new)) => same(old, new),
        (old, new) => old.is_none() && new.is_none(),
    };
    if !stored || !same(&old.config, &new.config) {
        whats.push(What::Configured);
    }
    let percent =
        |view: &DomainView| view.progress.map(|progress| (progress.what, progress.percent()));
    if percent(old) != percent(new) {
        whats.push(What::Progress(new.progress));
    }
    whats
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::model::{DomName, DomainConfig};
    use crate::core::snapshot::tests::facts;
    use std::time::Duration;

    struct Noon;

    impl Clock for Noon {
        fn now(&self) -> SystemTime {
            SystemTime::UNIX_EPOCH + Duration::from_secs(43_200)
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
        DomainView::of(Uuid::from_u128(number), Arc::new(config))
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
        journal.compare(None, Some(&defined));
        let (paused, runs) = (running(&defined, true), running(&defined, false));
        journal.compare(Some(&defined), Some(&paused));
        journal.compare(Some(&paused), Some(&paused));
        let mut figures = paused.clone();
        figures.facts.as_mut().unwrap().cpu_time = Duration::from_secs(1);
        journal.compare(Some(&paused), Some(&figures));
        journal.compare(Some(&paused), Some(&runs));
        let mut renamed = runs.clone();
        renamed.config = view(1, "pv2").config;
        journal.compare(Some(&runs), Some(&renamed));
        journal.compare(Some(&renamed), None);
        let whats: Vec<_> =
            journal.after(0, 99).events.iter().map(|event| event.what.clone()).collect();
        assert_eq!(
            whats,
            [
                What::Appeared(State::Halted),
                What::State { from: State::Halted, to: State::Paused },
                What::State { from: State::Paused, to: State::Running },
                What::Renamed { from: "pv1".into() },
                What::Configured,
                What::Gone,
            ]
        );
        assert_eq!(journal.of(&defined.uuid).len(), 6);
        assert_eq!(journal.of(&defined.uuid)[0].what, What::Gone);
    }

    #[test]
    fn a_slow_reader_is_told_that_it_lost_some() {
        let journal = journal();
        let pv1 = view(1, "pv1");
        journal.compare(None, Some(&pv1));
        assert_eq!(journal.after(1, 9), News::default());
        for _ in 0..KEPT {
            journal.operation(None, "host", What::Done { op: "x", caller: String::new() });
        }
        let news = journal.after(0, 9);
        assert!(news.lost && news.events.len() == 9 && news.events[0].number == 2);
        assert!(!journal.after(1, 9).lost);
        assert_eq!(journal.after(KEPT as u64, 9).events.len(), 1);
        assert_eq!(*journal.numbers().borrow(), KEPT as u64 + 1);
    }

    #[test]
    fn long_texts_are_cut() {
        let journal = journal();
        let (caller, error) = (String::new(), "ä".repeat(1 << 20));
        journal.operation(
            None,
            &error,
            What::Failed { op: "restore", caller, error: error.clone() },
        );
        let event = journal.after(0, 1).events.remove(0);
        let What::Failed { error, .. } = &event.what else { panic!("{event:?}") };
        assert!(error.len() < 1000 && event.name.len() < 1000 && error.ends_with('…'));
    }

    #[test]
    fn one_that_has_gone_is_still_found() {
        let journal = journal();
        let pv1 = view(1, "pv1");
        journal.compare(None, Some(&pv1));
        journal.compare(Some(&pv1), None);
        assert_eq!(journal.find(&DomainRef::new("pv1")), Some(pv1.uuid));
        assert_eq!(journal.find(&DomainRef::new(pv1.uuid.to_string())), Some(pv1.uuid));
        assert_eq!(journal.find(&DomainRef::new("other")), None);
    }

    #[test]
    fn progress_is_told_by_the_percent_and_not_remembered() {
        let journal = journal();
        let pv1 = view(1, "pv1");
        journal.compare(None, Some(&pv1));
        let at = |done| {
            let mut view = pv1.clone();
            view.progress = Some(Progress { what: "Saving", done, total: 1000 });
            view
        };
        journal.compare(Some(&pv1), Some(&at(10)));
        journal.compare(Some(&at(10)), Some(&at(11)));
        journal.compare(Some(&at(11)), Some(&at(20)));
        journal.compare(Some(&at(20)), Some(&pv1));
        assert_eq!(journal.after(1, 99).events.len(), 3);
        assert_eq!(journal.of(&pv1.uuid).len(), 1);
    }

    #[test]
    fn histories_are_bounded() {
        let journal = journal();
        for number in 0..=(GONE as u128) {
            let one = view(number, "x");
            journal.compare(None, Some(&one));
            journal.compare(Some(&one), None);
        }
        assert_eq!(journal.lock().histories.len(), GONE);
        let first = view(0, "x");
        journal.operation(Some(&first), "x", What::Gone);
        assert!(journal.of(&first.uuid).is_empty());
        let kept = view(1, "x");
        journal.compare(None, Some(&kept));
        for _ in 0..KEPT_OF_ONE * 2 {
            journal.operation(Some(&kept), "x", What::Configured);
        }
        assert_eq!(journal.of(&kept.uuid).len(), KEPT_OF_ONE);
    }
}
