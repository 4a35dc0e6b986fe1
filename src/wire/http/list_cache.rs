//! Lists of domains as S-expressions, printed once and sent often.
//!
//! Printing 1,000 domains takes milliseconds, and monitors ask for them all day. A list is sent
//! again as long as the snapshot's generation is the one that it was printed from; the engine makes
//! sure that snapshots are not too old.

use crate::core::snapshot::Snapshot;
use crate::shape::{self, Sink, SxpSink};
use arc_swap::ArcSwapOption;
use bytes::Bytes;
use std::sync::Arc;
use tokio::sync::Mutex;

/// The printed lists of the domains that are on the host.
#[derive(Default)]
pub(super) struct DomainListCache {
    names: CachedList,
    details: CachedList,
}

impl DomainListCache {
    /// The names: `(Domain-0 pv1)`.
    pub(super) async fn names(&self, snapshot: &Snapshot) -> Bytes {
        self.names.get(snapshot, print_names).await
    }

    /// The domains in full: `((domain ...) (domain ...))`.
    pub(super) async fn details(&self, snapshot: &Snapshot) -> Bytes {
        self.details.get(snapshot, print_details).await
    }
}

#[derive(Default)]
struct CachedList {
    /// The generation of the snapshot, and the list printed from it.
    printed: ArcSwapOption<(u64, Bytes)>,
    printing: Mutex<()>,
}

impl CachedList {
    async fn get(&self, snapshot: &Snapshot, print: fn(&Snapshot, usize) -> Vec<u8>) -> Bytes {
        if let Some(bytes) = self.current(snapshot) {
            return bytes;
        }
        // One request prints while the others wait: they would all print the same.
        let _guard = self.printing.lock().await;
        if let Some(bytes) = self.current(snapshot) {
            return bytes;
        }
        let size = self.printed.load().as_ref().map_or(0, |old| old.1.len());
        let bytes = Bytes::from(print(snapshot, size + size / 8));
        self.printed.store(Some(Arc::new((snapshot.generation, bytes.clone()))));
        bytes
    }

    fn current(&self, snapshot: &Snapshot) -> Option<Bytes> {
        let printed = self.printed.load();
        let (generation, bytes) = printed.as_deref()?;
        (*generation == snapshot.generation).then(|| bytes.clone())
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
