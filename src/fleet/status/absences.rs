//! Hosts that are away on purpose.

use super::{FleetStatus, Problem};
use crate::fleet::protection_records::{AwayCause, AwayRecord};
use crate::fleet::records::unix_seconds;
use serde::Serialize;
use std::time::SystemTime;

/// A planned absence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AwayStatus {
    /// Whether an operator wants it; otherwise the host's xend was stopped.
    pub is_wanted: bool,
    /// RFC 3339.
    pub since: String,
    /// Until when it is meant to last. It lasts until the host is back.
    pub until: String,
    #[serde(skip)]
    until_seconds: u64,
}

impl AwayStatus {
    /// What a host has written; `None` makes no sense to this version.
    pub(super) fn of(record: Option<AwayRecord>) -> Self {
        let moment = |seconds: u64| {
            let seconds = i64::try_from(seconds).unwrap_or(i64::MAX);
            jiff::Timestamp::from_second(seconds).map_or("?".to_owned(), |time| time.to_string())
        };
        match record {
            Some(AwayRecord { cause, since, until, .. }) => Self {
                is_wanted: cause == AwayCause::Operator,
                since: moment(since),
                until: moment(until),
                until_seconds: until,
            },
            None => Self {
                is_wanted: true,
                since: "?".to_owned(),
                until: "?".to_owned(),
                until_seconds: u64::MAX,
            },
        }
    }
}

impl FleetStatus {
    /// Says which hosts are away for longer than they were to be.
    pub fn judge_absences(&mut self, now: SystemTime) {
        let now = unix_seconds(now);
        for member in &self.members {
            let Some(away) = member.away.as_ref().filter(|away| away.until_seconds <= now) else {
                continue;
            };
            let name = &member.name;
            let advice = if member.is_alive {
                format!(
                    "xend fleet away --end on {name}, and look for \"absence\" in journalctl -u xend \
                     there"
                )
            } else {
                format!(
                    "systemctl start xend on {name}; if it is off, xend fleet confirm-dead {name}"
                )
            };
            self.problems.push(Problem::new(
                format!(
                    "{name} has been away since {}, and was to be back at {}: its protected domains are \
                     not started elsewhere",
                    away.since, away.until
                ),
                advice,
            ));
        }
    }
}
