//! Where the devices of a VM are, by their UUIDs: each device is looked at once.

use crate::core::model::{Device, Uuid};
use crate::core::snapshot::DomainView;
use std::collections::HashMap;

/// The places of a VM's devices: in the running configuration, or else in the definition.
pub(super) struct DevicePlaces(HashMap<Uuid, (ConfigOfVm, usize)>);

/// One of a VM's configurations.
#[derive(Clone, Copy, PartialEq, Eq)]
enum ConfigOfVm {
    Running,
    Defined,
}

impl ConfigOfVm {
    const ALL: [Self; 2] = [Self::Running, Self::Defined];

    /// The devices of this configuration.
    fn devices(self, vm: &DomainView) -> &[Device] {
        match self {
            Self::Running => &vm.config.devices,
            Self::Defined => vm.configs().nth(1).map_or(&[], |config| &config.devices),
        }
    }
}

impl DevicePlaces {
    /// The places in this VM.
    pub(super) fn of(vm: &DomainView) -> Self {
        let mut places = HashMap::new();
        for config in ConfigOfVm::ALL {
            for (at, device) in config.devices(vm).iter().enumerate() {
                if let Some(uuid) = device.uuid() {
                    places.entry(uuid).or_insert((config, at));
                }
            }
        }
        Self(places)
    }

    /// A device of the VM that these are the places of, and whether the running configuration has
    /// it.
    pub(super) fn find<'a>(&self, vm: &'a DomainView, uuid: Uuid) -> Option<(&'a Device, bool)> {
        let (config, at) = *self.0.get(&uuid)?;
        Some((config.devices(vm).get(at)?, config == ConfigOfVm::Running))
    }

    /// How many devices [`of`](Self::of) looks at.
    #[cfg(test)]
    pub(super) fn devices_of(vm: &DomainView) -> usize {
        ConfigOfVm::ALL.iter().map(|config| config.devices(vm).len()).sum()
    }
}
