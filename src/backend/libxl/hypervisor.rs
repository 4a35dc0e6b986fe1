//! The port [`Hypervisor`].

use super::answers::{call_failed, domain_call_failed, parse};
use super::console::{self, Terminal};
use super::domain_config;
use super::ffi::{Failure, Libxl, PlugAction};
use super::host_info::{PAGE_KIB, host_info};
use super::remains;
use super::sched;
use super::xen::Xen;
use crate::core::backend::check_affinity;
use crate::core::error::Error;
use crate::core::model::{
    CompleteConfig, CpuSet, Device, DeviceFacts, DomId, DomName, DomainConfig, DomainFacts,
    HostFigures, HostInfo, MAX_VCPUS, SchedParams, ShutdownReason, Trigger, Uuid, VcpuFacts,
};
use crate::core::ports::{DomainChanged, GuestStream, Hypervisor, OpenConsole};
use crate::core::transfer::Transfer;
use async_trait::async_trait;
use serde_json::Value;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use tokio::sync::mpsc;

#[async_trait]
impl Hypervisor for Xen {
    async fn info(&self) -> Result<HostInfo, Error> {
        let version = self.call("Reading the host", Libxl::version).await?;
        let physinfo = self.call("Reading the host", Libxl::physinfo).await?;
        let scheduler = self.call("Reading the scheduler", Libxl::scheduler).await?;
        host_info(&parse(&version)?, &parse(&physinfo)?, &scheduler)
    }

    async fn figures(&self) -> Result<HostFigures, Error> {
        self.blocking(|host| {
            let physinfo = host.libxl.physinfo();
            let physinfo = physinfo.map_err(|failure| call_failed("Reading the host", failure))?;
            let pages = parse::<Value>(&physinfo)?["free_pages"].as_u64().unwrap_or(0);
            Ok(HostFigures { free_memory: pages * PAGE_KIB / 1024, free_cpus: host.free_cpus()? })
        })
        .await
    }

    async fn domains(&self) -> Result<Vec<DomainFacts>, Error> {
        self.blocking(|host| {
            Ok(host.dominfos()?.iter().map(|info| host.facts_for_sweep(info)).collect())
        })
        .await
    }

    async fn domain(&self, domid: DomId) -> Result<Option<DomainFacts>, Error> {
        self.blocking(move |host| Ok(host.dominfo(domid.0)?.map(|info| host.facts(&info)))).await
    }

    async fn config(&self, domid: DomId) -> Result<DomainConfig, Error> {
        self.blocking(move |host| host.config(domid.0)).await
    }

    async fn store_config(&self, domid: DomId, config: &CompleteConfig) -> Result<(), Error> {
        let config = config.clone();
        self.blocking(move |host| {
            let started = host.stored_config(domid.0)?.and_then(|stored| stored.started);
            host.store_config(domid.0, &config, started)
        })
        .await
    }

    async fn create(
        &self,
        config: &CompleteConfig,
        transfer: Arc<Transfer>,
    ) -> Result<DomainFacts, Error> {
        let config = config.clone();
        self.blocking(move |host| {
            let json = domain_config::to_json(&config, host.cpus, host.vnc_password.as_ref())?;
            let create = || host.libxl.create(&json.to_string(), None);
            let created = host.while_building(config.uuid(), None, &transfer, create);
            let domid = created.map_err(|failure| call_failed("Building the domain", failure))?;
            host.finish_build(domid, &config)
        })
        .await
    }

    /// libxl has waited for the hotplug scripts when it has built a domain.
    async fn wait_for_devices(&self, domid: DomId) -> Result<(), Error> {
        self.blocking(move |host| host.required_dominfo(domid.0).map(drop)).await
    }

    async fn pause(&self, domid: DomId) -> Result<(), Error> {
        self.blocking(move |host| host.pause(domid.0)).await
    }

    async fn unpause(&self, domid: DomId) -> Result<(), Error> {
        self.blocking(move |host| host.unpause(domid.0)).await
    }

    async fn destroy(&self, domid: DomId, transfer: Arc<Transfer>) -> Result<(), Error> {
        self.blocking(move |host| {
            let done = host.while_freeing(domid.0, &transfer, || host.libxl.destroy(domid.0));
            if done.as_ref().is_err_and(Failure::is_domain_not_found) {
                remains::clear_away(&host.xenstore, domid.0);
            }
            done.map_err(|failure| domain_call_failed(domid.0, "Destroy", failure))?;
            host.forget(domid.0);
            Ok(())
        })
        .await
    }

    async fn shutdown(&self, domid: DomId, reason: ShutdownReason) -> Result<(), Error> {
        if reason == ShutdownReason::Suspend {
            let reason = "A guest is suspended with op=save or op=suspend".to_owned();
            return Err(Error::Unsupported(reason));
        }
        self.domain_call(domid, "Shutdown", move |libxl, domid| match reason {
            ShutdownReason::Reboot => libxl.reboot(domid),
            ShutdownReason::Crash => libxl.crash(domid),
            ShutdownReason::Poweroff | ShutdownReason::Halt | ShutdownReason::Suspend => {
                libxl.shutdown(domid)
            }
        })
        .await
    }

    async fn rename(&self, domid: DomId, name: &DomName, uuid: Option<Uuid>) -> Result<(), Error> {
        let name = name.clone();
        let renamed = self.domain_call(domid, "Rename", move |libxl, domid| {
            let old = libxl.name(domid)?;
            match uuid {
                None => libxl.rename(domid, &old, name.as_str()),
                Some(uuid) => {
                    let suffix = name.as_str().strip_prefix(old.as_str()).unwrap_or("-preserved");
                    libxl.preserve(domid, &old, suffix, *uuid.as_bytes())
                }
            }
        });
        let renamed = renamed.await;
        self.host().forget(domid.0);
        renamed
    }

    async fn vcpus(&self, domid: DomId) -> Result<Vec<VcpuFacts>, Error> {
        self.blocking(move |host| host.vcpus(domid.0)).await
    }

    async fn devices(&self, domid: DomId) -> Result<Vec<DeviceFacts>, Error> {
        self.blocking(move |host| host.devices(domid.0)).await
    }

    async fn sched_params(&self, domid: DomId) -> Result<SchedParams, Error> {
        let what = "Reading parameters";
        let json = self.domain_call(domid, what, Libxl::sched_params).await?;
        sched::from_json(&parse(&json)?)
    }

    async fn set_sched_params(&self, domid: DomId, params: SchedParams) -> Result<(), Error> {
        let json = sched::to_json(params)?.to_string();
        self.domain_call(domid, "Setting parameters", move |libxl, domid| {
            libxl.set_sched_params(domid, &json)
        })
        .await
    }

    async fn set_memory_target(&self, domid: DomId, mib: u64) -> Result<(), Error> {
        let kib = mib.saturating_mul(1024);
        self.domain_call(domid, "Setting memory", move |libxl, domid| libxl.set_memory(domid, kib))
            .await
    }

    async fn set_max_memory(&self, domid: DomId, mib: u64) -> Result<(), Error> {
        let kib = mib.saturating_mul(1024);
        self.domain_call(domid, "Setting maximum memory", move |libxl, domid| {
            libxl.set_max_memory(domid, kib)
        })
        .await
    }

    async fn set_online_vcpus(&self, domid: DomId, mask: u128) -> Result<(), Error> {
        let online: Vec<u32> = (0..MAX_VCPUS).filter(|vcpu| mask >> vcpu & 1 == 1).collect();
        self.domain_call(domid, "Setting VCPUs", move |libxl, domid| {
            libxl.set_vcpus(domid, &online)
        })
        .await
    }

    async fn set_affinity(&self, domid: DomId, affinity: &[CpuSet]) -> Result<(), Error> {
        check_affinity(affinity, self.host().cpus)?;
        let affinity: Vec<Vec<u32>> = affinity.iter().map(|set| set.iter().collect()).collect();
        self.domain_call(domid, "Pinning", move |libxl, domid| {
            (0..).zip(&affinity).try_for_each(|(vcpu, cpus)| libxl.pin(domid, vcpu, cpus))
        })
        .await
    }

    async fn attach_device(&self, domid: DomId, device: &Device) -> Result<(), Error> {
        let device = device.clone();
        self.blocking(move |host| host.plug(domid.0, &device, PlugAction::Add, "Attaching")).await
    }

    async fn configure_device(&self, domid: DomId, device: &Device) -> Result<(), Error> {
        let device = device.clone();
        self.blocking(move |host| host.reconfigure(domid.0, &device)).await
    }

    async fn detach_device(&self, domid: DomId, device: &Device, force: bool) -> Result<(), Error> {
        let device = device.clone();
        let action = if force { PlugAction::Destroy } else { PlugAction::Remove };
        self.blocking(move |host| host.plug(domid.0, &device, action, "Detaching")).await
    }

    async fn send_trigger(&self, domid: DomId, trigger: Trigger, vcpu: u32) -> Result<(), Error> {
        self.domain_call(domid, "Sending a trigger", move |libxl, domid| {
            libxl.trigger(domid, trigger.name(), vcpu)
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
        self.blocking(move |host| host.save(domid.0, to, live, &transfer)).await
    }

    async fn unsuspend(&self, domid: DomId) -> Result<(), Error> {
        self.blocking(move |host| {
            let shutdown = host.dominfo(domid.0)?.and_then(|info| info.shutdown());
            if shutdown != Some(ShutdownReason::Suspend) {
                return Ok(());
            }
            host.libxl
                .resume(domid.0)
                .map_err(|failure| domain_call_failed(domid.0, "Resuming", failure))
        })
        .await
    }

    async fn restore(
        &self,
        config: &CompleteConfig,
        from: OwnedFd,
        transfer: Arc<Transfer>,
    ) -> Result<DomainFacts, Error> {
        let config = config.clone();
        self.blocking(move |host| host.restore(&config, &from, &transfer)).await
    }

    async fn send_sysrq(&self, domid: DomId, key: u8) -> Result<(), Error> {
        self.domain_call(domid, "SysRq", move |libxl, domid| libxl.sysrq(domid, key)).await
    }

    async fn dump_core(
        &self,
        domid: DomId,
        file: &Path,
        transfer: Arc<Transfer>,
    ) -> Result<(), Error> {
        let file = file.to_owned();
        self.blocking(move |host| host.dump(domid.0, &file, &transfer)).await
    }

    async fn console(&self, domid: DomId) -> Result<Vec<u8>, Error> {
        self.blocking(move |host| {
            let name = host
                .libxl
                .name(domid.0)
                .map_err(|failure| domain_call_failed(domid.0, "Reading the console", failure))?;
            console::tail(&name)
        })
        .await
    }

    async fn open_console(&self, domid: DomId) -> Result<OpenConsole, Error> {
        self.blocking(move |host| {
            let name = host
                .libxl
                .name(domid.0)
                .map_err(|failure| domain_call_failed(domid.0, "Opening the console", failure))?;
            let Terminal { pty, recent } = host.open_console(domid.0, &name)?;
            Ok(OpenConsole { recent, stream: Box::new(pty) })
        })
        .await
    }

    async fn open_screen(&self, domid: DomId) -> Result<Box<dyn GuestStream>, Error> {
        self.blocking(move |host| host.screen(domid.0)).await?.connect().await
    }

    async fn dmesg(&self) -> Result<Vec<u8>, Error> {
        self.call("Reading dmesg", |libxl| libxl.dmesg(false)).await.map(String::into_bytes)
    }

    async fn clear_dmesg(&self) -> Result<(), Error> {
        self.call("Clearing dmesg", |libxl| libxl.dmesg(true)).await.map(drop)
    }

    async fn debug_keys(&self, keys: &str) -> Result<(), Error> {
        let keys = keys.to_owned();
        self.call("Pressing keys", move |libxl| libxl.debug_keys(&keys)).await
    }

    async fn power_host(&self, reboot: bool) -> Result<(), Error> {
        self.blocking(move |_| {
            let how = if reboot { "-r" } else { "-h" };
            let started = Command::new("/sbin/shutdown").args([how, "now"]).spawn();
            started
                .map(drop)
                .map_err(|error| Error::backend("The host could not be switched off", error))
        })
        .await
    }

    fn subscribe(&self) -> mpsc::UnboundedReceiver<DomainChanged> {
        self.host().changes.subscribe()
    }
}
