//! One thing of a domain's configuration, to be changed.

use super::{
    Device, DomainConfig, GuestKind, Image, Invalid, MAX_VCPUS, NoteChange, OnEvent, OnXendStart,
    Property, Text,
};

/// What can be set of a domain's configuration without anything being done to what runs of it: it
/// counts from the next start, or has no effect at all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Setting {
    /// Free text.
    Description(Text),
    /// What happens when xend starts.
    OnXendStart(OnXendStart),
    /// What happens after a poweroff.
    OnPoweroff(OnEvent),
    /// What happens after a reboot.
    OnReboot(OnEvent),
    /// What happens after a crash.
    OnCrash(OnEvent),
    /// The number of VCPUs; all of them are online.
    Vcpus(u32),
    /// How many of them are online at the start.
    OnlineVcpus(u32),
    /// The CPU pool.
    Pool(Text),
    /// The boot loader's path.
    Bootloader(Text),
    /// The boot loader's arguments.
    BootloaderArgs(Text),
    /// The kernel's path.
    Kernel(Text),
    /// The initial RAM disk's path.
    Ramdisk(Option<Text>),
    /// The kernel's command line.
    Args(Text),
    /// Whether the guest has firmware and emulated devices.
    Hvm(bool),
    /// A key of the image: `acpi`, `boot`, ...
    Platform(Text, Option<Text>),
    /// Something that is noted.
    Note(NoteChange),
    /// A device, in the place of the one with the same UUID.
    Device(Box<Device>),
}

impl Setting {
    /// Whether it would make a running domain's configuration something else than what runs.
    pub const fn is_for_halted(&self) -> bool {
        matches!(self, Self::Vcpus(_) | Self::OnlineVcpus(_) | Self::Pool(_) | Self::Hvm(_))
    }

    /// Whether there is something to be set in a configuration: a device has to be in it.
    pub fn concerns(&self, config: &DomainConfig) -> bool {
        let Self::Device(device) = self else { return true };
        device.uuid().is_some() && config.devices.iter().any(|one| one.uuid() == device.uuid())
    }

    /// Sets it. A configuration that then makes no sense is refused and left as it was.
    pub fn apply(&self, to: &mut DomainConfig) -> Result<(), Invalid> {
        let mut config = to.clone();
        match self.clone() {
            Self::Description(text) => config.description = text,
            Self::OnXendStart(on) => config.on_xend_start = on,
            Self::OnPoweroff(on) => config.on_poweroff = on,
            Self::OnReboot(on) => config.on_reboot = on,
            Self::OnCrash(on) => config.on_crash = on,
            Self::Vcpus(count) if !(1..=MAX_VCPUS).contains(&count) => {
                return Err(Invalid::new(format!(
                    "vcpus: {count} is out of range, 1 to {MAX_VCPUS}"
                )));
            }
            Self::Vcpus(count) => config.set_vcpus(count),
            Self::OnlineVcpus(count) if !(1..=config.vcpus).contains(&count) => {
                return Err(Invalid::new(format!(
                    "vcpu_avail: {count} is out of range, 1 to {}",
                    config.vcpus
                )));
            }
            Self::OnlineVcpus(count) => config.vcpu_avail = DomainConfig::vcpu_mask(count),
            Self::Pool(name) => config.pool_name = name,
            Self::Bootloader(path) => config.bootloader = path,
            Self::BootloaderArgs(args) => config.bootloader_args = args,
            Self::Kernel(path) => image(&mut config).kernel = path,
            Self::Ramdisk(path) => image(&mut config).ramdisk = path,
            Self::Args(args) => image(&mut config).args = args,
            Self::Hvm(hvm) => {
                let image = image(&mut config);
                if (image.kind == GuestKind::Hvm) != hvm {
                    image.kind = if hvm { GuestKind::Hvm } else { GuestKind::Pv };
                    image.builder = if hvm { "hvm" } else { "linux" }.into();
                }
            }
            Self::Platform(key, value) => {
                let rest = &mut image(&mut config).rest;
                rest.retain(|property| property.key != key);
                rest.extend(value.map(|value| Property::new(key, value)));
            }
            Self::Note(change) => change.apply(&mut config.notes)?,
            Self::Device(device) => {
                let uuid = device.uuid();
                let slot =
                    config.devices.iter_mut().find(|one| uuid.is_some() && one.uuid() == uuid);
                let slot =
                    slot.ok_or_else(|| Invalid::new("device: the domain has none with this UUID"))?;
                *slot = *device;
            }
        }
        config.check()?;
        *to = config;
        Ok(())
    }
}

/// The image, which begins as a paravirtual guest's.
fn image(config: &mut DomainConfig) -> &mut Image {
    config.image.get_or_insert_with(|| Image {
        kind: GuestKind::Pv,
        builder: "linux".into(),
        kernel: Text::default(),
        ramdisk: None,
        args: Text::default(),
        loader: None,
        device_model: None,
        rest: Vec::new(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::model::DomName;

    #[test]
    fn what_makes_no_sense_changes_nothing() {
        let mut config = DomainConfig::new(DomName::new("a").unwrap(), 64);
        for refused in [
            Setting::Vcpus(0),
            Setting::OnlineVcpus(2),
            Setting::Device(Box::new(Device::Vif(crate::core::model::Vif::default()))),
        ] {
            let before = config.clone();
            assert!(refused.apply(&mut config).is_err(), "{refused:?}");
            assert_eq!(config, before);
        }
        for setting in [
            Setting::Vcpus(4),
            Setting::OnlineVcpus(2),
            Setting::Kernel("/k".into()),
            Setting::Hvm(true),
        ] {
            setting.apply(&mut config).unwrap();
        }
        assert_eq!((config.vcpus, config.vcpu_avail, config.is_hvm()), (4, 3, true));
        Setting::Platform("acpi".into(), Some("0".into())).apply(&mut config).unwrap();
        Setting::Platform("acpi".into(), None).apply(&mut config).unwrap();
        assert_eq!(config.image.unwrap().rest, []);
    }
}
