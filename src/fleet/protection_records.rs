//! What a fleet keeps in etcd about domains that are started elsewhere when their host dies.

use super::records::{Unreadable, decode, encode, is_text, unix_seconds};
use crate::core::fleet::HostName;
use crate::core::model::Uuid;
use crate::core::ownership::Boot;
use serde::{Deserialize, Serialize};
use std::time::SystemTime;

/// How often a domain is tried to be started, on one host after the other, if it is always to run.
pub const MAX_TRIES: u32 = 3;

/// The value of `policy/U`. Without one, a domain is not protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyRecord {
    pub restart: Restart,
    /// Domains with a higher one are started earlier.
    #[serde(default)]
    pub priority: u8,
}

/// What becomes of a domain when its host dies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Restart {
    /// It is tried once to start it elsewhere.
    BestEffort,
    /// It is tried several times, and after those somebody has to look at it.
    Always,
}

/// The value of `fence/H/EPOCH`. As soon as it is there, this boot of the host gets no domain, and
/// its guard ends the protected ones.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FenceRecord {
    /// The host whose taker or operator wrote it.
    pub by: String,
    /// When, in seconds since 1970; for people alone.
    pub at: u64,
    pub step: FenceStep,
    /// Which change wrote this.
    pub op: Uuid,
}

/// How far a fence is. It never goes back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FenceStep {
    /// The guard of the host may still be ending its domains.
    Declared,
    /// A taker has waited since it was declared: the guarded domains of this boot have ended.
    Waited,
    /// A person says that this boot of the host has ended: none of its domains runs.
    Confirmed,
}

/// The value of `away/H/EPOCH`: this boot of a host is away on purpose, and is not fenced. That
/// does not end by itself: the host removes it when its guard has set a timer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct AwayRecord {
    #[serde(default)]
    pub cause: AwayCause,
    /// Since when, in seconds since 1970; for people alone.
    #[serde(default)]
    pub since: u64,
    /// Until when it wants to be away, in seconds since 1970.
    pub until: u64,
    /// Which change wrote this.
    pub op: Uuid,
}

/// Why a host is away.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AwayCause {
    /// Its daemon has stopped, and the next one comes back.
    #[default]
    Stop,
    /// An operator wants that, until the time is over.
    Operator,
}

/// The value of `takeover/U`: a domain of a host that has ended is to be started on another one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TakeoverRecord {
    /// The host that has ended, and its boot.
    pub from: String,
    pub epoch: u64,
    /// The domain's name, for people.
    pub name: String,
    /// The host that is to start it; `None` if it was tried often enough.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// The hosts that have tried, with the reason why each could not.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub failed: Vec<FailedTry>,
    /// Which change wrote this.
    pub op: Uuid,
}

/// A host could not start a domain of another one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailedTry {
    pub host: String,
    pub reason: String,
}

impl Restart {
    /// The word for people, as a command takes it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::BestEffort => "best-effort",
            Self::Always => "always",
        }
    }

    /// How often it is tried to start a domain.
    pub const fn tries(self) -> u32 {
        match self {
            Self::BestEffort => 1,
            Self::Always => MAX_TRIES,
        }
    }
}

impl PolicyRecord {
    /// The value for etcd.
    pub fn encode(&self) -> Vec<u8> {
        encode(self)
    }

    /// Reads a value.
    pub fn decode(value: &[u8]) -> Result<Self, Unreadable> {
        decode(value)
    }
}

impl FenceRecord {
    /// A fence that is at this step, at this time.
    pub fn new(by: &HostName, step: FenceStep, now: SystemTime, op: Uuid) -> Self {
        Self { by: by.to_string(), at: unix_seconds(now), step, op }
    }

    /// The value for etcd.
    pub fn encode(&self) -> Vec<u8> {
        encode(self)
    }

    /// Reads a value. Whatever it is, the key fences the host.
    pub fn decode(value: &[u8]) -> Result<Self, Unreadable> {
        let record: Self = decode(value)?;
        let is_host = record.by.parse::<HostName>().is_ok();
        if is_host { Ok(record) } else { Err(Unreadable::Field("by")) }
    }
}

impl AwayRecord {
    /// The value for etcd.
    pub fn encode(&self) -> Vec<u8> {
        encode(self)
    }

    /// Reads a value. Whatever it is, the key keeps the host from being fenced.
    pub fn decode(value: &[u8]) -> Result<Self, Unreadable> {
        decode(value)
    }
}

impl TakeoverRecord {
    /// The boot that has ended.
    pub fn from(&self) -> Option<Boot> {
        Some(Boot { host: self.from.parse().ok()?, epoch: self.epoch })
    }

    /// The value for etcd.
    pub fn encode(&self) -> Vec<u8> {
        encode(self)
    }

    /// Reads a value.
    pub fn decode(value: &[u8]) -> Result<Self, Unreadable> {
        let record: Self = decode(value)?;
        let is_host = |text: &str| text.parse::<HostName>().is_ok();
        let tries_are_read =
            record.failed.iter().all(|tried| is_host(&tried.host) && is_text(&tried.reason));
        let field = if !is_host(&record.from) {
            "from"
        } else if !is_text(&record.name) {
            "name"
        } else if !record.to.as_deref().is_none_or(is_host) {
            "to"
        } else if !tries_are_read {
            "failed"
        } else {
            return Ok(record);
        };
        Err(Unreadable::Field(field))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::UNIX_EPOCH;

    #[test]
    fn records_are_read_as_they_are_written() {
        let policy = PolicyRecord { restart: Restart::BestEffort, priority: 3 };
        assert_eq!(policy.encode(), br#"{"restart":"best-effort","priority":3}"#);
        assert_eq!(PolicyRecord::decode(&policy.encode()), Ok(policy));
        assert!(PolicyRecord::decode(br#"{"restart":"none"}"#).is_err());
        let xen1: HostName = "xen1".parse().unwrap();
        let op = Uuid::from_u128(1);
        let fence = FenceRecord::new(&xen1, FenceStep::Waited, UNIX_EPOCH, op);
        assert_eq!(FenceRecord::decode(&fence.encode()), Ok(fence.clone()));
        let strange = FenceRecord { by: "a/b".to_owned(), ..fence };
        assert_eq!(FenceRecord::decode(&strange.encode()), Err(Unreadable::Field("by")));
        assert!(
            FenceStep::Declared < FenceStep::Waited && FenceStep::Waited < FenceStep::Confirmed
        );
        let away = AwayRecord { cause: AwayCause::Operator, since: 5, until: 7, op };
        assert_eq!(AwayRecord::decode(&away.encode()), Ok(away));
        let short = format!(r#"{{"until":7,"op":"{op}"}}"#);
        let stopped = AwayRecord { cause: AwayCause::Stop, since: 0, ..away };
        assert_eq!(AwayRecord::decode(short.as_bytes()), Ok(stopped));
    }

    #[test]
    fn a_takeover_names_hosts() {
        let tried = FailedTry { host: "xen2".to_owned(), reason: "no memory".to_owned() };
        let takeover = TakeoverRecord {
            from: "xen1".to_owned(),
            epoch: 2,
            name: "web".to_owned(),
            to: Some("xen3".to_owned()),
            failed: vec![tried],
            op: Uuid::from_u128(1),
        };
        assert_eq!(TakeoverRecord::decode(&takeover.encode()), Ok(takeover.clone()));
        assert_eq!(takeover.from(), Some(Boot { host: "xen1".parse().unwrap(), epoch: 2 }));
        for (field, strange) in [
            ("from", TakeoverRecord { from: "/".to_owned(), ..takeover.clone() }),
            ("to", TakeoverRecord { to: Some("/".to_owned()), ..takeover.clone() }),
            ("name", TakeoverRecord { name: "x".repeat(600), ..takeover.clone() }),
        ] {
            assert_eq!(TakeoverRecord::decode(&strange.encode()), Err(Unreadable::Field(field)));
        }
    }
}
