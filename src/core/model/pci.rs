//! PCI passthrough.

use super::backend::Backend;
use super::ids::Uuid;
use super::invalid::Invalid;
use super::property::Property;
use std::fmt;

/// The address of a PCI function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PciFunction {
    /// The address on the host.
    pub address: PciAddress,
    /// `vslot`, `opts`, ... and uninterpreted keys.
    pub rest: Vec<Property>,
}

/// PCI functions that are passed through to the guest.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
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
    /// Checks that the device has functions, each of them once.
    pub fn check(&self) -> Result<(), Invalid> {
        if self.functions.is_empty() {
            return Err(Invalid::new(
                "pci dev: missing, like (dev (bus 0x1) (slot 0x1b) (func 0x0))",
            ));
        }
        let repeated = |(n, function): &(usize, &PciFunction)| {
            self.functions[..*n].iter().any(|earlier| earlier.address == function.address)
        };
        match self.functions.iter().enumerate().find(repeated) {
            Some((_, function)) => {
                Err(Invalid::new(format!("The device \"{}\" is already defined", function.address)))
            }
            None => Ok(()),
        }
    }

    /// The first function that `other` has, too.
    pub fn shared_with(&self, other: &Self) -> Option<PciAddress> {
        let shared = |address: &PciAddress| {
            other.functions.iter().any(|function| function.address == *address)
        };
        self.functions.iter().map(|function| function.address).find(shared)
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
}
