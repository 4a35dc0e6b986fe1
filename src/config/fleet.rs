//! The fleet of this host.

use super::diagnostic::Diagnostic;
use super::file::ConfigFile;
use super::settings::FleetKeys;
use crate::core::fleet::HostName;
use crate::fleet::{ClientCertificate, EtcdEndpoint, EtcdLogin, EtcdSettings, FleetSettings};

/// The fleet that the file names, with a warning if others can read and change it. A fleet that
/// cannot be is refused: nobody wants a host that is in none by mistake.
pub(super) fn settings(file: &mut ConfigFile) -> Option<FleetSettings> {
    let keys = &file.settings.fleet;
    let cluster = keys.cluster.clone()?;
    let host = keys.host.clone().map_or_else(machine, Ok);
    let (host, etcd) = match host.and_then(|host| Ok((host, etcd(keys)?))) {
        Ok(parts) => parts,
        Err((key, reason)) => {
            let error = Diagnostic::error_at(file.positions.get(key), format!("{key}: {reason}"));
            file.refuse_together(error);
            return None;
        }
    };
    let (takes_users, in_xen_api) = (keys.takes_users, keys.in_xen_api);
    let mut storages = keys.storages.clone();
    storages.sort_unstable();
    storages.dedup();
    if let Some(endpoint) = etcd.endpoints.iter().find(|endpoint| !endpoint.is_safe()) {
        let message = format!(
            "xend-fleet-etcd: whoever is on the network to {endpoint} can read the fleet, and what \
             this host logs in with: use https"
        );
        file.warn("xend-fleet-etcd", message);
    }
    let key_file = file.settings.fleet.key_file.clone();
    Some(FleetSettings { cluster, host, takes_users, in_xen_api, storages, key_file, etcd })
}

/// A key, and what is wrong with it.
type Wrong = (&'static str, String);

/// The name of this machine.
fn machine() -> Result<HostName, Wrong> {
    let uname = rustix::system::uname();
    let name = uname.nodename().to_string_lossy();
    let refused = |error| format!("the name of this machine is of no use, give another: {error}");
    name.parse().map_err(|error| ("xend-fleet-host", refused(error)))
}

fn etcd(keys: &FleetKeys) -> Result<EtcdSettings, Wrong> {
    const ETCD: &str = "xend-fleet-etcd";
    const CA: &str = "xend-fleet-etcd-ca-file";
    const KEY: &str = "xend-fleet-etcd-key-file";
    const CERT: &str = "xend-fleet-etcd-cert-file";
    const USER: &str = "xend-fleet-etcd-user";
    const PASSWORD: &str = "xend-fleet-etcd-password-file";
    let wrong = |key, reason: &str| Err((key, reason.to_owned()));
    let certificate = keys.tls.files(KEY, CERT).map_err(|reason| (CERT, reason))?;
    let certificate = certificate.map(|own| ClientCertificate { key: own.key, cert: own.cert });
    let login = match (keys.user.clone(), keys.password_file.clone()) {
        (Some(user), Some(password_file)) => Some(EtcdLogin { user, password_file }),
        (None, None) => None,
        (Some(_), None) => return wrong(USER, &format!("needs {PASSWORD}")),
        (None, Some(_)) => return wrong(PASSWORD, &format!("needs {USER}")),
    };
    let (encrypted, plain): (Vec<&EtcdEndpoint>, Vec<_>) =
        keys.endpoints.iter().partition(|endpoint| endpoint.is_encrypted());
    match (encrypted.is_empty(), plain.is_empty()) {
        (false, false) => return wrong(ETCD, "give either http or https for all"),
        (false, true) if keys.ca.is_none() => {
            return wrong(ETCD, &format!("https needs {CA}, the certificates to trust"));
        }
        (true, _) if keys.ca.is_some() => return wrong(CA, &format!("{ETCD} has no https")),
        (true, _) if certificate.is_some() => return wrong(CERT, &format!("{ETCD} has no https")),
        _ => {}
    }
    Ok(EtcdSettings {
        endpoints: keys.endpoints.clone(),
        ca: keys.ca.clone(),
        certificate,
        login,
        allows_old: keys.allows_old,
    })
}
