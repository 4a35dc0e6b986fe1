//! Virtual devices.

use super::backend::Backend;
use super::block::{Block, BlockClass};
use super::ids::{Mac, Uuid};
use super::invalid::Invalid;
use super::password::Password;
use super::pci::PciDevice;
use super::property::Property;
use super::text::Text;

/// A device of a domain.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Device {
    /// A disk or CD-ROM drive.
    Block(Block),
    /// A network interface.
    Vif(Vif),
    /// A frame buffer.
    Vfb(Vfb),
    /// A keyboard and mouse.
    Vkbd(Vkbd),
    /// PCI functions that are passed through to the guest.
    Pci(PciDevice),
    Console(Console),
    /// A device of a class in [`Device::GENERIC`].
    Generic(Generic),
}

impl Device {
    /// Classes whose devices are kept without being interpreted.
    pub const GENERIC: [&'static str; 6] = ["vtpm", "vscsi", "vusb", "ioports", "irq", "pcidev"];

    /// Whether `class` is a class of devices.
    pub fn is_class(class: &str) -> bool {
        BlockClass::includes(class)
            || ["vif", "vfb", "vkbd", "pci", "console"].contains(&class)
            || Self::GENERIC.contains(&class)
    }

    /// Refuses a `class` that is not a class of devices.
    pub fn check_class(class: &str) -> Result<(), Invalid> {
        if Self::is_class(class) {
            Ok(())
        } else {
            Err(Invalid::new(format!("Unknown device type: {class}")))
        }
    }

    /// The class, as xend spells it: `vbd`, `tap`, `vif`, ...
    pub fn class(&self) -> &str {
        match self {
            Self::Block(block) => block.class.name(),
            Self::Vif(_) => "vif",
            Self::Vfb(_) => "vfb",
            Self::Vkbd(_) => "vkbd",
            Self::Pci(_) => "pci",
            Self::Console(_) => "console",
            Self::Generic(device) => &device.class,
        }
    }

    /// The UUID; `None` until the engine assigns one.
    pub fn uuid(&self) -> Option<Uuid> {
        match self {
            Self::Block(d) => d.uuid,
            Self::Vif(d) => d.uuid,
            Self::Vfb(d) => d.uuid,
            Self::Vkbd(d) => d.uuid,
            Self::Pci(d) => d.uuid,
            Self::Console(d) => d.uuid,
            Self::Generic(d) => d.uuid,
        }
    }

    /// Mutable access to the UUID.
    pub fn uuid_mut(&mut self) -> &mut Option<Uuid> {
        match self {
            Self::Block(d) => &mut d.uuid,
            Self::Vif(d) => &mut d.uuid,
            Self::Vfb(d) => &mut d.uuid,
            Self::Vkbd(d) => &mut d.uuid,
            Self::Pci(d) => &mut d.uuid,
            Self::Console(d) => &mut d.uuid,
            Self::Generic(d) => &mut d.uuid,
        }
    }

    /// The number by which xend's clients know the device. A block device has the number of its
    /// name; the devices of the other classes count from 0 within their class, and have `None`
    /// until the engine assigns a number.
    pub fn id(&self) -> Option<u32> {
        match self {
            Self::Block(d) => Some(d.number.0),
            Self::Vif(d) => d.id,
            Self::Vfb(d) => d.id,
            Self::Vkbd(d) => d.id,
            Self::Pci(d) => d.id,
            Self::Console(d) => d.id,
            Self::Generic(d) => d.id,
        }
    }

    /// Assigns a number. A block device keeps the number of its name.
    pub fn set_id(&mut self, id: u32) {
        if let Some(current) = self.id_mut() {
            *current = Some(id);
        }
    }

    /// Clears the number. A block device keeps the number of its name.
    pub fn clear_id(&mut self) {
        if let Some(current) = self.id_mut() {
            *current = None;
        }
    }

    fn id_mut(&mut self) -> Option<&mut Option<u32>> {
        match self {
            Self::Block(_) => None,
            Self::Vif(d) => Some(&mut d.id),
            Self::Vfb(d) => Some(&mut d.id),
            Self::Vkbd(d) => Some(&mut d.id),
            Self::Pci(d) => Some(&mut d.id),
            Self::Console(d) => Some(&mut d.id),
            Self::Generic(d) => Some(&mut d.id),
        }
    }

    /// Whether `class` can mean this device: xend knew each block device by all three block
    /// classes.
    pub fn has_class(&self, class: &str) -> bool {
        self.class() == class || (self.as_block().is_some() && BlockClass::includes(class))
    }

    /// Uninterpreted keys, passwords among them.
    pub fn rest(&self) -> &[Property] {
        match self {
            Self::Block(d) => &d.rest,
            Self::Vif(d) => &d.rest,
            Self::Vfb(d) => &d.rest,
            Self::Vkbd(d) => &d.rest,
            Self::Pci(d) => &d.rest,
            Self::Console(d) => &d.rest,
            Self::Generic(d) => &d.rest,
        }
    }

    /// The number of keys and values that are not interpreted.
    pub fn values(&self) -> usize {
        let functions = self.as_pci().map(|pci| pci.functions.as_slice()).unwrap_or_default();
        let in_functions: usize =
            functions.iter().map(|function| Property::count(&function.rest)).sum();
        Property::count(self.rest()) + in_functions
    }

    /// Mutable access to the uninterpreted keys.
    pub fn rest_mut(&mut self) -> &mut Vec<Property> {
        match self {
            Self::Block(d) => &mut d.rest,
            Self::Vif(d) => &mut d.rest,
            Self::Vfb(d) => &mut d.rest,
            Self::Vkbd(d) => &mut d.rest,
            Self::Pci(d) => &mut d.rest,
            Self::Console(d) => &mut d.rest,
            Self::Generic(d) => &mut d.rest,
        }
    }

    /// The block device; `None` for another kind of device.
    pub fn as_block(&self) -> Option<&Block> {
        match self {
            Self::Block(block) => Some(block),
            _ => None,
        }
    }

    /// The network interface; `None` for another kind of device.
    pub fn as_vif(&self) -> Option<&Vif> {
        match self {
            Self::Vif(vif) => Some(vif),
            _ => None,
        }
    }

    /// The PCI functions; `None` for another kind of device.
    pub fn as_pci(&self) -> Option<&PciDevice> {
        match self {
            Self::Pci(pci) => Some(pci),
            _ => None,
        }
    }
}

/// A network interface.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Vif {
    /// The guest's address; `None` until the engine assigns one.
    pub mac: Option<Mac>,
    /// The bridge in the backend domain.
    pub bridge: Option<Text>,
    pub script: Option<Text>,
    /// IP addresses of the guest, for anti-spoofing rules.
    pub ip: Option<Text>,
    pub backend: Option<Backend>,
    /// The number within the class; `None` until the engine assigns one.
    pub id: Option<u32>,
    pub uuid: Option<Uuid>,
    /// `type`, `model`, `vifname`, `rate`, ... and uninterpreted keys.
    pub rest: Vec<Property>,
}

/// A frame buffer, shown over VNC or in an SDL window.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Vfb {
    /// The number within the class; `None` until the engine assigns one.
    pub id: Option<u32>,
    pub uuid: Option<Uuid>,
    /// `vnc`, `vncunused`, `vnclisten`, `keymap`, ... in order. `vncpasswd` is among them and is
    /// never shown.
    pub rest: Vec<Property>,
}

impl Vfb {
    /// The first TCP port of VNC displays.
    pub const FIRST_PORT: u16 = 5900;

    /// The value of a property, if it is a single word.
    pub fn setting(&self, key: &str) -> Option<&Text> {
        self.rest.iter().find(|property| property.key == key).and_then(Property::text)
    }

    /// Whether the frame buffer is shown over VNC.
    pub fn is_vnc(&self) -> bool {
        self.setting("vnc").is_some_and(|value| !matches!(value.as_slice(), b"" | b"0"))
            || self.setting("type").is_some_and(|kind| kind == "vnc")
    }

    /// The address on which the VNC server listens.
    pub fn vnc_listen(&self) -> String {
        self.setting("vnclisten").map_or_else(|| "127.0.0.1".to_owned(), ToString::to_string)
    }

    /// The password of the VNC server. Its own counts even if it is empty, which means none;
    /// without its own it has the host's.
    pub fn vnc_password(&self, host: Option<&Password>) -> Option<Password> {
        match self.setting("vncpasswd") {
            Some(own) => Password::new(own.clone()),
            None => host.cloned(),
        }
    }

    /// The port of the display that the configuration asks for; `None` if it names no display.
    pub fn requested_port(&self) -> Option<u16> {
        let display: u16 = self.setting("vncdisplay")?.to_string().trim().parse().ok()?;
        Self::FIRST_PORT.checked_add(display)
    }

    /// Whether the VNC server may take the next free port. By default it may, unless the
    /// configuration names a display.
    pub fn may_use_any_port(&self) -> bool {
        self.setting("vncunused")
            .map_or(self.setting("vncdisplay").is_none(), |unused| *unused != "0")
    }
}

/// A keyboard and mouse.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Vkbd {
    pub backend: Option<Backend>,
    /// The number within the class; `None` until the engine assigns one.
    pub id: Option<u32>,
    pub uuid: Option<Uuid>,
    /// Uninterpreted keys.
    pub rest: Vec<Property>,
}

/// A console.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Console {
    /// `vt100` or `rfb`.
    pub protocol: Text,
    /// The number within the class; `None` until the engine assigns one.
    pub id: Option<u32>,
    pub uuid: Option<Uuid>,
    /// Uninterpreted keys.
    pub rest: Vec<Property>,
}

/// A device that is kept without being interpreted.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Generic {
    /// One of [`Device::GENERIC`].
    pub class: String,
    /// The number within the class; `None` until the engine assigns one.
    pub id: Option<u32>,
    pub uuid: Option<Uuid>,
    /// All keys, uninterpreted.
    pub rest: Vec<Property>,
}
