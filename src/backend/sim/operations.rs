//! Operations on domains that take time or several steps.

use super::create::{self, Reservation};
use super::devices;
use super::handle::Sim;
use super::record::{Record, needed_kib};
use crate::core::error::Error;
use crate::core::model::{CompleteConfig, DomId, DomainConfig, DomainFacts};
use std::time::SystemTime;
use tokio::time;

impl Sim {
    /// Builds a domain, which is paused.
    pub(super) async fn build(&self, config: &CompleteConfig) -> Result<DomainFacts, Error> {
        create::check(self.host(), config)?;
        let memory = Reservation::new(self.host(), needed_kib(config))?;
        if devices::is_slow(config) {
            time::sleep(self.host().settings.slow_create).await;
        }
        let uuid = config.uuid();
        let config = DomainConfig::clone(config);
        let built = self
            .blocking(move |host| {
                let domid = host.allocate_domid()?;
                memory.build(Record::new(domid, uuid, config, host.now(), &host.settings))
            })
            .await?;
        Ok(built.keep())
    }

    /// Waits for the hotplug scripts; fails with the first that fails.
    pub(super) async fn wait_for_links(&self, domid: DomId) -> Result<(), Error> {
        let (record, destroyed) = self.host().record_and_token(domid)?;
        for link in &record.links {
            let remaining = link.remaining(self.host().now(), self.host().settings.hotplug_timeout);
            tokio::select! {
                biased;
                () = destroyed.cancelled() => return Err(Error::Gone(domid.to_string())),
                () = time::sleep(remaining) => link.result()?,
            }
        }
        Ok(())
    }

    /// Destroys a domain, or waits for a destruction that has begun.
    pub(super) async fn destroy_guest(&self, domid: DomId) -> Result<(), Error> {
        let gone_at = self
            .blocking(move |host| {
                host.change_even_dying(domid, |record, now| {
                    if let Some((_, gone)) = record.dying {
                        return Ok(gone);
                    }
                    record.advance(now, &host.settings);
                    let gone = now.checked_add(host.settings.destroy).unwrap_or(now);
                    record.dying = Some((now, gone));
                    Ok(gone)
                })
            })
            .await?;
        time::sleep(gone_at.duration_since(self.host().now()).unwrap_or_default()).await;
        self.blocking(move |host| {
            host.remove(domid);
            Ok(())
        })
        .await
    }

    /// Changes a guest that has not stopped. A crash is logged to Xen's message buffer.
    pub(super) async fn change_guest(
        &self,
        domid: DomId,
        apply: impl FnOnce(&mut Record, SystemTime) + Send + 'static,
    ) -> Result<(), Error> {
        self.blocking(move |host| {
            let crashed = host.change(domid, |record, now| {
                if record.guest.stopped(now).is_some() {
                    return Ok(false);
                }
                record.advance(now, &host.settings);
                apply(record, now);
                Ok(record.crash_logged)
            })?;
            if crashed {
                host.log_crash(domid);
            }
            Ok(())
        })
        .await
    }

    pub(super) async fn set_paused(&self, domid: DomId, paused: bool) -> Result<(), Error> {
        // Most calls that change nothing do not need a thread that may block.
        if self.host().required_record(domid)?.guest.paused == paused {
            return Ok(());
        }
        self.blocking(move |host| {
            host.change(domid, |record, now| {
                if record.guest.paused != paused {
                    record.advance(now, &host.settings);
                    record.guest.paused = paused;
                }
                Ok(())
            })
        })
        .await
    }
}
