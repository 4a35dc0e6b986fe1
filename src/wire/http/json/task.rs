//! Tasks: operations that a client does not wait for.

use super::problem::Problem;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::value::RawValue;
use std::time::SystemTime;

/// An operation that was started with `Prefer: respond-async`.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Task<'a> {
    pub(crate) id: String,
    /// Name of the operation.
    pub(crate) op: &'static str,
    /// Name of the domain in the path of the request, or of the one that is created. Null for an
    /// operation on the host, and until a domain that is restored is known.
    pub(crate) domain: Option<&'a str>,
    #[schemars(extend("enum" = ["running", "succeeded", "failed"]))]
    pub(crate) state: &'static str,
    /// Time of the request (RFC 3339).
    pub(crate) created_at: String,
    /// Time of the end (RFC 3339); null while it is running.
    pub(crate) ended_at: Option<String>,
    /// Progress. Null for an operation that does not move a domain's memory, until it has ended.
    pub(crate) progress_percent: Option<u8>,
    /// Body that the operation would have had for an answer; null if there is none.
    #[schemars(with = "serde_json::Value")]
    pub(crate) result: Option<&'a RawValue>,
    /// Reason of a failure.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) problem: Option<&'a Problem>,
}

/// A time as RFC 3339 has it, in UTC.
pub(crate) fn moment(time: SystemTime) -> String {
    jiff::Timestamp::try_from(time).unwrap_or(jiff::Timestamp::UNIX_EPOCH).to_string()
}
