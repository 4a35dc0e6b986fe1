//! What can be wrong with a configuration.

use std::fmt;
use std::io;
use std::net::SocketAddr;
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
    /// Calls without passwords could be reached from other machines.
    #[error(
        "Whoever reaches {0} could do everything without a password: serve it on localhost, use pam or password, or say \
         (xend-access-without-password yes)"
    )]
    Open(SocketAddr),
    /// A key without a certificate, or the other way round.
    #[error("xend-tcp-xmlrpc-server-ssl-key-file and -cert-file belong together: give both")]
    HalfTls,
    /// A default path was needed, and the user has no home directory.
    #[error("No home directory: set HOME or give {0}")]
    NoHome(&'static str),
}

/// Something in the file that is probably not what its writer meant, but does no harm.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning(pub(super) Remark);

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A message about a place in a file, shown as `FILE:LINE:COLUMN: message`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remark {
    path: PathBuf,
    line: usize,
    column: usize,
    message: String,
}

impl Remark {
    pub(super) fn new(path: &Path, (line, column): (usize, usize), message: impl Into<String>) -> Self {
        Self { path: path.to_owned(), line, column, message: message.into() }
    }
}

impl fmt::Display for Remark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { path, line, column, message } = self;
        write!(f, "{}:{line}:{column}: {message}", path.display())
    }
}
