//! A domain's configuration.

use super::{Block, CpuSet, Device, DomName, Image, Invalid, Notes, Property, Text, Uuid};
use std::fmt;
use std::str::FromStr;

/// The most VCPUs a domain can have: the width of `vcpu_avail`, and Xen's own limit for HVM guests.
pub const MAX_VCPUS: u32 = 128;

/// What happens to a domain whose guest has stopped: `on_poweroff`, `on_reboot` and `on_crash`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnEvent {
    /// The domain is taken away.
    Destroy,
    /// It is taken away and built anew.
    Restart,
    /// It stays as it is, for inspection.
    Preserve,
    /// It stays under another name, and a new one takes its name.
    RenameRestart,
    /// Its memory is written to a file, then it is taken away.
    CoredumpDestroy,
    /// Its memory is written to a file, then it is built anew.
    CoredumpRestart,
}

impl OnEvent {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Destroy,
        Self::Restart,
        Self::Preserve,
        Self::RenameRestart,
        Self::CoredumpDestroy,
        Self::CoredumpRestart,
    ];

    /// xend's word for it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Destroy => "destroy",
            Self::Restart => "restart",
            Self::Preserve => "preserve",
            Self::RenameRestart => "rename-restart",
            Self::CoredumpDestroy => "coredump-destroy",
            Self::CoredumpRestart => "coredump-restart",
        }
    }
}

impl fmt::Display for OnEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for OnEvent {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        Self::ALL.into_iter().find(|mode| mode.name() == text).ok_or_else(|| {
            Invalid::new(format!(
                "Invalid event handling mode {text:?}, use {}",
                Self::ALL.map(Self::name).join(", ")
            ))
        })
    }
}

/// What happens to a managed domain when xend starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnXendStart {
    /// Nothing.
    #[default]
    Ignore,
    /// It is started.
    Start,
}

impl OnXendStart {
    /// xend's word for it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ignore => "ignore",
            Self::Start => "start",
        }
    }
}

impl FromStr for OnXendStart {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        match text {
            "ignore" => Ok(Self::Ignore),
            "start" => Ok(Self::Start),
            _ => Err(Invalid::new(format!("{text:?} is not one of ignore, start"))),
        }
    }
}

/// What happens to a managed domain when the host stops.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnXendStop {
    /// Nothing.
    #[default]
    Ignore,
    /// The guest is asked to shut down.
    Shutdown,
    /// The domain is suspended to disk.
    Suspend,
}

impl OnXendStop {
    /// xend's word for it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ignore => "ignore",
            Self::Shutdown => "shutdown",
            Self::Suspend => "suspend",
        }
    }
}

impl FromStr for OnXendStop {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        match text {
            "ignore" => Ok(Self::Ignore),
            "shutdown" => Ok(Self::Shutdown),
            "suspend" => Ok(Self::Suspend),
            _ => Err(Invalid::new(format!("{text:?} is not one of ignore, shutdown, suspend"))),
        }
    }
}

/// Everything that a domain was asked to be. What it is at the moment is [`super::DomainFacts`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DomainConfig {
    /// The name.
    pub name: DomName,
    /// The UUID; none until the engine made one up.
    pub uuid: Option<Uuid>,
    /// The memory that the guest is to have, in MiB.
    pub memory: u64,
    /// The memory that it can be given while it runs, in MiB; never below `memory`.
    pub maxmem: u64,
    /// Memory for shadow page tables, in MiB.
    pub shadow_memory: u64,
    /// The number of VCPUs, 1 to [`MAX_VCPUS`].
    pub vcpus: u32,
    /// Which of the VCPUs are online at the start, as a bit mask.
    pub vcpu_avail: u128,
    /// Each VCPU's affinity; always `vcpus` long.
    pub cpus: Vec<CpuSet>,
    /// The credit scheduler's weight.
    pub cpu_weight: u16,
    /// The credit scheduler's cap in percent of one CPU, 0 for none.
    pub cpu_cap: u16,
    /// The CPU pool.
    pub pool_name: Text,
    /// The boot loader's path.
    pub bootloader: Text,
    /// The boot loader's arguments.
    pub bootloader_args: Text,
    /// What happens after a poweroff or halt.
    pub on_poweroff: OnEvent,
    /// What happens after a reboot.
    pub on_reboot: OnEvent,
    /// What happens after a crash.
    pub on_crash: OnEvent,
    /// What happens when xend starts.
    pub on_xend_start: OnXendStart,
    /// What happens when the host stops.
    pub on_xend_stop: OnXendStop,
    /// Free text.
    pub description: Text,
    /// Features that the guest's kernel must have.
    pub features: Text,
    /// What it boots; none for a boot loader that says so itself.
    pub image: Option<Image>,
    /// Its devices, in order.
    pub devices: Vec<Device>,
    /// SEDF parameters that were set on a host whose scheduler has no such thing, kept to be given
    /// back.
    pub sedf: Option<super::SedfParams>,
    /// What clients of the Xen-API noted on it.
    pub notes: Notes,
    /// How many times the domain was built anew after its guest had stopped.
    pub restarts: u32,
    /// Keys that nobody knows.
    pub rest: Vec<Property>,
}

impl DomainConfig {
    /// Parameters of the credit scheduler that a domain has if nobody said anything.
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
            pool_name: "Pool-0".into(),
            bootloader: Text::default(),
            bootloader_args: Text::default(),
            on_poweroff: OnEvent::Destroy,
            on_reboot: OnEvent::Restart,
            on_crash: OnEvent::Restart,
            on_xend_start: OnXendStart::default(),
            on_xend_stop: OnXendStop::default(),
            description: Text::default(),
            features: Text::default(),
            image: None,
            devices: Vec::new(),
            sedf: None,
            notes: Notes::default(),
            restarts: 0,
            rest: Vec::new(),
        }
    }

    /// Gives the domain `count` VCPUs: all of them online, those that are new without an affinity.
    pub fn set_vcpus(&mut self, count: u32) {
        self.vcpus = count.clamp(1, MAX_VCPUS);
        self.vcpu_avail = Self::vcpu_mask(self.vcpus);
        self.cpus.resize_with(self.vcpus as usize, CpuSet::default);
    }

    /// The first `count` VCPUs, 1 at least, as a bit mask.
    pub fn vcpu_mask(count: u32) -> u128 {
        u128::MAX >> (u128::BITS - count.clamp(1, MAX_VCPUS))
    }

    /// What is checked over several fields at once. Names the field at fault.
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
        let most = self.vcpus * 100;
        if u32::from(self.cpu_cap) > most {
            return fail(format!(
                "cpu_cap: {} is out of range, 0 to {most} for {} VCPUs (100 is one CPU)",
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

    /// Whether the domain has such a device already: a block device of the same name, an interface
    /// with the same address.
    pub fn check_new_device(&self, device: &Device) -> Result<(), Invalid> {
        let taken = |what: &dyn fmt::Display| {
            Err(Invalid::new(format!("The device \"{what}\" is already defined")))
        };
        for old in &self.devices {
            match (device, old) {
                (Device::Block(new), Device::Block(old)) => {
                    if new.number == old.number {
                        return taken(&new.dev);
                    }
                    let shared = |block: &Block| block.mode != super::BlockMode::ReadWrite;
                    if !new.uname.is_empty()
                        && new.uname == old.uname
                        && !(shared(new) && shared(old))
                    {
                        let path = bstr::BStr::new(new.path());
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

    /// Gives every device that has none a number of its own within its class.
    pub fn number_devices(&mut self) {
        for n in 0..self.devices.len() {
            if self.devices[n].id().is_none() {
                let class = self.devices[n].class().to_owned();
                let id = self.next_device_id(&class);
                self.devices[n].set_id(id);
            }
        }
    }

    /// The number of the next device of a class: one more than the highest.
    pub fn next_device_id(&self, class: &str) -> u32 {
        let ids =
            self.devices.iter().filter(|device| device.class() == class).filter_map(Device::id);
        ids.max().map_or(0, |id| id.saturating_add(1))
    }

    /// Where the device is that a class and a number mean.
    pub fn device_at(&self, class: &str, id: u32) -> Option<usize> {
        self.devices.iter().position(|device| device.is_of(class) && device.id() == Some(id))
    }

    /// Takes over the secrets and notes of an earlier configuration that this one has no word
    /// about: answers hold none, and an answer that is echoed back as a configuration must not lose
    /// them.
    pub fn keep_unsaid(&mut self, earlier: &Self) {
        if self.notes.is_empty() {
            self.notes = earlier.notes.clone();
        }
        keep(&mut self.rest, &earlier.rest);
        if let (Some(new), Some(old)) = (&mut self.image, &earlier.image) {
            keep(&mut new.rest, &old.rest);
        }
        for old in &earlier.devices {
            let uuid = old.uuid();
            if let Some(new) =
                self.devices.iter_mut().find(|new| uuid.is_some() && new.uuid() == uuid)
            {
                keep(new.rest_mut(), old.rest());
            }
        }
    }

    /// Whether one of its disks is this image, or what is behind it.
    pub fn uses_vdi(&self, vdi: Uuid, uname: &Text) -> bool {
        let disks = self.devices.iter().filter_map(Device::as_block);
        disks.into_iter().any(|block| {
            block.vdi.map_or(!uname.is_empty() && block.uname == *uname, |one| one == vdi)
        })
    }

    /// Whether one of its interfaces is on this bridge.
    pub fn is_on_bridge(&self, bridge: &str) -> bool {
        let on = |device: &Device| matches!(device, Device::Vif(vif) if vif.bridge.as_ref().is_some_and(|b| b == bridge));
        self.devices.iter().any(on)
    }

    /// Whether its definition is forgotten when it has been started: `xm create` in its Xen-API
    /// mode asks for that.
    pub fn is_transient(&self) -> bool {
        self.notes
            .entry("other_config", "transient")
            .is_some_and(|word| word.eq_ignore_ascii_case("true"))
    }

    /// Whether this is a fully virtualised guest.
    pub fn is_hvm(&self) -> bool {
        self.image.as_ref().is_some_and(|image| image.kind == super::GuestKind::Hvm)
    }
}

fn keep(new: &mut Vec<Property>, old: &[Property]) {
    let lost: Vec<_> = old
        .iter()
        .filter(|old| old.is_secret() && !new.iter().any(|new| new.key == old.key))
        .cloned()
        .collect();
    new.extend(lost);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::model::{Vfb, Vif};

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
        echoed.keep_unsaid(&earlier);
        assert_eq!(
            echoed.devices,
            [vfb(vec![Property::new("vnc", "0"), Property::new("vncpasswd", "x")])]
        );
    }
}
