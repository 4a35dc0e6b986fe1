//! The listeners for domains from other hosts.

use super::diagnostic::Origin;
use super::file::ConfigFile;
use super::keys::ListenerGroup;
use super::options::{RunOptions, Switch};
use super::settings::{FileSettings, RelocationSslSettings};
use crate::peer_tls::PeerTlsFiles;
use std::net::SocketAddr;

/// A listener with its position in the file.
type Placed = (Switch<SocketAddr>, Origin);

/// The listeners for domains from other hosts.
pub(super) struct RelocationListeners {
    pub(super) plain: Placed,
    pub(super) encrypted: Placed,
    /// Whether the file has a wrong value for them.
    pub(super) is_wrong: bool,
}

/// The plain and the encrypted listener. The encrypted one needs all `files`.
pub(super) fn listeners(
    options: &RunOptions,
    file: &mut ConfigFile,
    files: &Result<PeerTlsFiles, String>,
) -> RelocationListeners {
    let mut plain = (Switch::Off, Origin::default());
    let mut encrypted = plain.clone();
    let wants_encrypted = file.settings.relocation_ssl.enabled;
    let counts = options.relocation.is_none() || wants_encrypted;
    let mut is_wrong = counts && !file.is_served(ListenerGroup::Relocation);
    let is_served = counts && !is_wrong;
    if let Some(option) = &options.relocation {
        plain.0 = option.clone();
    } else if is_served && file.settings.relocation.enabled {
        let origin = file.origin(&["xend-relocation-hosts-allow", "xend-relocation-server"]);
        plain = (Switch::On(file.settings.relocation.socket_address()), origin);
    }
    if is_served && wants_encrypted {
        let settings = &file.settings;
        let address = SocketAddr::new(settings.relocation.address.0, settings.relocation_ssl.port);
        let origin = file.origin(&["xend-relocation-ssl-server"]);
        match files {
            Ok(_) => encrypted = (Switch::On(address), origin),
            Err(reason) => {
                let name = format!("the encrypted relocation server on {address}");
                file.report_unserved(&origin, &name, reason);
                is_wrong = true;
            }
        }
    }
    RelocationListeners { plain, encrypted, is_wrong }
}

/// The files for encrypted connections, or the reason why there are none. A host in a fleet knows
/// the certificates of the others there, and needs no file of them.
pub(super) fn files(settings: &FileSettings) -> Result<PeerTlsFiles, String> {
    let RelocationSslSettings { own, peers, .. } = &settings.relocation_ssl;
    let has_peers = peers.is_some() || settings.fleet.cluster.is_some();
    let missing = match (&own.key, &own.cert) {
        (Some(key), Some(cert)) if has_peers => {
            return Ok(PeerTlsFiles { key: key.clone(), cert: cert.clone(), peers: peers.clone() });
        }
        (None, _) => "xend-relocation-server-ssl-key-file",
        (_, None) => "xend-relocation-server-ssl-cert-file",
        _ => "xend-relocation-ssl-ca-file",
    };
    Err(format!("{missing} is not set"))
}
