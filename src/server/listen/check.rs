//! What a start would say of the listeners, as far as it shows without opening them.

use super::claims::Claim;
use super::configured::ConfiguredListener;
use super::error::ListenError;
use super::open::security;
use super::protocol::Protocol;
use super::relocation;
use super::unix;
use crate::config::{Config, Diagnostic, ListenAddress, ListenerConfig};

/// Fails if the configuration has no listener at all.
pub fn check_any(config: &Config) -> Result<(), ListenError> {
    let http = config.http_listener().is_some() || config.http_on_unix().is_some();
    let rpc = !config.xmlrpc.is_empty() || !config.xen_api.is_empty();
    let others = config.argo.is_some() || config.metrics.is_some();
    if http || rpc || others { Ok(()) } else { Err(ListenError::Nothing) }
}

/// The errors and warnings about all listeners. Whether another program has a port is not among
/// them: it may be the xend that runs with this configuration.
pub fn check(config: &Config) -> Vec<Diagnostic> {
    let http: Vec<_> = config.http_listener().into_iter().chain(config.http_on_unix()).collect();
    let mut diagnostics = Vec::new();
    let mut claims = Vec::new();
    // In the order in which they are opened.
    for (protocol, listeners) in [
        (Protocol::Http, http.as_slice()),
        (Protocol::XmlRpc, &config.xmlrpc),
        (Protocol::XenApi, &config.xen_api),
        (Protocol::Argo, config.argo.as_slice()),
        (Protocol::Metrics, config.metrics.as_slice()),
    ] {
        for listener in listeners {
            let configured = ConfiguredListener::new(protocol, listener, config);
            let error = check_listener(protocol, listener).err();
            diagnostics.extend(error.map(|error| configured.report(&error)));
            diagnostics.extend(configured.warning());
            claims.push(configured.claim());
        }
    }
    diagnostics.extend(relocation::check(config));
    claims.extend(relocation::claims(config));
    diagnostics.extend(claims.iter().filter_map(Claim::missing_address));
    diagnostics.extend(Claim::conflicts(&claims));
    diagnostics
}

fn check_listener(protocol: Protocol, listener: &ListenerConfig) -> Result<(), ListenError> {
    security(protocol, listener)?;
    match &listener.address {
        ListenAddress::Unix(socket) => {
            unix::group_of(socket)?;
            unix::check(socket)
        }
        ListenAddress::Tcp(_) => Ok(()),
    }
}
