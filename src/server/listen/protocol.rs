//! The protocols of listeners.

use std::net::SocketAddr;

/// The protocol of a listener.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// xend's HTTP interface.
    Http,
    /// The calls of xm, over HTTP.
    XmlRpc,
    /// The Xen-API, over HTTP.
    XenApi,
    /// Lines of text.
    Argo,
    /// Metrics and health, over HTTP.
    Metrics,
}

impl Protocol {
    /// The name in messages.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Http => "HTTP",
            Self::XmlRpc => "XML-RPC",
            Self::XenApi => "the Xen-API",
            Self::Argo => "Argo",
            Self::Metrics => "Metrics",
        }
    }

    /// The protocols that an encrypted connection may name for itself (ALPN). Few clients name one.
    pub(super) fn alpn(self) -> Vec<Vec<u8>> {
        match self {
            Self::Http | Self::XmlRpc | Self::XenApi | Self::Metrics => vec![b"http/1.1".to_vec()],
            Self::Argo => Vec::new(),
        }
    }

    /// The option of the command line for its TCP port, if there is one.
    pub(super) const fn option(self) -> Option<&'static str> {
        match self {
            Self::Http => Some("--http"),
            Self::Argo => Some("--argo"),
            Self::Metrics => Some("--metrics"),
            Self::XmlRpc | Self::XenApi => None,
        }
    }

    /// A TCP port for messages: `https://127.0.0.1:8000/`, or `127.0.0.1:20203 (TLS)` for a
    /// protocol without URLs.
    pub(super) fn place(self, address: SocketAddr, is_encrypted: bool) -> String {
        match (self, is_encrypted) {
            (Self::Argo, false) => address.to_string(),
            (Self::Argo, true) => format!("{address} (TLS)"),
            (_, false) => format!("http://{address}/"),
            (_, true) => format!("https://{address}/"),
        }
    }
}
