//! Virtual devices.

use super::{Block, BlockClass, Invalid, Mac, PciDevice, Property, Text, Uuid};

/// A device of a domain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Device {
    /// A disk or CD-ROM drive.
    Block(Block),
    /// A network interface.
    Vif(Vif),
    /// A frame buffer.
    Vfb(Vfb),
    /// A keyboard and mouse.
    Vkbd(Vkbd),
    /// PCI functions handed through to the guest.
    Pci(PciDevice),
    /// A console.
    Console(Console),
    /// A device of a class that Xen has and that is not interpreted here.
    Generic(Generic),
}

impl Device {
    /// Classes that are accepted without being interpreted.
    pub const GENERIC: [&'static str; 6] = ["vtpm", "vscsi", "vusb", "ioports", "irq", "pcidev"];

    /// All classes that a device can have.
    pub fn is_class(class: &str) -> bool {
        BlockClass::includes(class)
            || ["vif", "vfb", "vkbd", "pci", "console"].contains(&class)
            || Self::GENERIC.contains(&class)
    }

    /// Refuses what is no class.
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

    /// The device's UUID.
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

    /// The device's UUID, to be set.
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

    /// xend's number of the device: a block device's own, the others count from 0 within their
    /// class. None until the engine gave it one.
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

    /// Gives the device a number. A block device keeps its own.
    pub fn set_id(&mut self, id: u32) {
        if let Some(slot) = self.id_mut() {
            *slot = Some(id);
        }
    }

    /// Takes the number away. A block device keeps its own.
    pub fn forget_id(&mut self) {
        if let Some(slot) = self.id_mut() {
            *slot = None;
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

    /// Whether `class` means this device: xend knew block devices by each of the three classes.
    pub fn is_of(&self, class: &str) -> bool {
        self.class() == class || (self.as_block().is_some() && BlockClass::includes(class))
    }

    /// Keys that nobody knows, and secrets.
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

    /// The same, to be changed.
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

    /// The block device, if it is one.
    pub fn as_block(&self) -> Option<&Block> {
        match self {
            Self::Block(block) => Some(block),
            _ => None,
        }
    }

    /// The PCI functions, if they are what it is.
    pub fn as_pci(&self) -> Option<&PciDevice> {
        match self {
            Self::Pci(pci) => Some(pci),
            _ => None,
        }
    }
}

/// The domain that serves a device: its name or its domid as it was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Backend(pub Text);

impl Backend {
    /// Whether Domain-0 serves the device.
    pub fn is_dom0(&self) -> bool {
        matches!(self.0.as_slice(), b"0" | b"Domain-0")
    }
}

/// A network interface.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Vif {
    /// The guest's address; one is made up if nobody gave one.
    pub mac: Option<Mac>,
    /// The bridge in the backend domain.
    pub bridge: Option<Text>,
    /// The hotplug script.
    pub script: Option<Text>,
    /// The guest's IP addresses, for anti-spoofing rules.
    pub ip: Option<Text>,
    /// Who serves it.
    pub backend: Option<Backend>,
    /// xend's number of the device, from 0 within its class; none until the engine gave it one.
    pub id: Option<u32>,
    /// The device's UUID.
    pub uuid: Option<Uuid>,
    /// `type`, `model`, `vifname`, `rate`, ... and keys that nobody knows.
    pub rest: Vec<Property>,
}

/// A frame buffer, seen over VNC or in an SDL window.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Vfb {
    /// xend's number of the device, from 0 within its class; none until the engine gave it one.
    pub id: Option<u32>,
    /// The device's UUID.
    pub uuid: Option<Uuid>,
    /// `vnc`, `vncunused`, `vnclisten`, `keymap`, ... in order; `vncpasswd` too, which is never
    /// shown.
    pub rest: Vec<Property>,
}

impl Vfb {
    /// The value of a property, if it is a single word.
    pub fn setting(&self, key: &str) -> Option<&Text> {
        self.rest.iter().find(|property| property.key == key).and_then(Property::text)
    }

    /// Whether the screen is seen over VNC.
    pub fn is_vnc(&self) -> bool {
        self.setting("vnc").is_some_and(|value| !matches!(value.as_slice(), b"" | b"0"))
            || self.setting("type").is_some_and(|kind| kind == "vnc")
    }

    /// The first TCP port of VNC displays.
    pub const FIRST_PORT: u16 = 5900;

    /// The address at which VNC clients are expected.
    pub fn vnc_listen(&self) -> String {
        self.setting("vnclisten").map_or_else(|| "127.0.0.1".to_owned(), ToString::to_string)
    }

    /// The port that was asked for, by the number of a display.
    pub fn wanted_port(&self) -> Option<u16> {
        let display: u16 = self.setting("vncdisplay")?.to_string().trim().parse().ok()?;
        Self::FIRST_PORT.checked_add(display)
    }

    /// Whether the next free port is to be taken if that one is in use. It is, unless somebody said
    /// no or named a display.
    pub fn takes_unused_port(&self) -> bool {
        self.setting("vncunused")
            .map_or(self.setting("vncdisplay").is_none(), |unused| *unused != "0")
    }
}

/// A keyboard and mouse.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Vkbd {
    /// Who serves it.
    pub backend: Option<Backend>,
    /// xend's number of the device, from 0 within its class; none until the engine gave it one.
    pub id: Option<u32>,
    /// The device's UUID.
    pub uuid: Option<Uuid>,
    /// Keys that nobody knows.
    pub rest: Vec<Property>,
}

/// A console.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Console {
    /// `vt100` or `rfb`.
    pub protocol: Text,
    /// xend's number of the device, from 0 within its class; none until the engine gave it one.
    pub id: Option<u32>,
    /// The device's UUID.
    pub uuid: Option<Uuid>,
    /// Keys that nobody knows.
    pub rest: Vec<Property>,
}

/// A device that is kept without being interpreted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Generic {
    /// One of [`Device::GENERIC`].
    pub class: String,
    /// xend's number of the device, from 0 within its class; none until the engine gave it one.
    pub id: Option<u32>,
    /// The device's UUID.
    pub uuid: Option<Uuid>,
    /// What it was given.
    pub rest: Vec<Property>,
}
