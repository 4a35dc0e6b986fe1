//! Listeners of the configuration: their names in messages, and the key to change when one cannot
//! be opened.

use super::error::ListenError;
use crate::config::{Config, Diagnostic, ListenAddress, Origin, Origins, Position, RpcListener};
use std::error::Error as _;
use std::io;
use std::path::Path;

const UNIX_GROUP: &str = "xend-unix-group";
const XEN_API: &str = "xen-api-server";

/// The protocol of a listener.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Protocol {
    Http,
    XmlRpc,
    XenApi,
}

/// A listener of the configuration.
pub(super) struct ConfiguredListener<'a> {
    protocol: Protocol,
    address: ListenAddress,
    rpc: Option<&'a RpcListener>,
    /// Its position in the file.
    origin: &'a Origin,
    origins: &'a Origins,
}

impl<'a> ConfiguredListener<'a> {
    pub(super) fn http(address: ListenAddress, origin: &'a Origin, config: &'a Config) -> Self {
        Self { protocol: Protocol::Http, address, rpc: None, origin, origins: &config.origins }
    }

    pub(super) fn rpc(protocol: Protocol, rpc: &'a RpcListener, config: &'a Config) -> Self {
        Self {
            protocol,
            address: rpc.address.clone(),
            rpc: Some(rpc),
            origin: &rpc.origin,
            origins: &config.origins,
        }
    }

    pub(super) fn address(&self) -> &ListenAddress {
        &self.address
    }

    /// The opened listener; `None` when the file asks for one that cannot be opened, which is
    /// logged.
    ///
    /// A unix socket in use is always an error: another daemon runs, and this one must not serve a
    /// part beside it.
    pub(super) fn or_log<T>(
        &self,
        result: Result<T, ListenError>,
    ) -> Result<Option<T>, ListenError> {
        let error = match result {
            Ok(listener) => return Ok(Some(listener)),
            Err(error @ ListenError::InUse(_)) => return Err(error),
            Err(error) => error,
        };
        let Some(diagnostic) = self.diagnostic(&error) else { return Err(error) };
        tracing::error!("{diagnostic}");
        Ok(None)
    }

    /// The message about an error; `None` when the listener is not the file's.
    pub(super) fn diagnostic(&self, error: &ListenError) -> Option<Diagnostic> {
        let key = self.key(error);
        let source = error.source().map(|source| format!(": {source}")).unwrap_or_default();
        let message = format!("{} is not served: {error}{source}, see {key}", self.name());
        Some(self.position(key)?.error(message))
    }

    fn position(&self, key: &str) -> Option<&Position> {
        let of_key = self.origins.keys.get(key);
        let of_listener = self.origin.0.as_ref();
        match key {
            // Sockets of the command line have the file's group, too.
            UNIX_GROUP => of_key.or(of_listener),
            // The position in the list of listeners.
            XEN_API => of_listener,
            _ => of_listener.map(|position| of_key.unwrap_or(position)),
        }
    }

    fn name(&self) -> String {
        let protocol = match self.protocol {
            Protocol::Http => "HTTP",
            Protocol::XmlRpc => "XML-RPC",
            Protocol::XenApi => "the Xen-API",
        };
        match &self.address {
            ListenAddress::Tcp(address) => format!("{protocol} on {address}"),
            ListenAddress::Unix(socket) => format!("{protocol} on {}", socket.path.display()),
        }
    }

    /// The key to change.
    fn key(&self, error: &ListenError) -> &'static str {
        let is_address_error = matches!(error, ListenError::Tcp { source, .. }
            if source.kind() == io::ErrorKind::AddrNotAvailable);
        match (error, self.protocol, &self.address) {
            (ListenError::Group(_) | ListenError::Chown { .. }, ..) => UNIX_GROUP,
            (_, Protocol::XenApi, _) => XEN_API,
            (ListenError::Tls { path, .. }, ..) if self.is_key_file(path) => {
                "xend-tcp-xmlrpc-server-ssl-key-file"
            }
            (ListenError::Tls { .. }, ..) => "xend-tcp-xmlrpc-server-ssl-cert-file",
            (_, Protocol::Http, ListenAddress::Tcp(_)) if is_address_error => "xend-address",
            (_, Protocol::Http, ListenAddress::Tcp(_)) => "xend-port",
            (_, Protocol::Http, ListenAddress::Unix(_)) => "xend-unix-path",
            (_, Protocol::XmlRpc, ListenAddress::Tcp(_)) if is_address_error => {
                "xend-tcp-xmlrpc-server-address"
            }
            (_, Protocol::XmlRpc, ListenAddress::Tcp(_)) => "xend-tcp-xmlrpc-server-port",
            (_, Protocol::XmlRpc, ListenAddress::Unix(_)) => "xend-unix-xmlrpc-server",
        }
    }

    fn is_key_file(&self, path: &Path) -> bool {
        self.rpc.and_then(|rpc| rpc.tls.as_ref()).is_some_and(|tls| tls.key == path)
    }
}
