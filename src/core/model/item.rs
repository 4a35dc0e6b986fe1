//! What a host has beside its domains.

use super::{Block, BlockKind, CpuSet, Interface, Invalid, Notes, Scheduler, Text, Uuid};
use std::fmt;
use std::str::FromStr;

/// What a virtual disk image is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VdiKind {
    /// A guest's system.
    System,
    /// A user's data.
    User,
    /// What may be lost.
    Ephemeral,
    /// A suspended guest's memory.
    Suspend,
    /// A crashed guest's memory.
    Crashdump,
}

impl VdiKind {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::System, Self::User, Self::Ephemeral, Self::Suspend, Self::Crashdump];

    /// The Xen-API's word for it.
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
        Self::ALL.into_iter().find(|kind| kind.name() == text).ok_or_else(|| {
            Invalid::new(format!("'{text}' is not one of {}", Self::ALL.map(Self::name).join(", ")))
        })
    }
}

/// A virtual disk image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vdi {
    /// Where it is: `file:/var/lib/xend/storage/....img`, `phy:/dev/vg0/root`, or an absolute path.
    /// Empty for an image that is to be made, and, with a size of 0, for a CD-ROM drive without a
    /// medium.
    pub location: Text,
    /// Its size in bytes; 0 if it is not ours and nobody said.
    pub size: u64,
    /// What it is for.
    pub kind: VdiKind,
    /// Whether it is an image of ours, which goes when this goes.
    pub own: bool,
    /// Whether several domains may write to it.
    pub sharable: bool,
    /// Whether nobody may.
    pub read_only: bool,
}

impl Vdi {
    /// Checks a location that a caller gives: the daemon's directory is nobody's business, so that
    /// paths are absolute. What follows `phy:` may be a name in `/dev`.
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
        let (kind, rest) = (&location[..colon], &location[colon + 1..]);
        let path = match kind {
            b"file" | b"aio" | b"vhd" | b"qcow" | b"qcow2" | b"vmdk" => rest,
            // tap:aio:/images/a.img, tap:tapdisk:vhd:/images/a.vhd
            b"tap" | b"tap2" => {
                &rest[rest.iter().position(|byte| *byte == b'/').unwrap_or(rest.len())..]
            }
            // A name in /dev, or something that only its hotplug script understands.
            _ => return Ok(()),
        };
        let drivers = &rest[..rest.len() - path.len()];
        let fine = path.starts_with(b"/") && (drivers.is_empty() || drivers.ends_with(b":"));
        if fine { Ok(()) } else { Err(relative()) }
    }

    /// What is behind a block device that uses it. A plain path is a disk's if it is in `/dev`, and
    /// a file's if not.
    pub fn uname(&self) -> Text {
        let prefix: &[u8] = match self.location.as_slice() {
            path if path.starts_with(b"/dev/") => b"phy:",
            path if path.starts_with(b"/") => b"file:",
            _ => b"",
        };
        [prefix, &self.location].concat().into()
    }
}

/// What can be changed of an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VdiSetting {
    /// Its size in bytes: it can grow.
    Size(u64),
    /// Whether several domains may write to it.
    Sharable(bool),
    /// Whether nobody may.
    ReadOnly(bool),
}

/// A network: a bridge of Domain-0's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Network {
    /// The bridge's name.
    pub bridge: String,
}

impl Network {
    /// Checks a name that a bridge is to have: Linux takes 15 bytes.
    pub fn new(bridge: &str) -> Result<Self, Invalid> {
        let fine = |c: char| c.is_ascii_alphanumeric() || "_-.".contains(c);
        if !(1..=15).contains(&bridge.len())
            || !bridge.chars().all(fine)
            || [".", ".."].contains(&bridge)
        {
            return Err(Invalid::new("a bridge's name has 1 to 15 letters, digits and _ - ."));
        }
        Ok(Self { bridge: bridge.to_owned() })
    }
}

/// A virtual LAN on one of Domain-0's cards.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vlan {
    /// The card's name.
    pub device: String,
    /// The tag, 1 to 4094.
    pub tag: u16,
    /// The bridge that it is on.
    pub bridge: String,
}

impl Vlan {
    /// Checks the tag.
    pub fn new(device: &str, tag: i64, bridge: &str) -> Result<Self, Invalid> {
        match u16::try_from(tag) {
            Ok(tag @ 1..=4094) => {
                Ok(Self { device: device.to_owned(), tag, bridge: bridge.to_owned() })
            }
            _ => Err(Invalid::new(format!("VLAN: {tag} is out of range, 1 to 4094"))),
        }
    }

    /// What its interface is called.
    pub fn name(&self) -> String {
        Interface::vlan_name(&self.device, self.tag)
    }
}

/// A CPU pool as it is stored: what it is made of when it is started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pool {
    /// Its name.
    pub name: String,
    /// Its scheduler.
    pub scheduler: Scheduler,
    /// Its CPUs; if there are none, as many as it wants of those that are free.
    pub cpus: CpuSet,
    /// How many it wants.
    pub ncpu: u32,
    /// Whether it is started with xend.
    pub auto_start: bool,
}

impl Pool {
    /// The longest name in bytes.
    pub const MAX_NAME: usize = 63;

    /// Checks a name: it becomes a value in XenStore.
    pub fn check_name(name: &str) -> Result<(), Invalid> {
        let fine = |c: char| c.is_ascii_alphanumeric() || "_-.".contains(c);
        if (1..=Self::MAX_NAME).contains(&name.len()) && name.chars().all(fine) {
            return Ok(());
        }
        Err(Invalid::new(format!(
            "name_label: 1 to {} letters, digits and _ - . are expected",
            Self::MAX_NAME
        )))
    }
}

/// What can be changed of a stored pool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PoolSetting {
    /// Its name.
    Name(String),
    /// Its scheduler, for the next start.
    Scheduler(Scheduler),
    /// Its CPUs, for the next start.
    Cpus(CpuSet),
    /// How many it wants.
    Ncpu(u32),
    /// Whether it is started with xend.
    AutoStart(bool),
}

impl PoolSetting {
    /// Sets it.
    pub fn apply(self, pool: &mut Pool) -> Result<(), Invalid> {
        match self {
            Self::Name(name) => {
                Pool::check_name(&name)?;
                pool.name = name;
            }
            Self::Scheduler(scheduler) => pool.scheduler = scheduler,
            Self::Cpus(cpus) => pool.cpus = cpus,
            Self::Ncpu(count) => pool.ncpu = count,
            Self::AutoStart(on) => pool.auto_start = on,
        }
        Ok(())
    }
}

/// What an item is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Thing {
    /// A disk image.
    Vdi(Vdi),
    /// A network that somebody made.
    Network(Network),
    /// A virtual LAN that somebody made.
    Vlan(Vlan),
    /// A CPU pool.
    Pool(Pool),
    /// Another way to attach the local storage, which is noted and nothing else.
    Pbd,
    /// Something that the host has by itself, of which there are notes and nothing else.
    Noted,
}

/// Something that the host has beside its domains, and that outlives the daemon and the machine's
/// run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// Its UUID.
    pub uuid: Uuid,
    /// What it is.
    pub thing: Thing,
    /// What is noted on it: `name_label`, `other_config`, ...
    pub notes: Notes,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locations_of_images_are_absolute() {
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
    fn a_plain_path_is_a_disk_or_a_file() {
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
