//! PCI functions handed through to a guest.

use super::{Backend, Invalid, Property, Uuid};

/// The place of a PCI function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PciAddress {
    /// The PCI domain.
    pub domain: u16,
    /// The bus.
    pub bus: u8,
    /// The slot, 0 to 31.
    pub slot: u8,
    /// The function, 0 to 7.
    pub func: u8,
}

impl PciAddress {
    /// Checks the four numbers.
    pub fn new(domain: u32, bus: u32, slot: u32, func: u32) -> Result<Self, Invalid> {
        let bad = |what, n, max| Invalid::new(format!("PCI {what} {n:#x} is above {max:#x}"));
        Ok(Self {
            domain: u16::try_from(domain).map_err(|_| bad("domain", domain, 0xffff))?,
            bus: u8::try_from(bus).map_err(|_| bad("bus", bus, 0xff))?,
            slot: u8::try_from(slot)
                .ok()
                .filter(|s| *s < 32)
                .ok_or_else(|| bad("slot", slot, 31))?,
            func: u8::try_from(func)
                .ok()
                .filter(|f| *f < 8)
                .ok_or_else(|| bad("function", func, 7))?,
        })
    }

    /// The four numbers by their keys, as xend writes them: `0x0000`, `0x0c`, `0x1b`, `0x2`.
    pub fn words(self) -> [(&'static str, String); 4] {
        [
            ("domain", format!("{:#06x}", self.domain)),
            ("bus", format!("{:#04x}", self.bus)),
            ("slot", format!("{:#04x}", self.slot)),
            ("func", format!("{:#x}", self.func)),
        ]
    }
}

impl std::fmt::Display for PciAddress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { domain, bus, slot, func } = self;
        write!(f, "{domain:04x}:{bus:02x}:{slot:02x}.{func:x}")
    }
}

/// One PCI function of a `(pci ...)` device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PciFunction {
    /// Where it is on the host.
    pub address: PciAddress,
    /// `vslot`, `opts`, ... and keys that nobody knows.
    pub rest: Vec<Property>,
}

/// PCI functions handed through to the guest.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PciDevice {
    /// The functions.
    pub functions: Vec<PciFunction>,
    /// Who serves them.
    pub backend: Option<Backend>,
    /// xend's number of the device, from 0 within its class; none until the engine gave it one.
    pub id: Option<u32>,
    /// The device's UUID.
    pub uuid: Option<Uuid>,
    /// Keys that nobody knows.
    pub rest: Vec<Property>,
}

impl PciDevice {
    /// Checks that it has functions, each of them once.
    pub fn check(&self) -> Result<(), Invalid> {
        if self.functions.is_empty() {
            return Err(Invalid::new(
                "pci dev: missing, like (dev (bus 0x1) (slot 0x1b) (func 0x0))",
            ));
        }
        let again = |(n, one): &(usize, &PciFunction)| {
            self.functions[..*n].iter().any(|other| other.address == one.address)
        };
        match self.functions.iter().enumerate().find(again) {
            Some((_, function)) => {
                Err(Invalid::new(format!("The device \"{}\" is already defined", function.address)))
            }
            None => Ok(()),
        }
    }

    /// A function that another device has, too.
    pub fn shared_with(&self, other: &Self) -> Option<PciAddress> {
        let has = |address: &PciAddress| {
            other.functions.iter().any(|function| function.address == *address)
        };
        self.functions.iter().map(|function| function.address).find(has)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pci_addresses_are_in_range() {
        assert!(PciAddress::new(0, 0xff, 31, 7).is_ok());
        for (d, b, s, f) in [(0x10000, 0, 0, 0), (0, 256, 0, 0), (0, 0, 32, 0), (0, 0, 0, 8)] {
            assert!(PciAddress::new(d, b, s, f).is_err());
        }
    }
}
