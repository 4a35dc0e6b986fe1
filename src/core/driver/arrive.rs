//! Receiving a domain from another host. `migrate` is the other end.
//!
//! ```text
//!   record: arriving; build it, paused ──▶ record: handed over ──▶ the fleet's leave
//!                                                                     │        │
//!                record: arriving; destroy it; clear the record ◀── refused    │
//!                                               record: taken; unpause it ◀── granted
//! ```
//!
//! Without the fleet's answer the domain stays as it is, paused, and the question is repeated, by
//! the next run of the daemon as well. What is paused was never unpaused here: the other host can
//! have it back.

use super::incoming::Incoming;
use super::state::Driver;
use crate::core::context::Core;
use crate::core::driver::migrate::RETRY_INTERVAL;
use crate::core::error::Error;
use crate::core::fleet::ClusterName;
use crate::core::lifecycle::{State, Transition};
use crate::core::model::{CompleteConfig, DomainConfig, Uuid};
use crate::core::op::{Arrival, Outcome};
use crate::core::ports::{ArrivalRecord, ArrivalStage, IncomingMigration, Leave};
use crate::core::snapshot::DomainView;
use crate::core::transfer::Transfer;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tracing::{debug, error, info, warn};

/// Interval of the messages to the other host about the stage of the domain.
const STAGE_INTERVAL: Duration = Duration::from_secs(5);

impl Driver {
    /// Receives a domain under a name that is reserved already.
    pub(in crate::core) async fn receive(&mut self, arrival: Arrival) -> Result<Outcome, Error> {
        let Arrival { migrated, link } = arrival;
        let mut link = link.take().ok_or(Error::Stopping)?;
        let mut incoming = Incoming {
            id: migrated.id,
            definition: migrated.definition.filter(|_| self.definition.is_none()),
            fleet: None,
            is_refused: false,
        };
        let record = incoming.record(self.uuid, ArrivalStage::Arriving);
        if let Err(error) = self.begin_arrival(incoming.id, record.clone()).await {
            self.left_host();
            return Err(error);
        }
        let arrived = self.build_arrival(&migrated.config, &incoming, &mut *link).await;
        match arrived {
            Ok(fleet) => incoming.fleet = fleet,
            Err(error) => {
                self.reject_arrival(incoming.id, record).await;
                return Err(error);
            }
        }
        let stage = ArrivalStage::HandedOver { fleet: incoming.fleet.clone() };
        let handed_over =
            self.core.arrivals.hand_over(incoming.id, incoming.record(self.uuid, stage));
        match self.core.limited("Recording a transfer", handed_over).await {
            // The other host has asked meanwhile, and goes on.
            Err(error @ Error::NoSuchMigration(_)) => {
                self.reject_arrival(incoming.id, record).await;
                Err(error)
            }
            Err(error) => {
                self.incoming = Some(incoming);
                self.refuse_arrival().await;
                Err(error)
            }
            Ok(()) => {
                self.incoming = Some(incoming);
                let decided = self.decide_arrival().await;
                decided.inspect_err(|error| {
                    warn!(%error, "A domain from another host stays paused until the fleet answers");
                })??;
                let gone = || Error::Gone(self.config.name.to_string());
                Ok(Outcome::Domain(self.current_view().ok_or_else(gone)?))
            }
        }
    }

    /// The same for a domain that is defined here.
    pub(super) async fn receive_defined(&mut self, arrival: Arrival) -> Result<Outcome, Error> {
        if self.domid.is_some() {
            return Err(self.exists(&self.config.name));
        }
        self.check("receive", Transition::Start)?;
        self.receive(arrival).await
    }

    /// The domain was handed over to an earlier run of the daemon, which did not decide.
    pub(in crate::core) fn wait_for_leave(&mut self, incoming: Incoming) {
        warn!(
            domain = %self.config.name,
            "A domain from another host was not taken when xend was stopped: the fleet decides"
        );
        self.incoming = Some(incoming);
    }

    /// Goes on with a domain that was handed over and not taken. The outer error says that there is
    /// no answer yet.
    pub(super) async fn decide_arrival(&mut self) -> Result<Result<(), Error>, Error> {
        let Some(incoming) = self.incoming.clone() else { return Ok(Ok(())) };
        if incoming.is_refused {
            self.refuse_arrival().await;
            return Ok(Ok(()));
        }
        let definition = incoming.definition.as_ref().or(self.definition.as_ref());
        let ownership = &self.core.settings.ownership;
        let arrived = incoming.arrived(self.uuid);
        match ownership.receive(arrived, &self.config.name, definition).await {
            Ok(Leave::Granted) => self.take_arrival(incoming).await.map(Ok),
            Ok(Leave::Refused(error)) => {
                self.refuse_arrival().await;
                Ok(Err(error))
            }
            Err(error) => {
                debug!(domain = %self.config.name, %error, "The fleet has not answered yet");
                Err(Error::Undecided { what: format!("domain {}", self.config.name) })
            }
        }
    }

    /// Lets a domain run that belongs to this host now. No later failure changes that.
    async fn take_arrival(&mut self, incoming: Incoming) -> Result<(), Error> {
        let domid = self.on_host()?;
        let record = incoming.record(self.uuid, ArrivalStage::Taken);
        let taken = self.core.arrivals.take(incoming.id, record);
        self.core.limited("Recording a transfer", taken).await?;
        self.incoming = None;
        if incoming.definition.is_some() {
            self.definition = incoming.definition;
        }
        info!(domain = %self.config.name, %domid, "Domain has come from another host");
        if let Err(error) = self.core.hypervisor.unpause(domid).await {
            error!(
                domain = %self.config.name, %domid, %error,
                "A domain from another host could not be unpaused"
            );
        }
        let _ = self.refresh().await;
        Ok(())
    }

    /// Destroys a domain that was handed over and that this host never has. A failure is tried
    /// again.
    async fn refuse_arrival(&mut self) {
        let Some(incoming) = &mut self.incoming else { return };
        incoming.is_refused = true;
        // Before it is destroyed, so that the other host need not wait.
        let record = incoming.record(self.uuid, ArrivalStage::Arriving);
        let refused = self.core.arrivals.refuse(incoming.id, Some(record));
        if let Err(error) = self.core.limited("Recording a transfer", refused).await {
            warn!(domain = %self.config.name, %error, "A migration cannot be refused yet");
        }
        if let Err(error) = self.destroy().await {
            error!(
                domain = %self.config.name, %error,
                "A domain that this host may not have could not be destroyed"
            );
        }
    }

    /// What is left to do when a domain has gone that was handed over and not taken.
    pub(super) fn arrival_left_host(&mut self) {
        let Some(incoming) = self.incoming.take() else { return };
        self.core.spawn_background(self.core.clone().give_up_arrival(self.uuid, incoming));
    }

    async fn begin_arrival(&self, id: Uuid, record: ArrivalRecord) -> Result<(), Error> {
        self.core.arrivals.check_decided(self.uuid)?;
        let begun = self.core.arrivals.begin(id, record);
        self.core.limited("Recording a transfer", begun).await
    }

    /// Builds a domain that arrives, up to the other host's word that it hands it over. Returns the
    /// fleet in which it is moving.
    async fn build_arrival(
        &mut self,
        config: &CompleteConfig,
        incoming: &Incoming,
        link: &mut dyn IncomingMigration,
    ) -> Result<Option<ClusterName>, Error> {
        self.core.settings.ownership.check().await?;
        self.core.limited("Answering the other host", link.ready()).await?;
        let config = self.core.complete_for_build(DomainConfig::clone(config))?;
        self.build_from_link(Arc::new(config), link).await?;
        let domid = self.on_host()?;
        self.core.hypervisor.wait_for_devices(domid).await?;
        if let Some(definition) = &incoming.definition {
            let stored = self.core.store.save(definition);
            self.core.limited("Storing the definition", stored).await?;
        }
        self.core.limited("Waiting for the other host", link.arrived()).await
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

    /// Removes a domain that was not handed over.
    async fn reject_arrival(&mut self, id: Uuid, record: ArrivalRecord) {
        self.core.arrivals.end(id);
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
        if let Err(error) = self.core.forget_arrival(id, &record).await {
            warn!(%error, "The rest of a domain that did not arrive could not be removed");
        }
    }
}

impl Core {
    /// Gives up a domain that was handed over and is not here: asks until the fleet knows that this
    /// host does not have it, then refuses it. The definition that came along goes, too.
    pub(in crate::core) async fn give_up_arrival(
        self: Arc<Self>,
        domain: Uuid,
        incoming: Incoming,
    ) {
        let record = incoming.record(domain, ArrivalStage::Arriving);
        let mut is_told = false;
        loop {
            let given_up = async {
                self.settings.ownership.renounce(incoming.arrived(domain)).await?;
                self.forget_arrival(incoming.id, &record).await
            };
            match given_up.await {
                Ok(()) => return self.settings.ownership.release(domain),
                Err(error) if is_told => debug!(uuid = %domain, %error, "Not yet"),
                Err(error) => warn!(
                    uuid = %domain, %error,
                    "The host that sent a domain cannot have it back yet"
                ),
            }
            is_told = true;
            tokio::time::sleep(RETRY_INTERVAL).await;
        }
    }

    /// Removes what is stored of a domain that this host does not take.
    async fn forget_arrival(&self, id: Uuid, record: &ArrivalRecord) -> Result<(), Error> {
        if record.defined {
            let removed = self.store.remove(record.domain);
            self.limited("Deleting the definition", removed).await?;
        }
        self.limited("Recording a transfer", self.arrivals.refuse(id, None)).await
    }
}
