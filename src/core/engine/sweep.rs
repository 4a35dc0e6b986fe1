//! What the engine does by itself: it adopts domains, follows changes, and keeps figures fresh
//! while somebody reads.

use super::admit::Role;
use super::{Core, FIGURES_AGE};
use crate::core::driver::{Driver, Handle};
use crate::core::error::Error;
use crate::core::model::{DomId, DomName, DomainConfig, DomainFacts};
use crate::core::ports::{Definition, DomainChanged, Note};
use crate::core::samples::ROUND;
use crate::core::snapshot::{Snapshot, Strange};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::time::Instant;
use tracing::{info, warn};

/// While somebody reads, figures are read from the hypervisor this often, so that no reader has to
/// wait for them.
const SWEEP: Duration = Duration::from_millis(200);

/// How long after the last read figures are kept fresh.
const ATTENTION: Duration = Duration::from_secs(5);

impl Core {
    /// Minds a domain that is on the host already. `note` says what was under way with it when the
    /// daemon was killed.
    pub(super) async fn adopt(
        self: &Arc<Self>,
        facts: DomainFacts,
        definition: Option<Definition>,
        note: Option<Note>,
    ) {
        let mut config = match self
            .limited("Reading a configuration", self.hypervisor.config(facts.domid))
            .await
        {
            Ok(config) => config,
            Err(error) => {
                warn!(domain = %facts.name, domid = %facts.domid, %error, "Adopting a domain without its configuration");
                let mut config =
                    DomainConfig::new(facts.name.clone(), (facts.memory_kib / 1024).max(1));
                config.set_vcpus(facts.online_vcpus);
                config.uuid = Some(facts.uuid);
                config
            }
        };
        self.complete(&mut config, Role::Defined);
        let (handle, inbox) = Handle::new();
        if self.registry.reserve(facts.uuid, &config.name, handle.clone()).is_err() {
            if self.registry.minds(&facts.uuid) {
                return;
            }
            // Its driver gives it its own name as soon as that is free.
            config.name = DomName::adopted(&format!("{}-{}", config.name, facts.domid));
            warn!(domain = %facts.name, domid = %facts.domid, shown = %config.name, "A domain's name is taken, it is shown by another one");
            if self.registry.reserve(facts.uuid, &config.name, handle).is_err() {
                return;
            }
        }
        let unfinished =
            note.is_some() || definition.as_ref().is_some_and(|stored| stored.suspended);
        let mut driver = Driver::adopt(self.clone(), inbox, Arc::new(config), facts, definition);
        if unfinished {
            driver.clear_up(note).await;
        }
        tokio::spawn(driver.run());
    }

    /// A snapshot whose figures are young enough. If the hypervisor does not answer, an older one:
    /// a read never waits for what is stuck.
    pub(super) async fn fresh(self: &Arc<Self>) -> Arc<Snapshot> {
        let now = Instant::now();
        let since_birth = now.duration_since(self.born).as_millis();
        self.last_read.store(u64::try_from(since_birth).unwrap_or(u64::MAX), Ordering::Relaxed);
        let snapshot = self.board.current();
        if snapshot.swept().is_some_and(|swept| now.duration_since(swept) <= FIGURES_AGE) {
            return snapshot;
        }
        let _ = tokio::time::timeout(FIGURES_AGE, self.sweep()).await;
        self.board.current()
    }

    /// Reads the figures of all domains. Whoever comes while somebody else does it waits for that
    /// one.
    pub(super) async fn sweep(self: &Arc<Self>) -> Result<(), Error> {
        let asked = Instant::now();
        let _one = self.sweeping.lock().await;
        if self.board.current().swept().is_some_and(|swept| swept >= asked) {
            return Ok(());
        }
        let began = self.board.epoch();
        let figures = self.limited("Reading the host", self.hypervisor.figures()).await?;
        let facts = self.limited("Reading the domains", self.hypervisor.domains()).await?;
        let Strange { unknown, changed } = self.board.sweep(began, facts, figures);
        for uuid in changed {
            if let Some(driver) = self.registry.driver(&uuid) {
                driver.changed();
            }
        }
        for domid in unknown {
            tokio::spawn(self.clone().meet(domid));
        }
        Ok(())
    }

    /// Adopts a domain that nobody minds, if it is still there.
    async fn meet(self: Arc<Self>, domid: DomId) {
        match self.limited("Reading a domain", self.hypervisor.domain(domid)).await {
            Ok(Some(facts)) if facts.flags.dying => {}
            // A defined domain that somebody else has started; or one that is just being built.
            Ok(Some(facts)) if self.registry.minds(&facts.uuid) => {
                if let Some(driver) = self.registry.driver(&facts.uuid) {
                    driver.changed();
                }
            }
            Ok(Some(facts)) => {
                info!(domain = %facts.name, domid = %facts.domid, "Adopting a domain that was started by somebody else");
                self.adopt(facts, None, None).await;
            }
            Ok(None) => {}
            Err(error) => warn!(%domid, %error, "Could not look at a domain"),
        }
    }

    /// Tells drivers of changes.
    pub(super) async fn follow(
        self: Arc<Self>,
        mut events: tokio::sync::mpsc::UnboundedReceiver<DomainChanged>,
    ) {
        loop {
            let event = tokio::select! {
                () = self.stopping.cancelled() => return,
                event = events.recv() => event,
            };
            let Some(DomainChanged(domid)) = event else { return };
            let known = self.board.current().by_domid(domid).map(|view| view.uuid);
            match known.and_then(|uuid| self.registry.driver(&uuid)) {
                Some(driver) => driver.changed(),
                None => drop(tokio::spawn(self.clone().meet(domid))),
            }
        }
    }

    /// Takes a sample of what domains use, again and again, whether somebody looks or not: whoever
    /// comes sees the last minutes.
    pub(super) async fn take_samples(self: Arc<Self>) {
        let mut ticks = tokio::time::interval(ROUND);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = self.stopping.cancelled() => return,
                _ = ticks.tick() => {}
            }
            // While the hypervisor does not answer there is nothing to be seen, and the log has
            // that from those who read.
            if self.sweep().await.is_ok() {
                self.samples.take(&self.board.current());
            }
        }
    }

    /// Keeps figures fresh while somebody reads.
    pub(super) async fn keep_fresh(self: Arc<Self>) {
        let mut ticks = tokio::time::interval(SWEEP);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut failing = false;
        loop {
            tokio::select! {
                () = self.stopping.cancelled() => return,
                _ = ticks.tick() => {}
            }
            let last_read =
                self.born + Duration::from_millis(self.last_read.load(Ordering::Relaxed));
            if last_read.elapsed() > ATTENTION {
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
