//! A domain's configuration.

use super::actions::{ActionOnShutdown, OnXendStart, OnXendStop};
use super::client_data::ClientData;
use super::cpu_set::CpuSet;
use super::device::{Device, Vfb};
use super::devices::{self, defined_already};
use super::ids::{DomName, Uuid};
use super::image::{GuestKind, Image};
use super::invalid::Invalid;
use super::pci::PciDevice;
use super::pool::PoolFacts;
use super::property::Property;
use super::sched::SedfParams;
use super::text::Text;
use super::xenstore_data::XenstoreData;
use std::collections::{HashMap, HashSet};

/// The largest number of VCPUs of a domain: the width of `vcpu_avail`, and Xen's own limit for HVM
/// guests.
pub const MAX_VCPUS: u32 = 128;

/// The requested configuration of a domain. Its present state is in
/// [`DomainFacts`](super::facts::DomainFacts).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
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

    /// The most memory in MiB. Domain-0's `maxmem` is 16777215 when it has no limit.
    pub const MAX_MEMORY: u64 = 1 << 32;

    /// The most devices. Xen and libxl have no limit but for PCI functions
    /// ([`PciDevice::MAX_FUNCTIONS`]); of each other class a guest drives a few hundred at most.
    pub const MAX_DEVICES: usize = 1024;

    /// The most keys and values that are not interpreted, in all lists together. A configuration
    /// with that many is copied in about a millisecond.
    pub const MAX_VALUES: usize = 16_384;

    /// The most CPUs that the affinities of all VCPUs name together, which answers list one by one:
    /// enough for [`MAX_VCPUS`] VCPUs that name 1024 each. An empty affinity is any CPU.
    pub const MAX_NAMED_CPUS: usize = 131_072;

    /// The frame buffer that the domain's screen shows: a domain has one screen, whose device is
    /// the first.
    pub fn frame_buffer(&self) -> Option<&Vfb> {
        self.devices.iter().find_map(|device| match device {
            Device::Vfb(vfb) => Some(vfb),
            _ => None,
        })
    }

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
        self.check_size()?;
        Self::check_memory("memory", self.memory)?;
        Self::check_memory("maxmem", self.maxmem)?;
        Self::check_memory("shadow_memory", self.shadow_memory)?;
        if let Some(sedf) = &self.sedf {
            sedf.check()?;
        }
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
        devices::check(&self.devices)
    }

    /// Refuses a configuration that is too large. All work with it can then be done in a few
    /// milliseconds, whatever a client sends.
    fn check_size(&self) -> Result<(), Invalid> {
        Self::check_device_count(self.devices.len())?;
        let named = self.named_cpus();
        if named > Self::MAX_NAMED_CPUS {
            let most = Self::MAX_NAMED_CPUS;
            return Err(Invalid::new(format!(
                "cpus: the VCPUs name {named} CPUs together, at most {most}, leave it out for any \
                 CPU"
            )));
        }
        Self::check_value_count(self.values())?;
        self.client_data.check_size()
    }

    /// Refuses more memory in MiB than any domain can have. `field` names the amount in the error.
    pub fn check_memory(field: &str, mib: u64) -> Result<(), Invalid> {
        if mib <= Self::MAX_MEMORY {
            return Ok(());
        }
        let most = Self::MAX_MEMORY;
        Err(Invalid::new(format!("{field}: {mib} MiB is out of range, 0 to {most} MiB")))
    }

    /// Refuses more devices than a domain can have.
    pub fn check_device_count(devices: usize) -> Result<(), Invalid> {
        if devices <= Self::MAX_DEVICES {
            return Ok(());
        }
        let most = Self::MAX_DEVICES;
        Err(Invalid::new(format!("device: {devices} devices are too many, at most {most}")))
    }

    fn check_value_count(values: usize) -> Result<(), Invalid> {
        if values <= Self::MAX_VALUES {
            return Ok(());
        }
        let most = Self::MAX_VALUES;
        Err(Invalid::new(format!(
            "configuration: {values} keys and values of its own are too many, at most {most}"
        )))
    }

    /// The number of keys and values that are not interpreted.
    fn values(&self) -> usize {
        let image = self.image.as_ref().map_or(0, |image| Property::count(&image.rest));
        let devices: usize = self.devices.iter().map(Device::values).sum();
        Property::count(&self.rest) + image + devices
    }

    fn named_cpus(&self) -> usize {
        self.cpus.iter().map(CpuSet::len).sum()
    }

    /// About how many bytes the text of the configuration has, as far as its lists decide it.
    pub fn text_size(&self) -> usize {
        const DEVICE: usize = 256;
        const VALUE: usize = 16;
        const CPU: usize = 4;
        self.devices.len() * DEVICE + self.values() * VALUE + self.named_cpus() * CPU
    }

    /// Refuses a device for which there is no room beside those of this configuration.
    pub fn check_room_for(&self, device: &Device) -> Result<(), Invalid> {
        Self::check_device_count(self.devices.len() + 1)?;
        Self::check_value_count(self.values() + device.values())?;
        let pci = self.devices.iter().chain([device]).filter_map(Device::as_pci);
        PciDevice::check_count(pci.map(|pci| pci.functions.len()).sum())
    }

    /// Refuses a device that collides with one of this configuration: a block device with the same
    /// name or source, a network interface with the same address, a PCI device with the same
    /// function. Refuses one for which there is no room, too.
    pub fn check_new_device(&self, device: &Device) -> Result<(), Invalid> {
        self.check_room_for(device)?;
        for old in &self.devices {
            match (device, old) {
                (Device::Block(new), Device::Block(old)) => {
                    if new.number == old.number {
                        return Err(defined_already(&new.dev).taken());
                    }
                    if devices::collide(new, old) {
                        return Err(devices::used_already(new).taken());
                    }
                }
                (Device::Vif(new), Device::Vif(old)) => {
                    if let Some(mac) = new.mac.filter(|mac| old.mac == Some(*mac)) {
                        return Err(defined_already(&mac).taken());
                    }
                }
                (Device::Pci(new), Device::Pci(old)) => {
                    if let Some(address) = new.shared_with(old) {
                        return Err(defined_already(&address).taken());
                    }
                }
                _ => {}
            }
        }
        if let Device::Pci(pci) = device { pci.check() } else { Ok(()) }
    }

    /// Refuses what two devices would spoil for each other: an image that one of two disks writes,
    /// and a MAC address. [`check`](Self::check) does not: a domain of another toolstack, or one
    /// that was defined before, may have them.
    pub fn check_shared(&self) -> Result<(), Invalid> {
        devices::check_shared(&self.devices)
    }

    /// Assigns a number within its class to each device that has none.
    pub fn number_devices(&mut self) {
        devices::assign_numbers(&mut self.devices);
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
    /// them. Fails if there is no room for all nodes of XenStore that answers do not show.
    pub fn inherit_missing(&mut self, earlier: &Self) -> Result<(), Invalid> {
        self.xenstore_data.inherit_hidden(&earlier.xenstore_data)?;
        if self.client_data.is_empty() {
            self.client_data = earlier.client_data.clone();
        }
        keep_secrets(&mut self.rest, &earlier.rest);
        if let (Some(new), Some(old)) = (&mut self.image, &earlier.image) {
            keep_secrets(&mut new.rest, &old.rest);
        }
        let mut places = HashMap::new();
        for (place, device) in self.devices.iter().enumerate() {
            if let Some(uuid) = device.uuid() {
                places.entry(uuid).or_insert(place);
            }
        }
        for old in &earlier.devices {
            let place = old.uuid().and_then(|uuid| places.get(&uuid));
            if let Some(new) = place.and_then(|place| self.devices.get_mut(*place)) {
                keep_secrets(new.rest_mut(), old.rest());
            }
        }
        Ok(())
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
    let known: HashSet<&Text> = new.iter().map(|property| &property.key).collect();
    let is_missing = |old: &&Property| old.is_secret() && !known.contains(&old.key);
    let missing: Vec<_> = old.iter().filter(is_missing).cloned().collect();
    new.extend(missing);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::model::device::{Vfb, Vif};
    use std::time::Duration;

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

    fn refusal(change: impl FnOnce(&mut DomainConfig)) -> String {
        let mut config = DomainConfig::new(DomName::new("a").unwrap(), 64);
        change(&mut config);
        config.check().unwrap_err().to_string()
    }

    #[test]
    fn sizes_and_times_have_bounds() {
        let memory = refusal(|config| config.maxmem = (1 << 32) + 1);
        assert_eq!(memory, "maxmem: 4294967297 MiB is out of range, 0 to 4294967296 MiB");
        let shadow = refusal(|config| config.shadow_memory = u64::MAX);
        assert!(shadow.starts_with("shadow_memory: "), "{shadow}");
        let day = SedfParams::MAX_TIME;
        let sedf = |slice| SedfParams {
            period: day,
            slice,
            latency: Duration::ZERO,
            extratime: false,
            weight: 0,
        };
        let mut config = DomainConfig::new(DomName::new("a").unwrap(), 1 << 32);
        config.sedf = Some(sedf(day));
        config.check().unwrap();
        let late = refusal(|config| config.sedf = Some(sedf(day + Duration::from_nanos(1))));
        assert_eq!(late, "sedf slice: 86400000000001 ns is out of range, 0 to 86400000000000 ns");
    }

    #[test]
    fn a_configuration_has_bounds() {
        let many = refusal(|config| config.devices = vec![Device::Vif(Vif::default()); 1025]);
        assert_eq!(many, "device: 1025 devices are too many, at most 1024");
        let pair = Property::new("k", "v");
        let expected =
            "configuration: 16386 keys and values of its own are too many, at most 16384";
        assert_eq!(refusal(|config| config.rest = vec![pair.clone(); 8193]), expected);
        let vfb = |count| Device::Vfb(Vfb { rest: vec![pair.clone(); count], ..Vfb::default() });
        let together = refusal(|config| {
            config.rest = vec![pair.clone(); 4000];
            config.devices = vec![vfb(4000), vfb(193)];
        });
        assert_eq!(together, expected);
        let named = refusal(|config| {
            config.set_vcpus(33);
            config.cpus.fill(CpuSet::first(4096));
        });
        assert!(named.starts_with("cpus: the VCPUs name 135168 CPUs together, at most 131072"));

        let mut largest = DomainConfig::new(DomName::new("a").unwrap(), 64);
        largest.devices = vec![Device::Vif(Vif::default()); 1023];
        largest.rest = vec![pair.clone(); 8191];
        largest.set_vcpus(32);
        largest.cpus.fill(CpuSet::first(4096));
        largest.check().unwrap();
        let no_room = |device| largest.check_new_device(&device).unwrap_err().to_string();
        assert_eq!(no_room(vfb(2)), expected);
        largest.check_new_device(&vfb(1)).unwrap();
        largest.devices.push(vfb(1));
        largest.check().unwrap();
        let no_place = largest.check_new_device(&Device::Vif(Vif::default())).unwrap_err();
        assert_eq!(no_place.to_string(), many);
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
        echoed.inherit_missing(&earlier).unwrap();
        assert_eq!(
            echoed.devices,
            [vfb(vec![Property::new("vnc", "0"), Property::new("vncpasswd", "x")])]
        );
    }

    /// They are not dropped in silence.
    #[test]
    fn hidden_nodes_without_room_are_an_error() {
        let mut earlier = DomainConfig::new(DomName::new("a").unwrap(), 64);
        let mut echoed = earlier.clone();
        earlier.xenstore_data.set("vm-data/admin/password", Some("x".into())).unwrap();
        for n in 0..XenstoreData::MAX_NODES {
            echoed.xenstore_data.set(&format!("vm-data/{n}"), Some("x".into())).unwrap();
        }
        let error = echoed.inherit_missing(&earlier).unwrap_err();
        assert_eq!(error.to_string(), "xenstore_data: a domain has at most 256 nodes");
        echoed.xenstore_data.set("vm-data/0", None).unwrap();
        echoed.inherit_missing(&earlier).unwrap();
        assert_eq!(echoed.xenstore_data.iter().count(), XenstoreData::MAX_NODES);
    }
}
