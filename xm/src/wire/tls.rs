//! Encryption: the server must have a certificate that this machine trusts.

use super::verifier::ServerVerifier;
use crate::bounded_file;
use crate::failure::reason;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{
    CertificateError, ClientConfig, ClientConnection, Error, InvalidMessage, StreamOwned,
};
use std::env;
use std::io;
use std::net::TcpStream;
use std::path::Path;
use std::sync::Arc;

/// Debian's certificates.
const SYSTEM_CERTIFICATES: &str = "/etc/ssl/certs/ca-certificates.crt";

/// The largest file of certificates: Debian's has some 200 KiB.
const MAX_MIB: u64 = 16;

/// What to do if xend's certificate is not trusted.
const ADVICE: &str = "name the certificate of xend or of its authority in SSL_CERT_FILE";

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

/// The certificates that are trusted, of a file in PEM.
fn trusted() -> io::Result<Vec<CertificateDer<'static>>> {
    let named = env::var_os("SSL_CERT_FILE").filter(|file| !file.is_empty());
    match named {
        Some(file) => certificates(Path::new(&file))
            .map_err(|reason| io::Error::other(format!("SSL_CERT_FILE: {reason}"))),
        None => certificates(Path::new(SYSTEM_CERTIFICATES))
            .map_err(|reason| io::Error::other(format!("{reason}: {ADVICE}"))),
    }
}

/// The error has the file.
fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let shown = file.display();
    let text = bounded_file::read(file, MAX_MIB)
        .map_err(|error| format!("{shown}: {}", reason(&error)))?;
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
    match certificates {
        Ok(certificates) if certificates.is_empty() => {
            Err(format!("{shown} has no certificate in PEM"))
        }
        Ok(certificates) => Ok(certificates),
        Err(error) => Err(format!("{shown} has a certificate that cannot be read: {error}")),
    }
}

/// Whether a server answered without TLS.
pub(crate) fn is_plain(error: &io::Error) -> bool {
    let inner = error.get_ref().and_then(|error| error.downcast_ref::<Error>());
    matches!(inner, Some(Error::InvalidMessage(InvalidMessage::InvalidContentType)))
}

/// The error of a handshake, with what to do if the certificate is the reason.
fn explained(error: io::Error) -> io::Error {
    let inner = error.get_ref().and_then(|error| error.downcast_ref::<Error>());
    match inner {
        Some(Error::InvalidCertificate(reason)) => io::Error::other(advice(reason)),
        _ => error,
    }
}

/// What is wrong with the certificate of xend, and what to do.
fn advice(reason: &CertificateError) -> String {
    match reason {
        CertificateError::NotValidForNameContext { expected, presented } => {
            let names: Vec<&str> = presented.iter().map(|name| plain_name(name)).collect();
            let expected = expected.to_str();
            if names.is_empty() {
                format!("its certificate has no name: make one for {expected}")
            } else {
                let names = names.join(", ");
                format!("its certificate is for {names}, not for {expected}: use that name with -H")
            }
        }
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            "its certificate has expired: renew it there".to_owned()
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "its certificate is not valid yet: compare the clocks of both machines".to_owned()
        }
        CertificateError::UnknownIssuer
        | CertificateError::BadSignature
        | CertificateError::Other(_) => {
            format!("this machine does not trust its certificate: {ADVICE}")
        }
        other => format!("its certificate cannot be used: {other}"),
    }
}

/// The name in `DnsName("localhost")` or `IpAddress(127.0.0.1)`, as the library prints it.
fn plain_name(printed: &str) -> &str {
    let inner = printed.split_once('(').and_then(|(_, rest)| rest.strip_suffix(')'));
    inner.unwrap_or(printed).trim_matches('"')
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustls::OtherError;
    use std::fs;

    fn explanation(reason: CertificateError) -> String {
        let error = io::Error::new(io::ErrorKind::InvalidData, Error::InvalidCertificate(reason));
        let explained = explained(error);
        assert_eq!(explained.kind(), io::ErrorKind::Other, "xend runs");
        explained.to_string()
    }

    #[test]
    fn a_certificate_that_is_refused_says_what_to_do() {
        let of_another = |presented: &[&str]| CertificateError::NotValidForNameContext {
            expected: ServerName::try_from("127.0.0.1").unwrap(),
            presented: presented.iter().map(ToString::to_string).collect(),
        };
        let names = ["DnsName(\"localhost\")", "IpAddress(::1)"];
        assert_eq!(
            explanation(of_another(&names)),
            "its certificate is for localhost, ::1, not for 127.0.0.1: use that name with -H"
        );
        assert!(explanation(of_another(&[])).ends_with("has no name: make one for 127.0.0.1"));
        let advice = format!("this machine does not trust its certificate: {ADVICE}");
        assert_eq!(explanation(CertificateError::UnknownIssuer), advice);
        let other = OtherError(Arc::new(io::Error::other("CaUsedAsEndEntity")));
        assert_eq!(explanation(CertificateError::Other(other)), advice);
        assert!(explanation(CertificateError::Expired).contains("has expired"));
    }

    #[test]
    fn a_file_without_certificates_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("a.pem");
        let reason = |file: &Path| certificates(file).unwrap_err();
        assert_eq!(reason(&file), format!("{}: No such file or directory", file.display()));
        fs::write(&file, "no certificate").unwrap();
        assert_eq!(reason(&file), format!("{} has no certificate in PEM", file.display()));
        fs::write(&file, "-----BEGIN CERTIFICATE-----\nx\n").unwrap();
        assert!(reason(&file).contains("has a certificate that cannot be read"));
    }
}
