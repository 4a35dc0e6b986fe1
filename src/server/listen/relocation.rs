//! The relocation server in the configuration: the keys to change when it cannot be opened.

use crate::config::{Config, Diagnostic, Origin, Switch};
use crate::peer_tls::PeerTls;
use crate::peers::AllowedHosts;
use crate::pem::PemError;
use std::fmt;
use std::net::SocketAddr;

/// The key of the hosts that may send domains.
pub const RELOCATION_HOSTS: &str = "xend-relocation-hosts-allow";

/// The message about a relocation server that cannot be opened, for the value of `key`; `None` when
/// the server, whose position is `origin`, is not the file's.
pub fn relocation_error(
    config: &Config,
    origin: &Origin,
    address: SocketAddr,
    key: &str,
    error: &dyn fmt::Display,
) -> Option<Diagnostic> {
    let of_listener = origin.0.as_ref()?;
    let position = config.origins.keys.get(key).unwrap_or(of_listener);
    let message = format!("the relocation server on {address} is not served: {error}, see {key}");
    Some(position.error(message))
}

/// Reads the files for encrypted migration. The error has the key of the file that cannot be used.
pub fn open_relocation_tls(config: &Config) -> Result<PeerTls, (&'static str, String)> {
    let files = config.relocation_tls.clone().map_err(|reason| (CA_FILE, reason))?;
    PeerTls::open(files.clone()).map_err(|error| {
        let key = match &error {
            PemError { path, .. } if *path == files.key => "xend-relocation-server-ssl-key-file",
            PemError { path, .. } if *path == files.cert => "xend-relocation-server-ssl-cert-file",
            _ => CA_FILE,
        };
        (key, error.to_string())
    })
}

const CA_FILE: &str = "xend-relocation-ssl-ca-file";

/// The errors of the file that show without opening a port.
pub(super) fn check(config: &Config) -> Vec<Diagnostic> {
    let hosts = AllowedHosts::parse(&config.relocation_hosts).err();
    let hosts = hosts.map(|error| (RELOCATION_HOSTS, error.to_string()));
    let tls = open_relocation_tls(config).err();
    let origins = &config.origins;
    let mut diagnostics = Vec::new();
    for (switch, origin, wrong) in [
        (&config.relocation, &origins.relocation, hosts.clone()),
        (&config.relocation_ssl, &origins.relocation_ssl, hosts.or(tls)),
    ] {
        if let (Switch::On(address), Some((key, error))) = (switch, wrong) {
            diagnostics.extend(relocation_error(config, origin, *address, key, &error));
        }
    }
    diagnostics
}
