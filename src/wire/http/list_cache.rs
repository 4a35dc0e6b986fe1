//! Lists of domains, put together once and sent often.
//!
//! Monitors ask for the list of 1,000 domains all day. A list is sent again as long as the
//! snapshot's generation is the one that it was printed from; the engine makes sure that snapshots
//! are not too old. Callers who see different domains have different lists: the snapshot's scope
//! tells them apart. A list that is printed again is put together from the texts of its domains,
//! which all scopes share ([`DomainView::text`]).

use super::etag::TaggedJson;
use crate::answer_memory::SharedText;
use crate::core::offload::Offload;
use crate::core::snapshot::{ByScope, DomainView, Snapshot};
use crate::shape::{self, Sink as _, SxpSink};
use arc_swap::ArcSwapOption;
use std::sync::Arc;
use tokio::sync::Mutex;

/// The most users whose lists are kept.
const MAX_SCOPES: usize = 16;

/// How much each domain counts for the work of printing a list, in bytes.
const DOMAIN: usize = 512;

/// The printed lists of domains. `state` is one of [`shape::STATES`], or `None` for the domains
/// that are on the host.
pub(super) struct DomainListCache(ByScope<PrintedLists>);

impl Default for DomainListCache {
    fn default() -> Self {
        Self(ByScope::new(PrintedLists::default(), MAX_SCOPES))
    }
}

impl DomainListCache {
    /// The names: `(Domain-0 pv1)`.
    pub(super) async fn names(
        &self,
        offload: &Offload,
        snapshot: &Snapshot,
        state: State,
    ) -> SharedText {
        self.lists(snapshot).names.get(offload, snapshot, state, print_names).await
    }

    /// The domains in full: `((domain ...) (domain ...))`.
    pub(super) async fn details(
        &self,
        offload: &Offload,
        snapshot: &Snapshot,
        state: State,
    ) -> SharedText {
        self.lists(snapshot).details.get(offload, snapshot, state, print_details).await
    }

    /// The domains in full as JSON.
    pub(super) async fn json(
        &self,
        offload: &Offload,
        snapshot: &Snapshot,
        state: State,
    ) -> TaggedJson {
        self.lists(snapshot).json.get(offload, snapshot, state, print_json).await
    }

    fn lists(&self, snapshot: &Snapshot) -> Arc<PrintedLists> {
        self.0.get(snapshot, PrintedLists::default)
    }
}

type State = Option<&'static str>;

/// The lists of one scope.
#[derive(Default)]
struct PrintedLists {
    names: CachedList<SharedText>,
    details: CachedList<SharedText>,
    json: CachedList<TaggedJson>,
}

/// A list of one kind: that of the domains on the host, and that of the state that was asked for
/// last.
struct CachedList<T> {
    on_host: CachedText<T>,
    in_state: CachedText<T>,
}

struct CachedText<T> {
    /// The list, with the generation of the snapshot and the state.
    printed: ArcSwapOption<(u64, State, T)>,
    printing: Mutex<()>,
}

impl<T> Default for CachedList<T> {
    fn default() -> Self {
        let empty = || CachedText { printed: ArcSwapOption::default(), printing: Mutex::default() };
        Self { on_host: empty(), in_state: empty() }
    }
}

/// A printed list.
trait List: Clone + Send + Sync {
    /// Its length in bytes.
    fn size(&self) -> usize;
}

impl List for SharedText {
    fn size(&self) -> usize {
        self.len()
    }
}

impl List for TaggedJson {
    fn size(&self) -> usize {
        self.len()
    }
}

/// What is printed: the domains, and about how many bytes these are.
struct Printing<'a> {
    snapshot: &'a Snapshot,
    state: State,
    size: usize,
}

impl Printing<'_> {
    fn domains(&self) -> impl Iterator<Item = &DomainView> {
        let in_state = |view: &&DomainView| shape::is_in_state(view, self.state);
        self.snapshot.domains().map(AsRef::as_ref).filter(in_state)
    }
}

impl<T: List> CachedList<T> {
    async fn get(
        &self,
        offload: &Offload,
        snapshot: &Snapshot,
        state: State,
        print: fn(&Printing<'_>) -> T,
    ) -> T {
        let text = if state.is_none() { &self.on_host } else { &self.in_state };
        if let Some(list) = text.current(snapshot, state) {
            return list;
        }
        // One request prints while the others wait: they would all print the same.
        let _guard = text.printing.lock().await;
        if let Some(list) = text.current(snapshot, state) {
            return list;
        }
        let size = text.printed.load().as_ref().map_or(0, |old| old.2.size());
        let printing = Printing { snapshot, state, size: size + size / 8 };
        let work = size.max(snapshot.len() * DOMAIN);
        let list = offload.print(work, || print(&printing)).await;
        text.printed.store(Some(Arc::new((snapshot.generation, state, list.clone()))));
        list
    }
}

impl<T: List> CachedText<T> {
    fn current(&self, snapshot: &Snapshot, state: State) -> Option<T> {
        let printed = self.printed.load();
        let (generation, of_state, list) = printed.as_deref()?;
        ((*generation, *of_state) == (snapshot.generation, state)).then(|| list.clone())
    }
}

fn print_names(printing: &Printing<'_>) -> SharedText {
    let mut sink = SxpSink::new(Vec::with_capacity(printing.size));
    sink.begin_list();
    for view in printing.domains() {
        sink.text(view.name().as_str().as_bytes());
    }
    sink.end_list();
    SharedText::new(sink.into_bytes())
}

fn print_details(printing: &Printing<'_>) -> SharedText {
    let mut sink = SxpSink::new(Vec::with_capacity(printing.size));
    sink.begin_list();
    for view in printing.domains() {
        shape::kept_domain(&mut sink, view);
    }
    sink.end_list();
    SharedText::new(sink.into_bytes())
}

fn print_json(printing: &Printing<'_>) -> TaggedJson {
    TaggedJson::domains(printing.domains(), printing.size)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::model::{DomName, DomainConfig, Uuid};
    use crate::core::snapshot::fixtures::{facts, running, snapshot, with_domains, with_figures};
    use crate::core::snapshot::take_printed;
    use bytes::Bytes;
    use std::time::Duration;

    fn of_scope(scope: u64, name: &str) -> Snapshot {
        let config = DomainConfig::new(DomName::new(name).unwrap(), 64);
        let mut snapshot = with_domains(snapshot(&[]), [running(1, config)]);
        snapshot.scope = scope;
        snapshot
    }

    async fn names(cache: &DomainListCache, snapshot: &Snapshot) -> Bytes {
        cache.names(&Offload::default(), snapshot, None).await.text().clone()
    }

    #[tokio::test]
    async fn scopes_have_lists_of_their_own() {
        let cache = DomainListCache::default();
        for round in 0..2 {
            for (scope, name) in [(0, "all"), (1, "lj"), (2, "web1")] {
                let list = names(&cache, &of_scope(scope, name)).await;
                assert_eq!(list, format!("({name})"), "round {round}");
            }
        }
        assert_eq!(cache.0.scopes().len(), 2);
    }

    /// What a list costs beside copying texts: with any number of domains, it is that of those that
    /// have changed. Figures are put in, and another scope or state has the same texts.
    #[test]
    fn a_list_prints_domains_that_have_changed() {
        for count in [10_u32, 1_000] {
            let domain = |number: u32, memory| {
                running(number, DomainConfig::new(DomName::adopted(&format!("d{number}")), memory))
            };
            let first = with_domains(snapshot(&[]), (1..=count).map(|number| domain(number, 64)));
            let print = |snapshot: &Snapshot, state| {
                let printing = Printing { snapshot, state, size: 0 };
                let texts = (print_details(&printing).text().clone(), print_json(&printing));
                (texts.0, texts.1.into_text().text().clone(), take_printed())
            };
            take_printed();
            let (details, json, printed) = print(&first, None);
            assert_eq!(printed, 2 * count as usize, "each domain in both forms");
            let busy = |view: &Arc<DomainView>| {
                let number = view.domid().unwrap().0;
                Arc::new(with_figures(view, facts(number, Duration::from_secs(7))))
            };
            let moved: Vec<_> = first.domains().map(busy).collect();
            let moved = with_domains(first, moved);
            let (later, later_json, printed) = print(&moved, None);
            assert_eq!(printed, 0, "of {count}: figures are no change");
            assert!(later != details && later_json != json);
            let mut changed = with_domains(moved, [domain(7, 128)]);
            assert_eq!(print(&changed, None).2, 2, "of {count}");
            changed.scope = 1;
            assert_eq!(print(&changed, Some("all")).2, 0, "of {count}");
        }
    }

    #[tokio::test]
    async fn lists_of_a_state_are_those_of_the_state() {
        let cache = DomainListCache::default();
        let halted =
            DomainView::defined(Uuid::from_u128(2), DomainConfig::new(DomName::adopted("off"), 64));
        let snapshot = with_domains(of_scope(0, "on"), [Arc::new(halted)]);
        let offload = Offload::default();
        for _ in 0..2 {
            for (state, expected) in
                [(None, "(on)"), (Some("all"), "(off on)"), (Some("halted"), "(off)")]
            {
                let list = cache.names(&offload, &snapshot, state).await;
                assert_eq!(list.text(), expected);
                let full = cache.details(&offload, &snapshot, state).await;
                let count = full.text().windows(9).filter(|part| part == b"(domain (").count();
                assert_eq!(count, expected.split(' ').count());
            }
        }
    }

    #[tokio::test]
    async fn the_scope_that_was_used_last_is_kept() {
        let cache = DomainListCache::default();
        for scope in 1..=MAX_SCOPES as u64 {
            names(&cache, &of_scope(scope, "old")).await;
        }
        names(&cache, &of_scope(1, "old")).await;
        names(&cache, &of_scope(99, "old")).await;
        let kept: Vec<u64> = cache.0.scopes();
        assert_eq!(kept.len(), MAX_SCOPES);
        assert!(kept[..2] == [99, 1] && !kept.contains(&2), "{kept:?}");
        // The generation is the same, so the old list is sent; a scope that was dropped is printed.
        assert_eq!(names(&cache, &of_scope(1, "new")).await, "(old)");
        assert_eq!(names(&cache, &of_scope(2, "new")).await, "(new)");
    }
}
