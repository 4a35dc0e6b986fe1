//! Complete configurations.

use super::config::DomainConfig;
use super::defaults::DeviceDefaults;
use super::device::{Console, Device};
use super::ids::{DomName, Mac, Uuid};
use super::invalid::Invalid;
use crate::core::ports::entropy::Entropy;
use std::ops::Deref;

/// A configuration that a hypervisor can build and a store can keep.
///
/// The domain has a UUID, each device has a number and a UUID, each network interface has a MAC
/// address, and [`DomainConfig::check`] has passed.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct CompleteConfig {
    uuid: Uuid,
    config: DomainConfig,
}

impl CompleteConfig {
    /// Completes a configuration that is to be stored: assigns UUIDs, MAC addresses and numbers of
    /// devices where they are missing.
    pub fn for_definition(
        mut config: DomainConfig,
        entropy: &dyn Entropy,
    ) -> Result<Self, Invalid> {
        config.uuid.get_or_insert_with(|| entropy.uuid());
        for device in &mut config.devices {
            complete_device(device, entropy);
        }
        config.number_devices();
        Self::try_from(config)
    }

    /// Completes a configuration that is to be built: like
    /// [`for_definition`](Self::for_definition), and adds a console if there is none and the
    /// operator's defaults for devices.
    pub fn for_build(
        mut config: DomainConfig,
        defaults: &DeviceDefaults,
        entropy: &dyn Entropy,
    ) -> Result<Self, Invalid> {
        if !config.devices.iter().any(|device| matches!(device, Device::Console(_))) {
            let console = Console { protocol: "vt100".into(), ..Console::default() };
            config.devices.push(Device::Console(console));
        }
        for device in &mut config.devices {
            defaults.complete(device, config.image.as_ref());
        }
        Self::for_definition(config, entropy)
    }

    /// The domain's UUID.
    pub fn uuid(&self) -> Uuid {
        self.uuid
    }

    /// The same configuration under another name.
    #[must_use]
    pub fn renamed(mut self, name: DomName) -> Self {
        self.config.name = name;
        self
    }

    /// A changed copy. Fails if the change makes the configuration invalid or incomplete.
    pub fn with(&self, change: impl FnOnce(&mut DomainConfig)) -> Result<Self, Invalid> {
        let mut config = self.config.clone();
        change(&mut config);
        Self::try_from(config)
    }
}

/// Assigns a UUID to a device, and a MAC address to a network interface, if they are missing. The
/// number within the class is left to [`DomainConfig::number_devices`].
pub fn complete_device(device: &mut Device, entropy: &dyn Entropy) {
    device.uuid_mut().get_or_insert_with(|| entropy.uuid());
    if let Device::Vif(vif) = device {
        vif.mac.get_or_insert_with(|| {
            let mut random = [0; 3];
            entropy.fill(&mut random);
            Mac::in_xen_range(random)
        });
    }
}

/// Accepts a configuration that is complete already, such as one from another host. The error names
/// the missing part.
impl TryFrom<DomainConfig> for CompleteConfig {
    type Error = Invalid;

    fn try_from(config: DomainConfig) -> Result<Self, Invalid> {
        let uuid = config.uuid.ok_or_else(|| Invalid::new("uuid: missing"))?;
        for device in &config.devices {
            check_device(device)?;
        }
        config.check()?;
        Ok(Self { uuid, config })
    }
}

fn check_device(device: &Device) -> Result<(), Invalid> {
    let class = device.class();
    let number =
        device.id().ok_or_else(|| Invalid::new(format!("{class}: a device has no number")))?;
    let missing = |part: &str| Err(Invalid::new(format!("{class} {number}: {part}: missing")));
    if device.uuid().is_none() {
        return missing("uuid");
    }
    match device {
        Device::Vif(vif) if vif.mac.is_none() => missing("mac"),
        _ => Ok(()),
    }
}

impl Deref for CompleteConfig {
    type Target = DomainConfig;

    fn deref(&self) -> &DomainConfig {
        &self.config
    }
}

impl From<CompleteConfig> for DomainConfig {
    fn from(complete: CompleteConfig) -> Self {
        complete.config
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::core::model::device::{Vfb, Vif};
    use crate::core::model::property::Property;
    use std::sync::atomic::{AtomicU8, Ordering};

    /// Fills each buffer with the next number.
    #[derive(Default)]
    pub(crate) struct Counter(AtomicU8);

    impl Entropy for Counter {
        fn fill(&self, bytes: &mut [u8]) {
            bytes.fill(self.0.fetch_add(1, Ordering::Relaxed) + 1);
        }
    }

    /// Completes a configuration.
    pub(crate) fn completed(config: DomainConfig) -> CompleteConfig {
        CompleteConfig::for_definition(config, &Counter::default()).unwrap()
    }

    fn raw() -> DomainConfig {
        let mut config = DomainConfig::new(DomName::new("a").unwrap(), 64);
        config.devices = vec![
            Device::Vif(Vif::default()),
            Device::Vif(Vif::default()),
            Device::Vfb(Vfb { rest: vec![Property::new("vnc", "1")], ..Vfb::default() }),
        ];
        config
    }

    fn complete() -> CompleteConfig {
        completed(raw())
    }

    fn refusal(change: impl FnOnce(&mut DomainConfig)) -> String {
        complete().with(change).unwrap_err().to_string()
    }

    #[test]
    fn a_definition_gets_uuids_addresses_and_numbers() {
        let config = complete();
        assert_eq!(Some(config.uuid()), config.config.uuid);
        let numbers: Vec<_> =
            config.devices.iter().map(|device| (device.class(), device.id().unwrap())).collect();
        assert_eq!(numbers, [("vif", 0), ("vif", 1), ("vfb", 0)]);
        let macs: Vec<_> = config
            .devices
            .iter()
            .filter_map(|device| match device {
                Device::Vif(vif) => vif.mac.map(|mac| mac.to_string()),
                _ => None,
            })
            .collect();
        assert_eq!(macs, ["00:16:3e:03:03:03", "00:16:3e:05:05:05"]);
    }

    #[test]
    fn completing_again_changes_nothing() {
        let config = complete();
        let entropy = Counter::default();
        let again = CompleteConfig::for_definition(config.clone().into(), &entropy).unwrap();
        assert_eq!(again, config);
        assert_eq!(CompleteConfig::try_from(DomainConfig::from(again)), Ok(config));
    }

    #[test]
    fn a_domain_that_is_built_has_a_console_and_the_operators_defaults() {
        let defaults =
            DeviceDefaults { vnc_listen: Some("0.0.0.0".into()), ..DeviceDefaults::default() };
        let built = CompleteConfig::for_build(raw(), &defaults, &Counter::default()).unwrap();
        let classes: Vec<_> = built.devices.iter().map(Device::class).collect();
        assert_eq!(classes, ["vif", "vif", "vfb", "console"]);
        let Device::Vfb(vfb) = &built.devices[2] else { panic!("{built:?}") };
        assert_eq!(vfb.vnc_listen(), "0.0.0.0");
        let again = CompleteConfig::for_build(built.clone().into(), &defaults, &Counter::default());
        assert_eq!(again, Ok(built));
    }

    #[test]
    fn an_incomplete_configuration_is_refused_by_the_missing_part() {
        assert_eq!(CompleteConfig::try_from(raw()).unwrap_err().to_string(), "uuid: missing");
        let numberless = refusal(|config| config.devices[2].clear_id());
        assert_eq!(numberless, "vfb: a device has no number");
        let anonymous = refusal(|config| *config.devices[1].uuid_mut() = None);
        assert_eq!(anonymous, "vif 1: uuid: missing");
        let no_mac = refusal(|config| {
            let Device::Vif(vif) = &mut config.devices[0] else { panic!("a network interface") };
            vif.mac = None;
        });
        assert_eq!(no_mac, "vif 0: mac: missing");
    }

    #[test]
    fn an_invalid_configuration_is_refused() {
        let mut config = raw();
        config.memory = 0;
        let refused = CompleteConfig::for_definition(config, &Counter::default());
        assert_eq!(refused.unwrap_err().to_string(), "memory must be greater than zero MiB");
        assert!(refusal(|config| config.maxmem = 1).starts_with("maxmem: 1 MiB is less than"));
    }
}
