//! Completing a configuration: identifiers, addresses, device numbers and defaults.

use crate::core::context::Core;
use crate::core::model::{Console, Device, DomainConfig, Mac, Uuid};

impl Core {
    /// Adds the identifiers, addresses and device numbers that a configuration leaves out. Returns
    /// the domain's UUID.
    pub(in crate::core) fn complete_definition(&self, config: &mut DomainConfig) -> Uuid {
        let uuid = *config.uuid.get_or_insert_with(|| self.entropy.uuid());
        for device in &mut config.devices {
            self.complete_device(device);
        }
        config.number_devices();
        uuid
    }

    /// The same for a domain that is to be built, which gets a console and the operator's device
    /// defaults besides.
    pub(in crate::core) fn complete_for_build(&self, config: &mut DomainConfig) -> Uuid {
        let is_console = |device: &Device| matches!(device, Device::Console(_));
        if !config.devices.iter().any(is_console) {
            let console = Console { protocol: "vt100".into(), ..Console::default() };
            config.devices.push(Device::Console(console));
        }
        let policy = self.policy();
        for device in &mut config.devices {
            policy.devices.complete(device, config.image.as_ref());
        }
        self.complete_definition(config)
    }

    /// Adds the UUID and MAC address that a device leaves out.
    pub(in crate::core) fn complete_device(&self, device: &mut Device) {
        device.uuid_mut().get_or_insert_with(|| self.entropy.uuid());
        if let Device::Vif(vif) = device {
            vif.mac.get_or_insert_with(|| {
                let mut random = [0; 3];
                self.entropy.fill(&mut random);
                Mac::in_xen_range(random)
            });
        }
    }
}
