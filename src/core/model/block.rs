//! Disks and CD-ROM drives.

use super::{Backend, Invalid, Property, Text, Uuid, VirtualDevice};
use std::str::FromStr;

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
    const ALL: [Self; 3] = [Self::Vbd, Self::Tap, Self::Tap2];

    /// Whether a class of devices is one of these: to a guest they are all alike, whoever serves them.
    pub fn includes(class: &str) -> bool {
        Self::ALL.into_iter().any(|one| one.name() == class)
    }

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
    /// The disk image that it was made of, if a client of the Xen-API said so.
    pub vdi: Option<Uuid>,
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
}
