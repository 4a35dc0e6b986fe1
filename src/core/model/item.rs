//! What a host has beside its domains.

use super::{Invalid, Notes, Text, Uuid};
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
    pub const ALL: [Self; 5] = [Self::System, Self::User, Self::Ephemeral, Self::Suspend, Self::Crashdump];

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
    /// What is behind a block device that uses it: `file:/var/lib/xend/storage/....img`, `phy:/dev/vg0/root`. Empty for an
    /// image that is to be made.
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
        if !(1..=15).contains(&bridge.len()) || !bridge.chars().all(fine) || [".", ".."].contains(&bridge) {
            return Err(Invalid::new("a bridge's name has 1 to 15 letters, digits and _ - ."));
        }
        Ok(Self { bridge: bridge.to_owned() })
    }
}

/// What an item is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Thing {
    /// A disk image.
    Vdi(Vdi),
    /// A network that somebody made.
    Network(Network),
    /// Something that the host has by itself, of which there are notes and nothing else.
    Noted,
}

impl Thing {
    /// The Xen-API's class.
    pub const fn class(&self) -> &'static str {
        match self {
            Self::Vdi(_) => "VDI",
            Self::Network(_) => "network",
            Self::Noted => "object",
        }
    }
}

/// Something that the host has beside its domains, and that outlives the daemon and the machine's run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// Its UUID.
    pub uuid: Uuid,
    /// What it is.
    pub thing: Thing,
    /// What is noted on it: `name_label`, `other_config`, ...
    pub notes: Notes,
}
