//! A client of encrypted ports.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::Arc;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

/// Writes the files `key` and `cert` of a new certificate for `localhost`.
pub(crate) fn write_certificate(dir: &Path) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    std::fs::write(dir.join("key"), made.signing_key.serialize_pem()).unwrap();
    std::fs::write(dir.join("cert"), made.cert.pem()).unwrap();
}

/// A connection to a server with this certificate.
pub(crate) fn connect(
    address: SocketAddr,
    cert: &Path,
) -> StreamOwned<ClientConnection, TcpStream> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(cert).unwrap()).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let connection =
        ClientConnection::new(Arc::new(config), ServerName::try_from("localhost").unwrap())
            .unwrap();
    StreamOwned::new(connection, TcpStream::connect(address).unwrap())
}

/// The answer to a request; empty if the server has another certificate.
pub(crate) fn encrypted(address: SocketAddr, cert: &Path, request: &str) -> String {
    let mut stream = connect(address, cert);
    let mut answer = String::new();
    if stream.write_all(request.as_bytes()).is_ok() {
        // The server may close without a TLS alert.
        let _ = stream.read_to_string(&mut answer);
    }
    answer
}
