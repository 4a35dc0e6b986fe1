//! The port.

use super::convert;
use super::domains::{parse, vcpus_of};
use super::facts::{self, DeviceInfo, DomInfo, VcpuInfo};
use super::ffi::Plug;
use super::host::{PAGE_KIB, host_info};
use super::streams::console_tail;
use super::sysfs::Sysfs;
use super::{Note, Xen, failed, json, of_domain};
use crate::core::error::Error;
use crate::core::model::{
    CpuSet, Device, DeviceFacts, DomId, DomName, DomainConfig, DomainFacts, HostFigures, HostInfo,
    Invalid, MAX_VCPUS, PciDevice, PciFunction, SchedParams, ShutdownReason, Trigger, Uuid,
    VcpuFacts,
};
use crate::core::ports::{DomainChanged, Hypervisor};
use crate::core::transfer::Transfer;
use async_trait::async_trait;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::{Arc, PoisonError};
use tokio::sync::mpsc;

/// How many times another toolstack can have paused a domain, and it is let run all the same.
const MOST_PAUSES: usize = 8;

#[async_trait]
impl Hypervisor for Xen {
    async fn info(&self) -> Result<HostInfo, Error> {
        self.blocking(|inner| {
            let read =
                |text: Result<String, _>| json(&text.map_err(|f| failed("Reading the host", f))?);
            let (version, physical) = (read(inner.libxl.version())?, read(inner.libxl.physinfo())?);
            let scheduler = inner
                .libxl
                .scheduler()
                .map_err(|failure| failed("Reading the scheduler", failure))?;
            host_info(&version, &physical, &scheduler)
        })
        .await
    }

    async fn figures(&self) -> Result<HostFigures, Error> {
        self.blocking(|inner| {
            let text =
                inner.libxl.physinfo().map_err(|failure| failed("Reading the host", failure))?;
            let pages = json(&text)?["free_pages"].as_u64().unwrap_or(0);
            Ok(HostFigures { free_memory: pages * PAGE_KIB / 1024, free_cpus: inner.free_cpus()? })
        })
        .await
    }

    async fn domains(&self) -> Result<Vec<DomainFacts>, Error> {
        self.blocking(|inner| {
            let text =
                inner.libxl.domains().map_err(|failure| failed("Listing the domains", failure))?;
            let all: Vec<DomInfo> = parse(&text)?;
            Ok(all.iter().map(|info| inner.figures(info)).collect())
        })
        .await
    }

    async fn domain(&self, domid: DomId) -> Result<Option<DomainFacts>, Error> {
        self.blocking(move |inner| Ok(inner.info_of(domid.0)?.map(|info| inner.facts(&info)))).await
    }

    async fn config(&self, domid: DomId) -> Result<DomainConfig, Error> {
        self.blocking(move |inner| {
            let info =
                inner.info_of(domid.0)?.ok_or_else(|| Error::NoSuchDomain(domid.to_string()))?;
            if let Some(Note { mut config, .. }) = inner.note(domid.0)? {
                // Another toolstack can have renamed it.
                config.name = DomName::adopted(&inner.about(domid.0, info.uuid).name);
                return Ok(config);
            }
            // libxl keeps no configuration of Domain-0.
            let value = inner.libxl.config(domid.0).ok().and_then(|text| json(&text).ok());
            let mut config =
                facts::foreign(&value.unwrap_or_default(), info.uuid, info.current_memkb);
            config.name = DomName::adopted(&inner.about(domid.0, info.uuid).name);
            if domid == DomId::ZERO {
                config.set_vcpus(vcpus_of(inner, domid.0)?);
            }
            Ok(config)
        })
        .await
    }

    async fn store_config(&self, domid: DomId, config: &DomainConfig) -> Result<(), Error> {
        let config = config.clone();
        self.blocking(move |inner| {
            let started = inner.note(domid.0)?.and_then(|note| note.started);
            inner.keep(domid.0, &config, started)
        })
        .await
    }

    async fn create(
        &self,
        config: &DomainConfig,
        transfer: Arc<Transfer>,
    ) -> Result<DomainFacts, Error> {
        let config = config.clone();
        self.blocking(move |inner| {
            let value = convert::domain(&config, inner.cpus, inner.password.as_ref())?;
            let create = || inner.libxl.create(&value.to_string(), None);
            let created =
                inner.while_building(config.uuid.unwrap_or_default(), None, &transfer, create);
            let domid = created.map_err(|failure| failed("Building the domain", failure))?;
            inner.settle_in(domid, &config)
        })
        .await
    }

    /// libxl waits for the hotplug scripts while it builds a domain.
    async fn wait_for_devices(&self, domid: DomId) -> Result<(), Error> {
        let there = self.domain(domid).await?;
        there.map(drop).ok_or_else(|| Error::NoSuchDomain(domid.to_string()))
    }

    /// Xen counts pauses, and would want as many of the opposite.
    async fn pause(&self, domid: DomId) -> Result<(), Error> {
        self.blocking(move |inner| {
            let info =
                inner.info_of(domid.0)?.ok_or_else(|| Error::NoSuchDomain(domid.to_string()))?;
            if inner.facts(&info).flags.paused {
                return Ok(());
            }
            inner.libxl.pause(domid.0).map_err(|failure| of_domain(domid.0, "Pause", failure))
        })
        .await
    }

    async fn unpause(&self, domid: DomId) -> Result<(), Error> {
        self.blocking(move |inner| {
            for _ in 0..MOST_PAUSES {
                let info = inner
                    .info_of(domid.0)?
                    .ok_or_else(|| Error::NoSuchDomain(domid.to_string()))?;
                if !inner.facts(&info).flags.paused {
                    break;
                }
                inner
                    .libxl
                    .unpause(domid.0)
                    .map_err(|failure| of_domain(domid.0, "Unpause", failure))?;
            }
            Ok(())
        })
        .await
    }

    async fn destroy(&self, domid: DomId, transfer: Arc<Transfer>) -> Result<(), Error> {
        self.blocking(move |inner| {
            let destroyed =
                inner.while_freeing(domid.0, &transfer, || inner.libxl.destroy(domid.0));
            destroyed.map_err(|failure| of_domain(domid.0, "Destroy", failure))?;
            inner.forget(domid.0);
            Ok(())
        })
        .await
    }

    async fn shutdown(&self, domid: DomId, reason: ShutdownReason) -> Result<(), Error> {
        self.blocking(move |inner| {
            let done = match reason {
                ShutdownReason::Poweroff | ShutdownReason::Halt => inner.libxl.shutdown(domid.0),
                ShutdownReason::Reboot => inner.libxl.reboot(domid.0),
                ShutdownReason::Crash => inner.libxl.crash(domid.0),
                ShutdownReason::Suspend => {
                    let reason = "A guest is suspended with op=save or op=suspend".to_owned();
                    return Err(Error::Unsupported(reason));
                }
            };
            done.map_err(|failure| of_domain(domid.0, "Shutdown", failure))
        })
        .await
    }

    async fn rename(&self, domid: DomId, name: &DomName, uuid: Option<Uuid>) -> Result<(), Error> {
        let name = name.clone();
        self.blocking(move |inner| {
            let old = inner.libxl.name(domid.0).map_err(|f| of_domain(domid.0, "Rename", f))?;
            let done = match uuid {
                None => inner.libxl.rename(domid.0, &old, name.as_str()),
                Some(uuid) => {
                    let suffix = name.as_str().strip_prefix(old.as_str()).unwrap_or("-preserved");
                    inner.libxl.preserve(domid.0, &old, suffix, *uuid.as_bytes())
                }
            };
            inner.forget(domid.0);
            done.map_err(|failure| of_domain(domid.0, "Rename", failure))
        })
        .await
    }

    async fn vcpus(&self, domid: DomId) -> Result<Vec<VcpuFacts>, Error> {
        self.blocking(move |inner| {
            let text =
                inner.libxl.vcpus(domid.0).map_err(|f| of_domain(domid.0, "Reading VCPUs", f))?;
            let all: Vec<VcpuInfo> = parse(&text)?;
            Ok(all.into_iter().map(VcpuInfo::facts).collect())
        })
        .await
    }

    async fn devices(&self, domid: DomId) -> Result<Vec<DeviceFacts>, Error> {
        let config = self.config(domid).await?;
        self.blocking(move |inner| {
            let mut facts = Vec::new();
            for (class, text) in
                [("vbd", inner.libxl.disks(domid.0)), ("vif", inner.libxl.nics(domid.0))]
            {
                let text =
                    text.map_err(|failure| of_domain(domid.0, "Reading devices", failure))?;
                // One that went away while it was looked at is null.
                let all: Vec<Option<DeviceInfo>> = parse(&text)?;
                for info in all.into_iter().flatten() {
                    let id = info.devid();
                    let at = config.device_at(class, id);
                    let io = Sysfs::of_this_machine().moved(class, domid.0, info.devid());
                    facts.push(DeviceFacts {
                        io,
                        ..info.facts(class, at.map(|at| &config.devices[at]))
                    });
                }
            }
            facts.extend(inner.other_devices(domid.0, &config)?);
            Ok(facts)
        })
        .await
    }

    async fn sched_params(&self, domid: DomId) -> Result<SchedParams, Error> {
        self.blocking(move |inner| {
            let text = inner
                .libxl
                .sched(domid.0)
                .map_err(|f| of_domain(domid.0, "Reading parameters", f))?;
            facts::read_sched(&json(&text)?)
        })
        .await
    }

    async fn set_sched_params(&self, domid: DomId, params: SchedParams) -> Result<(), Error> {
        let value = convert::sched(params)?;
        self.blocking(move |inner| {
            let done = inner.libxl.set_sched(domid.0, &value.to_string());
            done.map_err(|failure| of_domain(domid.0, "Setting parameters", failure))
        })
        .await
    }

    async fn set_memory_target(&self, domid: DomId, mib: u64) -> Result<(), Error> {
        self.blocking(move |inner| {
            let done = inner.libxl.set_memory(domid.0, mib.saturating_mul(1024));
            done.map_err(|failure| of_domain(domid.0, "Setting memory", failure))
        })
        .await
    }

    async fn set_max_memory(&self, domid: DomId, mib: u64) -> Result<(), Error> {
        self.blocking(move |inner| {
            let done = inner.libxl.set_max_memory(domid.0, mib.saturating_mul(1024));
            done.map_err(|failure| of_domain(domid.0, "Setting maximum memory", failure))
        })
        .await
    }

    async fn set_online_vcpus(&self, domid: DomId, mask: u128) -> Result<(), Error> {
        let online: Vec<u32> = (0..MAX_VCPUS).filter(|vcpu| mask >> vcpu & 1 == 1).collect();
        self.blocking(move |inner| {
            let done = inner.libxl.set_vcpus(domid.0, &online);
            done.map_err(|failure| of_domain(domid.0, "Setting VCPUs", failure))
        })
        .await
    }

    async fn set_affinity(&self, domid: DomId, affinity: &[CpuSet]) -> Result<(), Error> {
        let affinity: Vec<Vec<u32>> = affinity.iter().map(|set| set.iter().collect()).collect();
        self.blocking(move |inner| {
            for (vcpu, cpus) in (0..).zip(&affinity) {
                if let Some(cpu) = cpus.iter().find(|cpu| **cpu >= inner.cpus) {
                    let most = inner.cpus - 1;
                    let reason = format!("cpus: CPU {cpu} is not there, this host has 0 to {most}");
                    return Err(Invalid::new(reason).into());
                }
                let done = inner.libxl.pin(domid.0, vcpu, cpus);
                done.map_err(|failure| of_domain(domid.0, "Pinning", failure))?;
            }
            Ok(())
        })
        .await
    }

    async fn attach_device(&self, domid: DomId, device: &Device) -> Result<(), Error> {
        let device = device.clone();
        self.blocking(move |inner| inner.plug(domid.0, &device, Plug::Add, "Attaching")).await
    }

    async fn configure_device(&self, domid: DomId, device: &Device) -> Result<(), Error> {
        let old = match device {
            Device::Pci(_) => self
                .config(domid)
                .await?
                .devices
                .into_iter()
                .find(|old| old.id() == device.id() && old.class() == "pci"),
            _ => None,
        };
        let device = device.clone();
        self.blocking(move |inner| match (&device, old) {
            (Device::Block(block), _) => {
                let done = inner.libxl.medium(domid.0, &convert::disk(block)?.to_string());
                done.map_err(|failure| of_domain(domid.0, "Changing the medium", failure))
            }
            (Device::Pci(new), Some(Device::Pci(old))) => {
                // What left the bus, then what came to it.
                let without = |bus: &PciDevice, other: &PciDevice| {
                    let gone = |one: &&PciFunction| {
                        !other.functions.iter().any(|two| two.address == one.address)
                    };
                    let functions = bus.functions.iter().filter(gone).cloned().collect();
                    Device::Pci(PciDevice { functions, ..bus.clone() })
                };
                inner.plug(domid.0, &without(&old, new), Plug::Remove, "Detaching")?;
                inner.plug(domid.0, &without(new, &old), Plug::Add, "Attaching")
            }
            _ => Err(Error::Unsupported(
                "This device cannot be changed while it is plugged in".to_owned(),
            )),
        })
        .await
    }

    async fn detach_device(&self, domid: DomId, device: &Device, force: bool) -> Result<(), Error> {
        let (device, plug) = (device.clone(), if force { Plug::Destroy } else { Plug::Remove });
        self.blocking(move |inner| inner.plug(domid.0, &device, plug, "Detaching")).await
    }

    async fn send_trigger(&self, domid: DomId, trigger: Trigger, vcpu: u32) -> Result<(), Error> {
        self.blocking(move |inner| {
            let done = inner.libxl.trigger(domid.0, trigger.name(), vcpu);
            done.map_err(|failure| of_domain(domid.0, "Sending a trigger", failure))
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
        self.blocking(move |inner| inner.save(domid.0, to, live, &transfer)).await
    }

    async fn unsuspend(&self, domid: DomId) -> Result<(), Error> {
        self.blocking(move |inner| {
            let suspended = inner.info_of(domid.0)?.map(|info| inner.facts(&info).flags.shutdown);
            if suspended == Some(Some(ShutdownReason::Suspend)) {
                inner
                    .libxl
                    .unsuspend(domid.0)
                    .map_err(|failure| of_domain(domid.0, "Resuming", failure))?;
            }
            Ok(())
        })
        .await
    }

    async fn restore(
        &self,
        config: &DomainConfig,
        from: OwnedFd,
        transfer: Arc<Transfer>,
    ) -> Result<DomainFacts, Error> {
        let config = config.clone();
        self.blocking(move |inner| inner.restore(&config, &from, &transfer)).await
    }

    async fn send_sysrq(&self, domid: DomId, key: u8) -> Result<(), Error> {
        self.blocking(move |inner| {
            inner.libxl.sysrq(domid.0, key).map_err(|f| of_domain(domid.0, "SysRq", f))
        })
        .await
    }

    async fn dump_core(
        &self,
        domid: DomId,
        file: &Path,
        transfer: Arc<Transfer>,
    ) -> Result<(), Error> {
        let file = file.to_owned();
        self.blocking(move |inner| inner.dump(domid.0, &file, &transfer)).await
    }

    async fn console(&self, domid: DomId) -> Result<Vec<u8>, Error> {
        self.blocking(move |inner| {
            let name = inner
                .libxl
                .name(domid.0)
                .map_err(|f| of_domain(domid.0, "Reading the console", f))?;
            console_tail(&name)
        })
        .await
    }

    async fn dmesg(&self) -> Result<Vec<u8>, Error> {
        self.blocking(|inner| {
            inner.libxl.dmesg(false).map(String::into_bytes).map_err(|f| failed("Reading dmesg", f))
        })
        .await
    }

    async fn clear_dmesg(&self) -> Result<(), Error> {
        self.blocking(|inner| {
            inner.libxl.dmesg(true).map(drop).map_err(|f| failed("Clearing dmesg", f))
        })
        .await
    }

    async fn debug_keys(&self, keys: &str) -> Result<(), Error> {
        let keys = keys.to_owned();
        self.blocking(move |inner| {
            inner.libxl.debug_keys(&keys).map_err(|f| failed("Pressing keys", f))
        })
        .await
    }

    async fn power_host(&self, reboot: bool) -> Result<(), Error> {
        self.blocking(move |_| {
            let how = if reboot { "-r" } else { "-h" };
            let started = std::process::Command::new("/sbin/shutdown").args([how, "now"]).spawn();
            started
                .map(drop)
                .map_err(|error| Error::backend("The host could not be switched off", error))
        })
        .await
    }

    fn subscribe(&self) -> mpsc::UnboundedReceiver<DomainChanged> {
        let (sender, receiver) = mpsc::unbounded_channel();
        *self.0.listener.lock().unwrap_or_else(PoisonError::into_inner) = Some(sender);
        receiver
    }
}
