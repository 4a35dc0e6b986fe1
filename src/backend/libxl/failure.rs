//! What goes wrong in libxl.

use std::ffi::c_int;
use std::fmt;

/// What libxl says of a failure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Failure {
    /// One of libxl's `ERROR_` codes.
    pub code: c_int,
    /// Its own words.
    pub words: String,
}

impl Failure {
    /// `ERROR_DOMAIN_NOTFOUND`.
    pub(super) const NOT_FOUND: c_int = -21;

    pub(super) fn told(words: &str) -> Self {
        Self { code: -1, words: words.to_owned() }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.words.is_empty() {
            write!(f, "libxl error {}", self.code)
        } else {
            f.write_str(&self.words)
        }
    }
}

impl std::error::Error for Failure {}
