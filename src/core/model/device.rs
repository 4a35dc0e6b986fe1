//! Virtual devices.

use super::{Invalid, Mac, Property, Text, Uuid, VirtualDevice};
use std::str::FromStr;

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
        ["vbd", "tap", "tap2", "vif", "vfb", "vkbd", "pci", "console"].contains(&class)
            || Self::GENERIC.contains(&class)
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

    /// The device's UUID, for the classes that have one.
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

    /// The block device, if it is one.
    pub fn as_block(&self) -> Option<&Block> {
        match self {
            Self::Block(block) => Some(block),
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

/// Which driver of Domain-0 serves a block device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BlockClass {
    /// blkback.
    Vbd,
    /// blktap.
    Tap,
    /// blktap2.
    Tap2,
}

impl BlockClass {
    /// xend's word for it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Vbd => "vbd",
            Self::Tap => "tap",
            Self::Tap2 => "tap2",
        }
    }
}

/// What a block device looks like to the guest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BlockKind {
    /// A disk.
    Disk,
    /// A CD-ROM drive, whose medium can be absent.
    Cdrom,
}

impl BlockKind {
    /// xend's word for it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Disk => "disk",
            Self::Cdrom => "cdrom",
        }
    }
}

/// How a guest may use a block device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BlockMode {
    /// `r`
    ReadOnly,
    /// `w`
    ReadWrite,
    /// `w!`: even if somebody else uses the same disk.
    Shared,
}

impl BlockMode {
    /// xend's word for it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::ReadOnly => "r",
            Self::ReadWrite => "w",
            Self::Shared => "w!",
        }
    }
}

impl FromStr for BlockMode {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        match text {
            "r" | "ro" => Ok(Self::ReadOnly),
            "w" | "rw" => Ok(Self::ReadWrite),
            "w!" => Ok(Self::Shared),
            _ => Err(Invalid::new(format!("Invalid mode {text:?}, use r, w or w!"))),
        }
    }
}

/// A disk or CD-ROM drive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// Which driver serves it.
    pub class: BlockClass,
    /// What is behind it: `phy:/dev/vg0/root`, `file:/images/a.img`, `tap:qcow:/images/a.qcow`. Empty for a CD-ROM
    /// drive without a medium.
    pub uname: Text,
    /// The name in the guest, `sda1`, without xend's prefixes and suffixes.
    pub dev: String,
    /// The number that the name stands for.
    pub number: VirtualDevice,
    /// Disk or CD-ROM.
    pub kind: BlockKind,
    /// How the guest may use it.
    pub mode: BlockMode,
    /// Whether the guest boots from it; if nobody said, the first one is it.
    pub bootable: Option<bool>,
    /// Who serves it.
    pub backend: Option<Backend>,
    /// The device's UUID.
    pub uuid: Option<Uuid>,
    /// Keys that nobody knows.
    pub rest: Vec<Property>,
}

impl Block {
    /// Kinds of `uname` that Xen's hotplug scripts know.
    pub const TYPES: [&'static str; 12] =
        ["phy", "file", "tap", "tap2", "drbd", "iscsi", "npiv", "vmdk", "aio", "vhd", "qcow", "qcow2"];

    /// Checks what is behind a block device: `TYPE:PATH`, with a type that Xen knows.
    pub fn check_uname(uname: &[u8], kind: BlockKind) -> Result<(), Invalid> {
        if uname.is_empty() && kind == BlockKind::Cdrom {
            return Ok(());
        }
        let Some(colon) = uname.iter().position(|b| *b == b':') else {
            return Err(Invalid::new(
                "Block device must have physical details specified, like (uname phy:/dev/vg0/root)",
            ));
        };
        let kind = String::from_utf8_lossy(&uname[..colon]);
        if !Self::TYPES.contains(&kind.as_ref()) {
            return Err(Invalid::new(format!(
                "Block device type \"{kind}\" is invalid, use {}",
                Self::TYPES[..4].join(", ")
            )));
        }
        if uname.len() == colon + 1 {
            return Err(Invalid::new(format!("Block device \"{kind}:\" has no path")));
        }
        Ok(())
    }

    /// The part of `uname` after its last type: a path.
    pub fn path(&self) -> &[u8] {
        self.uname.rsplit(|b| *b == b':').next().unwrap_or_default()
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
    /// The device's UUID.
    pub uuid: Option<Uuid>,
    /// `type`, `model`, `vifname`, `rate`, ... and keys that nobody knows.
    pub rest: Vec<Property>,
}

/// A frame buffer, seen over VNC or in an SDL window.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Vfb {
    /// The device's UUID.
    pub uuid: Option<Uuid>,
    /// `vnc`, `vncunused`, `vnclisten`, `keymap`, ... in order; `vncpasswd` too, which is never shown.
    pub rest: Vec<Property>,
}

/// A keyboard and mouse.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Vkbd {
    /// Who serves it.
    pub backend: Option<Backend>,
    /// The device's UUID.
    pub uuid: Option<Uuid>,
    /// Keys that nobody knows.
    pub rest: Vec<Property>,
}

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
            slot: u8::try_from(slot).ok().filter(|s| *s < 32).ok_or_else(|| bad("slot", slot, 31))?,
            func: u8::try_from(func).ok().filter(|f| *f < 8).ok_or_else(|| bad("function", func, 7))?,
        })
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
    /// The device's UUID.
    pub uuid: Option<Uuid>,
    /// What it was given.
    pub rest: Vec<Property>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unames() {
        for good in ["phy:/dev/vg0/a", "file:/a", "tap:aio:/a", "tap2:qcow2:/a", "phy:hda1"] {
            Block::check_uname(good.as_bytes(), BlockKind::Disk).unwrap();
        }
        Block::check_uname(b"", BlockKind::Cdrom).unwrap();
        let message = |u: &str| Block::check_uname(u.as_bytes(), BlockKind::Disk).unwrap_err().to_string();
        assert!(message("").starts_with("Block device must have physical details specified"));
        assert!(message("nocolon").starts_with("Block device must have physical details specified"));
        assert!(message("nbd:x").starts_with("Block device type \"nbd\" is invalid"));
        assert!(message("phy:").ends_with("has no path"));
    }

    #[test]
    fn pci_addresses_are_in_range() {
        assert!(PciAddress::new(0, 0xff, 31, 7).is_ok());
        for (d, b, s, f) in [(0x10000, 0, 0, 0), (0, 256, 0, 0), (0, 0, 32, 0), (0, 0, 0, 8)] {
            assert!(PciAddress::new(d, b, s, f).is_err());
        }
    }
}
