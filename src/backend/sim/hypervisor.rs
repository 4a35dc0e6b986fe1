//! The port.

use super::host::no_such;
use super::record::{Record, needed_kib};
use super::{Sim, create, devices, dump, facts, sched};
use crate::core::error::Error;
use crate::core::model::{
    CpuSet, Device, DeviceFacts, DomId, DomName, DomainConfig, DomainFacts, GuestKind, HostFigures,
    HostInfo, Invalid, Password, SchedParams, ShutdownReason, Trigger, Uuid, VcpuFacts,
};
use crate::core::ports::{DomainChanged, Hypervisor};
use crate::core::transfer::Transfer;
use async_trait::async_trait;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;
use tokio::sync::mpsc;

#[async_trait]
impl Hypervisor for Sim {
    async fn info(&self) -> Result<HostInfo, Error> {
        Ok(facts::host_info(&self.host.settings))
    }

    async fn figures(&self) -> Result<HostFigures, Error> {
        Ok(HostFigures { free_memory: self.host.free_kib() / 1024, free_cpus: self.free_cpus() })
    }

    async fn domains(&self) -> Result<Vec<DomainFacts>, Error> {
        let (now, settings) = (self.host.now(), &self.host.settings);
        let there = |record: &Arc<Record>| !record.is_gone(now);
        let records = self.host.records().into_iter().filter(there);
        Ok(records.map(|record| facts::domain(&record, now, settings)).collect())
    }

    async fn domain(&self, domid: DomId) -> Result<Option<DomainFacts>, Error> {
        Ok(self.host.record(domid).map(|record| self.host.facts(&record)))
    }

    async fn config(&self, domid: DomId) -> Result<DomainConfig, Error> {
        Ok(DomainConfig::clone(&self.host.known(domid)?.config))
    }

    async fn store_config(&self, domid: DomId, config: &DomainConfig) -> Result<(), Error> {
        // What is stored must be readable after a restart, or the domain would be lost with it.
        config.check()?;
        let config = Arc::new(config.clone());
        self.change(domid, move |record, _| {
            record.config = config;
            Ok(())
        })
        .await
    }

    async fn create(
        &self,
        config: &DomainConfig,
        _transfer: Arc<Transfer>,
    ) -> Result<DomainFacts, Error> {
        create::check(&self.host, config)?;
        let memory = self.host.reserve(needed_kib(config))?;
        if devices::is_slow(config) {
            tokio::time::sleep(self.host.settings.slow_create).await;
        }
        let mut config = config.clone();
        let uuid = *config.uuid.get_or_insert_with(|| self.host.entropy.uuid());
        config.number_devices();
        let host = Arc::clone(&self.host);
        let built = self
            .blocking(move || {
                let domid = host.take_domid()?;
                host.add(Record::new(domid, uuid, config, host.now(), &host.settings), memory)
            })
            .await?;
        Ok(built.claim())
    }

    async fn wait_for_devices(&self, domid: DomId) -> Result<(), Error> {
        let (record, gone) = self.host.watched(domid)?;
        for link in &record.links {
            let remaining = link.remaining(self.host.now(), self.host.settings.device_patience);
            tokio::select! {
                biased;
                () = gone.cancelled() => return Err(Error::Gone(domid.to_string())),
                () = tokio::time::sleep(remaining) => link.outcome()?,
            }
        }
        Ok(())
    }

    async fn pause(&self, domid: DomId) -> Result<(), Error> {
        self.set_paused(domid, true, "pause").await
    }

    async fn unpause(&self, domid: DomId) -> Result<(), Error> {
        self.set_paused(domid, false, "unpause").await
    }

    async fn destroy(&self, domid: DomId, _transfer: Arc<Transfer>) -> Result<(), Error> {
        guest_only(domid, "destroy")?;
        let (host, takes) = (Arc::clone(&self.host), self.host.settings.destroy);
        let gone_at = self
            .blocking(move || {
                host.change_even_dying(domid, |record, now| {
                    if record.dying.is_none() {
                        record.bring_up(now, &host.settings);
                        record.dying = Some((now, now.checked_add(takes).unwrap_or(now)));
                    }
                    Ok(record.dying.map_or(now, |(_, gone)| gone))
                })
            })
            .await?;
        tokio::time::sleep(gone_at.duration_since(self.host.now()).unwrap_or_default()).await;
        let host = Arc::clone(&self.host);
        self.blocking(move || {
            host.forget(domid);
            Ok(())
        })
        .await
    }

    async fn shutdown(&self, domid: DomId, reason: ShutdownReason) -> Result<(), Error> {
        if domid == DomId::ZERO {
            return Err(Error::Dom0Shutdown);
        }
        self.affect_guest(domid, move |record, _| {
            if reason == ShutdownReason::Crash {
                record.stop(reason);
            } else {
                record.life.ask(reason);
            }
        })
        .await
    }

    async fn rename(&self, domid: DomId, name: &DomName, uuid: Option<Uuid>) -> Result<(), Error> {
        let name = name.clone();
        self.change(domid, move |record, _| {
            let config = Arc::make_mut(&mut record.config);
            config.name = name.clone();
            record.name = name;
            if let Some(uuid) = uuid {
                config.uuid = Some(uuid);
                record.uuid = uuid;
            }
            Ok(())
        })
        .await
    }

    async fn vcpus(&self, domid: DomId) -> Result<Vec<VcpuFacts>, Error> {
        let record = self.host.known(domid)?;
        let pool = self.pool_cpus(&record.config.pool_name);
        Ok(facts::vcpus(&record, self.host.now(), &self.host.settings, &pool))
    }

    async fn devices(&self, domid: DomId) -> Result<Vec<DeviceFacts>, Error> {
        Ok(facts::devices(&*self.host.known(domid)?, self.host.now(), &self.host.settings))
    }

    async fn sched_params(&self, domid: DomId) -> Result<SchedParams, Error> {
        Ok(self.host.known(domid)?.sched)
    }

    async fn set_sched_params(&self, domid: DomId, params: SchedParams) -> Result<(), Error> {
        let host = Arc::clone(&self.host);
        self.change(domid, move |record, now| {
            let vcpus = u32::try_from(record.affinity.len()).unwrap_or(u32::MAX);
            sched::check(host.settings.scheduler, params, vcpus)?;
            if record.sched != params {
                record.bring_up(now, &host.settings);
                record.sched = params;
            }
            Ok(())
        })
        .await
    }

    async fn set_memory_target(&self, domid: DomId, mib: u64) -> Result<(), Error> {
        let target = mib.saturating_mul(1024);
        // What it gains is set aside before it is promised, and counted as its own from then on.
        let gained = target.saturating_sub(self.host.known(domid)?.memory_kib);
        let reserved = self.host.reserve(gained)?;
        let changed = self
            .change(domid, move |record, now| {
                record.balloon = Some((record.memory_now(now), now));
                record.memory_kib = target;
                Ok(())
            })
            .await;
        drop(reserved);
        changed
    }

    async fn set_max_memory(&self, domid: DomId, _mib: u64) -> Result<(), Error> {
        // What a domain may have costs this host nothing.
        self.host.known(domid).map(drop)
    }

    async fn set_online_vcpus(&self, domid: DomId, mask: u128) -> Result<(), Error> {
        let host = Arc::clone(&self.host);
        self.change(domid, move |record, now| {
            record.bring_up(now, &host.settings);
            record.vcpu_avail = mask;
            Ok(())
        })
        .await
    }

    async fn set_affinity(&self, domid: DomId, affinity: &[CpuSet]) -> Result<(), Error> {
        create::check_affinity(affinity, self.host.settings.cpus)?;
        let (host, affinity) = (Arc::clone(&self.host), affinity.to_vec());
        self.change(domid, move |record, now| {
            record.bring_up(now, &host.settings);
            record.affinity = affinity;
            Ok(())
        })
        .await
    }

    async fn send_sysrq(&self, domid: DomId, key: u8) -> Result<(), Error> {
        let reason = match key {
            b'c' => ShutdownReason::Crash,
            b'b' => ShutdownReason::Reboot,
            b'o' => ShutdownReason::Poweroff,
            _ => return self.host.known(domid).map(drop),
        };
        guest_only(domid, "stop")?;
        self.affect_guest(domid, move |record, now| {
            // Whoever is paused, has not booted yet or is deaf does not hear its keyboard.
            if record.life.hears_keys(now) {
                record.stop(reason);
            }
        })
        .await
    }

    async fn attach_device(&self, domid: DomId, device: &Device) -> Result<(), Error> {
        self.attach(domid, device).await
    }

    async fn configure_device(&self, domid: DomId, device: &Device) -> Result<(), Error> {
        self.configure(domid, device).await
    }

    async fn detach_device(&self, domid: DomId, device: &Device, force: bool) -> Result<(), Error> {
        self.detach(domid, device, force).await
    }

    async fn send_trigger(&self, domid: DomId, trigger: Trigger, vcpu: u32) -> Result<(), Error> {
        guest_only(domid, "interrupt")?;
        let record = self.host.known(domid)?;
        if usize::try_from(vcpu).map_or(true, |vcpu| vcpu >= record.affinity.len()) {
            return Err(Invalid::new(format!("vcpu: {vcpu} is not there")).into());
        }
        if record.kind() != GuestKind::Hvm && trigger != Trigger::Nmi {
            let reason = format!("The trigger {} is for fully virtualised guests", trigger.name());
            return Err(Error::Unsupported(reason));
        }
        self.affect_guest(domid, move |record, _| match trigger {
            Trigger::Power => record.life.ask(ShutdownReason::Poweroff),
            Trigger::Reset => record.stop(ShutdownReason::Reboot),
            Trigger::Nmi | Trigger::Init | Trigger::Sleep | Trigger::S3Resume => {}
        })
        .await
    }

    async fn save(
        &self,
        domid: DomId,
        to: OwnedFd,
        live: bool,
        transfer: Arc<Transfer>,
    ) -> Result<(), Error> {
        guest_only(domid, "save")?;
        self.save_to(domid, to, live, transfer).await
    }

    async fn unsuspend(&self, domid: DomId) -> Result<(), Error> {
        self.go_on(domid).await
    }

    async fn restore(
        &self,
        config: &DomainConfig,
        from: OwnedFd,
        transfer: Arc<Transfer>,
    ) -> Result<DomainFacts, Error> {
        self.restore_from(config, from, transfer).await
    }

    async fn dump_core(
        &self,
        domid: DomId,
        file: &Path,
        transfer: Arc<Transfer>,
    ) -> Result<(), Error> {
        guest_only(domid, "dump")?;
        let bytes = self.host.known(domid)?.memory_kib.saturating_mul(1024);
        let file = file.to_owned();
        transfer.expect(bytes);
        self.blocking(move || dump::write(&file, bytes)).await?;
        transfer.advance(bytes);
        Ok(())
    }

    async fn console(&self, domid: DomId) -> Result<Vec<u8>, Error> {
        let record = self.host.known(domid)?;
        Ok(facts::console(&record, self.host.now()).into_bytes())
    }

    async fn dmesg(&self) -> Result<Vec<u8>, Error> {
        Ok(self.host.messages())
    }

    async fn clear_dmesg(&self) -> Result<(), Error> {
        let host = Arc::clone(&self.host);
        self.blocking(move || host.clear_messages()).await
    }

    async fn debug_keys(&self, keys: &str) -> Result<(), Error> {
        let (host, keys) = (Arc::clone(&self.host), keys.to_owned());
        self.blocking(move || host.press(&keys)).await
    }

    async fn power_host(&self, _reboot: bool) -> Result<(), Error> {
        Err(Error::Unsupported("The simulated host cannot be switched off".to_owned()))
    }

    fn subscribe(&self) -> mpsc::UnboundedReceiver<DomainChanged> {
        self.host.listen()
    }
}

impl Sim {
    /// What somebody must know to see a guest's VNC screen; `None` if nothing.
    pub fn vnc_password(&self, domid: DomId) -> Result<Option<Password>, Error> {
        Ok(facts::vnc_password(&*self.host.known(domid)?, &self.host.settings))
    }

    /// Does something to a guest that has not stopped yet. If it crashes of it, Xen's message
    /// buffer hears of that.
    async fn affect_guest(
        &self,
        domid: DomId,
        affect: impl FnOnce(&mut Record, SystemTime) + Send + 'static,
    ) -> Result<(), Error> {
        let host = Arc::clone(&self.host);
        self.blocking(move || {
            let crashed = host.change(domid, |record, now| {
                if record.life.stopped(now).is_some() {
                    return Ok(false);
                }
                record.bring_up(now, &host.settings);
                affect(record, now);
                Ok(record.crash_told)
            })?;
            if crashed {
                host.tell_crash(domid);
            }
            Ok(())
        })
        .await
    }

    async fn set_paused(
        &self,
        domid: DomId,
        paused: bool,
        verb: &'static str,
    ) -> Result<(), Error> {
        guest_only(domid, verb)?;
        // Most calls that change nothing need not wait for a thread.
        if self.host.record(domid).ok_or_else(|| no_such(domid))?.life.paused == paused {
            return Ok(());
        }
        let host = Arc::clone(&self.host);
        self.change(domid, move |record, now| {
            if record.life.paused != paused {
                record.bring_up(now, &host.settings);
                record.life.paused = paused;
            }
            Ok(())
        })
        .await
    }
}

fn guest_only(domid: DomId, verb: &'static str) -> Result<(), Error> {
    if domid == DomId::ZERO { Err(Error::Privileged(verb)) } else { Ok(()) }
}
