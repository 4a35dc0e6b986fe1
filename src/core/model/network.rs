//! Domain-0's network: interfaces, bridges and VLANs.

use super::ids::Mac;
use super::invalid::Invalid;

/// The kind of a network interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InterfaceKind {
    /// A network card.
    Physical,
    Bridge,
    /// A VLAN interface.
    Vlan {
        /// The name of the card.
        device: String,
        tag: u16,
    },
}

/// A network interface of Domain-0, apart from the backends of guests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interface {
    pub name: String,
    pub kind: InterfaceKind,
    /// `None` unless the interface is an Ethernet interface.
    pub mac: Option<Mac>,
    /// In bytes.
    pub mtu: u32,
    /// The bridge to which the interface is attached.
    pub bridge: Option<String>,
    /// Bytes received and sent since the interface exists.
    pub io: (u64, u64),
}

impl Interface {
    /// The name of a VLAN's interface.
    pub fn vlan_name(device: &str, tag: u16) -> String {
        format!("{device}.{tag}")
    }
}

/// A change of Domain-0's network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NetworkChange {
    /// Create a bridge.
    MakeBridge(String),
    RemoveBridge(String),
    /// Create a VLAN interface.
    MakeVlan {
        /// The name of the card.
        device: String,
        tag: u16,
    },
    /// Remove a VLAN interface.
    RemoveVlan {
        /// The name of the card.
        device: String,
        tag: u16,
    },
    /// Change an interface.
    Interface(InterfaceChange),
}

/// A change of a network interface of Domain-0.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InterfaceChange {
    /// Set the address or the MTU.
    Adjust {
        name: String,
        /// `None` keeps the address.
        mac: Option<Mac>,
        /// The MTU in bytes; `None` keeps it.
        mtu: Option<u32>,
    },
    /// Attach the interface to a bridge.
    Link {
        name: String,
        /// The bridge; `None` detaches the interface.
        bridge: Option<String>,
    },
}

/// A network: a bridge of Domain-0.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Network {
    pub bridge: String,
}

impl Network {
    /// A network on the bridge of this name. Linux accepts 15 bytes.
    pub fn new(bridge: &str) -> Result<Self, Invalid> {
        let allowed = |c: char| c.is_ascii_alphanumeric() || "_-.".contains(c);
        if !(1..=15).contains(&bridge.len())
            || !bridge.chars().all(allowed)
            || [".", ".."].contains(&bridge)
        {
            return Err(Invalid::new("a bridge's name has 1 to 15 letters, digits and _ - ."));
        }
        Ok(Self { bridge: bridge.to_owned() })
    }
}

/// A VLAN on a network card of Domain-0.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Vlan {
    /// The name of the card.
    pub device: String,
    /// 1 to 4094.
    pub tag: u16,
    /// The bridge to which the VLAN's interface is attached.
    pub bridge: String,
}

impl Vlan {
    /// A VLAN with a valid tag.
    pub fn new(device: &str, tag: i64, bridge: &str) -> Result<Self, Invalid> {
        match u16::try_from(tag) {
            Ok(tag @ 1..=4094) => {
                Ok(Self { device: device.to_owned(), tag, bridge: bridge.to_owned() })
            }
            _ => Err(Invalid::new(format!("VLAN: {tag} is out of range, 1 to 4094"))),
        }
    }

    /// The name of the VLAN's interface.
    pub fn name(&self) -> String {
        Interface::vlan_name(&self.device, self.tag)
    }
}
