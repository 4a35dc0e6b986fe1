//! Rights on domains.

use crate::core::model::Invalid;
use std::fmt;
use std::str::FromStr;

/// A right.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Right {
    /// See that the domain exists: its state, configuration, figures and events. Every other right
    /// on a domain includes this one.
    See,
    /// Start, stop, pause, reset; send keys and interrupts.
    Power,
    /// Read the console, and use it and the screen.
    Console,
    /// Change the medium of a CD-ROM drive.
    Media,
    /// Attach and detach devices, within the limits of the account.
    Devices,
    /// Change memory and the number of VCPUs, within the limits of the account.
    MemoryAndCpus,
    /// Change the name, the description, and what happens when the guest stops.
    Configure,
    /// Suspend and resume. Save, restore and dump, if the account has directories for files.
    Save,
    /// Migrate to another host.
    Migrate,
    /// Use the agent inside the guest: set passwords, write files, change its network.
    Guest,
    /// Create, define and delete domains, within the limits of the account.
    Create,
    /// Read facts about the host: its hardware, free memory, networks, storage.
    HostFacts,
}

impl Right {
    /// All rights, in the order of the documentation.
    pub const ALL: [Self; 12] = [
        Self::See,
        Self::Power,
        Self::Console,
        Self::Media,
        Self::Devices,
        Self::MemoryAndCpus,
        Self::Configure,
        Self::Save,
        Self::Migrate,
        Self::Guest,
        Self::Create,
        Self::HostFacts,
    ];

    /// The word in the users file.
    pub const fn name(self) -> &'static str {
        match self {
            Self::See => "see",
            Self::Power => "power",
            Self::Console => "console",
            Self::Media => "media",
            Self::Devices => "devices",
            Self::MemoryAndCpus => "memory-and-cpus",
            Self::Configure => "configure",
            Self::Save => "save",
            Self::Migrate => "migrate",
            Self::Guest => "guest",
            Self::Create => "create",
            Self::HostFacts => "host-facts",
        }
    }

    const fn bit(self) -> u16 {
        1 << self as u16
    }
}

impl fmt::Display for Right {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Right {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        Self::ALL.into_iter().find(|right| right.name() == text).ok_or_else(|| {
            let names = Self::ALL.map(Self::name).join(", ");
            Invalid::new(format!("{text:?} is not a right, use one of {names}"))
        })
    }
}

/// A set of rights.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct Rights(u16);

impl Rights {
    /// No right at all.
    pub const NONE: Self = Self(0);

    /// Every right.
    pub fn all() -> Self {
        Right::ALL.into_iter().collect()
    }

    /// Whether the right is in the set.
    pub const fn has(self, right: Right) -> bool {
        self.0 & right.bit() != 0
    }

    /// The rights of both sets.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether there is no right.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The rights in the set, in the order of the documentation.
    pub fn iter(self) -> impl Iterator<Item = Right> {
        Right::ALL.into_iter().filter(move |right| self.has(*right))
    }
}

impl FromIterator<Right> for Rights {
    fn from_iter<I: IntoIterator<Item = Right>>(rights: I) -> Self {
        Self(rights.into_iter().fold(0, |bits, right| bits | right.bit()))
    }
}

impl fmt::Debug for Rights {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_right_has_the_name_of_the_users_file() {
        for right in Right::ALL {
            assert_eq!(right.name().parse::<Right>().unwrap(), right);
        }
        let error = "fly".parse::<Right>().unwrap_err().to_string();
        assert!(error.starts_with("\"fly\" is not a right, use one of see, power,"), "{error}");
    }

    #[test]
    fn sets_of_rights_are_united() {
        let some: Rights = [Right::See, Right::Power].into_iter().collect();
        let all = some.union([Right::Create].into_iter().collect());
        assert_eq!(all.iter().collect::<Vec<_>>(), [Right::See, Right::Power, Right::Create]);
        assert!(!some.has(Right::Create) && Rights::NONE.is_empty());
        assert_eq!(Rights::all().iter().count(), Right::ALL.len());
    }
}
