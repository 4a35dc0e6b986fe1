//! What an operator is told of a planned absence.

use crate::fleet::protection_records::{AwayCause, AwayRecord};
use serde::Serialize;

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
    pub(super) until_seconds: u64,
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
