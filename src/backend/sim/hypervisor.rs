//! The port [`Hypervisor`].

use super::core_dump;
use super::create::Reservation;
use super::facts;
use super::handle::Sim;
use super::host_info::host_info;
use super::lock::lock;
use super::record::Record;
use super::sched;
use crate::core::backend::check_affinity;
use crate::core::error::Error;
use crate::core::model::{
    CompleteConfig, CpuSet, Device, DeviceFacts, DomId, DomName, DomainConfig, DomainFacts,
    GuestKind, HostFigures, HostInfo, Invalid, Password, SchedParams, ShutdownReason, Trigger,
    Uuid, VcpuFacts,
};
use crate::core::ports::{DomainChanged, GuestStream, Hypervisor, OpenConsole};
use crate::core::transfer::Transfer;
use async_trait::async_trait;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::Arc;
use tokio::sync::mpsc;

#[async_trait]
impl Hypervisor for Sim {
    async fn info(&self) -> Result<HostInfo, Error> {
        Ok(host_info(&self.host().settings))
    }

    async fn figures(&self) -> Result<HostFigures, Error> {
        Ok(HostFigures { free_memory: self.host().free_kib() / 1024, free_cpus: self.free_cpus() })
    }

    async fn domains(&self) -> Result<Vec<DomainFacts>, Error> {
        let now = self.host().now();
        let records = self.host().existing_records();
        let facts = |record: &Arc<Record>| facts::domain(record, now, &self.host().settings);
        Ok(records.iter().map(facts).collect())
    }

    async fn domain(&self, domid: DomId) -> Result<Option<DomainFacts>, Error> {
        Ok(self.host().record(domid).map(|record| self.host().facts(&record)))
    }

    async fn config(&self, domid: DomId) -> Result<DomainConfig, Error> {
        Ok(DomainConfig::clone(&self.host().required_record(domid)?.config))
    }

    async fn store_config(&self, domid: DomId, config: &CompleteConfig) -> Result<(), Error> {
        let config = Arc::new(DomainConfig::clone(config));
        self.change(domid, move |record, _| {
            record.config = config;
            Ok(())
        })
        .await
    }

    async fn create(
        &self,
        config: &CompleteConfig,
        _transfer: Arc<Transfer>,
    ) -> Result<DomainFacts, Error> {
        self.build(config).await
    }

    async fn wait_for_devices(&self, domid: DomId) -> Result<(), Error> {
        self.wait_for_links(domid).await
    }

    async fn pause(&self, domid: DomId) -> Result<(), Error> {
        refuse_domain0(domid, "pause")?;
        self.set_paused(domid, true).await
    }

    async fn unpause(&self, domid: DomId) -> Result<(), Error> {
        refuse_domain0(domid, "unpause")?;
        self.set_paused(domid, false).await
    }

    async fn destroy(&self, domid: DomId, _transfer: Arc<Transfer>) -> Result<(), Error> {
        refuse_domain0(domid, "destroy")?;
        self.destroy_guest(domid).await
    }

    async fn shutdown(&self, domid: DomId, reason: ShutdownReason) -> Result<(), Error> {
        if domid == DomId::ZERO {
            return Err(Error::Dom0Shutdown);
        }
        self.change_guest(domid, move |record, _| {
            if reason == ShutdownReason::Crash {
                record.stop(reason);
            } else {
                record.guest.request_shutdown(reason);
            }
        })
        .await
    }

    async fn rename(&self, domid: DomId, name: &DomName, uuid: Option<Uuid>) -> Result<(), Error> {
        let name = name.clone();
        self.change(domid, move |record, _| {
            let config = Arc::make_mut(&mut record.config);
            config.name = name.clone();
            Arc::make_mut(&mut record.nodes).set_name(name.as_str());
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
        let record = self.host().required_record(domid)?;
        let pool = self.pool_cpus(&record.config.pool_name);
        Ok(facts::vcpus(&record, self.host().now(), &self.host().settings, &pool))
    }

    async fn devices(&self, domid: DomId) -> Result<Vec<DeviceFacts>, Error> {
        let record = self.host().required_record(domid)?;
        Ok(facts::devices(&record, self.host().now(), &self.host().settings))
    }

    async fn sched_params(&self, domid: DomId) -> Result<SchedParams, Error> {
        Ok(self.host().required_record(domid)?.sched)
    }

    async fn set_sched_params(&self, domid: DomId, params: SchedParams) -> Result<(), Error> {
        self.blocking(move |host| {
            host.change(domid, |record, now| {
                let vcpus = u32::try_from(record.affinity.len()).unwrap_or(u32::MAX);
                sched::check(host.settings.scheduler, params, vcpus)?;
                if record.sched != params {
                    record.advance(now, &host.settings);
                    record.sched = params;
                }
                Ok(())
            })
        })
        .await
    }

    async fn set_memory_target(&self, domid: DomId, mib: u64) -> Result<(), Error> {
        let target = mib.saturating_mul(1024);
        // Memory that the domain gains is taken until the record with the new target counts it.
        let gained = target.saturating_sub(self.host().required_record(domid)?.memory_kib);
        let reserved = Reservation::new(self.host(), gained)?;
        let changed = self
            .change(domid, move |record, now| {
                record.balloon = Some((record.memory_at(now), now));
                record.memory_kib = target;
                record.wake_agent(now);
                Ok(())
            })
            .await;
        drop(reserved);
        changed
    }

    async fn set_max_memory(&self, domid: DomId, _mib: u64) -> Result<(), Error> {
        // A maximum reserves no memory.
        self.host().required_record(domid).map(drop)
    }

    async fn set_online_vcpus(&self, domid: DomId, mask: u128) -> Result<(), Error> {
        self.blocking(move |host| {
            host.change(domid, |record, now| {
                record.advance(now, &host.settings);
                record.vcpu_avail = mask;
                Ok(())
            })
        })
        .await
    }

    async fn set_affinity(&self, domid: DomId, affinity: &[CpuSet]) -> Result<(), Error> {
        check_affinity(affinity, self.host().settings.cpus)?;
        let affinity = affinity.to_vec();
        self.blocking(move |host| {
            host.change(domid, |record, now| {
                record.advance(now, &host.settings);
                record.affinity = affinity;
                Ok(())
            })
        })
        .await
    }

    async fn send_sysrq(&self, domid: DomId, key: u8) -> Result<(), Error> {
        let reason = match key {
            b'c' => ShutdownReason::Crash,
            b'b' => ShutdownReason::Reboot,
            b'o' => ShutdownReason::Poweroff,
            _ => return self.host().required_record(domid).map(drop),
        };
        refuse_domain0(domid, "stop")?;
        self.change_guest(domid, move |record, now| {
            if record.guest.handles_sysrq(now) {
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
        refuse_domain0(domid, "interrupt")?;
        let record = self.host().required_record(domid)?;
        if usize::try_from(vcpu).map_or(true, |vcpu| vcpu >= record.affinity.len()) {
            return Err(Invalid::new(format!("vcpu: {vcpu} is not there")).into());
        }
        if record.kind() != GuestKind::Hvm && trigger != Trigger::Nmi {
            let reason = format!("The trigger {} is for fully virtualised guests", trigger.name());
            return Err(Error::Unsupported(reason));
        }
        self.change_guest(domid, move |record, _| match trigger {
            Trigger::Power => record.guest.request_shutdown(ShutdownReason::Poweroff),
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
        refuse_domain0(domid, "save")?;
        self.save_to(domid, to, live, transfer).await
    }

    async fn unsuspend(&self, domid: DomId) -> Result<(), Error> {
        self.resume(domid).await
    }

    async fn restore(
        &self,
        config: &CompleteConfig,
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
        refuse_domain0(domid, "dump")?;
        let bytes = self.host().required_record(domid)?.memory_kib.saturating_mul(1024);
        let file = file.to_owned();
        transfer.expect(bytes);
        self.blocking(move |_| core_dump::write(&file, bytes)).await?;
        transfer.advance(bytes);
        Ok(())
    }

    async fn console(&self, domid: DomId) -> Result<Vec<u8>, Error> {
        let terminal = self.host().terminal(domid)?;
        let text = lock(&terminal).text();
        Ok(text)
    }

    async fn open_console(&self, domid: DomId) -> Result<OpenConsole, Error> {
        refuse_domain0(domid, "open the console of")?;
        self.open_terminal(domid)
    }

    async fn open_screen(&self, domid: DomId) -> Result<Box<dyn GuestStream>, Error> {
        self.connect_to_screen(domid).await
    }

    async fn dmesg(&self) -> Result<Vec<u8>, Error> {
        Ok(self.host().dmesg())
    }

    async fn clear_dmesg(&self) -> Result<(), Error> {
        self.blocking(|host| host.clear_dmesg()).await
    }

    async fn debug_keys(&self, keys: &str) -> Result<(), Error> {
        let keys = keys.to_owned();
        self.blocking(move |host| host.press_keys(&keys)).await
    }

    async fn power_host(&self, _reboot: bool) -> Result<(), Error> {
        Err(Error::Unsupported("The simulated host cannot be switched off".to_owned()))
    }

    fn subscribe(&self) -> mpsc::UnboundedReceiver<DomainChanged> {
        self.host().changes.subscribe()
    }
}

impl Sim {
    /// The password of a guest's VNC screen. `None` if it has none.
    pub fn vnc_password(&self, domid: DomId) -> Result<Option<Password>, Error> {
        let record = self.host().required_record(domid)?;
        Ok(facts::vnc_password(&record, &self.host().settings))
    }
}

fn refuse_domain0(domid: DomId, verb: &'static str) -> Result<(), Error> {
    if domid == DomId::ZERO { Err(Error::Privileged(verb)) } else { Ok(()) }
}
