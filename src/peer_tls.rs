//! Encrypted connections between hosts, on which both show a certificate.

mod verifier;

use crate::pem::{PemError, certificates, private_key};
use arc_swap::ArcSwap;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::version::TLS13;
use tokio_rustls::rustls::{ClientConfig, Error, ServerConfig};
use tokio_rustls::{TlsAcceptor, TlsConnector};
use verifier::PeerVerifier;

/// The files of a host that encrypts its connections to other hosts, in PEM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerTlsFiles {
    /// The private key of this host.
    pub key: PathBuf,
    /// The certificate of this host, followed by those that sign it.
    pub cert: PathBuf,
    /// The certificates of other hosts, or those of the authorities that sign them.
    pub peers: PathBuf,
}

/// This host's key and certificate, and the certificates that other hosts must have. A reload reads
/// the files again, for the connections that come after it.
pub struct PeerTls {
    files: PeerTlsFiles,
    current: ArcSwap<Configs>,
}

/// Both directions have the same identity and the same peers.
struct Configs {
    server: Arc<ServerConfig>,
    client: Arc<ClientConfig>,
}

impl PeerTls {
    /// Reads the files.
    pub fn open(files: PeerTlsFiles) -> Result<Self, PemError> {
        let current = ArcSwap::from_pointee(read(&files)?);
        Ok(Self { files, current })
    }

    /// Reads the files again. After an error the old ones stay in force.
    pub fn reload(&self) -> Result<(), PemError> {
        self.current.store(Arc::new(read(&self.files)?));
        Ok(())
    }

    /// For a connection from another host.
    pub fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(Arc::clone(&self.current.load().server))
    }

    /// For a connection to another host.
    pub fn connector(&self) -> TlsConnector {
        TlsConnector::from(Arc::clone(&self.current.load().client))
    }
}

impl fmt::Debug for PeerTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PeerTls").field("files", &self.files).finish_non_exhaustive()
    }
}

fn read(files: &PeerTlsFiles) -> Result<Configs, PemError> {
    let PeerTlsFiles { key: key_file, cert, peers } = files;
    let chain = certificates(cert)?;
    let key = private_key(key_file)?;
    let provider = Arc::new(ring::default_provider());
    let verifier = Arc::new(
        PeerVerifier::new(certificates(peers)?, Arc::clone(&provider))
            .map_err(|reason| PemError::new(peers, &reason))?,
    );
    let configs = || -> Result<Configs, Error> {
        let server = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(&[&TLS13])?
            .with_client_cert_verifier(verifier.clone())
            .with_single_cert(chain.clone(), key.clone_key())?;
        let client = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(&[&TLS13])?
            .dangerous()
            .with_custom_certificate_verifier(verifier.clone())
            .with_client_auth_cert(chain, key)?;
        Ok(Configs { server: Arc::new(server), client: Arc::new(client) })
    };
    configs().map_err(|error| PemError::new(cert, &error))
}
