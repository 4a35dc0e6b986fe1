//! A domain's configuration.

use super::actions::{ActionOnShutdown, OnXendStart, OnXendStop};
use super::block::{Block, BlockMode};
use super::client_data::ClientData;
use super::cpu_set::CpuSet;
use super::device::Device;
use super::ids::{DomName, Uuid};
use super::image::{GuestKind, Image};
use super::invalid::Invalid;
use super::pool::PoolFacts;
use super::property::Property;
use super::sched::SedfParams;
use super::text::Text;
use super::xenstore_data::XenstoreData;
use bstr::BStr;
use std::fmt;

/// The largest number of VCPUs of a domain: the width of `vcpu_avail`, and Xen's own limit for HVM
/// guests.
pub const MAX_VCPUS: u32 = 128;

/// The requested configuration of a domain. Its present state is in
/// [`DomainFacts`](super::facts::DomainFacts).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DomainConfig {
    pub name: DomName,
    /// `None` until the engine assigns one.
    pub uuid: Option<Uuid>,
    /// The memory target in MiB.
    pub memory: u64,
    /// The largest memory target in MiB while the domain runs; never below `memory`.
    pub maxmem: u64,
    /// Memory for shadow page tables, in MiB.
    pub shadow_memory: u64,
    /// 1 to [`MAX_VCPUS`].
    pub vcpus: u32,
    /// The VCPUs that are online at the start, as a bit mask.
    pub vcpu_avail: u128,
    /// The affinity of each VCPU; always `vcpus` long.
    pub cpus: Vec<CpuSet>,
    /// The credit scheduler's weight.
    pub cpu_weight: u16,
    /// The credit scheduler's cap in percent of one CPU, 0 for none.
    pub cpu_cap: u16,
    pub pool_name: Text,
    /// A path.
    pub bootloader: Text,
    pub bootloader_args: Text,
    /// The action after a poweroff or halt.
    pub on_poweroff: ActionOnShutdown,
    pub on_reboot: ActionOnShutdown,
    pub on_crash: ActionOnShutdown,
    pub on_xend_start: OnXendStart,
    /// The action when the host stops.
    pub on_xend_stop: OnXendStop,
    pub description: Text,
    /// Features that the guest's kernel must have.
    pub features: Text,
    /// The kernel or firmware; `None` if the boot loader chooses it.
    pub image: Option<Image>,
    /// In the order of the configuration.
    pub devices: Vec<Device>,
    /// SEDF parameters that were set on a host with another scheduler, kept to be given back.
    pub sedf: Option<SedfParams>,
    /// Data of Xen-API clients: `other_config`, ...
    pub client_data: ClientData,
    /// What is written into XenStore before the guest starts.
    pub xenstore_data: XenstoreData,
    /// The number of times that the domain was built again after its guest had stopped.
    pub restarts: u32,
    /// Uninterpreted keys.
    pub rest: Vec<Property>,
}

impl DomainConfig {
    /// The default weight of Xen's credit schedulers.
    pub const DEFAULT_WEIGHT: u16 = 256;

    /// A configuration with xend's defaults: one VCPU, credit weight 256, destroy on poweroff,
    /// restart otherwise.
    pub fn new(name: DomName, memory: u64) -> Self {
        Self {
            name,
            uuid: None,
            memory,
            maxmem: memory,
            shadow_memory: 0,
            vcpus: 1,
            vcpu_avail: 1,
            cpus: vec![CpuSet::default()],
            cpu_weight: Self::DEFAULT_WEIGHT,
            cpu_cap: 0,
            pool_name: PoolFacts::FIRST.into(),
            bootloader: Text::default(),
            bootloader_args: Text::default(),
            on_poweroff: ActionOnShutdown::Destroy,
            on_reboot: ActionOnShutdown::Restart,
            on_crash: ActionOnShutdown::Restart,
            on_xend_start: OnXendStart::default(),
            on_xend_stop: OnXendStop::default(),
            description: Text::default(),
            features: Text::default(),
            image: None,
            devices: Vec::new(),
            sedf: None,
            client_data: ClientData::default(),
            xenstore_data: XenstoreData::default(),
            restarts: 0,
            rest: Vec::new(),
        }
    }

    /// Sets the number of VCPUs. All of them are online; additional ones have no affinity.
    pub fn set_vcpus(&mut self, count: u32) {
        self.vcpus = count.clamp(1, MAX_VCPUS);
        self.vcpu_avail = Self::vcpu_mask(self.vcpus);
        self.cpus.resize_with(self.vcpus as usize, CpuSet::default);
    }

    /// A bit mask of the first `count` VCPUs, at least one.
    pub fn vcpu_mask(count: u32) -> u128 {
        u128::MAX >> (u128::BITS - count.clamp(1, MAX_VCPUS))
    }

    /// Checks the rules that span several fields. The error names the field at fault.
    pub fn check(&self) -> Result<(), Invalid> {
        let fail = |text: String| Err(Invalid::new(text));
        if self.memory == 0 {
            return fail("memory must be greater than zero MiB".into());
        }
        if self.maxmem < self.memory {
            return fail(format!(
                "maxmem: {} MiB is less than memory, {} MiB",
                self.maxmem, self.memory
            ));
        }
        let highest = self.vcpus * 100;
        if u32::from(self.cpu_cap) > highest {
            return fail(format!(
                "cpu_cap: {} is out of range, 0 to {highest} for {} VCPUs (100 is one CPU)",
                self.cpu_cap, self.vcpus
            ));
        }
        for (n, device) in self.devices.iter().enumerate() {
            let Device::Pci(pci) = device else { continue };
            pci.check()?;
            let mut others = self.devices[..n].iter().filter_map(Device::as_pci);
            if let Some(address) = others.find_map(|other| pci.shared_with(other)) {
                return fail(format!("The device \"{address}\" is already defined"));
            }
        }
        let blocks: Vec<&Block> = self.devices.iter().filter_map(Device::as_block).collect();
        for (n, block) in blocks.iter().enumerate() {
            if blocks[..n].iter().any(|other| other.number == block.number) {
                return fail(format!("The device \"{}\" is already defined", block.dev));
            }
        }
        Ok(())
    }

    /// Refuses a device that collides with one of this configuration: a block device with the same
    /// name or source, a network interface with the same address, a PCI device with the same
    /// function.
    pub fn check_new_device(&self, device: &Device) -> Result<(), Invalid> {
        let taken = |name: &dyn fmt::Display| {
            Err(Invalid::new(format!("The device \"{name}\" is already defined")))
        };
        for old in &self.devices {
            match (device, old) {
                (Device::Block(new), Device::Block(old)) => {
                    if new.number == old.number {
                        return taken(&new.dev);
                    }
                    let shared = |block: &Block| block.mode != BlockMode::ReadWrite;
                    if !new.uname.is_empty()
                        && new.uname == old.uname
                        && !(shared(new) && shared(old))
                    {
                        let path = BStr::new(new.path());
                        return Err(Invalid::new(format!("The file \"{path}\" is already used")));
                    }
                }
                (Device::Vif(new), Device::Vif(old)) => {
                    if let Some(mac) = new.mac.filter(|mac| old.mac == Some(*mac)) {
                        return taken(&mac);
                    }
                }
                (Device::Pci(new), Device::Pci(old)) => {
                    if let Some(address) = new.shared_with(old) {
                        return taken(&address);
                    }
                }
                _ => {}
            }
        }
        if let Device::Pci(pci) = device { pci.check() } else { Ok(()) }
    }

    /// Assigns a number within its class to each device that has none.
    pub fn number_devices(&mut self) {
        for n in 0..self.devices.len() {
            if self.devices[n].id().is_none() {
                let class = self.devices[n].class().to_owned();
                let id = self.next_device_id(&class);
                self.devices[n].set_id(id);
            }
        }
    }

    /// The number for the next device of a class: one more than the highest.
    pub fn next_device_id(&self, class: &str) -> u32 {
        let ids =
            self.devices.iter().filter(|device| device.class() == class).filter_map(Device::id);
        ids.max().map_or(0, |id| id.saturating_add(1))
    }

    /// The index of the device with this class and number.
    pub fn device_at(&self, class: &str, id: u32) -> Option<usize> {
        self.devices.iter().position(|device| device.has_class(class) && device.id() == Some(id))
    }

    /// Takes over passwords and notes of an earlier configuration that are missing here. Answers
    /// contain neither, and a client that sends an answer back as a configuration must not lose
    /// them.
    pub fn inherit_missing(&mut self, earlier: &Self) {
        if self.client_data.is_empty() {
            self.client_data = earlier.client_data.clone();
        }
        // Those beyond the limit are lost: with them the configuration could not be read again.
        let _ = self.xenstore_data.inherit_hidden(&earlier.xenstore_data);
        keep_secrets(&mut self.rest, &earlier.rest);
        if let (Some(new), Some(old)) = (&mut self.image, &earlier.image) {
            keep_secrets(&mut new.rest, &old.rest);
        }
        for old in &earlier.devices {
            let uuid = old.uuid();
            if let Some(new) =
                self.devices.iter_mut().find(|new| uuid.is_some() && new.uuid() == uuid)
            {
                keep_secrets(new.rest_mut(), old.rest());
            }
        }
    }

    /// Whether one of the disks uses this disk image or its file.
    pub fn uses_vdi(&self, vdi: Uuid, uname: &Text) -> bool {
        self.devices.iter().filter_map(Device::as_block).any(|block| {
            block.vdi.map_or(!uname.is_empty() && block.uname == *uname, |used| used == vdi)
        })
    }

    /// Whether one of the network interfaces is on this bridge.
    pub fn is_on_bridge(&self, bridge: &str) -> bool {
        self.devices.iter().any(|device| match device {
            Device::Vif(vif) => vif.bridge.as_ref().is_some_and(|name| name == bridge),
            _ => false,
        })
    }

    /// Whether the definition is deleted once the domain has started, as `xm create` asks for in
    /// its Xen-API mode.
    pub fn is_transient(&self) -> bool {
        self.client_data
            .entry("other_config", "transient")
            .is_some_and(|word| word.eq_ignore_ascii_case("true"))
    }

    /// Whether the guest is fully virtualised.
    pub fn is_hvm(&self) -> bool {
        self.image.as_ref().is_some_and(|image| image.kind == GuestKind::Hvm)
    }
}

/// Copies the passwords whose keys `new` does not have.
fn keep_secrets(new: &mut Vec<Property>, old: &[Property]) {
    let missing: Vec<_> = old
        .iter()
        .filter(|old| old.is_secret() && !new.iter().any(|new| new.key == old.key))
        .cloned()
        .collect();
    new.extend(missing);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::model::device::{Vfb, Vif};

    #[test]
    fn devices_are_numbered_within_their_class() {
        let mut config = DomainConfig::new(DomName::new("a").unwrap(), 64);
        config.devices = vec![
            Device::Vif(Vif::default()),
            Device::Vfb(Vfb::default()),
            Device::Vif(Vif { id: Some(4), ..Vif::default() }),
            Device::Vif(Vif::default()),
        ];
        config.number_devices();
        assert_eq!(
            config.devices.iter().map(|d| d.id().unwrap()).collect::<Vec<_>>(),
            [5, 0, 4, 6]
        );
        assert_eq!((config.device_at("vif", 4), config.device_at("vfb", 4)), (Some(2), None));
    }

    #[test]
    fn an_echoed_configuration_loses_no_password() {
        let uuid = Some(Uuid::from_u128(7));
        let vfb = |rest| Device::Vfb(Vfb { uuid, id: None, rest });
        let mut earlier = DomainConfig::new(DomName::new("a").unwrap(), 64);
        let mut echoed = earlier.clone();
        earlier.devices =
            vec![vfb(vec![Property::new("vnc", "1"), Property::new("vncpasswd", "x")])];
        echoed.devices = vec![vfb(vec![Property::new("vnc", "0")])];
        echoed.inherit_missing(&earlier);
        assert_eq!(
            echoed.devices,
            [vfb(vec![Property::new("vnc", "0"), Property::new("vncpasswd", "x")])]
        );
    }
}
