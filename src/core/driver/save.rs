//! Saving a domain to a file, and restoring it.
//!
//! ```text
//! record ─▶ draft ─▶ suspend and write ─▶ commit ─▶ destroy ─▶ clear the record
//!                     │ failed            │ failed
//!                     └───────────────────┴──▶ unsuspend: the domain goes on
//! ```
//!
//! A daemon that is killed in between finds the record when it starts again. The domain goes on
//! then, unless it is a managed domain whose checkpoint is complete: its suspend is finished.

use super::state::Driver;
use crate::core::error::Error;
use crate::core::lifecycle::{State, Transition};
use crate::core::model::{CompleteConfig, DomId, DomainConfig, ShutdownReason};
use crate::core::op::{AfterDump, Once, Outcome};
use crate::core::ports::TransferRecord;
use crate::core::snapshot::DomainView;
use crate::core::transfer::Transfer;
use crate::core::watchdog::wait_while_progressing;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tracing::{error, info, warn};

impl Driver {
    /// Saves the domain to a file, then destroys it. After a checkpoint the domain goes on.
    pub(super) async fn save(
        &mut self,
        file: &Path,
        checkpoint: bool,
        replace: bool,
    ) -> Result<Outcome, Error> {
        let domid = self.check_running("save")?;
        self.save_to_file(file, replace).await?;
        if checkpoint {
            self.unsuspend(domid).await;
        } else {
            self.destroy().await?;
        }
        self.clear_transfer_record().await;
        info!(domain = %self.config.name, file = %file.display(), "Domain was saved");
        Ok(Outcome::Done)
    }

    /// Saves a managed domain to its checkpoint and takes it off the host.
    pub(super) async fn suspend(&mut self) -> Result<Outcome, Error> {
        if self.definition.is_none() {
            self.on_host()?;
            return Err(Error::NotManaged(self.config.name.to_string()));
        }
        self.check_running("suspend")?;
        let file = self.core.store.checkpoint(self.uuid);
        self.save_to_file(&file, true).await?;
        self.suspend_done().await?;
        self.clear_transfer_record().await;
        Ok(Outcome::Done)
    }

    /// Takes a domain off the host whose checkpoint is complete.
    async fn suspend_done(&mut self) -> Result<(), Error> {
        self.destroy().await?;
        self.state = State::Suspended;
        self.publish(None, None);
        Ok(())
    }

    /// Restores a suspended domain from its checkpoint.
    pub(super) async fn resume(&mut self, paused: bool) -> Result<Outcome, Error> {
        self.check("resume", Transition::Resume)?;
        let file = self.core.store.checkpoint(self.uuid);
        let opened = self.core.store.open(&file);
        let (config, stream) = self.core.limited("Opening the checkpoint", opened).await?;
        let mut config = DomainConfig::from(config);
        config.uuid = Some(self.uuid);
        // The domain can have been renamed meanwhile.
        config.name = self.config.name.clone();
        let config = self.core.complete_for_build(config)?;
        if let Err(error) = self.restore_own(Arc::new(config), stream).await {
            self.state = State::Suspended;
            self.publish(None, None);
            return Err(error);
        }
        // Before the guest runs: its old memory must not be restored again later.
        if let Err(error) = self.remove_checkpoint(&file).await {
            self.suspend_done().await?;
            return Err(error);
        }
        self.wait_and_unpause(paused).await?;
        Ok(Outcome::Done)
    }

    /// Deletes the memory of a suspended domain.
    pub(super) async fn discard_memory(&mut self) -> Result<Outcome, Error> {
        let file = self.core.store.checkpoint(self.uuid);
        self.remove_checkpoint(&file).await?;
        self.advance(Transition::Destroy);
        self.refresh().await
    }

    async fn remove_checkpoint(&self, file: &Path) -> Result<(), Error> {
        self.core.limited("Removing the checkpoint", self.core.store.discard(file)).await
    }

    /// Restores a domain from a file that is open, and unpauses it unless it is to stay `paused`.
    pub(in crate::core) async fn restore(
        &mut self,
        config: Arc<CompleteConfig>,
        stream: OwnedFd,
        paused: bool,
    ) -> Result<Outcome, Error> {
        let view = self.restore_own(config, stream).await?;
        self.wait_and_unpause(paused).await?;
        Ok(Outcome::Domain(self.current_view().unwrap_or(view)))
    }

    /// Builds the domain from a file, and leaves it paused, if it may run here.
    async fn restore_own(
        &mut self,
        config: Arc<CompleteConfig>,
        stream: OwnedFd,
    ) -> Result<Arc<DomainView>, Error> {
        self.claim(&config.name).await?;
        let view = self.restore_from(config, stream, Arc::default()).await?;
        self.confirm_build().await?;
        Ok(view)
    }

    /// The same for a domain that is defined.
    pub(super) async fn restore_defined(
        &mut self,
        config: Arc<CompleteConfig>,
        stream: Once<OwnedFd>,
        paused: bool,
    ) -> Result<Outcome, Error> {
        if self.domid.is_some() {
            return Err(self.exists(&config.name));
        }
        self.check("restore", Transition::Start)?;
        let stream = stream.take().ok_or(Error::Stopping)?;
        self.restore(config, stream, paused).await
    }

    /// Writes the domain's memory to a file for a debugger.
    pub(super) async fn dump(
        &mut self,
        file: Option<PathBuf>,
        live: bool,
        then: AfterDump,
    ) -> Result<Outcome, Error> {
        let domid = self.on_host()?;
        let file = file.unwrap_or_else(|| self.core.core_file(&self.config.name, domid));
        let pause = !live && self.state == State::Running;
        if pause {
            self.core.hypervisor.pause(domid).await?;
        }
        let dumped = self.dump_to(domid, &file).await;
        if pause && (dumped.is_err() || then == AfterDump::GoOn) {
            self.core.hypervisor.unpause(domid).await?;
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

    pub(super) async fn dump_to(&mut self, domid: DomId, file: &Path) -> Result<(), Error> {
        let transfer = Arc::new(Transfer::default());
        let call = self.core.hypervisor.dump_core(domid, file, transfer.clone());
        let dumped = self.with_progress("Dumping", &transfer, call).await;
        dumped.map_err(|error| error.on_disk_of(file.parent().unwrap_or(file)))
    }

    /// Finishes or undoes an operation during which the daemon was killed.
    pub(in crate::core) async fn recover(&mut self, record: Option<TransferRecord>) {
        if let Some(TransferRecord::HandedOver(handover)) = record {
            self.core.settings.ownership.doubt(self.uuid);
            self.in_doubt = Some(handover);
            return;
        }
        let Some(domid) = self.domid else { return self.clear_transfer_record().await };
        let name = self.config.name.clone();
        let checkpoint = self.core.store.checkpoint(self.uuid);
        let has_checkpoint = self.definition.is_some() && checkpoint.exists();
        let recovered = match self.state {
            // The checkpoint is complete, and the domain was about to leave the host.
            State::Stopped(ShutdownReason::Suspend) | State::Dying if has_checkpoint => {
                info!(
                    domain = %name, %domid,
                    "Xend was stopped while the domain was being suspended: finishing it"
                );
                self.suspend_done().await
            }
            State::Stopped(ShutdownReason::Suspend) if record.is_some() => {
                info!(
                    domain = %name, %domid,
                    "Xend was stopped while the domain was being saved or migrated: the domain runs \
                     on"
                );
                self.unsuspend(domid).await;
                Ok(())
            }
            // The domain was resumed: its old memory must not be restored again later.
            _ if has_checkpoint => self.remove_checkpoint(&checkpoint).await,
            _ => Ok(()),
        };
        if let Err(error) = recovered {
            error!(domain = %name, %domid, %error, "Could not clear up after a save");
        }
        if record.is_some() {
            self.clear_transfer_record().await;
        }
    }

    /// Fails unless the guest runs. `verb` names the operation.
    pub(super) fn check_running(&self, verb: &'static str) -> Result<DomId, Error> {
        let domid = self.on_host()?;
        if self.state == State::Running { Ok(domid) } else { Err(self.bad_state(verb)) }
    }

    /// Suspends the domain and writes it to a file. If that fails, the domain goes on.
    async fn save_to_file(&mut self, file: &Path, replace: bool) -> Result<(), Error> {
        let domid = self.on_host()?;
        let draft = self.core.store.draft(file, &self.config, replace);
        let draft = self.core.limited("Making the file", draft).await?;
        let path = Some(draft.path().to_owned());
        self.record_transfer(TransferRecord::Saving { draft: path }).await?;
        let saved = async {
            self.save_stream(domid, draft.stream()?, false, "Saving").await?;
            // Without a limit: a disk can be slow, and half a file is of no use.
            draft.commit().await
        };
        if let Err(error) = saved.await {
            self.resume_after_failed_save(domid).await;
            return Err(error.on_disk_of(file.parent().unwrap_or(file)));
        }
        Ok(())
    }

    /// Suspends the domain and writes it to a file or socket.
    pub(super) async fn save_stream(
        &mut self,
        domid: DomId,
        to: OwnedFd,
        live: bool,
        what: &'static str,
    ) -> Result<(), Error> {
        let transfer = Arc::new(Transfer::default());
        let call = self.core.hypervisor.save(domid, to, live, transfer.clone());
        self.inbox.set_transfer(Some(transfer.clone()));
        let saved = self.with_progress(what, &transfer, call).await;
        self.inbox.set_transfer(None);
        if saved.is_err() && transfer.is_cancelled() { Err(Error::Cancelled(what)) } else { saved }
    }

    /// Builds the domain from a file or socket that [`save_stream`](Self::save_stream) wrote, and
    /// leaves it paused.
    pub(super) async fn restore_from(
        &mut self,
        config: Arc<CompleteConfig>,
        from: OwnedFd,
        transfer: Arc<Transfer>,
    ) -> Result<Arc<DomainView>, Error> {
        self.state = State::Building;
        let _memory = self.core.reserve_memory(&config).await;
        let restored = match self.core.check_pci_functions(self.uuid, &config.devices) {
            Ok(()) => {
                let call = self.core.hypervisor.restore(&config, from, transfer.clone());
                self.with_progress("Restoring", &transfer, call).await
            }
            Err(conflict) => Err(conflict),
        };
        self.build_done(config, restored)
    }

    /// Lets a domain go on whose save or migration failed.
    pub(super) async fn resume_after_failed_save(&mut self, domid: DomId) {
        self.unsuspend(domid).await;
        self.clear_transfer_record().await;
    }

    pub(super) async fn unsuspend(&mut self, domid: DomId) {
        if let Err(error) = self.core.hypervisor.unsuspend(domid).await {
            error!(
                domain = %self.config.name, %domid, %error,
                "The domain could not be unsuspended"
            );
        }
        if let Err(error) = self.refresh().await {
            warn!(domain = %self.config.name, %domid, %error, "Could not read the domain");
        }
    }

    /// Records a transfer on the disk, for a daemon that starts after this one was killed.
    pub(super) async fn record_transfer(&self, record: TransferRecord) -> Result<(), Error> {
        let stored = self.core.store.record_transfer(self.uuid, Some(record));
        self.core.limited("Recording a transfer", stored).await
    }

    pub(super) async fn clear_transfer_record(&self) {
        let cleared = self.core.store.record_transfer(self.uuid, None);
        if let Err(error) = self.core.limited("Recording a transfer", cleared).await {
            warn!(domain = %self.config.name, %error, "The record of a transfer could not be removed");
        }
    }

    pub(super) fn current_view(&self) -> Option<Arc<DomainView>> {
        self.core.snapshot().by_uuid(&self.uuid).cloned()
    }

    /// Waits for a long call as long as it makes progress, which is published and logged.
    async fn with_progress<T>(
        &self,
        what: &'static str,
        transfer: &Transfer,
        call: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        let mut logged = 0;
        let mut publish = || {
            let progress = transfer.progress(what);
            let percent = progress.percent();
            if percent / 10 > logged / 10 {
                logged = percent;
                info!(
                    domain = %self.config.name, what, percent, bytes = progress.done,
                    "Under way"
                );
            }
            let facts = self.current_view().and_then(|view| view.facts.clone());
            self.publish(facts, Some(progress));
        };
        // A guest that is saved suspends itself: what for is known before it does.
        if self.current_view().is_some() {
            publish();
        }
        wait_while_progressing(what, self.core.stall_limit(), transfer, call, publish).await
    }
}
