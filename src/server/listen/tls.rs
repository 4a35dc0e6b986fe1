//! Keys and certificates of encrypted ports.

use super::error::ListenError;
use crate::config::TlsFiles;
use std::path::Path;
use std::sync::Arc;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{Error, ServerConfig};

/// Reads a key and its certificate.
pub(super) fn acceptor(files: &TlsFiles) -> Result<TlsAcceptor, ListenError> {
    let failed = |path: &Path, reason: String| ListenError::Tls { path: path.to_owned(), reason };
    let read = || CertificateDer::pem_file_iter(&files.cert)?.collect::<Result<Vec<_>, _>>();
    let certs = read().map_err(|error| failed(&files.cert, error.to_string()))?;
    if certs.is_empty() {
        return Err(failed(&files.cert, "it contains no certificate in PEM".to_owned()));
    }
    let key = PrivateKeyDer::from_pem_file(&files.key)
        .map_err(|error| failed(&files.key, error.to_string()))?;
    let build = || -> Result<ServerConfig, Error> {
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()));
        let config = config.with_safe_default_protocol_versions()?;
        config.with_no_client_auth().with_single_cert(certs, key)
    };
    let mut config = build().map_err(|error| failed(&files.cert, error.to_string()))?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}
