//! What a fleet keeps in etcd about definitions, beside these, and about its key.

use super::records::{Unreadable, decode, encode, is_text};
use crate::core::fleet::HostName;
use crate::core::model::DomName;
use serde::{Deserialize, Serialize};

/// The value of `token/DIGEST`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct TokenRecord {
    /// The host on which it was made.
    pub(super) host: String,
    /// The fleet's key, which the token opens.
    pub(super) key: String,
}

/// The value of `clash/H/U`: a host has a domain that the fleet has otherwise, or not at all.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClashRecord {
    /// The domain's name on that host.
    pub name: String,
    pub kind: ClashKind,
    /// Why, in words.
    pub reason: String,
}

/// What a host and the fleet do not agree about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ClashKind {
    /// Another domain has the name.
    Name,
    /// Another host has a domain of this UUID.
    Uuid,
    /// The reason says it.
    Other,
}

/// The value of `orphan/U`: a definition without a home.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrphanRecord {
    /// The domain's name.
    pub name: String,
    /// The host that had it.
    pub host: Option<String>,
}

impl TokenRecord {
    /// The value for etcd.
    pub(super) fn encode(&self) -> Vec<u8> {
        encode(self)
    }

    /// Reads a value.
    pub(super) fn decode(value: &[u8]) -> Result<Self, Unreadable> {
        decode(value)
    }
}

impl ClashRecord {
    /// The value for etcd.
    pub(super) fn encode(&self) -> Vec<u8> {
        encode(self)
    }

    /// Reads a value.
    pub(super) fn decode(value: &[u8]) -> Result<Self, Unreadable> {
        let record: Self = decode(value)?;
        let is_sound = is_text(&record.name) && is_text(&record.reason);
        if is_sound { Ok(record) } else { Err(Unreadable::Field("reason")) }
    }
}

impl OrphanRecord {
    /// A definition that `host` has no more.
    pub(super) fn new(name: &DomName, host: Option<&HostName>) -> Self {
        Self { name: name.to_string(), host: host.map(ToString::to_string) }
    }

    /// The value for etcd.
    pub fn encode(&self) -> Vec<u8> {
        encode(self)
    }

    /// Reads a value.
    pub fn decode(value: &[u8]) -> Result<Self, Unreadable> {
        decode(value)
    }
}
