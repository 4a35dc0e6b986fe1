//! The host's hardware: CPUs, PCI and SCSI devices.

use super::invalid::Invalid;
use super::pci::PciAddress;
use std::fmt;
use std::str::FromStr;

/// The model of the host's CPUs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CpuModel {
    /// `GenuineIntel`
    pub vendor: String,
    pub name: String,
    pub stepping: u32,
    /// CPU features by Linux's names.
    pub flags: String,
}

/// A PCI function of the host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PciFacts {
    pub address: PciAddress,
    /// The vendor ID.
    pub vendor: u16,
    /// The device ID.
    pub device: u16,
    /// The class, subclass and programming interface: three bytes of the configuration space.
    pub class: u32,
    pub revision: u8,
    /// The subsystem's vendor ID.
    pub subsystem_vendor: u16,
    /// The subsystem's device ID.
    pub subsystem: u16,
    /// Domain-0's driver; empty without a driver.
    pub driver: String,
}

/// The address of a SCSI device: host, channel, target, LUN.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hctl(pub [u32; 4]);

impl FromStr for Hctl {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let numbers: Option<Vec<u32>> = text.split(':').map(|number| number.parse().ok()).collect();
        let numbers = numbers.and_then(|numbers| numbers.try_into().ok());
        numbers
            .map(Self)
            .ok_or_else(|| Invalid::new("host:channel:target:unit is expected, like 0:0:1:0"))
    }
}

impl fmt::Display for Hctl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [host, channel, target, lun] = self.0;
        write!(f, "{host}:{channel}:{target}:{lun}")
    }
}

/// A SCSI device of the host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScsiFacts {
    pub at: Hctl,
    pub vendor: String,
    pub model: String,
    /// SCSI's peripheral device type: 0 is a disk.
    pub kind: u32,
    /// The block device, `sda`; empty without one.
    pub node: String,
    /// The generic device, `sg0`; empty without one.
    pub generic: String,
    /// The firmware revision.
    pub revision: String,
    /// The SCSI level.
    pub level: String,
}

/// The host's hardware.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Hardware {
    /// The model of all CPUs.
    pub cpu: CpuModel,
    /// PCI functions, sorted by address.
    pub pci: Vec<PciFacts>,
    /// SCSI devices, sorted by address.
    pub scsi: Vec<ScsiFacts>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scsi_address_has_four_numbers() {
        assert_eq!("1:0:12:3".parse(), Ok(Hctl([1, 0, 12, 3])));
        assert_eq!(Hctl([1, 0, 12, 3]).to_string(), "1:0:12:3");
        for wrong in ["", "1:0:12", "1:0:12:3:4", "a:0:0:0", "-1:0:0:0"] {
            assert!(wrong.parse::<Hctl>().is_err(), "{wrong}");
        }
    }
}
