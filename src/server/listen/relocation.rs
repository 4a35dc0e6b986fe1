//! The relocation server in the configuration: the keys to change when it cannot be opened.

use super::claims::Claim;
use crate::config::{Config, Diagnostic, ListenAddress, Origin, Switch};
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
    Some(position.error(not_served(address, key, error)))
}

fn not_served(address: SocketAddr, key: &str, error: &dyn fmt::Display) -> String {
    format!("the relocation server on {address} is not served: {error}, see {key}")
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

const ADDRESS: &str = "xend-relocation-address";
const PORT: &str = "xend-relocation-port";
const SSL_PORT: &str = "xend-relocation-ssl-port";
const CA_FILE: &str = "xend-relocation-ssl-ca-file";

/// The warning about a plain port at which every host may send domains. On the encrypted one, the
/// certificates of hosts count.
pub fn open_to_every_host(hosts: &AllowedHosts, address: SocketAddr) -> Option<String> {
    let message = || {
        format!("Every host may send domains to {address}: {RELOCATION_HOSTS} is empty, name hosts")
    };
    hosts.everybody().then(message)
}

/// What the ports take for themselves.
pub(super) fn claims(config: &Config) -> Vec<Claim> {
    let origins = &config.origins;
    let ports = [
        (&config.relocation, &origins.relocation, "The relocation server", PORT),
        (
            &config.relocation_ssl,
            &origins.relocation_ssl,
            "The encrypted relocation server",
            SSL_PORT,
        ),
    ];
    let claim =
        |(switch, origin, name, key): (&Switch<SocketAddr>, &Origin, &str, &'static str)| {
            let Switch::On(address) = switch else { return None };
            let position = origin.0.as_ref().map(|origin| origins.keys.get(key).unwrap_or(origin));
            Some(Claim {
                name: format!("{name} on {address}"),
                address: ListenAddress::Tcp(*address),
                address_key: ADDRESS,
                port_key: key,
                position: position.cloned(),
            })
        };
    ports.into_iter().filter_map(claim).collect()
}

/// The errors and warnings that show without opening a port.
pub(super) fn check(config: &Config) -> Vec<Diagnostic> {
    let hosts = AllowedHosts::parse(&config.relocation_hosts);
    let origins = &config.origins;
    let mut diagnostics = Vec::new();
    if let (Switch::On(address), Ok(hosts)) = (&config.relocation, &hosts) {
        let position = origins.keys.get(RELOCATION_HOSTS).or(origins.relocation.0.as_ref());
        let message = open_to_every_host(hosts, *address);
        diagnostics.extend(message.map(|message| Diagnostic::warning_at(position, message)));
    }
    let hosts = hosts.err().map(|error| (RELOCATION_HOSTS, error.to_string()));
    let tls = open_relocation_tls(config).err();
    for (switch, origin, wrong) in [
        (&config.relocation, &origins.relocation, hosts.clone()),
        (&config.relocation_ssl, &origins.relocation_ssl, hosts.or(tls)),
    ] {
        if let (Switch::On(address), Some((key, error))) = (switch, wrong) {
            let message = not_served(*address, key, &error);
            let position = origin.0.as_ref().map(|origin| origins.keys.get(key).unwrap_or(origin));
            diagnostics.push(Diagnostic::error_at(position, message));
        }
    }
    diagnostics
}
