//! Encryption: the server must have a certificate that this machine trusts.

use super::verifier::ServerVerifier;
use crate::bounded_file;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, Error, InvalidMessage, StreamOwned};
use std::env;
use std::fmt::Display;
use std::io;
use std::net::TcpStream;
use std::path::PathBuf;
use std::sync::Arc;

/// Debian's certificates.
const SYSTEM_CERTIFICATES: &str = "/etc/ssl/certs/ca-certificates.crt";

/// The largest file of certificates: Debian's has some 200 KiB.
const MAX_MIB: u64 = 16;

/// Makes an encrypted connection of a plain one.
pub(super) fn encrypt(
    host: &str,
    mut stream: TcpStream,
) -> io::Result<StreamOwned<ClientConnection, TcpStream>> {
    let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
    let provider = Arc::new(ring::default_provider());
    let verifier = ServerVerifier::new(trusted()?, provider.clone()).map_err(io::Error::other)?;
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth();
    let mut connection = ClientConnection::new(Arc::new(config), name).map_err(io::Error::other)?;
    // A certificate that is not trusted is an error before anything is sent.
    while connection.is_handshaking() {
        connection.complete_io(&mut stream).map_err(explained)?;
    }
    Ok(StreamOwned::new(connection, stream))
}

/// The certificates of a file in PEM.
fn trusted() -> io::Result<Vec<CertificateDer<'static>>> {
    let file = env::var_os("SSL_CERT_FILE").filter(|file| !file.is_empty());
    let file = file.map_or_else(|| PathBuf::from(SYSTEM_CERTIFICATES), PathBuf::from);
    let wrong = |error: &dyn Display| io::Error::other(format!("{}: {error}", file.display()));
    let text = bounded_file::read(&file, MAX_MIB).map_err(|error| wrong(&error))?;
    let certificates = CertificateDer::pem_slice_iter(&text);
    certificates.map(|certificate| certificate.map_err(|error| wrong(&error))).collect()
}

/// Whether a server answered without TLS.
pub(crate) fn is_plain(error: &io::Error) -> bool {
    let inner = error.get_ref().and_then(|error| error.downcast_ref::<Error>());
    matches!(inner, Some(Error::InvalidMessage(InvalidMessage::InvalidContentType)))
}

fn explained(error: io::Error) -> io::Error {
    if error.to_string().contains("certificate") {
        return io::Error::other(format!(
            "{error}: name the certificate of xend or of its authority in SSL_CERT_FILE"
        ));
    }
    error
}
