//! Messages about the configuration file.

use std::collections::HashMap;
use std::fmt;
use std::path::{Path, PathBuf};

/// A position in a file, shown as `FILE:LINE:COLUMN`.
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

    /// A warning about this position.
    pub fn warning(&self, message: impl Into<String>) -> Diagnostic {
        self.diagnostic(Severity::Warning, message.into())
    }

    /// An error at this position.
    pub fn error(&self, message: impl Into<String>) -> Diagnostic {
        self.diagnostic(Severity::Error, message.into())
    }

    fn diagnostic(&self, severity: Severity, message: String) -> Diagnostic {
        Diagnostic { severity, position: Some(self.clone()), message }
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.path.display(), self.line, self.column)
    }
}

/// How much a [`Diagnostic`] matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// An entry that has no effect or is probably a mistake.
    Warning,
    /// A wrong entry: its listener is not served, or its key has the default.
    Error,
}

/// A message about the configuration: about a position in the file, shown as `FILE:LINE:COLUMN:
/// message`, or about the command line or a default, shown as the message alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// Warning or error.
    pub severity: Severity,
    position: Option<Position>,
    message: String,
}

impl Diagnostic {
    /// A warning, about a position if there is one.
    pub fn warning_at(position: Option<&Position>, message: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, position: position.cloned(), message: message.into() }
    }

    /// An error, at a position if there is one.
    pub fn error_at(position: Option<&Position>, message: impl Into<String>) -> Self {
        Self { severity: Severity::Error, position: position.cloned(), message: message.into() }
    }

    /// The message followed by a colon and `consequence`.
    pub(super) fn with_consequence(self, consequence: &str) -> Self {
        Self { message: format!("{}: {consequence}", self.message), ..self }
    }

    pub(super) fn into_warning(self) -> Self {
        Self { severity: Severity::Warning, ..self }
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.position {
            Some(position) => write!(f, "{position}: {}", self.message),
            None => f.write_str(&self.message),
        }
    }
}

/// Position of a setting in the file; `None` for a default and for an option of the command line.
///
/// All origins are equal: inserting a line above a setting does not change the setting.
#[derive(Debug, Clone, Default)]
pub struct Origin(pub Option<Position>);

impl PartialEq for Origin {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Origin {}

/// The file, and the positions of its keys. All are equal, as all [`Origin`]s are.
#[derive(Debug, Clone, Default)]
pub struct KeyPositions {
    file: Option<PathBuf>,
    by_key: HashMap<&'static str, Position>,
}

impl KeyPositions {
    /// Those of a file whose keys are not known yet.
    pub(super) fn of(file: &Path) -> Self {
        Self { file: Some(file.to_owned()), ..Self::default() }
    }

    pub(super) fn insert(&mut self, key: &'static str, position: Position) {
        self.by_key.insert(key, position);
    }

    /// The file; `None` if there is none.
    pub fn file(&self) -> Option<&Path> {
        self.file.as_deref()
    }

    /// The position of a key; `None` when the file does not have it.
    pub fn get(&self, key: &str) -> Option<&Position> {
        self.by_key.get(key)
    }
}

impl PartialEq for KeyPositions {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for KeyPositions {}
