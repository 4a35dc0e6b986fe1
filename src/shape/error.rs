//! The error of a configuration.

use crate::core::model::Invalid;
use crate::sxp::{Sxp, position};
use std::fmt;

/// A wrong field of a configuration, with the reason and the position.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShapeError {
    field: String,
    reason: String,
    offset: u32,
}

impl ShapeError {
    pub(super) fn new(field: impl Into<String>, reason: impl fmt::Display, at: &Sxp) -> Self {
        Self { field: field.into(), reason: reason.to_string(), offset: at.offset() }
    }

    /// A failed check of several fields, which `reason` names.
    pub(super) fn whole(reason: &Invalid, at: &Sxp) -> Self {
        Self { field: String::new(), reason: reason.to_string(), offset: at.offset() }
    }

    /// The key at fault, below the name of the list that has it: `memory`, `vbd dev`. Empty if
    /// several are.
    pub fn field(&self) -> &str {
        &self.field
    }

    /// What is wrong, without the key.
    pub fn reason(&self) -> &str {
        &self.reason
    }

    /// Byte offset in the text.
    pub fn offset(&self) -> u32 {
        self.offset
    }

    /// Line and column in `text`, which the configuration was read from; both from 1.
    pub fn position(&self, text: &[u8]) -> (usize, usize) {
        position(text, self.offset as usize)
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
