//! The action on a domain whose guest has stopped.

use super::state::Driver;
use crate::core::error::Error;
use crate::core::lifecycle::{AfterStop, action_on_stop};
use crate::core::mailbox::mailbox;
use crate::core::model::{ActionOnShutdown, DomId, DomName, ShutdownReason};
use std::sync::Arc;
use std::time::Duration;
use tracing::{debug, error, info};

impl Driver {
    /// Does what the configuration and the operator's policy say.
    pub(super) async fn handle_stop(&mut self, domid: DomId, reason: ShutdownReason) {
        let _operation = self.operation("action on stop");
        let name = self.config.name.clone();
        let action = action_on_stop(&self.config, reason, self.uptime());
        // A domain that is preserved comes here again and again, and is dumped once.
        let dumps_crashes = reason == ShutdownReason::Crash
            && self.core.policy().enable_dump
            && (action.then != AfterStop::Preserve || self.dumped != Some(domid));
        let dump = action.dump || dumps_crashes;
        if action.then == AfterStop::Preserve && !dump {
            debug!(domain = %name, %domid, %reason, "Domain stays as it is");
            return;
        }
        info!(domain = %name, %domid, %reason, then = ?action.then, "Domain has stopped");
        if dump {
            self.dumped = Some(domid);
            let file = self.core.core_file(&name, domid);
            match self.dump_to(domid, &file).await {
                Ok(()) => info!(domain = %name, file = %file.display(), "Core dumped"),
                Err(error) => {
                    error!(domain = %name, file = %file.display(), %error, "Core dump failed");
                }
            }
        }
        let done = match action.then {
            AfterStop::Preserve => Ok(()),
            AfterStop::Destroy => self.destroy().await,
            AfterStop::DestroyLooping => {
                error!(
                    domain = %name, %domid,
                    "Domain stops too soon after its start, it is not restarted"
                );
                self.destroy().await
            }
            AfterStop::Restart => self.restart().await,
            AfterStop::RenameRestart => self.rename_restart(domid).await,
        };
        if let Err(error) = done {
            error!(
                domain = %name, %domid, %error, then = ?action.then,
                "Could not deal with a stopped domain"
            );
        }
    }

    fn uptime(&self) -> Duration {
        let snapshot = self.core.snapshot();
        let facts = snapshot.by_uuid(&self.uuid).and_then(|view| view.facts.as_ref());
        // A clock that was set back must not turn every restart into a loop.
        facts
            .and_then(|facts| facts.start_time)
            .and_then(|started| self.core.clock.now().duration_since(started).ok())
            .unwrap_or(Duration::MAX)
    }

    /// Keeps the stopped domain under a name and UUID of its own, and builds a new domain with the
    /// old ones.
    async fn rename_restart(&mut self, domid: DomId) -> Result<(), Error> {
        let kept_uuid = self.core.entropy.uuid();
        let kept_name = DomName::adopted(&format!("{}-{domid}", self.config.name));
        let restarted = self.restarted_config()?;
        let kept = self.config.with(|config| {
            config.name = kept_name.clone();
            config.uuid = Some(kept_uuid);
            // The stopped domain needs no further action.
            config.on_poweroff = ActionOnShutdown::Preserve;
            config.on_reboot = ActionOnShutdown::Preserve;
            config.on_crash = ActionOnShutdown::Preserve;
        })?;
        let (handle, inbox) = mailbox();
        self.core.reserve(kept_uuid, &kept_name, handle)?;
        let renamed = async {
            let hypervisor = &self.core.hypervisor;
            hypervisor.rename(domid, &kept_name, Some(kept_uuid)).await?;
            hypervisor.store_config(domid, &kept).await?;
            let facts = hypervisor.domain(domid).await?;
            facts.ok_or_else(|| Error::Gone(kept_name.to_string()))
        }
        .await;
        let facts = renamed.inspect_err(|_| self.core.registry.release(&kept_uuid))?;
        info!(
            domain = %self.config.name, %domid, kept = %kept_name,
            "Stopped domain is kept under another name"
        );
        self.core.settings.ownership.hold(kept_uuid, &kept_name);
        self.core.publisher.remove(&self.uuid);
        Self::running(self.core.clone(), inbox, Arc::new(kept), facts, None).start();
        self.build_again(restarted).await
    }
}
