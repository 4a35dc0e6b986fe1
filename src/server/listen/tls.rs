//! Keys and certificates of encrypted ports.

use super::error::ListenError;
use super::protocol::Protocol;
use crate::config::TlsFiles;
use crate::pem::{PemError, certificates, private_key};
use arc_swap::ArcSwap;
use std::fmt;
use std::sync::Arc;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::{Error, ServerConfig};

/// The key and the certificate of an encrypted port. A reload reads them again, for the connections
/// that come after it.
pub struct Tls {
    files: TlsFiles,
    protocol: Protocol,
    current: ArcSwap<ServerConfig>,
}

impl Tls {
    /// Reads the files.
    pub(super) fn open(files: &TlsFiles, protocol: Protocol) -> Result<Self, ListenError> {
        let current = ArcSwap::from_pointee(read(files, protocol)?);
        Ok(Self { files: files.clone(), protocol, current })
    }

    /// Reads the files again. After an error the old key and certificate stay.
    pub fn reload(&self) -> Result<(), ListenError> {
        self.current.store(Arc::new(read(&self.files, self.protocol)?));
        Ok(())
    }

    /// Encrypts new connections.
    pub(crate) fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(self.current.load_full())
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls").field("files", &self.files).finish_non_exhaustive()
    }
}

/// Reads a key and its certificate.
fn read(files: &TlsFiles, protocol: Protocol) -> Result<ServerConfig, ListenError> {
    let failed = |error: PemError| ListenError::Tls { path: error.path, reason: error.reason };
    let certificates = certificates(&files.cert).map_err(failed)?;
    let key = private_key(&files.key).map_err(failed)?;
    let build = || -> Result<ServerConfig, Error> {
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()));
        let config = config.with_safe_default_protocol_versions()?;
        config.with_no_client_auth().with_single_cert(certificates, key)
    };
    let mut config = build().map_err(|error| failed(PemError::new(&files.cert, &error)))?;
    config.alpn_protocols = protocol.alpn();
    Ok(config)
}
