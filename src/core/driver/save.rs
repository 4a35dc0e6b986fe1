//! A domain on its way to a file and back.
//!
//! ```text
//! note ─▶ draft ─▶ suspend and write ─▶ commit ─▶ destroy ─▶ no note
//!                     │ failed            │ failed
//!                     └───────────────────┴──▶ unsuspend: it goes on as if nothing had happened
//! ```
//!
//! A daemon that is killed in between finds the note: whoever was being saved goes on, unless it is
//! a managed domain whose checkpoint is complete; then the rest is done.

use super::Driver;
use crate::core::error::Error;
use crate::core::lifecycle::{Event, State};
use crate::core::model::{DomId, DomainConfig, ShutdownReason};
use crate::core::op::{AfterDump, Once, Outcome};
use crate::core::watchdog::while_it_gets_on;
use crate::core::ports::Note;
use crate::core::snapshot::DomainView;
use crate::core::transfer::Transfer;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError};
use tracing::{error, info, warn};

impl Driver {
    pub(super) async fn save(&mut self, file: &Path, checkpoint: bool) -> Result<Outcome, Error> {
        let domid = self.may_be_saved("save")?;
        self.write_to(file).await?;
        if checkpoint {
            self.take_back(domid).await;
        } else {
            self.destroy().await?;
        }
        self.forget_note().await;
        info!(domain = %self.config.name, file = %file.display(), "Domain was saved");
        Ok(Outcome::Done)
    }

    pub(super) async fn suspend(&mut self) -> Result<Outcome, Error> {
        if self.definition.is_none() {
            self.on_host()?;
            return Err(Error::NotManaged(self.config.name.to_string()));
        }
        self.may_be_saved("suspend")?;
        let file = self.core.store.checkpoint(self.uuid);
        self.write_to(&file).await?;
        self.lie_down().await?;
        self.forget_note().await;
        Ok(Outcome::Done)
    }

    /// Takes a domain off the host whose memory is in its checkpoint.
    async fn lie_down(&mut self) -> Result<(), Error> {
        self.destroy().await?;
        self.state = State::Suspended;
        self.publish(None, None);
        Ok(())
    }

    pub(super) async fn resume(&mut self, paused: bool) -> Result<Outcome, Error> {
        self.check("resume", Event::Resume)?;
        let file = self.core.store.checkpoint(self.uuid);
        let (mut config, stream) =
            limited!(self, "Opening the checkpoint", self.core.store.open(&file))?;
        config.uuid = Some(self.uuid);
        // It can have been renamed meanwhile.
        config.name = self.config.name.clone();
        self.core.complete(&mut config, crate::core::engine::Role::Running);
        if let Err(error) = self.read_from(Arc::new(config), stream, Arc::default()).await {
            self.state = State::Suspended;
            self.publish(None, None);
            return Err(error);
        }
        // Before it runs: its memory must not be found again once it has gone on.
        if let Err(error) =
            limited!(self, "Removing the checkpoint", self.core.store.discard(&file))
        {
            self.lie_down().await?;
            return Err(error);
        }
        self.let_run(paused).await?;
        Ok(Outcome::Done)
    }

    /// Gives up the memory of a suspended domain.
    pub(super) async fn discard_memory(&mut self) -> Result<Outcome, Error> {
        let file = self.core.store.checkpoint(self.uuid);
        limited!(self, "Removing the checkpoint", self.core.store.discard(&file))?;
        self.advance(Event::Destroy);
        self.refresh().await
    }

    pub(in crate::core) async fn restore(
        &mut self,
        config: Arc<DomainConfig>,
        stream: OwnedFd,
        paused: bool,
    ) -> Result<Outcome, Error> {
        let view = self.read_from(config, stream, Arc::default()).await?;
        self.let_run(paused).await?;
        Ok(Outcome::Domain(self.core.board.current().by_uuid(&self.uuid).cloned().unwrap_or(view)))
    }

    pub(super) async fn restore_defined(
        &mut self,
        config: DomainConfig,
        stream: Once<OwnedFd>,
        paused: bool,
    ) -> Result<Outcome, Error> {
        if self.domid.is_some() {
            return Err(Error::Exists { name: config.name.to_string(), domid: self.domid });
        }
        self.check("restore", Event::Start)?;
        let stream = stream.take().ok_or(Error::Stopping)?;
        self.restore(Arc::new(config), stream, paused).await
    }

    pub(super) async fn dump(
        &mut self,
        file: Option<PathBuf>,
        live: bool,
        then: AfterDump,
    ) -> Result<Outcome, Error> {
        let domid = self.on_host()?;
        let file = file.unwrap_or_else(|| self.core.core_file(&self.config.name, domid));
        let hypervisor = self.core.hypervisor.clone();
        let pause = !live && self.state == State::Running;
        if pause {
            limited!(self, "Pause", hypervisor.pause(domid))?;
        }
        let dumped = self.dump_to(domid, &file).await;
        if pause && (dumped.is_err() || then == AfterDump::GoOn) {
            limited!(self, "Unpause", hypervisor.unpause(domid))?;
        }
        dumped?;
        info!(domain = %self.config.name, %domid, file = %file.display(), "Core dumped");
        match then {
            AfterDump::GoOn => drop(self.refresh().await?),
            AfterDump::Crash => self.destroy().await?,
            AfterDump::Reset => self.restart().await?,
        }
        Ok(Outcome::Done)
    }

    /// Has the hypervisor write the domain's memory to a file.
    pub(super) async fn dump_to(&mut self, domid: DomId, file: &Path) -> Result<(), Error> {
        let (hypervisor, transfer) = (self.core.hypervisor.clone(), Arc::new(Transfer::default()));
        let (file, meanwhile) = (file.to_owned(), transfer.clone());
        let work = async move { hypervisor.dump_core(domid, &file, meanwhile).await };
        self.watched("Dumping", &transfer, work).await
    }

    /// A daemon was killed while something was under way with this domain.
    pub(in crate::core) async fn clear_up(&mut self, note: Option<Note>) {
        if let Some(Note::HandedOver(handover)) = note {
            self.in_doubt = Some(handover);
            return;
        }
        let (Some(domid), name) = (self.domid, self.config.name.clone()) else {
            return self.forget_note().await;
        };
        let checkpoint = self.core.store.checkpoint(self.uuid);
        let kept = self.definition.is_some() && checkpoint.exists();
        let done = match self.state {
            // All of it is in the file, or still is: it was on its way out.
            State::Stopped(ShutdownReason::Suspend) | State::Dying if kept => {
                info!(domain = %name, %domid, "Xend was stopped while the domain was being suspended: finishing it");
                self.lie_down().await
            }
            State::Stopped(ShutdownReason::Suspend) if note.is_some() => {
                info!(domain = %name, %domid, "Xend was stopped while the domain was being saved: it goes on");
                self.take_back(domid).await;
                Ok(())
            }
            // It was being resumed, and is here again: its memory must not be found in the file
            // once it has gone on.
            _ if kept => {
                limited!(self, "Removing the checkpoint", self.core.store.discard(&checkpoint))
            }
            _ => Ok(()),
        };
        if let Err(error) = done {
            error!(domain = %name, %domid, %error, "Could not clear up after a save");
        }
        if note.is_some() {
            self.forget_note().await;
        }
    }

    pub(super) fn may_be_saved(&self, verb: &'static str) -> Result<DomId, Error> {
        let domid = self.on_host()?;
        if self.state == State::Running { Ok(domid) } else { Err(self.bad_state(verb)) }
    }

    /// Suspends the domain and writes it to a file. If that fails, it goes on.
    async fn write_to(&mut self, file: &Path) -> Result<(), Error> {
        let domid = self.on_host()?;
        let store = self.core.store.clone();
        let draft = limited!(self, "Making the file", store.draft(file, &self.config))?;
        self.note(Some(Note::Saving)).await?;
        let written = async {
            self.send_to(domid, draft.stream()?, false, "Saving").await?;
            // As long as it takes: a disk can be slow, and half a file is of no use.
            draft.commit().await
        };
        if let Err(error) = written.await {
            self.take_back(domid).await;
            self.forget_note().await;
            return Err(error);
        }
        Ok(())
    }

    /// Has the hypervisor write the domain somewhere.
    pub(super) async fn send_to(
        &mut self,
        domid: DomId,
        to: OwnedFd,
        live: bool,
        what: &'static str,
    ) -> Result<(), Error> {
        let (hypervisor, transfer) = (self.core.hypervisor.clone(), Arc::new(Transfer::default()));
        let meanwhile = transfer.clone();
        let work = async move { hypervisor.save(domid, to, live, meanwhile).await };
        self.is_sending(Some(transfer.clone()));
        let sent = self.watched(what, &transfer, work).await;
        self.is_sending(None);
        if sent.is_err() && transfer.is_cancelled() { Err(Error::Cancelled(what)) } else { sent }
    }

    /// Lets others stop it, or not any more.
    fn is_sending(&self, transfer: Option<Arc<Transfer>>) {
        *self.inbox.sending.lock().unwrap_or_else(PoisonError::into_inner) = transfer;
    }

    /// Has the hypervisor build the domain from what it once wrote. It stays paused.
    pub(super) async fn read_from(
        &mut self,
        config: Arc<DomainConfig>,
        from: OwnedFd,
        transfer: Arc<Transfer>,
    ) -> Result<Arc<DomainView>, Error> {
        self.state = State::Building;
        let _room = self.core.make_room(&config).await;
        let restored = match self.core.check_functions(self.uuid, &config.devices) {
            Ok(()) => {
                let work = self.core.hypervisor.restore(&config, from, transfer.clone());
                self.watched("Restoring", &transfer, work).await
            }
            Err(taken) => Err(taken),
        };
        self.built(config, restored)
    }

    /// Lets a domain go on whose suspension was of no use.
    pub(super) async fn take_back(&mut self, domid: DomId) {
        if let Err(error) = limited!(self, "Taking back", self.core.hypervisor.unsuspend(domid)) {
            error!(domain = %self.config.name, %domid, %error, "The domain does not go on after a failed save");
        }
        if let Err(error) = self.refresh().await {
            warn!(domain = %self.config.name, %domid, %error, "Could not look at the domain");
        }
    }

    pub(super) async fn forget_note(&self) {
        if let Err(error) = self.note(None).await {
            warn!(domain = %self.config.name, %error, "A note could not be removed");
        }
    }

    /// Waits for something large for as long as it gets on, and shows how far it is.
    async fn watched<T>(
        &self,
        what: &'static str,
        transfer: &Transfer,
        work: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        let mut told = 0;
        let tick = || {
            let now = transfer.progress(what);
            let percent = now.percent();
            if percent / 10 > told / 10 {
                told = percent;
                info!(domain = %self.config.name, what, percent, bytes = now.done, "Under way");
            }
            let facts =
                self.core.board.current().by_uuid(&self.uuid).and_then(|view| view.facts.clone());
            self.publish(facts, Some(now));
        };
        while_it_gets_on(what, self.core.patience(), transfer, work, tick).await
    }
}
