//! Permissions of nodes.

use std::fmt;
use std::str::FromStr;

/// What a domain may do with a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Access {
    /// Nothing.
    None,
    /// Read it.
    Read,
    /// Write it.
    Write,
    /// Read and write it.
    Both,
}

impl Access {
    /// Whether the node may be read.
    pub fn reads(self) -> bool {
        matches!(self, Self::Read | Self::Both)
    }

    /// Whether the node may be written.
    pub fn writes(self) -> bool {
        matches!(self, Self::Write | Self::Both)
    }

    fn letter(self) -> char {
        match self {
            Self::None => 'n',
            Self::Read => 'r',
            Self::Write => 'w',
            Self::Both => 'b',
        }
    }
}

/// An entry of a node's permissions, as text `n0` or `r5`.
///
/// The first entry names the owner, who may do everything, and says what domains without an entry
/// may do. Each further entry is for one domain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Permission {
    /// What the domain may do.
    pub access: Access,
    /// The domain's number.
    pub domid: u32,
}

impl Permission {
    /// An entry.
    pub const fn new(access: Access, domid: u32) -> Self {
        Self { access, domid }
    }
}

impl fmt::Display for Permission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.access.letter(), self.domid)
    }
}

/// A permission is none of `nN`, `rN`, `wN` and `bN`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("A permission is one of n, r, w, b and a domain's number")]
pub struct BadPermission;

impl FromStr for Permission {
    type Err = BadPermission;

    fn from_str(text: &str) -> Result<Self, BadPermission> {
        let mut rest = text.chars();
        let access = match rest.next() {
            Some('n') => Access::None,
            Some('r') => Access::Read,
            Some('w') => Access::Write,
            Some('b') => Access::Both,
            _ => return Err(BadPermission),
        };
        let digits = rest.as_str();
        if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(BadPermission);
        }
        let domid = digits.parse().map_err(|_| BadPermission)?;
        Ok(Self { access, domid })
    }
}
