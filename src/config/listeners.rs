//! The listeners for XML-RPC, the Xen-API, Argo and metrics.

use super::diagnostic::Origin;
use super::file::ConfigFile;
use super::keys::ListenerGroup;
use super::listener::{Auth, ListenAddress, ListenerConfig, XenApiEntry};
use super::options::{RunOptions, Switch};
use super::paths::DefaultPaths;
use super::settings::FileSettings;
use std::net::SocketAddr;
use std::path::PathBuf;

/// The listeners for xm's calls.
pub(super) fn xmlrpc(
    options: &RunOptions,
    file: &mut ConfigFile,
    paths: Option<&DefaultPaths>,
) -> Vec<ListenerConfig> {
    let path = match &options.xmlrpc {
        Some(Switch::On(path)) => Some(path.clone()),
        Some(Switch::Off) => None,
        None if !file.is_served(ListenerGroup::UnixXmlRpc) => None,
        None if !file.settings.unix.xmlrpc_enabled => None,
        None => default_socket(options, paths.map(|paths| &paths.xmlrpc)),
    };
    let mut listeners = Vec::new();
    if let Some(path) = path {
        let keys = ["xend-unix-xmlrpc-server", "xend-unix-mode", "xend-unix-group"];
        let origin = file.origin(&keys);
        let socket = file.settings.unix.socket(path, options.xmlrpc.is_none());
        listeners.push(ListenerConfig::unix(socket, Auth::None, origin));
    }
    if file.is_served(ListenerGroup::TcpXmlRpc) && file.settings.tcp_xmlrpc.enabled {
        let origin = file.origin(&["xend-tcp-xmlrpc-server"]);
        match tcp_xmlrpc(&file.settings, origin.clone()) {
            Ok(listener) => listeners.push(listener),
            Err((address, reason)) => {
                file.report_unserved(&origin, &format!("XML-RPC on {address}"), &reason);
            }
        }
    }
    listeners
}

/// The TCP listener for xm's calls, or its address and the reason against it.
fn tcp_xmlrpc(
    settings: &FileSettings,
    origin: Origin,
) -> Result<ListenerConfig, (SocketAddr, String)> {
    let address = settings.tcp_xmlrpc.socket_address();
    let tls = settings
        .tcp_xmlrpc_tls
        .files("xend-tcp-xmlrpc-server-ssl-key-file", "-cert-file")
        .map_err(|reason| (address, reason))?;
    let listener = ListenerConfig::tcp(address, settings.tcp_xmlrpc_auth, tls, origin);
    check_access(&listener, settings).map_err(|reason| (address, reason.to_owned()))?;
    Ok(listener)
}

/// The listeners for the Xen-API.
pub(super) fn xen_api(
    options: &RunOptions,
    file: &mut ConfigFile,
    paths: Option<&DefaultPaths>,
) -> Vec<ListenerConfig> {
    let socket_path = match &options.xen_api {
        Some(Switch::On(path)) => Some(path.clone()),
        Some(Switch::Off) => None,
        None => default_socket(options, paths.map(|paths| &paths.xen_api)),
    };
    let mut entries = match file.settings.xen_api_server.clone() {
        Some(entries) => entries,
        None if file.is_served(ListenerGroup::XenApi) => vec![XenApiEntry::unix()],
        None => Vec::new(),
    };
    // The command line can ask for a socket that the file does not list.
    if options.xen_api.is_some() && !entries.iter().any(|entry| entry.tcp.is_none()) {
        entries.push(XenApiEntry::unix());
    }
    let mut listeners = Vec::new();
    for XenApiEntry { tcp, auth, hosts, tls, origin } in entries {
        let (address, name) = match (tcp, &socket_path) {
            (Some(address), _) => (ListenAddress::Tcp(address), address.to_string()),
            (None, Some(path)) => {
                let socket = file.settings.unix.socket(path.clone(), options.xen_api.is_none());
                (ListenAddress::Unix(socket), path.display().to_string())
            }
            (None, None) => continue,
        };
        let listener = ListenerConfig { address, auth, hosts, tls, origin };
        match check_access(&listener, &file.settings) {
            Ok(()) => listeners.push(listener),
            Err(reason) => {
                let name = format!("the Xen-API on {name}");
                file.report_unserved(&listener.origin, &name, reason);
            }
        }
    }
    listeners
}

/// The listener for Argo.
pub(super) fn argo(options: &RunOptions, file: &mut ConfigFile) -> Option<ListenerConfig> {
    let (address, origin) = match &options.argo {
        Some(Switch::On(address)) => (*address, Origin::default()),
        Some(Switch::Off) => return None,
        None if !file.is_served(ListenerGroup::Argo) || !file.settings.argo.enabled => return None,
        None => {
            let origin = file.origin(&["argo-address", "argo-port", "argo-server"]);
            (file.settings.argo.socket_address(), origin)
        }
    };
    match file.settings.argo_tls.files("argo-key", "argo-cert") {
        Ok(tls) => Some(ListenerConfig::tcp(address, Auth::Users, tls, origin)),
        Err(reason) => {
            // The file has the key even if the command line has the address.
            let origin = file.origin(&["argo-key", "argo-cert"]);
            file.report_unserved(&origin, &format!("Argo on {address}"), &reason);
            None
        }
    }
}

/// The listener for metrics. It needs no login: it has nothing else, and changes nothing.
pub(super) fn metrics(options: &RunOptions, file: &mut ConfigFile) -> Option<ListenerConfig> {
    let (address, origin) = match &options.metrics {
        Some(Switch::On(address)) => (*address, Origin::default()),
        Some(Switch::Off) => return None,
        None if !file.is_served(ListenerGroup::Metrics) || !file.settings.metrics.enabled => {
            return None;
        }
        None => {
            let keys = ["xend-metrics-address", "xend-metrics-port", "xend-metrics-server"];
            (file.settings.metrics.socket_address(), file.origin(&keys))
        }
    };
    match file.settings.metrics_tls.files("xend-metrics-key", "xend-metrics-cert") {
        Ok(tls) => {
            let hosts = file.settings.metrics_hosts.clone();
            Some(ListenerConfig { hosts, ..ListenerConfig::tcp(address, Auth::None, tls, origin) })
        }
        Err(reason) => {
            // The file has the key even if the command line has the address.
            let origin = file.origin(&["xend-metrics-key", "xend-metrics-cert"]);
            file.report_unserved(&origin, &format!("Metrics on {address}"), &reason);
            None
        }
    }
}

/// The path of a socket that neither file nor command line names. A second daemon, with a unix
/// socket of its own, does not take xend's.
fn default_socket(options: &RunOptions, path: Option<&PathBuf>) -> Option<PathBuf> {
    path.filter(|_| options.unix.is_none()).cloned()
}

/// Checks that a listener admits only clients that the operator wants. The error is the reason
/// against serving it.
fn check_access(listener: &ListenerConfig, settings: &FileSettings) -> Result<(), &'static str> {
    let ListenAddress::Tcp(_) = listener.address else { return Ok(()) };
    if listener.is_open() && !settings.access_without_password {
        return Err("whoever can connect could do everything without a password, serve it on \
                    localhost, use pam or password, or say (xend-access-without-password yes)");
    }
    if listener.auth == Auth::Pam && !cfg!(feature = "pam") {
        return Err("this xend was built without PAM, use password (with xend-password-file), or \
                    build with --features pam");
    }
    Ok(())
}
