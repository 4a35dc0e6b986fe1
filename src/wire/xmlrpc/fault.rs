//! Faults of XML-RPC.

use super::codec;

/// The call is malformed.
pub(super) const INTERNAL: i64 = 1;

/// xend's `XendError`: the operation failed.
pub(super) const XEND_ERROR: i64 = 2;

/// No such domain; the fault's text is the name that was given.
pub(super) const NO_SUCH_DOMAIN: i64 = 3;

/// The fault for too few or too many parameters.
pub(super) fn wrong_count(method: &str, least: usize, most: usize, given: usize) -> String {
    let count = if least == most { least.to_string() } else { format!("{least} to {most}") };
    codec::fault(INTERNAL, &format!("{method}() takes {count} parameters, {given} were given"))
}
