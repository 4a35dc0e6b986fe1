//! Operations on domains that take several calls of libxl.

use super::answers::{call_failed, domain_call_failed, parse};
use super::devices;
use super::facts::{DeviceInfo, DomInfo, VcpuInfo};
use super::ffi::PlugAction;
use super::foreign;
use super::host::XenHost;
use super::sysfs::Sysfs;
use crate::core::error::Error;
use crate::core::model::{
    CompleteConfig, Device, DeviceFacts, DomId, DomName, DomainConfig, DomainFacts, PciDevice,
    PciFunction, Property, VcpuFacts,
};
use serde_json::Value;

/// Unpausing a domain gives up after this many calls: another toolstack can have paused it several
/// times, and Xen counts pauses.
const MAX_PAUSES: usize = 8;

impl XenHost {
    /// A domain's configuration, with the name that the domain has now: another toolstack can have
    /// renamed it.
    pub(super) fn config(&self, domid: u32) -> Result<DomainConfig, Error> {
        let info = self.required_dominfo(domid)?;
        let mut config = match self.stored_config(domid)? {
            Some(stored) => stored.config,
            None => self.foreign_config(&info)?,
        };
        config.name = DomName::adopted(&self.name(&info));
        Ok(config)
    }

    fn foreign_config(&self, info: &DomInfo) -> Result<DomainConfig, Error> {
        // libxl has no configuration of Domain-0.
        let json = self.libxl.config(info.domid).ok();
        let value: Value = json.and_then(|json| parse(&json).ok()).unwrap_or_default();
        let mut config = foreign::from_json(&value, info.uuid, info.current_memkb);
        if info.domid == DomId::ZERO.0 {
            let vcpus = u32::try_from(self.vcpus(info.domid)?.len()).unwrap_or(1);
            config.set_vcpus(vcpus.max(1));
        }
        Ok(config)
    }

    pub(super) fn vcpus(&self, domid: u32) -> Result<Vec<VcpuFacts>, Error> {
        let vcpus = self.libxl.vcpus(domid);
        let vcpus = vcpus.map_err(|failure| domain_call_failed(domid, "Reading VCPUs", failure))?;
        let vcpus: Vec<VcpuInfo> = parse(&vcpus)?;
        Ok(vcpus.into_iter().map(VcpuInfo::facts).collect())
    }

    /// Completes a domain that was just built: stores its configuration with it and watches it. If
    /// that fails, the domain is destroyed.
    pub(super) fn finish_build(
        &self,
        domid: u32,
        config: &CompleteConfig,
    ) -> Result<DomainFacts, Error> {
        let finish = || {
            self.store_config(domid, config, Some(self.clock.now()))?;
            // A sweep can have read the domain before its configuration was stored.
            self.forget(domid);
            self.libxl
                .watch_domain(domid)
                .map_err(|failure| call_failed("Watching the domain", failure))?;
            self.dominfo(domid)?.ok_or_else(|| Error::Gone(config.name.to_string()))
        };
        match finish() {
            Ok(info) => Ok(self.facts(&info)),
            Err(error) => {
                let _ = self.libxl.destroy(domid);
                Err(error)
            }
        }
    }

    /// Pausing a paused domain would count as a second pause.
    pub(super) fn pause(&self, domid: u32) -> Result<(), Error> {
        if self.required_dominfo(domid)?.is_paused() {
            return Ok(());
        }
        self.libxl.pause(domid).map_err(|failure| domain_call_failed(domid, "Pause", failure))
    }

    pub(super) fn unpause(&self, domid: u32) -> Result<(), Error> {
        for _ in 0..MAX_PAUSES {
            if !self.required_dominfo(domid)?.is_paused() {
                break;
            }
            self.libxl
                .unpause(domid)
                .map_err(|failure| domain_call_failed(domid, "Unpause", failure))?;
        }
        Ok(())
    }

    /// Plugs or unplugs a device. `what` names the operation in an error.
    pub(super) fn plug(
        &self,
        domid: u32,
        device: &Device,
        action: PlugAction,
        what: &str,
    ) -> Result<(), Error> {
        if matches!(device, Device::Console(_)) {
            return Err(Error::Unsupported("A console cannot be attached or detached".to_owned()));
        }
        for (class, value) in devices::to_json(device, self.vnc_password.as_ref())? {
            let done = self.libxl.plug(domid, class, action, &value.to_string());
            done.map_err(|failure| match action {
                PlugAction::Add => Error::Device {
                    device: device.id().unwrap_or_default(),
                    class: device.class().to_owned(),
                    reason: failure.to_string(),
                },
                PlugAction::Remove | PlugAction::Destroy => {
                    domain_call_failed(domid, what, failure)
                }
            })?;
        }
        Ok(())
    }

    /// Changes a device that is plugged in: the medium of a block device, or the functions of a
    /// PCI device.
    pub(super) fn reconfigure(&self, domid: u32, device: &Device) -> Result<(), Error> {
        match device {
            Device::Block(block) => {
                let disk = devices::disk(block)?.to_string();
                self.libxl
                    .insert_cdrom(domid, &disk)
                    .map_err(|failure| domain_call_failed(domid, "Changing the medium", failure))
            }
            Device::Pci(new) => {
                let config = self.config(domid)?;
                let is_old = |old: &&PciDevice| old.id == new.id;
                let Some(old) = config.devices.iter().filter_map(Device::as_pci).find(is_old)
                else {
                    return Err(cannot_be_changed());
                };
                let removed = Device::Pci(without(old, new));
                let added = Device::Pci(without(new, old));
                self.plug(domid, &removed, PlugAction::Remove, "Detaching")?;
                self.plug(domid, &added, PlugAction::Add, "Attaching")
            }
            _ => Err(cannot_be_changed()),
        }
    }

    pub(super) fn devices(&self, domid: u32) -> Result<Vec<DeviceFacts>, Error> {
        let config = self.config(domid)?;
        let mut facts = Vec::new();
        for (class, json) in [("vbd", self.libxl.disks(domid)), ("vif", self.libxl.nics(domid))] {
            let json =
                json.map_err(|failure| domain_call_failed(domid, "Reading devices", failure))?;
            // A device that has just been removed is null.
            let infos: Vec<Option<DeviceInfo>> = parse(&json)?;
            for info in infos.into_iter().flatten() {
                let number = info.devid();
                let device = config.device_at(class, number).map(|at| &config.devices[at]);
                let io = Sysfs::of_this_machine().io_bytes(class, domid, number);
                facts.push(DeviceFacts { io, ..info.facts(class, device) });
            }
        }
        facts.extend(self.unlisted_devices(domid, &config)?);
        Ok(facts)
    }

    /// Devices that libxl does not list, from the nodes of the guest in XenStore.
    fn unlisted_devices(
        &self,
        domid: u32,
        config: &DomainConfig,
    ) -> Result<Vec<DeviceFacts>, Error> {
        let mut facts = Vec::new();
        for device in &config.devices {
            let (Device::Vfb(_) | Device::Vkbd(_) | Device::Pci(_)) = device else { continue };
            let class = device.class();
            let number = device.id().unwrap_or_default();
            let path = format!("device/{class}/{number}");
            let nodes = self.xenstore.children(DomId(domid), &path)?;
            if !nodes.is_empty() {
                let nodes =
                    nodes.into_iter().map(|(key, value)| Property::new(key, value)).collect();
                facts.push(DeviceFacts { class: class.to_owned(), number, nodes, io: None });
            }
        }
        Ok(facts)
    }
}

/// The functions of a PCI device that another one does not have.
fn without(device: &PciDevice, other: &PciDevice) -> PciDevice {
    let is_missing = |function: &&PciFunction| {
        !other.functions.iter().any(|other| other.address == function.address)
    };
    let functions = device.functions.iter().filter(is_missing).cloned().collect();
    PciDevice { functions, ..device.clone() }
}

fn cannot_be_changed() -> Error {
    Error::Unsupported("This device cannot be changed while it is attached".to_owned())
}
