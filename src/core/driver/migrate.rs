//! A domain on its way to another host, and from one.
//!
//! ```text
//!   here                                       there
//!   reach it ───────────────────────────────▶  would it take it?
//!   note: being sent
//!   suspend and write ──────────────────────▶  note: arriving; build it, paused
//!                     ◀──────── building ────  every few seconds while nothing more is read
//!                     ◀──────── arrived ─────
//!   note: handed over
//!                      ─────── hand over ───▶  note: taken; let it run
//!                     ◀───────── taken ──────
//!   destroy, no note
//! ```
//!
//! Until the note says that it was handed over, whatever fails here makes the domain go on here,
//! and there it is taken away with the connection. From then on only the other host knows: a daemon
//! that lost it there and then keeps the domain suspended and asks until it is told. Asking ends a
//! migration that is not over, so that the answer stays true.

use super::Driver;
use crate::core::engine::Role;
use crate::core::error::Error;
use crate::core::lifecycle::{Event, State};
use crate::core::model::{DomId, DomainConfig};
use crate::core::op::{Arrival, Outcome};
use crate::core::ports::{
    ArrivalNote, Built, Destination, Handover, Incoming, Note, Outgoing, Parcel, Verdict,
};
use crate::core::snapshot::DomainView;
use crate::core::transfer::Transfer;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tracing::{error, info, warn};

/// How often the other host is asked before the caller is told that nobody knows.
const TRIES: usize = 3;

/// How often the sending host is told what its domain waits for.
const TELL: Duration = Duration::from_secs(5);

/// How long between two questions.
pub(super) const ASK_AGAIN: Duration = Duration::from_secs(2);

impl Driver {
    pub(super) async fn migrate(&mut self, to: Destination, live: bool) -> Result<Outcome, Error> {
        let domid = self.may_be_saved("migrate")?;
        let parcel = Parcel {
            id: self.core.entropy.uuid(),
            config: self.config.clone(),
            definition: self.definition.clone(),
        };
        let courier = self.core.courier.clone();
        let mut link = limited!(self, "Reaching the other host", courier.open(&to, &parcel))?;
        self.note(Some(Note::Saving)).await?;
        let handover = Handover { id: parcel.id, to };
        if let Err(error) = self.send(domid, live, &mut *link, &handover).await {
            self.take_back(domid).await;
            self.forget_note().await;
            return Err(error);
        }
        info!(domain = %self.config.name, %domid, to = %handover.to, "Domain has been handed over");
        let said = limited!(self, "Handing over", link.hand_over());
        self.in_doubt = Some(handover);
        match said {
            Ok(verdict) => self.settled(verdict).await?,
            Err(error) => {
                warn!(domain = %self.config.name, %domid, %error, "The connection was lost while the domain was being handed over");
                self.ask_who_has_it().await?;
            }
        }
        Ok(Outcome::Done)
    }

    /// Everything that can fail without harm.
    async fn send(
        &mut self,
        domid: DomId,
        live: bool,
        link: &mut dyn Outgoing,
        handover: &Handover,
    ) -> Result<(), Error> {
        let stream = link.stream()?;
        if let Err(error) = self.send_to(domid, stream, live, "Migrating").await {
            // It is asked in any case, since then it clears away what it has.
            let reason = link.reason().await.filter(|_| !matches!(error, Error::Cancelled(_)));
            return Err(reason.unwrap_or(error));
        }
        // The other host watches what it builds, and says so: what counts here is that it speaks.
        while let Built::NotYet(stage) = limited!(self, "Waiting for the other host", link.built())?
        {
            info!(domain = %self.config.name, to = %handover.to, stage, "The other host is building the domain");
        }
        self.note(Some(Note::HandedOver(handover.clone()))).await
    }

    /// Asks the other host a few times. The last answer counts for the caller; the driver goes on
    /// asking.
    async fn ask_who_has_it(&mut self) -> Result<(), Error> {
        for attempt in 0..TRIES {
            if attempt > 0 {
                tokio::time::sleep(ASK_AGAIN).await;
            }
            if let Ok(settled) = self.ask_once().await {
                return settled;
            }
        }
        let to = self.in_doubt.as_ref().map(|handover| handover.to.to_string()).unwrap_or_default();
        Err(Error::InDoubt { name: self.config.name.to_string(), to })
    }

    /// Asks the other host. The outer error says that it could not be asked.
    pub(super) async fn ask_once(&mut self) -> Result<Result<(), Error>, Error> {
        let Some(handover) = self.in_doubt.clone() else { return Ok(Ok(())) };
        let courier = self.core.courier.clone();
        let verdict = limited!(self, "Asking the other host", courier.verdict(&handover))?;
        Ok(self.settled(verdict).await)
    }

    /// It is known who has the domain.
    async fn settled(&mut self, verdict: Verdict) -> Result<(), Error> {
        let name = self.config.name.clone();
        match verdict {
            Verdict::Taken => {
                if self.definition.is_some() {
                    // Before the domain goes: from then on somebody else can have its name and UUID
                    // here.
                    limited!(self, "Deleting the definition", self.core.store.remove(self.uuid))?;
                    self.definition = None;
                }
                if self.domid.is_some() {
                    self.destroy().await?;
                } else {
                    self.fall();
                }
                info!(domain = %name, "Domain has moved to the other host");
            }
            Verdict::NotTaken => {
                let Some(domid) = self.domid else {
                    self.in_doubt = None;
                    self.forget_note().await;
                    return Ok(());
                };
                self.take_back(domid).await;
            }
        }
        self.in_doubt = None;
        self.forget_note().await;
        match verdict {
            Verdict::Taken => Ok(()),
            Verdict::NotTaken => Err(Error::Remote {
                reason: "it did not take the domain, which goes on here".to_owned(),
            }),
        }
    }

    pub(super) async fn note(&self, note: Option<Note>) -> Result<(), Error> {
        limited!(self, "Making a note", self.core.store.note(self.uuid, note))
    }

    /// Takes in a domain under a name that is reserved already.
    pub(in crate::core) async fn arrive(&mut self, arrival: Arrival) -> Result<Outcome, Error> {
        let Arrival { parcel, link } = arrival;
        let mut link = link.take().ok_or(Error::Stopping)?;
        let id = parcel.id;
        let brings = parcel.definition.filter(|_| self.definition.is_none());
        let note = ArrivalNote { domain: self.uuid, taken: false, defined: brings.is_some() };
        let begun = async {
            limited!(self, "Making a note", self.core.store.note_arrival(id, Some(note)))?;
            self.core.arrivals.expect(id).await
        };
        if let Err(error) = begun.await {
            self.fall();
            return Err(error);
        }
        match self.take_in(id, parcel.config, brings, &mut *link).await {
            Ok(outcome) => Ok(outcome),
            Err(error) => {
                self.turn_away(id, note).await;
                Err(error)
            }
        }
    }

    /// The same for a domain that is defined here.
    pub(super) async fn arrive_defined(&mut self, arrival: Arrival) -> Result<Outcome, Error> {
        if self.domid.is_some() {
            return Err(Error::Exists { name: self.config.name.to_string(), domid: self.domid });
        }
        self.check("receive", Event::Start)?;
        self.arrive(arrival).await
    }

    async fn take_in(
        &mut self,
        id: crate::core::model::Uuid,
        config: Arc<DomainConfig>,
        brings: Option<Arc<DomainConfig>>,
        link: &mut dyn Incoming,
    ) -> Result<Outcome, Error> {
        limited!(self, "Answering the other host", link.ready())?;
        let mut config = DomainConfig::clone(&config);
        self.core.complete(&mut config, Role::Running);
        let view = self.read_from_host(Arc::new(config), link).await?;
        let domid = self.on_host()?;
        limited!(self, "Waiting for devices", self.core.hypervisor.wait_for_devices(domid))?;
        limited!(self, "Waiting for the other host", link.arrived())?;
        if let Some(definition) = &brings {
            limited!(self, "Storing the definition", self.core.store.save(self.uuid, definition))?;
        }
        let note = ArrivalNote { domain: self.uuid, taken: true, defined: brings.is_some() };
        self.core.arrivals.take(&*self.core.store, id, note).await?;
        // It is ours: nothing that fails from here on takes it away again.
        if brings.is_some() {
            self.definition = brings;
        }
        info!(domain = %self.config.name, %domid, "Domain has come from another host");
        if let Err(error) = limited!(self, "Unpause", self.core.hypervisor.unpause(domid)) {
            error!(domain = %self.config.name, %domid, %error, "A domain that has come here does not run");
        }
        let _ = self.refresh().await;
        Ok(Outcome::Domain(self.core.board.current().by_uuid(&self.uuid).cloned().unwrap_or(view)))
    }

    /// Builds the domain from what the other host sends, and tells that host what happens while
    /// nothing is read.
    async fn read_from_host(
        &mut self,
        config: Arc<DomainConfig>,
        link: &mut dyn Incoming,
    ) -> Result<Arc<DomainView>, Error> {
        let transfer = Arc::new(Transfer::default());
        let received = || transfer.progress("").done;
        let mut before = 0;
        let mut reading = pin!(self.read_from(config, link.stream()?, transfer.clone()));
        loop {
            tokio::select! {
                view = &mut reading => return view,
                () = tokio::time::sleep(TELL) => {}
            }
            if received() == before {
                // A lost connection is noticed when the domain has been built.
                let _ = link.building(transfer.stage().name()).await;
            }
            before = received();
        }
    }

    /// A domain that was on its way is not ours.
    async fn turn_away(&mut self, id: crate::core::model::Uuid, note: ArrivalNote) {
        self.core.arrivals.settle(id).await;
        if self.domid.is_some() {
            if let Err(error) = self.destroy().await {
                error!(domain = %self.config.name, %error, "A domain that did not come here could not be taken away");
                return;
            }
        } else if self.state == State::Building {
            self.fall();
        }
        let forgotten = async {
            if note.defined {
                limited!(self, "Deleting the definition", self.core.store.remove(note.domain))?;
            }
            limited!(self, "Making a note", self.core.store.note_arrival(id, None))
        };
        if let Err(error) = forgotten.await {
            warn!(%error, "What is left of a domain that did not come here could not be cleared away");
        }
    }
}
