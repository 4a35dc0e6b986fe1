//! Listeners of the configuration: their names in messages, and the key to change when one cannot
//! be opened, or when everybody can use it.

use super::claims::Claim;
use super::error::ListenError;
use super::protocol::Protocol;
use crate::config::{Config, Diagnostic, ListenAddress, ListenerConfig, Origins, Position};
use std::error::Error as _;
use std::path::Path;

const UNIX_GROUP: &str = "xend-unix-group";
const XEN_API: &str = "xen-api-server";
const METRICS_HOSTS: &str = "xend-metrics-hosts-allow";

/// A listener of the configuration.
pub(super) struct ConfiguredListener<'a> {
    pub(super) protocol: Protocol,
    pub(super) listener: &'a ListenerConfig,
    origins: &'a Origins,
}

impl<'a> ConfiguredListener<'a> {
    pub(super) fn new(
        protocol: Protocol,
        listener: &'a ListenerConfig,
        config: &'a Config,
    ) -> Self {
        Self { protocol, listener, origins: &config.origins }
    }

    /// The opened listener; `None` when the file asks for one that cannot be opened, which is
    /// logged, and added to those that are left out.
    ///
    /// A unix socket in use is always an error: another daemon runs, and this one must not serve a
    /// part beside it.
    pub(super) fn or_log<T>(
        &self,
        result: Result<T, ListenError>,
        left_out: &mut Vec<String>,
    ) -> Result<Option<T>, ListenError> {
        let error = match result {
            Ok(listener) => return Ok(Some(listener)),
            Err(error @ ListenError::InUse(_)) => return Err(error),
            Err(error) => error,
        };
        let Some(diagnostic) = self.diagnostic(&error) else { return Err(error) };
        tracing::error!("{diagnostic}");
        left_out.push(self.name());
        Ok(None)
    }

    /// The message about an error; `None` when the listener is not the file's.
    fn diagnostic(&self, error: &ListenError) -> Option<Diagnostic> {
        self.position(self.key(error)).is_some().then(|| self.report(error))
    }

    /// The message about an error, whether or not the listener is the file's.
    pub(super) fn report(&self, error: &ListenError) -> Diagnostic {
        let key = self.key(error);
        let source = error.source().map(|source| format!(": {source}")).unwrap_or_default();
        let message = format!("{} is not served: {error}{source}, see {key}", self.name());
        Diagnostic::error_at(self.position(key), message)
    }

    /// The warning about a listener on which other machines control every domain without a login.
    pub(super) fn warning(&self) -> Option<Diagnostic> {
        if self.protocol == Protocol::Metrics
            || !self.listener.is_open()
            || !self.listener.hosts.trim().is_empty()
        {
            return None;
        }
        let advice = match self.protocol {
            Protocol::Http => "write (xend-http-auth users) or (xend-address localhost)",
            Protocol::XmlRpc => {
                "write (xend-tcp-xmlrpc-server-auth users) or (xend-tcp-xmlrpc-server-address \
                 localhost)"
            }
            Protocol::XenApi => "write password or users after its port, or localhost before it",
            Protocol::Argo | Protocol::Metrics => return None,
        };
        let name = self.name();
        let message = format!(
            "Whoever can connect to {name} controls every domain without a password: {advice}"
        );
        Some(Diagnostic::warning_at(self.position(self.keys().address), message))
    }

    /// What it takes for itself.
    pub(super) fn claim(&self) -> Claim {
        let keys = self.keys();
        Claim {
            name: self.name(),
            address: self.listener.address.clone(),
            address_key: keys.address,
            port_key: keys.port,
            position: self.position(keys.port).cloned(),
        }
    }

    fn position(&self, key: &str) -> Option<&Position> {
        let of_key = self.origins.keys.get(key);
        let of_listener = self.listener.origin.0.as_ref();
        match key {
            // Sockets of the command line have the file's group, too.
            UNIX_GROUP => of_key.or(of_listener),
            // The position in the list of listeners.
            XEN_API => of_listener,
            _ => of_listener.map(|position| of_key.unwrap_or(position)),
        }
    }

    fn name(&self) -> String {
        let protocol = self.protocol.name();
        match &self.listener.address {
            ListenAddress::Tcp(address) => format!("{protocol} on {address}"),
            ListenAddress::Unix(socket) => format!("{protocol} on {}", socket.path.display()),
        }
    }

    fn keys(&self) -> Keys {
        match (self.protocol, &self.listener.address) {
            (Protocol::XenApi, _) => Keys::all(XEN_API),
            (Protocol::Http, ListenAddress::Unix(_)) => Keys::all("xend-unix-path"),
            (_, ListenAddress::Unix(_)) => Keys::all("xend-unix-xmlrpc-server"),
            (Protocol::Http, ListenAddress::Tcp(_)) => Keys {
                address: "xend-address",
                port: "xend-port",
                key: "xend-http-key",
                cert: "xend-http-cert",
            },
            (Protocol::XmlRpc, ListenAddress::Tcp(_)) => Keys {
                address: "xend-tcp-xmlrpc-server-address",
                port: "xend-tcp-xmlrpc-server-port",
                key: "xend-tcp-xmlrpc-server-ssl-key-file",
                cert: "xend-tcp-xmlrpc-server-ssl-cert-file",
            },
            (Protocol::Argo, ListenAddress::Tcp(_)) => Keys {
                address: "argo-address",
                port: "argo-port",
                key: "argo-key",
                cert: "argo-cert",
            },
            (Protocol::Metrics, ListenAddress::Tcp(_)) => Keys {
                address: "xend-metrics-address",
                port: "xend-metrics-port",
                key: "xend-metrics-key",
                cert: "xend-metrics-cert",
            },
        }
    }

    /// The key to change.
    fn key(&self, error: &ListenError) -> &'static str {
        let keys = self.keys();
        match error {
            ListenError::Hosts(_) if self.protocol == Protocol::Metrics => METRICS_HOSTS,
            ListenError::Group(_) | ListenError::Chown { .. } => UNIX_GROUP,
            ListenError::Tls { path, .. } if !self.is_key_file(path) => keys.cert,
            ListenError::Tls { .. } | ListenError::ShowsPasswords(_) => keys.key,
            ListenError::NoSuchAddress { .. } => keys.address,
            _ => keys.port,
        }
    }

    fn is_key_file(&self, path: &Path) -> bool {
        self.listener.tls.as_ref().is_some_and(|tls| tls.key == path)
    }
}

/// The keys of a listener.
struct Keys {
    address: &'static str,
    /// Also for errors that fit no other key.
    port: &'static str,
    key: &'static str,
    cert: &'static str,
}

impl Keys {
    /// One key for everything.
    const fn all(key: &'static str) -> Self {
        Self { address: key, port: key, key, cert: key }
    }
}
