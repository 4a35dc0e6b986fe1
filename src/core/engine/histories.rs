//! Keeping the histories of use.

use crate::core::context::Core;
use crate::core::error::Error;
use crate::core::histories::{Minute, Recorder, minute_of};
use std::error::Error as _;
use std::sync::Arc;
use tracing::{info, warn};

/// How often histories of earlier domains are looked for, in minutes.
const FORGET_INTERVAL: u32 = 60;

/// What the operating system says of a failure.
fn reason(error: &Error) -> Option<String> {
    error.source().map(ToString::to_string)
}

impl Core {
    /// Records what is used for ever. While the disk does not answer, nothing is recorded, and
    /// nobody waits.
    pub(super) async fn keep_histories(self: Arc<Self>) {
        let mut rounds = self.samples.rounds();
        let mut recorder = Recorder::default();
        let mut is_failing = false;
        let mut forgotten = None;
        while rounds.changed().await.is_ok() {
            let minute = minute_of(self.clock.now());
            let round = self.samples.last();
            // Before the second round the CPU use of no domain is known.
            if round.number < 2 {
                continue;
            }
            let free = self.snapshot().figures.free_memory;
            let used = self.info.total_memory.saturating_sub(free) * 1024;
            let over = recorder.add(minute, &round, used, self.device_io.last());
            let Some(over) = over else { continue };
            is_failing = self.store_minute(over, is_failing).await;
            if forgotten.is_none_or(|at: u32| minute.abs_diff(at) >= FORGET_INTERVAL) {
                forgotten = Some(minute);
                self.forget_histories().await;
            }
        }
    }

    /// Whether it failed. The log says so once.
    async fn store_minute(&self, (minute, mut usages): Minute, was_failing: bool) -> bool {
        // A domain that was deleted meanwhile leaves nothing behind.
        let snapshot = self.snapshot();
        usages.retain(|(of, _)| of.domain().is_none_or(|uuid| snapshot.by_uuid(uuid).is_some()));
        let stored = self.store.add_usage(minute, usages).await;
        match &stored {
            Err(error) if !was_failing => {
                warn!(%error, reason = reason(error), "Histories of use are not recorded now");
            }
            Ok(()) if was_failing => info!("Histories of use are recorded again"),
            _ => {}
        }
        stored.is_err()
    }

    async fn forget_histories(&self) {
        let known = self.snapshot().domains().map(|view| view.uuid).collect();
        if let Err(error) = self.store.forget_usage(known, self.clock.now()).await {
            warn!(%error, reason = reason(&error), "Histories of earlier domains stay");
        }
    }
}
