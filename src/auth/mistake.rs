//! Mistakes in the users file.

use crate::sxp::Sxp;

/// A mistake in a text, with its byte offset. The message says what to write instead, and shows no
/// text that could be a password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mistake {
    pub(super) offset: usize,
    pub(super) message: String,
}

impl Mistake {
    /// A mistake in this expression.
    pub(super) fn new(at: &Sxp, message: impl Into<String>) -> Self {
        Self { offset: at.offset() as usize, message: message.into() }
    }
}
