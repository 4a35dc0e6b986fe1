//! Attaching, configuring and detaching devices.

use super::parts;
use super::state::Driver;
use crate::core::error::Error;
use crate::core::model::{
    BlockClass, BlockKind, CompleteConfig, Device, DomainConfig, Invalid, Uuid, VirtualDevice,
};
use crate::core::op::{DeviceRef, Outcome};

/// The most devices that an error about another one names.
const MAX_PRESENT: usize = 8;

impl Driver {
    pub(super) async fn attach(&mut self, mut device: Device) -> Result<Outcome, Error> {
        self.core.complete_device(&mut device);
        if let Device::Pci(pci) = &mut device {
            // `state` asks for a change of the functions. It is no property of the device.
            pci.rest.retain(|property| property.key != "state");
        }
        for config in self.definition.iter().chain([&self.config]) {
            config.check_new_device(&device)?;
        }
        let class = device.class().to_owned();
        let next = |config: &CompleteConfig| config.next_device_id(&class);
        let id = self.definition.as_deref().map_or(0, next).max(next(&self.config));
        device.set_id(id);
        if let Some(domid) = self.domid {
            self.core.check_pci_functions(self.uuid, [&device])?;
            let running = self.with_defaults(&device);
            self.core.hypervisor.attach_device(domid, &running).await?;
            self.reconfigure_running(|config| config.devices.push(running)).await?;
        }
        if let Some(definition) = &self.definition {
            let definition = definition.with(|config| config.devices.push(device.clone()))?;
            self.change_definition(definition).await?;
        }
        self.refresh().await?;
        Ok(Outcome::Attached { class, id: device.id().unwrap_or(id), domid: self.domid })
    }

    /// Attaches a device that the definition has and the running domain has not.
    pub(super) async fn plug(&mut self, uuid: Uuid) -> Result<Outcome, Error> {
        let domid = self.on_host()?;
        let is_it = |device: &&Device| device.uuid() == Some(uuid);
        let defined =
            self.definition.iter().find_map(|config| config.devices.iter().find(is_it)).cloned();
        let device = self.with_defaults(&defined.ok_or_else(|| Error::not_connected(&uuid))?);
        self.config.check_new_device(&device)?;
        self.core.check_pci_functions(self.uuid, [&device])?;
        self.core.hypervisor.attach_device(domid, &device).await?;
        self.reconfigure_running(|config| config.devices.push(device)).await?;
        self.refresh().await
    }

    /// The device with the operator's defaults, for a running domain.
    fn with_defaults(&self, device: &Device) -> Device {
        let mut device = device.clone();
        self.core.policy().devices.complete(&mut device, self.config.image.as_ref());
        device
    }

    pub(super) async fn detach(
        &mut self,
        class: &str,
        wanted: &DeviceRef,
        force: bool,
        forget: bool,
    ) -> Result<Outcome, Error> {
        if !Device::is_class(class) {
            return Err(Invalid::new(format!("Unknown device type: {class}")).into());
        }
        let device = match self.device(class, wanted) {
            Err(Error::NotConnected { .. }) if forget && self.is_only_defined(class, wanted) => {
                None
            }
            found => Some(found?),
        };
        if let (Some(domid), Some(device)) = (self.domid, &device) {
            self.core.hypervisor.detach_device(domid, device, force).await?;
        }
        let without = |config: &mut DomainConfig| {
            if let Some(at) = config.device_at(class, wanted.number) {
                config.devices.remove(at);
            }
        };
        if forget || self.domid.is_none() {
            self.reconfigure(without).await?;
        } else {
            self.reconfigure_running(without).await?;
        }
        self.refresh().await
    }

    pub(super) async fn configure(
        &mut self,
        wanted: &DeviceRef,
        to: Device,
    ) -> Result<Outcome, Error> {
        let old = match self.device_to_configure(&to, wanted) {
            // xm attaches the first function or unit by a change of a bus that is not there yet.
            Err(Error::NotConnected { .. }) if parts::adds_parts(&to) => {
                return self.attach(to).await;
            }
            found => found?,
        };
        let wanted =
            &DeviceRef { text: wanted.text.clone(), number: old.id().unwrap_or(wanted.number) };
        let new = match (&old, to) {
            (Device::Block(old), Device::Block(new)) if old.kind == BlockKind::Cdrom => {
                if new.number != old.number {
                    let reason =
                        format!("The drive is {}, the configuration says {}", old.dev, new.dev);
                    return Err(Invalid::new(reason).into());
                }
                let mut drive = old.clone();
                drive.uname = new.uname;
                drive.mode = new.mode;
                drive.vdi = new.vdi;
                Device::Block(drive)
            }
            (Device::Pci(old), Device::Pci(new)) => {
                let changed = parts::change_functions(old, new)?;
                if changed.functions.is_empty() {
                    return self.detach("pci", wanted, false, true).await;
                }
                Device::Pci(changed)
            }
            (Device::Generic(old), Device::Generic(new)) if old.class == parts::SCSI => {
                let changed = parts::change_units(old, &new)?;
                if !parts::has_units(&changed) {
                    return self.detach(parts::SCSI, wanted, false, true).await;
                }
                Device::Generic(changed)
            }
            (Device::Generic(old), Device::Generic(new)) if old.class == parts::USB => {
                Device::Generic(parts::change_ports(old, &new)?)
            }
            (old, _) => {
                let reason = format!(
                    "Refusing to reconfigure device {} {}: only CD-ROM drives and PCI, SCSI and \
                     USB devices change while they are attached",
                    old.class(),
                    wanted.text
                );
                return Err(Invalid::new(reason).into());
            }
        };
        if let Some(at) = self.config.device_at(new.class(), wanted.number) {
            let mut others = DomainConfig::clone(&self.config);
            others.devices.remove(at);
            others.check_room_for(&new)?;
            if let Device::Pci(_) = new {
                others.check_new_device(&new)?;
            }
        }
        if let Some(domid) = self.domid {
            self.core.check_pci_functions(self.uuid, [&new])?;
            self.core.hypervisor.configure_device(domid, &new).await?;
        }
        self.reconfigure(|config| {
            if let Some(at) = config.device_at(new.class(), wanted.number) {
                config.devices[at] = new.clone();
            }
        })
        .await?;
        self.refresh().await
    }

    /// The device that a change is about. A SCSI adapter is named by the number in its units.
    fn device_to_configure(&self, to: &Device, wanted: &DeviceRef) -> Result<Device, Error> {
        if to.class() != parts::SCSI {
            return self.device(to.class(), wanted);
        }
        let is_it = |device: &&Device| {
            device.class() == parts::SCSI && parts::adapter_number(device) == Some(wanted.number)
        };
        let found = self.config.devices.iter().find(is_it).cloned();
        found.ok_or_else(|| Error::not_connected(&wanted.number))
    }

    /// Whether the device was detached from the running domain, and would be back at the next
    /// start.
    fn is_only_defined(&self, class: &str, wanted: &DeviceRef) -> bool {
        let defined = |config: &CompleteConfig| config.device_at(class, wanted.number).is_some();
        self.definition.as_deref().is_some_and(defined)
    }

    fn device(&self, class: &str, wanted: &DeviceRef) -> Result<Device, Error> {
        let at = self.config.device_at(class, wanted.number);
        at.map(|at| self.config.devices[at].clone())
            .ok_or_else(|| not_connected(class, wanted, &self.config.devices))
    }
}

/// The error about a device that is not among these, which names those of its class.
fn not_connected(class: &str, wanted: &DeviceRef, devices: &[Device]) -> Error {
    let is_disk = BlockClass::includes(class);
    let number = VirtualDevice(wanted.number);
    let is_known = wanted.text == wanted.number.to_string() && !number.is_extended();
    let device = if is_disk && !is_known { number.described() } else { number.to_string() };
    let describe = |id| if is_disk { VirtualDevice(id).described() } else { u32::to_string(&id) };
    let of_class = devices.iter().filter(|device| device.has_class(class));
    let mut present: Vec<String> = of_class.filter_map(Device::id).map(describe).collect();
    let present = if present.is_empty() {
        format!("the domain has no {class}")
    } else {
        let rest = present.len().saturating_sub(MAX_PRESENT);
        present.truncate(MAX_PRESENT);
        let and_more = if rest == 0 { String::new() } else { format!(" and {rest} more") };
        format!("the domain has {class} {}{and_more}", present.join(", "))
    };
    Error::NotConnected { device, present }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::model::{Block, Vif};

    #[test]
    fn the_error_about_a_missing_device_names_the_others() {
        let mut devices: Vec<Device> = ["xvda", "xvdz"]
            .map(|dev| Device::Block(Block::disk(dev, "phy:/dev/vg0/a")))
            .into_iter()
            .collect();
        let text = |class: &str, dev: &str, devices: &[Device]| {
            let wanted = DeviceRef::parse(class, dev).unwrap();
            not_connected(class, &wanted, devices).to_string()
        };
        let present = "not connected: the domain has vbd xvda (51712), xvdz (268441856)";
        assert_eq!(text("vbd", "51728", &devices), format!("Device 51728 {present}"));
        assert_eq!(text("vbd", "xvdb", &devices), format!("Device xvdb (51728) {present}"));
        let odd = format!("Device xvdy (268441600) {present}");
        assert_eq!(text("vbd", "268441600", &devices), odd);
        let none = "Device 1 not connected: the domain has no vif";
        assert_eq!(text("vif", "vif1", &devices), none);
        devices.extend((0..10).map(|id| Device::Vif(Vif { id: Some(id), ..Vif::default() })));
        let many = "Device 77 not connected: the domain has vif 0, 1, 2, 3, 4, 5, 6, 7 and 2 more";
        assert_eq!(text("vif", "77", &devices), many);
        let wrong = DeviceRef::parse("vif", "eth0").unwrap_err().to_string();
        assert_eq!(
            wrong,
            "Invalid value for dev: 'eth0' is not the number of a vif, like 0 or vif0"
        );
    }
}
