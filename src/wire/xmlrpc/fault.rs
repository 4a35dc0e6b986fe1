//! Codes of XML-RPC faults.

/// The call makes no sense.
pub(super) const INTERNAL: i64 = 1;

/// xend's `XendError`: the operation failed.
pub(super) const XEND_ERROR: i64 = 2;

/// No such domain; the fault's text is the name that was given.
pub(super) const NO_SUCH_DOMAIN: i64 = 3;
