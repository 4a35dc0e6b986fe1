//! Changes of a single part of a domain's configuration.

use super::actions::{ActionOnShutdown, OnXendStart};
use super::client_data::ClientDataChange;
use super::config::{DomainConfig, MAX_VCPUS};
use super::device::Device;
use super::image::{GuestKind, Image};
use super::invalid::Invalid;
use super::property::Property;
use super::text::Text;
use super::xenstore_data::XenstoreDataChange;

/// A change of a domain's configuration that does not touch the running domain: it takes effect at
/// the next start, or has no effect at all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Setting {
    /// Free text.
    Description(Text),
    /// The action when xend starts.
    OnXendStart(OnXendStart),
    /// The action after a poweroff.
    OnPoweroff(ActionOnShutdown),
    /// The action after a reboot.
    OnReboot(ActionOnShutdown),
    /// The action after a crash.
    OnCrash(ActionOnShutdown),
    /// The number of VCPUs; all of them are online.
    Vcpus(u32),
    /// The number of VCPUs that are online at the start.
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
    /// A field of the client data.
    ClientData(ClientDataChange),
    /// What is written into XenStore before the guest starts.
    XenstoreData(XenstoreDataChange),
    /// A device, which replaces the device with the same UUID.
    Device(Box<Device>),
}

impl Setting {
    /// Whether the change would make the configuration differ from the running domain.
    pub const fn is_for_halted(&self) -> bool {
        matches!(self, Self::Vcpus(_) | Self::OnlineVcpus(_) | Self::Pool(_) | Self::Hvm(_))
    }

    /// Whether the change applies to this configuration. A device has to be in it already.
    pub fn concerns(&self, config: &DomainConfig) -> bool {
        let Self::Device(device) = self else { return true };
        device.uuid().is_some() && config.devices.iter().any(|old| old.uuid() == device.uuid())
    }

    /// Applies the change. A change that is refused leaves the configuration as it was. Rules that
    /// span several fields are left to [`DomainConfig::check`].
    pub fn apply(&self, config: &mut DomainConfig) -> Result<(), Invalid> {
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
            Self::Kernel(path) => image(config).kernel = path,
            Self::Ramdisk(path) => image(config).ramdisk = path,
            Self::Args(args) => image(config).args = args,
            Self::Hvm(hvm) => {
                let image = image(config);
                if (image.kind == GuestKind::Hvm) != hvm {
                    image.kind = if hvm { GuestKind::Hvm } else { GuestKind::Pv };
                    image.builder = if hvm { "hvm" } else { "linux" }.into();
                }
            }
            Self::Platform(key, value) => {
                let rest = &mut image(config).rest;
                rest.retain(|property| property.key != key);
                rest.extend(value.map(|value| Property::new(key, value)));
            }
            Self::ClientData(change) => change.apply(&mut config.client_data)?,
            Self::XenstoreData(change) => change.apply(&mut config.xenstore_data)?,
            Self::Device(device) => {
                let uuid = device.uuid();
                let same = |old: &&mut Device| uuid.is_some() && old.uuid() == uuid;
                let old = config.devices.iter_mut().find(same);
                let old =
                    old.ok_or_else(|| Invalid::new("device: the domain has none with this UUID"))?;
                *old = *device;
            }
        }
        Ok(())
    }
}

/// The image; a configuration without one gets that of a PV guest.
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
    use crate::core::model::device::Vif;
    use crate::core::model::ids::DomName;

    #[test]
    fn an_invalid_change_is_refused_as_a_whole() {
        let mut config = DomainConfig::new(DomName::new("a").unwrap(), 64);
        for refused in [
            Setting::Vcpus(0),
            Setting::OnlineVcpus(2),
            Setting::Device(Box::new(Device::Vif(Vif::default()))),
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
