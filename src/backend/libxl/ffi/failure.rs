//! Failures of libxl.

use super::c;
use std::ffi::c_int;
use std::fmt;

/// A failed call of libxl.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::backend::libxl) struct Failure {
    /// One of libxl's `ERROR_` codes.
    code: c_int,
    /// libxl's first error message.
    message: String,
}

impl Failure {
    /// libxl's `ERROR_NONSPECIFIC`.
    const NONSPECIFIC: c_int = -1;

    pub(super) fn new(code: c_int, message: &str) -> Self {
        Self { code, message: message.to_owned() }
    }

    /// A failure that is not libxl's.
    pub(super) fn own(message: &str) -> Self {
        Self::new(Self::NONSPECIFIC, message)
    }

    pub(in crate::backend::libxl) fn message(&self) -> &str {
        &self.message
    }

    pub(in crate::backend::libxl) fn is_domain_not_found(&self) -> bool {
        self.code == c::SHIM_ERROR_DOMAIN_NOTFOUND
    }

    /// Whether something other than a domain does not exist.
    pub(in crate::backend::libxl) fn is_not_found(&self) -> bool {
        self.code == c::SHIM_ERROR_NOTFOUND
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.message.is_empty() {
            write!(f, "libxl error {}", self.code)
        } else {
            f.write_str(&self.message)
        }
    }
}

impl std::error::Error for Failure {}
