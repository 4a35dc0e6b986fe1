//! Encrypted connections between hosts, on which both show a certificate.
//!
//! Domains move between hosts that know each other's certificates from a file (`verifier.rs`). The
//! hosts of a fleet ask each other over the same port and send each other domains, and know each
//! other's certificates by their fingerprints (`pin.rs`). Such a connection is told by its protocol
//! of the application layer (ALPN), [`PEER_PROTOCOL`] or [`MEMBER_MIGRATION_PROTOCOL`].

mod pin;
mod verifier;

use crate::core::fingerprint::Fingerprint;
use crate::pem::{PemError, certificates, private_key};
use arc_swap::ArcSwap;
use pin::{Accepted, PinVerifier, fingerprint};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::sync::watch;
use tokio_rustls::rustls::client::danger::ServerCertVerifier;
use tokio_rustls::rustls::crypto::{CryptoProvider, ring};
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::server::danger::ClientCertVerifier;
use tokio_rustls::rustls::sign::{CertifiedKey, SingleCertAndKey};
use tokio_rustls::rustls::version::TLS13;
use tokio_rustls::rustls::{ClientConfig, Error, ServerConfig};
use tokio_rustls::{TlsAcceptor, TlsConnector};
use verifier::PeerVerifier;

/// The protocol of a connection on which a host of a fleet asks another one: it says its name, and
/// goes on in HTTP/1.1 when it is welcome.
pub const PEER_PROTOCOL: &[u8] = b"xend-peer/1";

/// The protocol of a connection on which a host of a fleet sends another one a domain. A connection
/// between other hosts, or of a host that knows no such protocol, names none.
pub const MEMBER_MIGRATION_PROTOCOL: &[u8] = b"xend-relocation/1";

/// The files of a host that encrypts its connections to other hosts, in PEM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerTlsFiles {
    /// The private key of this host.
    pub key: PathBuf,
    /// The certificate of this host, followed by those that sign it.
    pub cert: PathBuf,
    /// The certificates of other hosts, or those of the authorities that sign them; `None` if the
    /// host knows those of its fleet alone.
    pub peers: Option<PathBuf>,
}

/// This host's key and certificate, and the certificates that other hosts must have. A reload reads
/// the files again, for the connections that come after it.
pub struct PeerTls {
    files: PeerTlsFiles,
    current: ArcSwap<Configs>,
    /// The fingerprint of this host's certificate.
    own: watch::Sender<Option<Fingerprint>>,
}

/// Both directions have the same identity and the same peers.
struct Configs {
    server: Arc<ServerConfig>,
    client: Arc<ClientConfig>,
    /// For hosts of the fleet, which ask this one and send it domains.
    peer_server: Arc<ServerConfig>,
    /// This host's key and certificate.
    identity: Arc<SingleCertAndKey>,
    provider: Arc<CryptoProvider>,
    fingerprint: Fingerprint,
}

impl PeerTls {
    /// Reads the files.
    pub fn open(files: PeerTlsFiles) -> Result<Self, PemError> {
        let configs = read(&files)?;
        let own = watch::Sender::new(Some(configs.fingerprint));
        Ok(Self { files, current: ArcSwap::from_pointee(configs), own })
    }

    /// Reads the files again. After an error the old ones stay in force.
    pub fn reload(&self) -> Result<(), PemError> {
        let configs = read(&self.files)?;
        let fingerprint = configs.fingerprint;
        self.current.store(Arc::new(configs));
        self.own.send_replace(Some(fingerprint));
        Ok(())
    }

    /// The fingerprint of this host's certificate, as it changes with reloads. It has one always.
    pub fn fingerprint(&self) -> watch::Receiver<Option<Fingerprint>> {
        self.own.subscribe()
    }

    /// For a connection from another host.
    pub fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(Arc::clone(&self.current.load().server))
    }

    /// For a connection to another host.
    pub fn connector(&self) -> TlsConnector {
        TlsConnector::from(Arc::clone(&self.current.load().client))
    }

    /// For a connection on which a host of the fleet asks this one or sends it a domain. It takes
    /// each certificate: whoever accepts the connection compares [`fingerprint_of`].
    pub fn peer_acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(Arc::clone(&self.current.load().peer_server))
    }

    /// For a connection on which this host asks another one, which has this certificate.
    pub fn peer_connector(&self, pin: Fingerprint) -> Result<TlsConnector, Error> {
        self.pinned(pin, PEER_PROTOCOL)
    }

    /// For a connection on which this host sends a domain to a host of the fleet, which has this
    /// certificate.
    pub fn member_connector(&self, pin: Fingerprint) -> Result<TlsConnector, Error> {
        self.pinned(pin, MEMBER_MIGRATION_PROTOCOL)
    }

    fn pinned(&self, pin: Fingerprint, protocol: &[u8]) -> Result<TlsConnector, Error> {
        let current = self.current.load();
        let verifier = PinVerifier::new(Accepted::Only(pin), Arc::clone(&current.provider));
        let mut client = ClientConfig::builder_with_provider(Arc::clone(&current.provider))
            .with_protocol_versions(&[&TLS13])?
            .dangerous()
            .with_custom_certificate_verifier(verifier)
            .with_client_cert_resolver(current.identity.clone());
        client.alpn_protocols = vec![protocol.to_owned()];
        Ok(TlsConnector::from(Arc::new(client)))
    }
}

impl fmt::Debug for PeerTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PeerTls").field("files", &self.files).finish_non_exhaustive()
    }
}

/// The fingerprint of a host that has shown these certificates, its own one first; `None` if it has
/// shown none.
pub fn fingerprint_of(shown: Option<&[CertificateDer<'_>]>) -> Option<Fingerprint> {
    shown?.first().map(fingerprint)
}

/// The fingerprint of the certificate in a file, which may be followed by others.
pub fn fingerprint_in(file: &Path) -> Result<Option<Fingerprint>, PemError> {
    certificates(file).map(|chain| fingerprint_of(Some(&chain)))
}

fn read(files: &PeerTlsFiles) -> Result<Configs, PemError> {
    let PeerTlsFiles { key: key_file, cert, peers } = files;
    let chain = certificates(cert)?;
    let key = private_key(key_file)?;
    let provider = Arc::new(ring::default_provider());
    let (clients, servers): (Arc<dyn ClientCertVerifier>, Arc<dyn ServerCertVerifier>) =
        if let Some(peers) = peers {
            let verifier = PeerVerifier::new(certificates(peers)?, Arc::clone(&provider));
            let verifier = Arc::new(verifier.map_err(|reason| PemError::new(peers, &reason))?);
            (Arc::clone(&verifier) as _, verifier)
        } else {
            let verifier = PinVerifier::new(Accepted::Nothing, Arc::clone(&provider));
            (Arc::clone(&verifier) as _, verifier)
        };
    let fingerprint = fingerprint_of(Some(&chain))
        .ok_or_else(|| PemError::new(cert, &"it contains no certificate in PEM"))?;
    let configs = move || -> Result<Configs, Error> {
        let server = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(&[&TLS13])?
            .with_client_cert_verifier(clients)
            .with_single_cert(chain.clone(), key.clone_key())?;
        let client = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(&[&TLS13])?
            .dangerous()
            .with_custom_certificate_verifier(servers)
            .with_client_auth_cert(chain.clone(), key.clone_key())?;
        let identity = CertifiedKey::from_der(chain, key, &provider)?;
        let identity = Arc::new(SingleCertAndKey::from(identity));
        let mut peer_server = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(&[&TLS13])?
            .with_client_cert_verifier(PinVerifier::new(Accepted::Anything, Arc::clone(&provider)))
            .with_cert_resolver(identity.clone());
        peer_server.alpn_protocols =
            [PEER_PROTOCOL, MEMBER_MIGRATION_PROTOCOL].map(<[u8]>::to_owned).to_vec();
        Ok(Configs {
            server: Arc::new(server),
            client: Arc::new(client),
            peer_server: Arc::new(peer_server),
            identity,
            provider: Arc::clone(&provider),
            fingerprint,
        })
    };
    configs().map_err(|error| PemError::new(cert, &error))
}
