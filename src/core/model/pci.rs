//! PCI passthrough.

use super::backend::Backend;
use super::ids::Uuid;
use super::invalid::Invalid;
use super::property::Property;
use std::collections::HashSet;
use std::fmt;

/// The address of a PCI function.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct PciAddress {
    pub domain: u16,
    pub bus: u8,
    /// 0 to 31.
    pub slot: u8,
    /// 0 to 7.
    pub func: u8,
}

impl PciAddress {
    /// An address whose numbers are in range.
    pub fn new(domain: u32, bus: u32, slot: u32, func: u32) -> Result<Self, Invalid> {
        let above = |part, n, max| Invalid::new(format!("PCI {part} {n:#x} is above {max:#x}"));
        Ok(Self {
            domain: u16::try_from(domain).map_err(|_| above("domain", domain, 0xffff))?,
            bus: u8::try_from(bus).map_err(|_| above("bus", bus, 0xff))?,
            slot: u8::try_from(slot)
                .ok()
                .filter(|s| *s < 32)
                .ok_or_else(|| above("slot", slot, 31))?,
            func: u8::try_from(func)
                .ok()
                .filter(|f| *f < 8)
                .ok_or_else(|| above("function", func, 7))?,
        })
    }

    /// The four numbers with their keys, as xend writes them: `0x0000`, `0x0c`, `0x1b`, `0x2`.
    pub fn words(self) -> [(&'static str, String); 4] {
        [
            ("domain", format!("{:#06x}", self.domain)),
            ("bus", format!("{:#04x}", self.bus)),
            ("slot", format!("{:#04x}", self.slot)),
            ("func", format!("{:#x}", self.func)),
        ]
    }
}

impl fmt::Display for PciAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { domain, bus, slot, func } = self;
        write!(f, "{domain:04x}:{bus:02x}:{slot:02x}.{func:x}")
    }
}

/// One PCI function of a `(pci ...)` device.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct PciFunction {
    /// The address on the host.
    pub address: PciAddress,
    /// `vslot`, `opts`, ... and uninterpreted keys.
    pub rest: Vec<Property>,
}

/// PCI functions that are passed through to the guest.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct PciDevice {
    pub functions: Vec<PciFunction>,
    pub backend: Option<Backend>,
    /// The number within the class; `None` until the engine assigns one.
    pub id: Option<u32>,
    pub uuid: Option<Uuid>,
    /// Uninterpreted keys.
    pub rest: Vec<Property>,
}

impl PciDevice {
    /// The most functions of a domain: the guest's bus has 32 slots with 8 functions each.
    pub const MAX_FUNCTIONS: usize = 256;

    /// Refuses more functions than a domain can have.
    pub fn check_count(functions: usize) -> Result<(), Invalid> {
        if functions <= Self::MAX_FUNCTIONS {
            return Ok(());
        }
        let most = Self::MAX_FUNCTIONS;
        Err(Invalid::new(format!("pci dev: {functions} functions are too many, at most {most}")))
    }

    /// Checks that the device has functions, each of them once.
    pub fn check(&self) -> Result<(), Invalid> {
        if self.functions.is_empty() {
            return Err(Invalid::new(
                "pci dev: missing, like (dev (bus 0x1) (slot 0x1b) (func 0x0))",
            ));
        }
        let mut known = HashSet::new();
        match self.addresses().find(|address| !known.insert(*address)) {
            Some(address) => {
                Err(Invalid::new(format!("The device \"{address}\" is already defined")))
            }
            None => Ok(()),
        }
    }

    /// The addresses of the functions on the host.
    pub fn addresses(&self) -> impl Iterator<Item = PciAddress> + '_ {
        self.functions.iter().map(|function| function.address)
    }

    /// The first function that `other` has, too.
    pub fn shared_with(&self, other: &Self) -> Option<PciAddress> {
        let others: HashSet<PciAddress> = other.addresses().collect();
        self.addresses().find(|address| others.contains(address))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pci_addresses_out_of_range_are_refused() {
        assert!(PciAddress::new(0, 0xff, 31, 7).is_ok());
        for (d, b, s, f) in [(0x10000, 0, 0, 0), (0, 256, 0, 0), (0, 0, 32, 0), (0, 0, 0, 8)] {
            assert!(PciAddress::new(d, b, s, f).is_err());
        }
    }
    #[test]
    fn the_functions_of_a_device_are_counted_and_differ() {
        let device = |slots: &[u32]| PciDevice {
            functions: slots
                .iter()
                .map(|slot| PciFunction {
                    address: PciAddress::new(0, 1, *slot, 0).unwrap(),
                    rest: vec![],
                })
                .collect(),
            ..PciDevice::default()
        };
        assert!(device(&[3, 4]).check().is_ok() && device(&[]).check().is_err());
        let repeated = device(&[3, 4, 3]).check().unwrap_err().to_string();
        assert_eq!(repeated, "The device \"0000:01:03.0\" is already defined");
        let shared = device(&[3, 5, 4]).shared_with(&device(&[4, 5]));
        assert_eq!(shared.map(|address| address.slot), Some(5));
        assert_eq!(device(&[1]).shared_with(&device(&[2])), None);
        assert!(PciDevice::check_count(PciDevice::MAX_FUNCTIONS).is_ok());
        let many = PciDevice::check_count(257).unwrap_err().to_string();
        assert_eq!(many, "pci dev: 257 functions are too many, at most 256");
    }
}
