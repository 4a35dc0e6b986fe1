//! Listeners that cannot be had although the file asks for them: what is said, and where in the
//! file the fault is.

use std::error::Error as _;
use std::io;

use super::ListenError;
use crate::config::{Config, Origin, Origins, Place, Position, Remark, RpcListener};

/// What a listener serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Service {
    Http,
    XmlRpc,
    XenApi,
}

/// A listener that is wanted, as messages name it.
pub(super) struct Wanted<'a> {
    service: Service,
    place: Place,
    rpc: Option<&'a RpcListener>,
    /// Where the file asks for it.
    origin: &'a Origin,
    origins: &'a Origins,
}

impl<'a> Wanted<'a> {
    pub(super) fn http(place: Place, origin: &'a Origin, config: &'a Config) -> Self {
        Self { service: Service::Http, place, rpc: None, origin, origins: &config.origins }
    }

    pub(super) fn rpc(service: Service, rpc: &'a RpcListener, config: &'a Config) -> Self {
        let (place, origins) = (rpc.place.clone(), &config.origins);
        Self { service, place, rpc: Some(rpc), origin: &rpc.origin, origins }
    }

    pub(super) fn place(&self) -> &Place {
        &self.place
    }

    /// The listener; `None` if the file is at fault that it cannot be had, which is logged.
    ///
    /// Where another daemon answers, this one is one too many and must not be served in part.
    pub(super) fn had<T>(
        &self,
        listener: Result<T, ListenError>,
    ) -> Result<Option<T>, ListenError> {
        match listener {
            Ok(listener) => Ok(Some(listener)),
            Err(error) if matches!(error, ListenError::Live(_)) => Err(error),
            Err(error) => match self.remark(&error) {
                Some(remark) => {
                    tracing::error!("{remark}");
                    Ok(None)
                }
                None => Err(error),
            },
        }
    }

    /// What to say of an error; `None` if the file does not ask for what failed.
    pub(super) fn remark(&self, error: &ListenError) -> Option<Remark> {
        let key = self.key(error);
        let why = error.source().map(|source| format!(": {source}")).unwrap_or_default();
        let message = format!("{} is left out: {error}{why}, see {key}", self.name());
        Some(self.position(key)?.remark(message))
    }

    fn position(&self, key: &str) -> Option<&Position> {
        let of_key = self.origins.keys.of(key);
        match key {
            // The command line has no group: sockets that it names have the file's.
            UNIX_GROUP => of_key.or(self.origin.0.as_ref()),
            // In a list of listeners, the one that is meant.
            XEN_API => self.origin.0.as_ref(),
            _ => self.origin.0.as_ref().map(|origin| of_key.unwrap_or(origin)),
        }
    }

    fn name(&self) -> String {
        let service = match self.service {
            Service::Http => "HTTP",
            Service::XmlRpc => "XML-RPC",
            Service::XenApi => "the Xen-API",
        };
        match &self.place {
            Place::Tcp(address) => format!("{service} on {address}"),
            Place::Unix(socket) => format!("{service} on {}", socket.path.display()),
        }
    }

    /// The key to change.
    fn key(&self, error: &ListenError) -> &'static str {
        let address = matches!(error, ListenError::Tcp { source, .. }
            if source.kind() == io::ErrorKind::AddrNotAvailable);
        match (error, self.service, &self.place) {
            (ListenError::Group(_) | ListenError::Chown { .. }, ..) => UNIX_GROUP,
            (_, Service::XenApi, _) => XEN_API,
            (ListenError::Tls { path, .. }, ..) if self.is_key_file(path) => {
                "xend-tcp-xmlrpc-server-ssl-key-file"
            }
            (ListenError::Tls { .. }, ..) => "xend-tcp-xmlrpc-server-ssl-cert-file",
            (_, Service::Http, Place::Tcp(_)) if address => "xend-address",
            (_, Service::Http, Place::Tcp(_)) => "xend-port",
            (_, Service::Http, Place::Unix(_)) => "xend-unix-path",
            (_, Service::XmlRpc, Place::Tcp(_)) if address => "xend-tcp-xmlrpc-server-address",
            (_, Service::XmlRpc, Place::Tcp(_)) => "xend-tcp-xmlrpc-server-port",
            (_, Service::XmlRpc, Place::Unix(_)) => "xend-unix-xmlrpc-server",
        }
    }

    fn is_key_file(&self, path: &std::path::Path) -> bool {
        self.rpc.and_then(|rpc| rpc.tls.as_ref()).is_some_and(|tls| tls.key == path)
    }
}

const UNIX_GROUP: &str = "xend-unix-group";
const XEN_API: &str = "xen-api-server";
