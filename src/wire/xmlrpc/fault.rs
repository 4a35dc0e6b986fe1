//! Faults of XML-RPC.

use super::value::Value;

/// The call is malformed.
pub(super) const INTERNAL: i64 = 1;

/// xend's `XendError`: the operation failed.
pub(super) const XEND_ERROR: i64 = 2;

/// No such domain; the fault's text is the name that was given.
pub(super) const NO_SUCH_DOMAIN: i64 = 3;

/// A fault.
#[derive(Debug)]
pub(super) struct Fault {
    pub(super) code: i64,
    pub(super) text: String,
}

/// The answer to a call.
pub(super) type Answer = Result<Value, Fault>;

impl Fault {
    /// A fault with this code and text.
    pub(super) fn new(code: i64, text: impl Into<String>) -> Self {
        Self { code, text: text.into() }
    }

    /// The fault for too few or too many parameters.
    pub(super) fn wrong_count(method: &str, least: usize, most: usize, given: usize) -> Self {
        let count = if least == most { least.to_string() } else { format!("{least} to {most}") };
        let text = format!("{method}() takes {count} parameters, {given} were given");
        Self::new(INTERNAL, text)
    }
}
