//! Migrating a domain to another host, and receiving one.
//!
//! ```text
//!   source                                     destination
//!   connect ────────────────────────────────▶  would it take the domain?
//!   record: saving
//!   suspend and write ──────────────────────▶  record: arriving; build it, paused
//!                     ◀──────── building ────  every few seconds while nothing more is read
//!                     ◀──────── arrived ─────
//!   record: handed over; fleet: moving
//!                      ─────── hand over ───▶  record: taken; fleet: running here; unpause
//!                     ◀───────── taken ──────
//!   destroy, clear the record
//! ```
//!
//! After a failure before the record "handed over", the domain goes on at the source, and the
//! destination destroys its part when the connection ends. After that record only the destination
//! knows which host has the domain. A source that has lost the connection then keeps the domain
//! suspended and asks until it gets an answer. The question ends a migration that is not over, so
//! that the answer stays true.
//!
//! In a fleet, only one of the two can have the domain there: the destination before it lets the
//! domain run, or the source before the domain goes on. A host in no fleet is granted both.

use super::state::Driver;
use crate::core::error::Error;
use crate::core::lifecycle::{State, Transition};
use crate::core::model::{CompleteConfig, DomId, DomainConfig, Uuid};
use crate::core::op::{Arrival, Outcome};
use crate::core::ports::{
    ArrivalRecord, Built, Destination, Handover, IncomingMigration, MigratedDomain,
    OutgoingMigration, TransferRecord, Verdict,
};
use crate::core::snapshot::DomainView;
use crate::core::transfer::Transfer;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tracing::{error, info, warn};

/// Number of questions to the destination before the caller gets an error.
const ATTEMPTS: usize = 3;

/// Interval of the destination's messages about its stage.
const STAGE_INTERVAL: Duration = Duration::from_secs(5);

/// Interval between two questions to the destination whether it has the domain.
pub(super) const RETRY_INTERVAL: Duration = Duration::from_secs(2);

impl Driver {
    /// Sends the domain to another host.
    pub(super) async fn migrate(&mut self, to: Destination, live: bool) -> Result<Outcome, Error> {
        let domid = self.check_running("migrate")?;
        self.core.settings.ownership.check().await?;
        let migrated = MigratedDomain {
            id: self.core.entropy.uuid(),
            config: self.config.clone(),
            definition: self.definition.clone(),
        };
        let opened = self.core.transport.open(&to, &migrated);
        let mut link = self.core.limited("Reaching the other host", opened).await?;
        self.record_transfer(TransferRecord::Saving { draft: None }).await?;
        let handover = Handover { id: migrated.id, to };
        let sent = async {
            self.send(domid, live, &mut *link, &handover).await?;
            self.core.settings.ownership.hand_over(self.uuid, &handover).await
        };
        if let Err(error) = sent.await {
            self.resume_after_failed_save(domid).await;
            return Err(error);
        }
        info!(domain = %self.config.name, %domid, to = %handover.to, "Domain has been handed over");
        let answer = self.core.limited("Handing over", link.hand_over()).await;
        self.in_doubt = Some(handover);
        match answer {
            Ok(verdict) => self.apply_verdict(verdict).await?,
            Err(error) => {
                warn!(
                    domain = %self.config.name, %domid, %error,
                    "The connection was lost while the domain was being handed over"
                );
                self.resolve_handover().await?;
            }
        }
        Ok(Outcome::Done)
    }

    /// Sends the domain up to the record that it is handed over. A failure does no harm.
    async fn send(
        &mut self,
        domid: DomId,
        live: bool,
        link: &mut dyn OutgoingMigration,
        handover: &Handover,
    ) -> Result<(), Error> {
        let stream = link.stream()?;
        if let Err(error) = self.save_stream(domid, stream, live, "Migrating").await {
            // The question also makes the destination remove its part of the domain.
            let reason = link.reason().await.filter(|_| !matches!(error, Error::Cancelled(_)));
            return Err(reason.unwrap_or(error));
        }
        // The destination watches its own progress. Here each of its messages counts as progress.
        while let Built::NotYet(stage) =
            self.core.limited("Waiting for the other host", link.built()).await?
        {
            info!(
                domain = %self.config.name, to = %handover.to, stage,
                "The other host is building the domain"
            );
        }
        self.record_transfer(TransferRecord::HandedOver(handover.clone())).await
    }

    /// Asks the destination a few times whether it has the domain. The caller gets the last answer;
    /// the driver goes on asking.
    async fn resolve_handover(&mut self) -> Result<(), Error> {
        for attempt in 0..ATTEMPTS {
            if attempt > 0 {
                tokio::time::sleep(RETRY_INTERVAL).await;
            }
            if let Ok(applied) = self.ask_destination().await {
                return applied;
            }
        }
        let to = self.in_doubt.as_ref().map(|handover| handover.to.to_string()).unwrap_or_default();
        Err(Error::InDoubt { name: self.config.name.to_string(), to })
    }

    /// Asks the destination whether it has the domain. The outer error says that there was no
    /// answer.
    pub(super) async fn ask_destination(&mut self) -> Result<Result<(), Error>, Error> {
        let Some(handover) = self.in_doubt.clone() else { return Ok(Ok(())) };
        let asked = self.core.transport.verdict(&handover);
        let verdict = self.core.limited("Asking the other host", asked).await?;
        Ok(self.apply_verdict(verdict).await)
    }

    /// Ends a migration about which the destination has answered.
    async fn apply_verdict(&mut self, verdict: Verdict) -> Result<(), Error> {
        let result = match verdict {
            Verdict::Taken => {
                let name = self.config.name.clone();
                if self.definition.is_some() {
                    // Before the domain goes: afterwards another domain can have its name and UUID
                    // here.
                    self.delete_definition().await?;
                }
                if self.domid.is_some() {
                    self.destroy().await?;
                } else {
                    self.left_host();
                }
                info!(domain = %name, "Domain has moved to the other host");
                Ok(())
            }
            Verdict::NotTaken => match self.domid {
                Some(domid) => {
                    let reason = self.go_on(domid).await?.to_owned();
                    Err(Error::Remote { reason })
                }
                None => Ok(()),
            },
        };
        self.in_doubt = None;
        self.clear_transfer_record().await;
        result
    }

    /// Lets a domain go on that the other host did not take, and tells the caller why. Without an
    /// answer of the fleet it stays in doubt.
    async fn go_on(&mut self, domid: DomId) -> Result<&'static str, Error> {
        if self.core.settings.ownership.take_back(self.uuid).await? {
            self.unsuspend(domid).await;
            return Ok("it did not take the domain, which goes on here");
        }
        self.destroy().await?;
        Ok("it took the domain in the fleet, and lost it")
    }

    /// Receives a domain under a name that is reserved already.
    pub(in crate::core) async fn receive(&mut self, arrival: Arrival) -> Result<Outcome, Error> {
        let Arrival { migrated, link } = arrival;
        let mut link = link.take().ok_or(Error::Stopping)?;
        let id = migrated.id;
        let new_definition = migrated.definition.filter(|_| self.definition.is_none());
        let record =
            ArrivalRecord { domain: self.uuid, taken: false, defined: new_definition.is_some() };
        if let Err(error) = self.begin_arrival(id, record).await {
            self.left_host();
            return Err(error);
        }
        let taken = self.build_and_take(id, &migrated.config, new_definition, &mut *link).await;
        if taken.is_err() {
            self.reject_arrival(id, record).await;
        }
        taken
    }

    /// The same for a domain that is defined here.
    pub(super) async fn receive_defined(&mut self, arrival: Arrival) -> Result<Outcome, Error> {
        if self.domid.is_some() {
            return Err(Error::Exists { name: self.config.name.to_string(), domid: self.domid });
        }
        self.check("receive", Transition::Start)?;
        self.receive(arrival).await
    }

    async fn begin_arrival(&self, id: Uuid, record: ArrivalRecord) -> Result<(), Error> {
        self.store_arrival(id, Some(record)).await?;
        self.core.arrivals.begin(id).await
    }

    /// Builds a domain that arrives, and takes it from the source.
    async fn build_and_take(
        &mut self,
        id: Uuid,
        config: &CompleteConfig,
        new_definition: Option<Arc<CompleteConfig>>,
        link: &mut dyn IncomingMigration,
    ) -> Result<Outcome, Error> {
        self.core.settings.ownership.check().await?;
        self.core.limited("Answering the other host", link.ready()).await?;
        let config = self.core.complete_for_build(DomainConfig::clone(config))?;
        let view = self.build_from_link(Arc::new(config), link).await?;
        let domid = self.on_host()?;
        self.core.hypervisor.wait_for_devices(domid).await?;
        self.core.limited("Waiting for the other host", link.arrived()).await?;
        if let Some(definition) = &new_definition {
            let stored = self.core.store.save(definition);
            self.core.limited("Storing the definition", stored).await?;
        }
        let record =
            ArrivalRecord { domain: self.uuid, taken: true, defined: new_definition.is_some() };
        let permitted = self.core.settings.ownership.receive(self.uuid, id);
        self.core.arrivals.take(id, record, permitted).await?;
        // This host has the domain now. No later failure changes that.
        if new_definition.is_some() {
            self.definition = new_definition;
        }
        info!(domain = %self.config.name, %domid, "Domain has come from another host");
        if let Err(error) = self.core.hypervisor.unpause(domid).await {
            error!(
                domain = %self.config.name, %domid, %error,
                "A domain from another host could not be unpaused"
            );
        }
        let _ = self.refresh().await;
        Ok(Outcome::Domain(self.current_view().unwrap_or(view)))
    }

    /// Builds the domain from the source's stream, and tells the source its stage while nothing is
    /// read.
    async fn build_from_link(
        &mut self,
        config: Arc<CompleteConfig>,
        link: &mut dyn IncomingMigration,
    ) -> Result<Arc<DomainView>, Error> {
        let transfer = Arc::new(Transfer::default());
        let received = || transfer.progress("").done;
        let mut before = 0;
        let mut restoring = pin!(self.restore_from(config, link.stream()?, transfer.clone()));
        loop {
            tokio::select! {
                view = &mut restoring => return view,
                () = tokio::time::sleep(STAGE_INTERVAL) => {}
            }
            if received() == before {
                // A lost connection is noticed when the domain has been built.
                let _ = link.building(transfer.stage().name()).await;
            }
            before = received();
        }
    }

    /// Removes a domain that was arriving and could not be taken.
    async fn reject_arrival(&mut self, id: Uuid, record: ArrivalRecord) {
        self.core.arrivals.settle(id).await;
        if self.domid.is_some() {
            if let Err(error) = self.destroy().await {
                error!(
                    domain = %self.config.name, %error,
                    "A domain that did not arrive could not be destroyed"
                );
                return;
            }
        } else if self.state == State::Building {
            self.left_host();
        }
        if let Err(error) = self.forget_arrival(id, record).await {
            warn!(%error, "The rest of a domain that did not arrive could not be removed");
        }
    }

    async fn forget_arrival(&self, id: Uuid, record: ArrivalRecord) -> Result<(), Error> {
        if record.defined {
            let removed = self.core.store.remove(record.domain);
            self.core.limited("Deleting the definition", removed).await?;
        }
        self.store_arrival(id, None).await
    }

    async fn store_arrival(&self, id: Uuid, record: Option<ArrivalRecord>) -> Result<(), Error> {
        self.core.limited("Recording a transfer", self.core.store.record_arrival(id, record)).await
    }
}
