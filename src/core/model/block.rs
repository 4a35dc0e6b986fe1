//! Disks and CD-ROM drives.

use super::backend::Backend;
use super::ids::{Uuid, VirtualDevice};
use super::invalid::Invalid;
use super::property::Property;
use super::text::Text;
use std::str::FromStr;

/// The Domain-0 driver that serves a block device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
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

    /// Whether `class` names one of the three. To a guest they are all alike.
    pub fn includes(class: &str) -> bool {
        Self::ALL.into_iter().any(|known| known.name() == class)
    }

    /// The name that xend uses.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Vbd => "vbd",
            Self::Tap => "tap",
            Self::Tap2 => "tap2",
        }
    }
}

/// The kind of drive that the guest sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum BlockKind {
    Disk,
    /// A CD-ROM drive; the medium can be absent.
    Cdrom,
}

impl BlockKind {
    /// The name that xend uses.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Disk => "disk",
            Self::Cdrom => "cdrom",
        }
    }
}

/// How a guest may use a block device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum BlockMode {
    /// `r`
    ReadOnly,
    /// `w`
    ReadWrite,
    /// `w!`: read-write, even if another domain uses the same disk.
    Shared,
}

impl BlockMode {
    /// The name that xend uses.
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
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Block {
    pub class: BlockClass,
    /// The source of the data: `phy:/dev/vg0/root`, `file:/images/a.img`,
    /// `tap:qcow:/images/a.qcow`. Empty for a CD-ROM drive without a medium.
    pub uname: Text,
    /// The name in the guest, `sda1`, without xend's prefixes and suffixes.
    pub dev: String,
    /// The number that `dev` stands for.
    pub number: VirtualDevice,
    pub kind: BlockKind,
    pub mode: BlockMode,
    /// Whether the guest boots from this device; `None` if the configuration leaves it open, in
    /// which case the first block device is the bootable one.
    pub bootable: Option<bool>,
    pub backend: Option<Backend>,
    /// The disk image behind the device, if a Xen-API client named one.
    pub vdi: Option<Uuid>,
    pub uuid: Option<Uuid>,
    /// Uninterpreted keys.
    pub rest: Vec<Property>,
}

impl Block {
    /// The formats that can follow `tap:` or `tap2:`, as blktap knew them.
    const TAP_TYPES: [&'static str; 8] =
        ["aio", "sync", "ram", "vhd", "vmdk", "qcow", "qcow2", "tapdisk"];

    /// The longest type, in bytes.
    const MAX_TYPE: usize = 32;

    /// Checks a `uname`: `TYPE:PATH`. Any type is accepted: a hotplug script `block-TYPE` serves
    /// the types that Xen itself does not know.
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
        // The type becomes the end of the script's file name.
        let allowed = |b: u8| b.is_ascii_alphanumeric() || b"_-.+".contains(&b);
        if kind.is_empty() || kind.len() > Self::MAX_TYPE || !kind.bytes().all(allowed) {
            let shown: String = kind.chars().take(Self::MAX_TYPE).collect();
            return Err(Invalid::new(format!(
                "Block device type {shown:?} is invalid, use phy, file, tap, or the TYPE of a script \
                 block-TYPE"
            )));
        }
        if uname.len() == colon + 1 {
            return Err(Invalid::new(format!("Block device \"{kind}:\" has no path")));
        }
        Ok(())
    }

    /// Splits `uname` into its types and the rest: `phy` and a path; `tap`, `qcow` and a path;
    /// `nbd` and the argument of its script. Both parts are empty for a drive without a medium.
    pub fn source(&self) -> (Vec<&str>, &[u8]) {
        let mut types = Vec::new();
        let mut rest = self.uname.as_slice();
        while let Some(colon) = rest.iter().position(|b| *b == b':') {
            let word = std::str::from_utf8(&rest[..colon]).unwrap_or_default();
            let follows_tap =
                matches!(types.first(), Some(&("tap" | "tap2"))) && Self::TAP_TYPES.contains(&word);
            if !types.is_empty() && !follows_tap {
                break;
            }
            types.push(word);
            rest = &rest[colon + 1..];
        }
        (types, rest)
    }

    /// The part of `uname` after the types, usually a path.
    pub fn path(&self) -> &[u8] {
        self.source().1
    }
}

#[cfg(test)]
impl Block {
    /// A disk that the guest may write.
    pub(crate) fn disk(dev: &str, uname: impl Into<Text>) -> Self {
        Self {
            class: BlockClass::Vbd,
            uname: uname.into(),
            dev: dev.to_owned(),
            number: VirtualDevice::parse(dev).unwrap(),
            kind: BlockKind::Disk,
            mode: BlockMode::ReadWrite,
            bootable: None,
            backend: None,
            vdi: None,
            uuid: None,
            rest: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unames_have_a_type_and_a_path() {
        for good in ["phy:/dev/vg0/a", "file:/a", "tap:aio:/a", "tap2:qcow2:/a", "phy:hda1"] {
            Block::check_uname(good.as_bytes(), BlockKind::Disk).unwrap();
        }
        Block::check_uname(b"", BlockKind::Cdrom).unwrap();
        let message =
            |u: &str| Block::check_uname(u.as_bytes(), BlockKind::Disk).unwrap_err().to_string();
        assert!(message("").starts_with("Block device must have physical details specified"));
        assert!(
            message("nocolon").starts_with("Block device must have physical details specified")
        );
        assert!(message("phy:").ends_with("has no path"));
    }

    #[test]
    fn any_type_is_accepted_for_hotplug_scripts() {
        let check = |uname: &str| Block::check_uname(uname.as_bytes(), BlockKind::Disk);
        for good in
            ["nbd:server:7000", "enbd:1", "gnbd:gfs/disk", "dmmd:md;/dev/md0", "my-type_2.x:y"]
        {
            check(good).unwrap();
        }
        let long = format!("{}:x", "t".repeat(33));
        for bad in [":x", "../x:y", "a/b:y", "a b:y", "a\n:y", long.as_str()] {
            assert!(check(bad).unwrap_err().to_string().starts_with("Block device type"), "{bad}");
        }
    }

    #[test]
    fn paths_can_contain_colons() {
        for (uname, types, path) in [
            (
                "phy:/dev/disk/by-path/ip-10.0.0.1:3260-lun-1",
                &["phy"][..],
                "/dev/disk/by-path/ip-10.0.0.1:3260-lun-1",
            ),
            ("tap:tapdisk:aio:/a:b", &["tap", "tapdisk", "aio"], "/a:b"),
            ("tap2:/a", &["tap2"], "/a"),
            ("nbd:10.0.0.1:7000", &["nbd"], "10.0.0.1:7000"),
            ("file:aio:/a", &["file"], "aio:/a"),
            ("", &[], ""),
        ] {
            let block = Block { mode: BlockMode::ReadOnly, ..Block::disk("xvda", uname) };
            assert_eq!(block.source(), (types.to_vec(), path.as_bytes()), "{uname}");
        }
    }
}
