//! Migrating a domain to another host. `arrive` is the other end.
//!
//! ```text
//!   source                                     destination
//!   connect ────────────────────────────────▶  would it take the domain?
//!   record: saving
//!   suspend and write ──────────────────────▶  record: arriving; build it, paused
//!                     ◀──────── building ────  every few seconds while nothing more is read
//!                     ◀──────── arrived ─────
//!   record: handed over; fleet: moving
//!                      ─────── hand over ───▶  record: handed over; fleet: running here
//!                                              record: taken; unpause
//!                     ◀───────── taken ──────
//!   destroy, clear the record
//! ```
//!
//! After a failure before the record "handed over", the domain goes on at the source, and the
//! destination destroys its part when the connection ends. After that record only the destination
//! knows which host has the domain. A source that has lost the connection then keeps the domain
//! suspended and asks until it gets an answer. The question ends a migration that is not handed
//! over, so that the answer stays true.
//!
//! In a fleet, only one of the two can have the domain there: the destination before it lets the
//! domain run, or the source before the domain goes on. A host in no fleet is granted both. While
//! the destination does not know whether the fleet has given it the domain, it does not answer.

use super::state::Driver;
use crate::core::context::Core;
use crate::core::error::Error;
use crate::core::model::{DomId, Uuid};
use crate::core::op::Outcome;
use crate::core::ports::{
    Built, Destination, Handover, MigratedDomain, OutgoingMigration, TransferRecord, Verdict,
};
use std::sync::Arc;
use std::time::Duration;
use tracing::{debug, info, warn};

/// Number of questions to the destination before the caller gets an error.
const ATTEMPTS: usize = 3;

/// Interval between two questions to the destination whether it has the domain, and of the
/// destination to the fleet.
pub(in crate::core) const RETRY_INTERVAL: Duration = Duration::from_secs(2);

/// How long the destination is asked about a domain that was lost here.
const DEPARTED_LIMIT: Duration = Duration::from_secs(600);

impl Driver {
    /// Sends the domain to another host.
    pub(super) async fn migrate(&mut self, to: Destination, live: bool) -> Result<Outcome, Error> {
        let domid = self.check_running("migrate")?;
        self.core.settings.ownership.check().await?;
        let to = self.core.destination(to).await?;
        let migrated = MigratedDomain {
            id: self.core.entropy.uuid(),
            config: self.config.clone(),
            definition: self.definition.clone(),
        };
        let opened = self.core.transport.open(&to, &migrated);
        let opened = self.core.limited("Reaching the other host", opened).await;
        let mut link = opened.map_err(|error| self.core.unreached(&to, error))?;
        self.record_transfer(TransferRecord::Saving { draft: None }).await?;
        let handover = Handover { id: migrated.id, to };
        let sent = async {
            self.send(domid, live, &mut *link, &handover).await?;
            self.core.settings.ownership.hand_over(self.uuid, &handover).await
        };
        let fleet = match sent.await {
            Ok(fleet) => fleet,
            Err(error) => {
                self.resume_after_failed_save(domid).await;
                return Err(error);
            }
        };
        info!(domain = %self.config.name, %domid, to = %handover.to, "Domain has been handed over");
        let answer = self.core.limited("Handing over", link.hand_over(fleet.as_ref())).await;
        self.in_doubt = Some(handover);
        match answer {
            Ok(()) => self.apply_verdict(Verdict::Taken).await?,
            Err(error) => {
                warn!(
                    domain = %self.config.name, %domid, %error,
                    "The other host did not say that it has the domain: it is asked"
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
        match &self.in_doubt {
            Some(handover) => Err(self.handover_in_doubt(handover)),
            None => Ok(()),
        }
    }

    /// Asks the destination whether it has the domain. The outer error says that there was no
    /// answer.
    pub(super) async fn ask_destination(&mut self) -> Result<Result<(), Error>, Error> {
        let Some(handover) = &self.in_doubt else { return Ok(Ok(())) };
        let verdict = self.core.verdict(handover).await?;
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
                    // It went along, or is in no fleet any more.
                    self.core.settings.ownership.changed(self.uuid, None);
                }
                if self.domid.is_some() {
                    self.destroy().await?;
                } else {
                    self.left_host();
                }
                info!(domain = %name, "Domain has moved to the other host");
                Ok(())
            }
            Verdict::Refused | Verdict::Unknown => {
                if let Some(domid) = self.domid {
                    let is_refused = verdict == Verdict::Refused;
                    let reason = self.go_on(domid, is_refused).await?.to_owned();
                    Err(Error::Remote { reason })
                } else {
                    // It was lost with this host's power, and others may start it.
                    self.core.settings.ownership.release(self.uuid);
                    Ok(())
                }
            }
        };
        self.in_doubt = None;
        self.clear_transfer_record().await;
        result
    }

    /// Lets a domain go on that the other host did not take, and tells the caller why. Without an
    /// answer of the fleet it stays in doubt.
    async fn go_on(&mut self, domid: DomId, is_refused: bool) -> Result<&'static str, Error> {
        if self.core.settings.ownership.take_back(self.uuid, is_refused).await? {
            self.unsuspend(domid).await;
            return Ok("it did not take the domain, which goes on here");
        }
        self.destroy().await?;
        Ok("it does not have the domain, which belongs to another host of the fleet now")
    }

    /// Gives up a domain that was handed over and is not on this host any more.
    pub(super) async fn give_up_handover(&mut self) -> Result<Outcome, Error> {
        self.in_doubt = None;
        self.clear_transfer_record().await;
        self.core.settings.ownership.release(self.uuid);
        self.core.settings.ownership.released(self.uuid).await;
        self.refresh().await
    }

    /// That it is not known which host has the domain.
    pub(super) fn handover_in_doubt(&self, handover: &Handover) -> Error {
        Error::InDoubt { name: self.config.name.to_string(), to: handover.to.to_string() }
    }
}

impl Core {
    /// Gives up a domain that was handed over and is not here any more, once the other host knows
    /// whether it has it: until then that host can take it.
    pub(in crate::core) async fn give_up_departed(self: Arc<Self>, domain: Uuid, to: Handover) {
        let answered = async {
            while let Err(error) = self.verdict(&to).await {
                debug!(uuid = %domain, %error, "It is not known which host has the domain");
                tokio::time::sleep(RETRY_INTERVAL).await;
            }
        };
        if tokio::time::timeout(DEPARTED_LIMIT, answered).await.is_err() {
            warn!(uuid = %domain, to = %to.to, "A domain that was sent is given up unheard");
        }
        // A new one of its UUID has told the fleet itself.
        if !self.registry.contains(&domain) {
            self.settings.ownership.release(domain);
        }
    }

    /// Asks the destination, where it is now, whether it has a domain.
    async fn verdict(&self, handover: &Handover) -> Result<Verdict, Error> {
        let now = Handover { id: handover.id, to: self.destination_now(&handover.to).await };
        self.limited("Asking the other host", self.transport.verdict(&now)).await
    }
}
