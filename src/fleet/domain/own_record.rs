//! The value of `own/U`.

use crate::core::fleet::HostName;
use crate::core::model::{DomName, Uuid};
use crate::core::ownership::{Boot, Giver, Own, Phase};
use crate::fleet::records::{Unreadable, decode, encode};
use serde::{Deserialize, Serialize};

/// The longest address that a domain was sent to, in bytes.
const MAX_ADDRESS: usize = 512;

/// That a domain belongs to a host.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::fleet) struct OwnRecord {
    host: String,
    epoch: u64,
    phase: PhaseRecord,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    guarded: bool,
    /// The name that the domain has in the fleet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    op: Uuid,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    giver: Option<GiverRecord>,
}

/// Who has handed the domain over.
#[derive(Debug, Serialize, Deserialize)]
struct GiverRecord {
    host: String,
    epoch: u64,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    guarded: bool,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum PhaseRecord {
    Starting,
    Running,
    Moving { to: String, id: Uuid },
}

impl OwnRecord {
    /// The value for etcd.
    pub(in crate::fleet) fn encode(own: &Own) -> Vec<u8> {
        let phase = match &own.phase {
            Phase::Starting => PhaseRecord::Starting,
            Phase::Running => PhaseRecord::Running,
            Phase::Moving { to, id } => PhaseRecord::Moving { to: to.clone(), id: *id },
        };
        let host = own.by.host.to_string();
        let name = own.name.as_ref().map(ToString::to_string);
        let giver = own.giver.as_ref().map(|Giver { by, guarded }| GiverRecord {
            host: by.host.to_string(),
            epoch: by.epoch,
            guarded: *guarded,
        });
        let Own { by, guarded, op, .. } = own;
        encode(&Self { host, epoch: by.epoch, phase, guarded: *guarded, name, op: *op, giver })
    }

    /// Reads a value.
    pub(in crate::fleet) fn decode(value: &[u8]) -> Result<Own, Unreadable> {
        let record: Self = decode(value)?;
        let host: HostName = record.host.parse().map_err(|_| Unreadable::Field("host"))?;
        let phase = match record.phase {
            PhaseRecord::Starting => Phase::Starting,
            PhaseRecord::Running => Phase::Running,
            PhaseRecord::Moving { to, .. } if to.len() > MAX_ADDRESS => {
                return Err(Unreadable::Field("to"));
            }
            PhaseRecord::Moving { to, id } => Phase::Moving { to, id },
        };
        let name = record.name.as_deref().map(DomName::adopted);
        let by = Boot { host, epoch: record.epoch };
        let giver = record.giver.map(|giver| {
            let host = giver.host.parse().map_err(|_| Unreadable::Field("giver"))?;
            Ok(Giver { by: Boot { host, epoch: giver.epoch }, guarded: giver.guarded })
        });
        let giver = giver.transpose()?;
        Ok(Own { by, phase, guarded: record.guarded, name, op: record.op, giver })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn owners_are_read_as_they_are_written() {
        let moving = Phase::Moving { to: "xen2:8002".to_owned(), id: Uuid::from_u128(2) };
        for phase in [Phase::Starting, Phase::Running, moving] {
            let by = Boot { host: "xen1".parse().unwrap(), epoch: 3 };
            let name = Some(DomName::adopted("web"));
            let guarded = phase == Phase::Running;
            let giver = guarded.then(|| Giver { by: by.clone(), guarded });
            let own = Own { by, phase, guarded, name, op: Uuid::from_u128(1), giver };
            assert_eq!(OwnRecord::decode(&OwnRecord::encode(&own)), Ok(own));
        }
        let running = r#"{"host":"a","epoch":1,"phase":"running","op":"00000000-0000-0000-0000-000000000001"}"#;
        assert!(OwnRecord::decode(running.as_bytes()).is_ok());
        for (from, to) in [("\"a\"", "\"a/b\""), ("running", "resting"), ("1,", "\"1\",")] {
            assert!(OwnRecord::decode(running.replacen(from, to, 1).as_bytes()).is_err(), "{to}");
        }
    }
}
