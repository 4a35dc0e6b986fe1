use crate::core::model::Invalid;
use crate::sxp::{Sxp, position};
use std::fmt;

/// A configuration that makes no sense: which field, why, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShapeError {
    field: String,
    reason: String,
    at: u32,
}

impl ShapeError {
    pub(super) fn new(field: impl Into<String>, reason: impl fmt::Display, at: &Sxp) -> Self {
        Self { field: field.into(), reason: reason.to_string(), at: at.offset() }
    }

    /// A check over several fields failed; the text names them.
    pub(super) fn whole(reason: &Invalid, at: &Sxp) -> Self {
        Self { field: String::new(), reason: reason.to_string(), at: at.offset() }
    }

    /// Where in the text it is, in bytes.
    pub(super) fn at(&self) -> u32 {
        self.at
    }

    /// Where in `text`, from which the configuration was read: line and column, from 1.
    pub fn position(&self, text: &[u8]) -> (usize, usize) {
        position(text, self.at as usize)
    }
}

impl fmt::Display for ShapeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.field.is_empty() {
            f.write_str(&self.reason)
        } else {
            write!(f, "{}: {}", self.field, self.reason)
        }
    }
}

impl std::error::Error for ShapeError {}
