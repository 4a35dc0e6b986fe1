//! Completing configurations, with the engine's randomness and the operator's defaults for devices.

use crate::core::context::Core;
use crate::core::model::{CompleteConfig, Device, DomainConfig, Invalid, complete_device};

impl Core {
    /// Completes a configuration that is stored, or that a domain on the host has already.
    pub(in crate::core) fn complete_definition(
        &self,
        config: DomainConfig,
    ) -> Result<CompleteConfig, Invalid> {
        CompleteConfig::for_definition(config, &*self.entropy)
    }

    /// Completes the configuration of a domain that is to be built.
    pub(in crate::core) fn complete_for_build(
        &self,
        config: DomainConfig,
    ) -> Result<CompleteConfig, Invalid> {
        CompleteConfig::for_build(config, &self.policy().devices, &*self.entropy)
    }

    /// Completes a device, apart from its number.
    pub(in crate::core) fn complete_device(&self, device: &mut Device) {
        complete_device(device, &*self.entropy);
    }
}
