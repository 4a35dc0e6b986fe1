//! What is done with a domain whose guest has stopped.

use super::{Driver, Handle};
use crate::core::error::Error;
use crate::core::lifecycle::{Then, verdict};
use crate::core::model::{DomId, DomName, DomainConfig, OnEvent, ShutdownReason};
use std::sync::Arc;
use std::time::Duration;
use tracing::{debug, error, info};

impl Driver {
    pub(super) async fn obey_policy(&mut self, domid: DomId, reason: ShutdownReason) {
        let name = self.config.name.clone();
        let verdict = verdict(&self.config, reason, self.uptime());
        // One that stays is looked at again and again.
        let wanted = || verdict.then != Then::Keep || self.dumped != Some(domid);
        let dump = verdict.dump
            || (reason == ShutdownReason::Crash && self.core.policy().enable_dump && wanted());
        if verdict.then == Then::Keep && !dump {
            debug!(domain = %name, %domid, %reason, "Domain stays as it is");
            return;
        }
        info!(domain = %name, %domid, %reason, then = ?verdict.then, "Domain has stopped");
        if dump {
            self.dumped = Some(domid);
            let file = self.core.core_file(&name, domid);
            match self.dump_to(domid, &file).await {
                Ok(()) => info!(domain = %name, file = %file.display(), "Core dumped"),
                Err(error) => {
                    error!(domain = %name, file = %file.display(), %error, "Core dump failed")
                }
            }
        }
        let done = match verdict.then {
            Then::Keep => Ok(()),
            Then::Destroy => self.destroy().await,
            Then::DestroyLoop => {
                error!(domain = %name, %domid, "Domain stops too soon after its start, it is not restarted");
                self.destroy().await
            }
            Then::Restart => self.restart().await,
            Then::RenameRestart => self.rename_restart(domid).await,
        };
        if let Err(error) = done {
            error!(domain = %name, %domid, %error, then = ?verdict.then, "Could not deal with a stopped domain");
        }
    }

    fn uptime(&self) -> Duration {
        let started = self
            .core
            .board
            .current()
            .by_uuid(&self.uuid)
            .and_then(|view| view.facts.as_ref()?.start_time);
        // A clock that was set back must not turn every restart into a loop.
        started
            .and_then(|started| self.core.clock.now().duration_since(started).ok())
            .unwrap_or(Duration::MAX)
    }

    /// Takes it apart and builds it anew as it was, with a new domid, and lets it run.
    pub(super) async fn restart(&mut self) -> Result<(), Error> {
        let config = self.config.clone();
        self.take_down().await?;
        self.start_again(config).await
    }

    /// The stopped domain stays, under a name and UUID of its own; its old ones go to a new domain.
    async fn rename_restart(&mut self, domid: DomId) -> Result<(), Error> {
        let kept_uuid = self.core.entropy.uuid();
        let kept_name = DomName::adopted(&format!("{}-{domid}", self.config.name));
        let (handle, inbox) = Handle::new();
        self.core.reserve(kept_uuid, &kept_name, handle)?;
        let hypervisor = self.core.hypervisor.clone();
        let renamed = async {
            limited!(self, "Rename", hypervisor.rename(domid, &kept_name, Some(kept_uuid)))?;
            let mut config = DomainConfig::clone(&self.config);
            (config.name, config.uuid) = (kept_name.clone(), Some(kept_uuid));
            // It has been dealt with: nothing else is to happen to it.
            (config.on_poweroff, config.on_reboot, config.on_crash) =
                (OnEvent::Preserve, OnEvent::Preserve, OnEvent::Preserve);
            limited!(self, "Storing the configuration", hypervisor.store_config(domid, &config))?;
            let facts = limited!(self, "Reading the domain", hypervisor.domain(domid))?;
            facts.map(|facts| (config, facts)).ok_or_else(|| Error::Gone(kept_name.to_string()))
        }
        .await;
        let (config, facts) = renamed.inspect_err(|_| self.core.registry.release(&kept_uuid))?;
        info!(domain = %self.config.name, %domid, kept = %kept_name, "Stopped domain is kept under another name");
        self.core.board.remove(&self.uuid);
        Self::adopt(self.core.clone(), inbox, Arc::new(config), facts, None).start();
        self.start_again(self.config.clone()).await
    }

    async fn start_again(&mut self, config: Arc<DomainConfig>) -> Result<(), Error> {
        let mut config = DomainConfig::clone(&config);
        config.restarts = config.restarts.saturating_add(1);
        self.build(Arc::new(config)).await?;
        self.let_run(false).await?;
        info!(domain = %self.config.name, domid = ?self.domid, "Domain was restarted");
        Ok(())
    }
}
