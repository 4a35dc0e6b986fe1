//! Lists of domains as S-expressions, printed once and sent often.
//!
//! Printing 1,000 domains takes milliseconds, and monitors ask for them all day. A list is sent
//! again as long as the snapshot's generation is the one that it was printed from; the engine makes
//! sure that snapshots are not too old. Callers who see different domains have different lists: the
//! snapshot's scope tells them apart.

use crate::answer_memory::SharedText;
use crate::core::offload::Offload;
use crate::core::snapshot::{ByScope, Snapshot};
use crate::shape::{self, Sink, SxpSink};
use arc_swap::ArcSwapOption;
use std::sync::Arc;
use tokio::sync::Mutex;

/// The most users whose lists are kept.
const MAX_SCOPES: usize = 16;

/// How much each domain counts for the work of printing a list, in bytes.
const DOMAIN: usize = 512;

/// The printed lists of the domains that are on the host.
pub(super) struct DomainListCache(ByScope<PrintedLists>);

impl Default for DomainListCache {
    fn default() -> Self {
        Self(ByScope::new(PrintedLists::default(), MAX_SCOPES))
    }
}

impl DomainListCache {
    /// The names: `(Domain-0 pv1)`.
    pub(super) async fn names(&self, offload: &Offload, snapshot: &Snapshot) -> SharedText {
        self.lists(snapshot).names.get(offload, snapshot, print_names).await
    }

    /// The domains in full: `((domain ...) (domain ...))`.
    pub(super) async fn details(&self, offload: &Offload, snapshot: &Snapshot) -> SharedText {
        self.lists(snapshot).details.get(offload, snapshot, print_details).await
    }

    fn lists(&self, snapshot: &Snapshot) -> Arc<PrintedLists> {
        self.0.get(snapshot, PrintedLists::default)
    }
}

/// The lists of one scope.
#[derive(Default)]
struct PrintedLists {
    names: CachedList,
    details: CachedList,
}

#[derive(Default)]
struct CachedList {
    /// The generation of the snapshot, and the list printed from it.
    printed: ArcSwapOption<(u64, SharedText)>,
    printing: Mutex<()>,
}

impl CachedList {
    async fn get(
        &self,
        offload: &Offload,
        snapshot: &Snapshot,
        print: fn(&Snapshot, usize) -> Vec<u8>,
    ) -> SharedText {
        if let Some(text) = self.current(snapshot) {
            return text;
        }
        // One request prints while the others wait: they would all print the same.
        let _guard = self.printing.lock().await;
        if let Some(text) = self.current(snapshot) {
            return text;
        }
        let size = self.printed.load().as_ref().map_or(0, |old| old.1.len());
        let print = || print(snapshot, size + size / 8);
        let printed = offload.print(size.max(snapshot.len() * DOMAIN), print).await;
        let text = SharedText::new(printed);
        self.printed.store(Some(Arc::new((snapshot.generation, text.clone()))));
        text
    }

    fn current(&self, snapshot: &Snapshot) -> Option<SharedText> {
        let printed = self.printed.load();
        let (generation, text) = printed.as_deref()?;
        (*generation == snapshot.generation).then(|| text.clone())
    }
}

fn print_names(snapshot: &Snapshot, capacity: usize) -> Vec<u8> {
    let mut sink = SxpSink::new(Vec::with_capacity(capacity));
    sink.begin_list();
    for view in snapshot.domains().filter(|view| view.facts.is_some()) {
        sink.text(view.name().as_str().as_bytes());
    }
    sink.end_list();
    sink.into_bytes()
}

fn print_details(snapshot: &Snapshot, capacity: usize) -> Vec<u8> {
    let mut sink = SxpSink::new(Vec::with_capacity(capacity));
    sink.begin_list();
    for view in snapshot.domains().filter(|view| view.facts.is_some()) {
        shape::domain(&mut sink, view);
    }
    sink.end_list();
    sink.into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::model::{DomName, DomainConfig};
    use crate::core::snapshot::fixtures::{running, snapshot, with_domains};
    use bytes::Bytes;

    fn of_scope(scope: u64, name: &str) -> Snapshot {
        let config = DomainConfig::new(DomName::new(name).unwrap(), 64);
        let mut snapshot = with_domains(snapshot(&[]), [running(1, config)]);
        snapshot.scope = scope;
        snapshot
    }

    async fn names(cache: &DomainListCache, snapshot: &Snapshot) -> Bytes {
        cache.names(&Offload::default(), snapshot).await.text().clone()
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
