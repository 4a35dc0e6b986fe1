//! Virtual disk images.

use super::block::{Block, BlockKind};
use super::invalid::Invalid;
use super::named::by_name;
use super::text::Text;
use std::fmt;
use std::str::FromStr;

/// The purpose of a disk image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum VdiKind {
    /// The system of a guest.
    System,
    /// Data of a user.
    User,
    /// Data that may be lost.
    Ephemeral,
    /// The memory of a suspended guest.
    Suspend,
    /// The memory of a crashed guest.
    Crashdump,
}

impl VdiKind {
    /// All kinds.
    pub const ALL: [Self; 5] =
        [Self::System, Self::User, Self::Ephemeral, Self::Suspend, Self::Crashdump];

    /// The name in the Xen-API.
    pub const fn name(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::User => "user",
            Self::Ephemeral => "ephemeral",
            Self::Suspend => "suspend",
            Self::Crashdump => "crashdump",
        }
    }
}

impl fmt::Display for VdiKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for VdiKind {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        by_name(text, Self::ALL, Self::name)
    }
}

/// A virtual disk image.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Vdi {
    /// `file:/var/lib/xend/storage/....img`, `phy:/dev/vg0/root`, or an absolute path. Empty for an
    /// image that is still to be created, and, with a size of 0, for a CD-ROM drive without a
    /// medium.
    pub location: Text,
    /// In bytes; 0 if the client gave none for an image outside of the local storage.
    pub size: u64,
    pub kind: VdiKind,
    /// Whether xend created the file and deletes it together with this object.
    pub own: bool,
    /// Whether several domains may write to the image.
    pub sharable: bool,
    pub read_only: bool,
}

impl Vdi {
    /// Checks a caller's location. Paths are absolute, since they must not depend on the daemon's
    /// working directory; `phy:` may also be followed by a name in `/dev`.
    pub fn check_location(location: &[u8]) -> Result<(), Invalid> {
        if location.iter().any(u8::is_ascii_control) {
            return Err(Invalid::new("a line break or another control character is in it"));
        }
        if location.split(|byte| matches!(byte, b'/' | b':')).any(|part| part == b"..") {
            return Err(Invalid::new("a path without .. is expected"));
        }
        if location.is_empty() || location.starts_with(b"/") {
            return Ok(());
        }
        let relative =
            || Invalid::new("an absolute path is expected, like file:/images/a.img or /dev/vg0/a");
        let colon = location.iter().position(|byte| *byte == b':').ok_or_else(relative)?;
        Block::check_uname(location, BlockKind::Disk)?;
        let kind = &location[..colon];
        let rest = &location[colon + 1..];
        let path = match kind {
            b"file" | b"aio" | b"vhd" | b"qcow" | b"qcow2" | b"vmdk" => rest,
            // tap:aio:/images/a.img, tap:tapdisk:vhd:/images/a.vhd
            b"tap" | b"tap2" => {
                &rest[rest.iter().position(|byte| *byte == b'/').unwrap_or(rest.len())..]
            }
            // A name in /dev, or an argument that only the hotplug script understands.
            _ => return Ok(()),
        };
        let drivers = &rest[..rest.len() - path.len()];
        let absolute = path.starts_with(b"/") && (drivers.is_empty() || drivers.ends_with(b":"));
        if absolute { Ok(()) } else { Err(relative()) }
    }

    /// The `uname` of a block device that uses the image. A plain path is a disk if it is in
    /// `/dev`, and otherwise a file.
    pub fn uname(&self) -> Text {
        let prefix: &[u8] = match self.location.as_slice() {
            path if path.starts_with(b"/dev/") => b"phy:",
            path if path.starts_with(b"/") => b"file:",
            _ => b"",
        };
        [prefix, &self.location].concat().into()
    }
}

/// A change of a disk image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VdiSetting {
    /// The size in bytes; an image can only grow.
    Size(u64),
    /// Whether several domains may write to the image.
    Sharable(bool),
    /// Whether the image is read-only.
    ReadOnly(bool),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locations_are_absolute() {
        for good in [
            "",
            "/images/a.img",
            "/dev/vg0/a",
            "file:/a",
            "file:/a:b",
            "phy:/dev/a",
            "phy:sda1",
            "phy:a..b",
            "/images/..a",
            "tap:aio:/a",
            "tap:tapdisk:vhd:/a",
        ] {
            assert_eq!(Vdi::check_location(good.as_bytes()), Ok(()), "{good}");
        }
        for bad in [
            "a.img",
            "images/a.img",
            "./a",
            "../a",
            "file:a.img",
            "file:",
            "tap:aio:a",
            "tap:a/b",
            "tap2:vhd:x/y",
            "qcow:a",
            "phy:../x",
            "phy:..",
            "/..",
            "/images/../etc/shadow",
            "file:/images/a\nb",
            "phy:sda1\r",
        ] {
            assert!(Vdi::check_location(bad.as_bytes()).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_plain_path_in_dev_is_a_disk() {
        let kind = VdiKind::User;
        for (location, uname) in [
            ("/dev/vg0/a", "phy:/dev/vg0/a"),
            ("/images/a", "file:/images/a"),
            ("tap:aio:/a", "tap:aio:/a"),
            ("", ""),
        ] {
            let location = location.into();
            let vdi =
                Vdi { location, size: 0, kind, own: false, sharable: false, read_only: false };
            assert_eq!(vdi.uname(), uname);
        }
    }
}
