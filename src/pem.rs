//! Keys and certificates in PEM files.

use crate::bounded_file;
use std::path::{Path, PathBuf};
use tokio_rustls::rustls::pki_types::pem::{self, PemObject as _};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// The largest file, in bytes.
const MAX_FILE: usize = 1 << 20;

/// A file whose key or certificates cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("Cannot use {}: {reason}", path.display())]
pub struct PemError {
    pub path: PathBuf,
    /// The problem with it.
    pub reason: String,
}

impl PemError {
    /// An error of this file.
    pub fn new(path: &Path, reason: &impl ToString) -> Self {
        Self { path: path.to_owned(), reason: reason.to_string() }
    }
}

/// The certificates of a file, at least one.
pub fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, PemError> {
    let read = || CertificateDer::pem_slice_iter(&text(path)?).collect::<Result<Vec<_>, _>>();
    let certificates = read().map_err(|error| PemError::new(path, &error))?;
    if certificates.is_empty() {
        return Err(PemError::new(path, &"it contains no certificate in PEM"));
    }
    Ok(certificates)
}

/// The private key of a file.
pub fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, PemError> {
    let read = || PrivateKeyDer::from_pem_slice(&text(path)?);
    read().map_err(|error| PemError::new(path, &error))
}

fn text(path: &Path) -> Result<Vec<u8>, pem::Error> {
    bounded_file::read(path, MAX_FILE).map_err(pem::Error::Io)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_without_an_end_is_refused() {
        let device = Path::new("/dev/zero");
        let errors = [certificates(device).unwrap_err(), private_key(device).unwrap_err()];
        for error in errors {
            assert!(error.reason.ends_with("it is larger than 1 MiB"), "{error}");
        }
    }
}
