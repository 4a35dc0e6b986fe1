//! Keeping the snapshot up to date: sweeps over all domains, and the hypervisor's events.

use crate::core::context::Core;
use crate::core::error::Error;
use crate::core::model::{DomId, Uuid};
use crate::core::ports::DomainChanged;
use crate::core::publisher::SweepDifferences;
use crate::core::samples::SAMPLE_INTERVAL;
use crate::core::snapshot::Snapshot;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::{Instant, Interval, MissedTickBehavior};
use tracing::warn;

/// Maximum age of figures (CPU time, memory) in answers.
pub const FIGURES_AGE: Duration = Duration::from_millis(250);

/// Interval of sweeps while there are readers, so that no reader has to wait for one.
const SWEEP_INTERVAL: Duration = Duration::from_millis(200);

/// How long after the last read sweeps go on.
const SWEEP_AFTER_READ: Duration = Duration::from_secs(5);

impl Core {
    /// A snapshot whose figures are at most [`FIGURES_AGE`] old. If the hypervisor does not answer
    /// they are older: a read never waits for a stuck hypervisor.
    pub(in crate::core) async fn fresh_snapshot(self: &Arc<Self>) -> Arc<Snapshot> {
        let now = Instant::now();
        self.last_read.set(now);
        let snapshot = self.snapshot();
        if snapshot.swept().is_some_and(|swept| now.duration_since(swept) <= FIGURES_AGE) {
            return snapshot;
        }
        let _ = tokio::time::timeout(FIGURES_AGE, self.sweep()).await;
        self.snapshot()
    }

    /// Reads the figures of one domain, unless those of the snapshot are at most [`FIGURES_AGE`]
    /// old. Sweeps begin meanwhile, but the reader of one domain waits for none.
    pub(in crate::core) async fn refresh(self: &Arc<Self>, uuid: Uuid) {
        let now = Instant::now();
        self.last_read.set(now);
        let snapshot = self.snapshot();
        if snapshot.swept().is_some_and(|swept| now.duration_since(swept) <= FIGURES_AGE) {
            return;
        }
        let Some(domid) = snapshot.by_uuid(&uuid).and_then(|view| view.domid()) else { return };
        let _ = tokio::time::timeout(FIGURES_AGE, self.read_figures(uuid, domid)).await;
    }

    async fn read_figures(&self, uuid: Uuid, domid: DomId) -> Result<(), Error> {
        let began = self.publisher.epoch();
        let facts = self.hypervisor.domain(domid).await?;
        let has_changed = match facts.filter(|facts| facts.uuid == uuid) {
            Some(facts) => self.publisher.apply_figures(began, facts),
            None => true,
        };
        if let Some(driver) = self.registry.get(&uuid).filter(|_| has_changed) {
            driver.notify_changed();
        }
        Ok(())
    }

    /// Reads the figures of all domains. Callers that come during a sweep wait for it and make none
    /// of their own.
    pub(super) async fn sweep(self: &Arc<Self>) -> Result<(), Error> {
        let requested = Instant::now();
        let _lock = self.sweeping.lock().await;
        if self.snapshot().swept().is_some_and(|swept| swept >= requested) {
            return Ok(());
        }
        let swept = self.read_all_figures().await;
        self.health.record_sweep(&swept);
        swept
    }

    async fn read_all_figures(self: &Arc<Self>) -> Result<(), Error> {
        let began = self.publisher.epoch();
        let mut gone = self.left_out.all();
        let figures = self.hypervisor.figures().await?;
        let facts = self.hypervisor.domains().await?;
        for domain in &facts {
            gone.remove(&domain.uuid);
        }
        for domain in gone {
            self.left_out.remove(domain);
            // Where there is a driver now, that tells the fleet.
            if !self.registry.contains(&domain) {
                self.settings.ownership.release(domain);
            }
        }
        let SweepDifferences { unknown, changed } =
            self.publisher.apply_sweep(began, facts, figures);
        for uuid in changed {
            if let Some(driver) = self.registry.get(&uuid) {
                driver.notify_changed();
            }
        }
        for domid in unknown {
            self.spawn_background(self.clone().adopt_unknown(domid));
        }
        Ok(())
    }

    /// Passes the hypervisor's events on to the drivers.
    pub(super) async fn follow_changes(
        self: Arc<Self>,
        mut changes: mpsc::UnboundedReceiver<DomainChanged>,
    ) {
        while let Some(DomainChanged(domid)) = changes.recv().await {
            let known = self.snapshot().by_domid(domid).map(|view| view.uuid);
            match known.and_then(|uuid| self.registry.get(&uuid)) {
                Some(driver) => driver.notify_changed(),
                None => self.spawn_background(self.clone().adopt_unknown(domid)),
            }
        }
    }

    /// Takes samples for ever, whether there are readers or not: a new reader sees the last
    /// minutes.
    pub(super) async fn take_samples(self: Arc<Self>) {
        let mut ticks = interval(SAMPLE_INTERVAL);
        loop {
            ticks.tick().await;
            // Without an answer of the hypervisor there is no sample. The readers' sweeps log it.
            if self.sweep().await.is_ok() {
                self.samples.take(&self.snapshot());
            }
        }
    }

    /// Sweeps for ever while there are readers.
    pub(super) async fn keep_fresh(self: Arc<Self>) {
        let mut ticks = interval(SWEEP_INTERVAL);
        let mut failing = false;
        loop {
            ticks.tick().await;
            if self.last_read.elapsed() > SWEEP_AFTER_READ {
                continue;
            }
            let swept = self.sweep().await;
            if let (Err(error), false) = (&swept, failing) {
                warn!(%error, "The hypervisor does not answer, figures are getting old");
            }
            failing = swept.is_err();
        }
    }
}

fn interval(period: Duration) -> Interval {
    let mut ticks = tokio::time::interval(period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}
