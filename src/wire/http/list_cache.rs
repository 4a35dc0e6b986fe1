//! Lists that are printed once and sent often.
//!
//! Printing 1,000 domains takes milliseconds, and monitors ask for them all day. What was printed
//! from a snapshot is sent again as long as the snapshot's generation is the same; the engine sees
//! to it that a snapshot is never older than it may be.

use crate::core::snapshot::Snapshot;
use crate::shape::{self, Sink, SxpSink};
use arc_swap::ArcSwapOption;
use bytes::Bytes;
use std::sync::Arc;
use tokio::sync::Mutex;

#[derive(Default)]
pub(super) struct Cache {
    names: Slot,
    details: Slot,
}

/// What was printed, and from which generation.
#[derive(Default)]
struct Slot {
    printed: ArcSwapOption<(u64, Bytes)>,
    printing: Mutex<()>,
}

impl Slot {
    async fn get(&self, snapshot: &Snapshot, print: fn(&Snapshot, usize) -> Vec<u8>) -> Bytes {
        if let Some(bytes) = self.current(snapshot) {
            return bytes;
        }
        // One prints, the others wait for it: they would all print the same.
        let _one = self.printing.lock().await;
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
        printed
            .as_ref()
            .filter(|printed| printed.0 == snapshot.generation)
            .map(|printed| printed.1.clone())
    }
}

impl Cache {
    /// `(Domain-0 pv1)`: all domains that have a domid.
    pub(super) async fn names(&self, snapshot: &Snapshot) -> Bytes {
        self.names.get(snapshot, print_names).await
    }

    /// `((domain ...) (domain ...))`: the same in full.
    pub(super) async fn details(&self, snapshot: &Snapshot) -> Bytes {
        self.details.get(snapshot, print_details).await
    }
}

fn print_names(snapshot: &Snapshot, size: usize) -> Vec<u8> {
    let mut sink = SxpSink::new(Vec::with_capacity(size));
    sink.begin_list();
    for view in snapshot.domains().filter(|view| view.facts.is_some()) {
        sink.text(view.name().as_str().as_bytes());
    }
    sink.end_list();
    sink.into_bytes()
}

fn print_details(snapshot: &Snapshot, size: usize) -> Vec<u8> {
    let mut sink = SxpSink::new(Vec::with_capacity(size));
    sink.begin_list();
    for view in snapshot.domains().filter(|view| view.facts.is_some()) {
        shape::domain(&mut sink, view);
    }
    sink.end_list();
    sink.into_bytes()
}
