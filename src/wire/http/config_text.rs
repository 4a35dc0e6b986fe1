//! Configurations as text: parsed with the position of an error, and printed for people.

use crate::core::model::DomainConfig;
use crate::shape::{self, ShapeError};
use crate::sxp::{Limits, Sxp, pretty, read_first};
use std::fmt;

/// An error in a configuration.
#[derive(Debug)]
pub(super) struct ConfigTextError {
    /// Whether the text is not an S-expression.
    pub(super) is_syntax: bool,
    /// From 1.
    pub(super) line: usize,
    /// In bytes, from 1.
    pub(super) column: usize,
    pub(super) reason: String,
}

impl fmt::Display for ConfigTextError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}: {}", self.line, self.column, self.reason)
    }
}

/// Parses the first expression of a text. As in xend, the rest of the text is ignored.
pub(super) fn parse<T>(
    text: &[u8],
    read: impl FnOnce(&Sxp) -> Result<T, ShapeError>,
) -> Result<T, ConfigTextError> {
    let sxp = read_first(text, &Limits::default()).map_err(|error| ConfigTextError {
        is_syntax: true,
        line: error.line(),
        column: error.column(),
        reason: error.to_string(),
    })?;
    read(&sxp).map_err(|error| {
        let (line, column) = error.position(text);
        ConfigTextError { is_syntax: false, line, column, reason: error.to_string() }
    })
}

/// Prints a domain's configuration. It is printed from the model and never the text that was sent,
/// which can contain passwords.
pub(super) fn print(config: &DomainConfig) -> String {
    pretty(&shape::config_tree(config), 100)
}
