//! The machine: its CPUs and CPU pools, what is plugged into it, and its network.

use super::{CpuSet, DomId, Invalid, Mac, PciAddress, Scheduler};
use std::fmt;

/// What sort of CPU the machine has.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CpuModel {
    /// `GenuineIntel`
    pub vendor: String,
    /// Its name.
    pub name: String,
    /// Its stepping.
    pub stepping: u32,
    /// What it can do, as Linux calls it.
    pub flags: String,
}

/// A function of a PCI device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PciFacts {
    /// Where it is.
    pub address: PciAddress,
    /// Who made it.
    pub vendor: u16,
    /// What it is.
    pub device: u16,
    /// What sort of device, as the three bytes of its configuration space.
    pub class: u32,
    /// Its revision.
    pub revision: u8,
    /// Who made the card.
    pub subsystem_vendor: u16,
    /// What card it is.
    pub subsystem: u16,
    /// Domain-0's driver; empty if it has none.
    pub driver: String,
}

/// Where a SCSI device is: host, channel, target, unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hctl(pub [u32; 4]);

impl std::str::FromStr for Hctl {
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
        let [host, channel, target, unit] = self.0;
        write!(f, "{host}:{channel}:{target}:{unit}")
    }
}

/// A SCSI device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScsiFacts {
    /// Where it is.
    pub at: Hctl,
    /// Who made it.
    pub vendor: String,
    /// What it is.
    pub model: String,
    /// The kind of device, as SCSI counts them: 0 is a disk.
    pub kind: u32,
    /// `sda`; empty if it has no such name.
    pub node: String,
    /// `sg0`; empty if it has no such name.
    pub generic: String,
    /// The revision of its firmware.
    pub revision: String,
    /// The level of SCSI that it speaks.
    pub level: String,
}

/// What the machine is made of.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Hardware {
    /// Its CPUs, which are all alike.
    pub cpu: CpuModel,
    /// PCI functions, in the order of their addresses.
    pub pci: Vec<PciFacts>,
    /// SCSI devices, in order.
    pub scsi: Vec<ScsiFacts>,
}

/// What sort of network interface one of Domain-0's is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InterfaceKind {
    /// A card.
    Physical,
    /// A bridge.
    Bridge,
    /// A virtual LAN on a card.
    Vlan {
        /// The card's name.
        device: String,
        /// The tag.
        tag: u16,
    },
}

/// A network interface of Domain-0's. Those of guests are not meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interface {
    /// Its name.
    pub name: String,
    /// What it is.
    pub kind: InterfaceKind,
    /// Its address, if it is an Ethernet one.
    pub mac: Option<Mac>,
    /// The longest packet in bytes.
    pub mtu: u32,
    /// The bridge that it is on.
    pub bridge: Option<String>,
    /// Bytes that it took in and sent since it is there.
    pub io: (u64, u64),
}

impl Interface {
    /// What a virtual LAN's interface is called.
    pub fn vlan_name(device: &str, tag: u16) -> String {
        format!("{device}.{tag}")
    }
}

/// What can be done with Domain-0's network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NetworkChange {
    /// Make a bridge.
    MakeBridge(String),
    /// Take one away.
    RemoveBridge(String),
    /// Make a virtual LAN's interface.
    MakeVlan {
        /// The card's name.
        device: String,
        /// The tag.
        tag: u16,
    },
    /// Take one away.
    RemoveVlan {
        /// The card's name.
        device: String,
        /// The tag.
        tag: u16,
    },
    /// Change something of an interface.
    Interface(InterfaceChange),
}

/// What can be changed of one of Domain-0's network interfaces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InterfaceChange {
    /// Give an interface another address or longest packet.
    Adjust {
        /// Its name.
        name: String,
        /// The address.
        mac: Option<Mac>,
        /// The longest packet in bytes.
        mtu: Option<u32>,
    },
    /// Put an interface on a bridge, or take it off.
    Link {
        /// The interface's name.
        name: String,
        /// The bridge.
        bridge: Option<String>,
    },
}

/// A CPU pool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PoolFacts {
    /// Its name.
    pub name: String,
    /// Its scheduler.
    pub scheduler: Scheduler,
    /// Its CPUs.
    pub cpus: CpuSet,
    /// The domains in it.
    pub domains: Vec<DomId>,
}

impl PoolFacts {
    /// The pool that is always there, and has Domain-0.
    pub const FIRST: &'static str = "Pool-0";
}

/// What can be done with CPU pools.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PoolChange {
    /// Make one of CPUs that are in none.
    Create {
        /// Its name.
        name: String,
        /// Its scheduler.
        scheduler: Scheduler,
        /// Its CPUs.
        cpus: CpuSet,
    },
    /// Take one apart that has no domains. Its CPUs are in none then.
    Destroy(String),
    /// Give one a CPU that is in none.
    AddCpu {
        /// The pool.
        name: String,
        /// The CPU.
        cpu: u32,
    },
    /// Take a CPU away from one.
    RemoveCpu {
        /// The pool.
        name: String,
        /// The CPU.
        cpu: u32,
    },
    /// Put a domain into one.
    Move {
        /// The domain.
        domid: DomId,
        /// The pool.
        name: String,
    },
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
