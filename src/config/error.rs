//! Errors of the configuration.

use super::diagnostic::Diagnostic;
use std::io;
use std::path::PathBuf;

/// A configuration that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("Cannot read the configuration {}", path.display())]
    Read { path: PathBuf, source: io::Error },
    /// An entry is wrong, and no default can replace it.
    #[error("{0}")]
    Invalid(Diagnostic),
    /// A path is relative, and the working directory is unknown.
    #[error("Cannot use {} without a working directory: give an absolute path", path.display())]
    Relative { path: PathBuf, source: io::Error },
    /// A default path depends on a home directory that the user does not have.
    #[error("No home directory: set HOME or give {0}")]
    NoHome(&'static str),
}
