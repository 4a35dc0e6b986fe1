//! What can be wrong with a configuration.

use std::collections::HashMap;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// A configuration that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("Cannot read the configuration {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The file says something that makes no sense.
    #[error("{0}")]
    Invalid(Remark),
    /// A default path was needed, and the user has no home directory.
    #[error("No home directory: set HOME or give {0}")]
    NoHome(&'static str),
}

/// Something about the file that the daemon starts in spite of, and that the operator should know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finding {
    /// An entry that is probably not what its writer meant, or that has no effect.
    Warning(Remark),
    /// An entry that is broken: the listener that it belongs to is left out, or the key has its
    /// default.
    Fault(Remark),
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Warning(remark) | Self::Fault(remark) => remark.fmt(f),
        }
    }
}

/// A place in a file, shown as `FILE:LINE:COLUMN`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Position {
    path: PathBuf,
    line: usize,
    column: usize,
}

impl Position {
    pub(super) fn new(path: &Path, (line, column): (usize, usize)) -> Self {
        Self { path: path.to_owned(), line, column }
    }

    /// A message about this place.
    pub fn remark(&self, message: impl Into<String>) -> Remark {
        Remark { at: self.clone(), message: message.into() }
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.path.display(), self.line, self.column)
    }
}

/// Where a setting is written; `None` for a default and for what the command line says.
///
/// Any two are equal: a setting does not change when a line is inserted above it.
#[derive(Debug, Clone, Default)]
pub struct Origin(pub Option<Position>);

impl PartialEq for Origin {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Origin {}

/// Where the file has each of its keys.
///
/// Any two are equal, as any two [`Origin`]s are.
#[derive(Debug, Clone, Default)]
pub struct KeyPositions(pub(super) HashMap<&'static str, Position>);

impl KeyPositions {
    /// Where the file has this key.
    pub fn of(&self, key: &str) -> Option<&Position> {
        self.0.get(key)
    }
}

impl PartialEq for KeyPositions {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for KeyPositions {}

/// A message about a place in a file, shown as `FILE:LINE:COLUMN: message`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remark {
    at: Position,
    message: String,
}

impl Remark {
    /// The same with more to say.
    pub(super) fn and(self, more: &str) -> Self {
        Self { message: format!("{}: {more}", self.message), ..self }
    }
}

impl fmt::Display for Remark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.at, self.message)
    }
}
