//! Managed domains when xend starts and when it stops.

use super::Core;
use crate::core::driver::{Driver, Handle};
use crate::core::error::Error;
use crate::core::lifecycle::State;
use crate::core::model::{DomainConfig, OnXendStart, OnXendStop, ShutdownReason, Uuid};
use crate::core::op::DomainOp;
use crate::core::ports::{Definition, Note};
use crate::core::snapshot::DomainView;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tracing::{error, info, warn};

/// How many domains are started, or stopped, at a time.
const AT_A_TIME: usize = 4;

/// How long guests that are asked to shut down when xend stops are waited for.
const STOP_PATIENCE: Duration = Duration::from_secs(30);

impl Core {
    /// Finds the domains that are on the host and those that are stored.
    pub(super) async fn populate(self: &Arc<Self>) -> Result<(), Error> {
        let definitions = self.limited("Reading the store", self.store.load()).await?;
        let mut definitions: HashMap<Uuid, Definition> = definitions
            .into_iter()
            .filter_map(|definition| Some((definition.config.uuid?, definition)))
            .collect();
        let mut notes: HashMap<Uuid, Note> = self.store.notes().await?.into_iter().collect();
        self.turn_away_arrivals(&mut definitions).await?;
        for facts in self.hypervisor.domains().await? {
            let uuid = facts.uuid;
            self.adopt(facts, definitions.remove(&uuid), notes.remove(&uuid)).await;
        }
        for definition in definitions.into_values() {
            let note = definition.config.uuid.and_then(|uuid| notes.remove(&uuid));
            self.take_in(definition, note).await;
        }
        for uuid in notes.into_keys() {
            // Of domains that are not here any more.
            self.store.note(uuid, None).await?;
        }
        Ok(())
    }

    /// Takes away domains that were on their way here when the daemon was killed: nobody handed
    /// them over.
    async fn turn_away_arrivals(
        &self,
        definitions: &mut HashMap<Uuid, Definition>,
    ) -> Result<(), Error> {
        for (id, note) in self.store.arrivals(self.clock.now()).await? {
            if note.taken {
                continue;
            }
            warn!(uuid = %note.domain, "A domain was on its way here when xend was stopped: taking it away");
            for facts in self.hypervisor.domains().await? {
                if facts.uuid == note.domain {
                    self.limited("Destroy", self.hypervisor.destroy(facts.domid, Arc::default()))
                        .await?;
                }
            }
            if note.defined {
                definitions.remove(&note.domain);
                self.store.remove(note.domain).await?;
            }
            self.store.note_arrival(id, None).await?;
        }
        Ok(())
    }

    /// Minds a domain that is stored and not on the host.
    async fn take_in(self: &Arc<Self>, definition: Definition, note: Option<Note>) {
        let Definition { mut config, suspended } = definition;
        let uuid = self.complete(&mut config, super::admit::Role::Defined);
        let (handle, inbox) = Handle::new();
        if self.registry.reserve(uuid, &config.name, handle).is_err() {
            // It stays on disk.
            error!(domain = %config.name, %uuid, "A stored domain is left out: another one has its name");
            return;
        }
        let mut driver = Driver::halted(self.clone(), inbox, uuid, config, suspended);
        if note.is_some() {
            driver.clear_up(note).await;
        }
        tokio::spawn(driver.run());
    }

    /// Starts the managed domains that are to be started with xend.
    pub(super) async fn start_with_xend(self: Arc<Self>) {
        let wanted = |view: &DomainView| {
            view.managed()
                && view.facts.is_none()
                && view.config.on_xend_start == OnXendStart::Start
        };
        self.with_each(wanted, |view| {
            let paused = false;
            if view.suspended { DomainOp::Resume { paused } } else { DomainOp::Start { paused } }
        })
        .await;
    }

    /// Does what `on_xend_stop` says. Guests that are to shut down are given a while to do so, so
    /// that somebody sees to what `on_poweroff` says.
    pub(super) async fn stop_with_xend(self: &Arc<Self>) {
        let wanted = |view: &DomainView| {
            on_xend_stop(&view.config, view.managed()) != OnXendStop::Ignore
                && matches!(view.state(), State::Running)
                && !view.is_privileged()
        };
        self.with_each(wanted, |view| match on_xend_stop(&view.config, view.managed()) {
            OnXendStop::Suspend => DomainOp::Suspend,
            OnXendStop::Ignore | OnXendStop::Shutdown => {
                DomainOp::Shutdown(ShutdownReason::Poweroff)
            }
        })
        .await;
        let up = || self.board.current().domains().any(|view| wanted(view));
        let patience = tokio::time::timeout(STOP_PATIENCE, async {
            while up() {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        });
        if patience.await.is_err() {
            warn!("Some guests have not shut down yet, they are left to themselves");
        }
    }

    async fn with_each(
        self: &Arc<Self>,
        wanted: impl Fn(&DomainView) -> bool,
        op: impl Fn(&DomainView) -> DomainOp,
    ) {
        let turns = Arc::new(Semaphore::new(AT_A_TIME));
        let mut tasks = JoinSet::new();
        for view in self.board.current().domains().filter(|view| wanted(view)) {
            let (core, turns, view, op) = (self.clone(), turns.clone(), view.clone(), op(view));
            tasks.spawn(async move {
                let _turn = turns.acquire().await;
                let what = op.name();
                match core.ask(&view, op).await {
                    Ok(_) => info!(domain = %view.name(), op = what, "Done as xend starts or stops"),
                    Err(error) => {
                        error!(domain = %view.name(), op = what, %error, "Failed as xend starts or stops");
                    }
                }
            });
        }
        while tasks.join_next().await.is_some() {}
    }
}

/// A domain that is not managed cannot be suspended; it shuts down at least.
fn on_xend_stop(config: &DomainConfig, managed: bool) -> OnXendStop {
    match config.on_xend_stop {
        OnXendStop::Suspend if !managed => OnXendStop::Shutdown,
        other => other,
    }
}
