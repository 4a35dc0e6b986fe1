//! The parts of the reference.

/// The values of the parameter `part`.
pub(super) const PARTS: [&str; 3] = ["http", "xml-rpc", "xen-api"];

/// The wire that a part of the reference is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    Http,
    XmlRpc,
    XenApi,
}

impl Part {
    pub(super) const ALL: [Self; 3] = [Self::Http, Self::XmlRpc, Self::XenApi];

    /// The value of the parameter `part`.
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Http => PARTS[0],
            Self::XmlRpc => PARTS[1],
            Self::XenApi => PARTS[2],
        }
    }

    /// The text of its tab.
    pub(super) const fn label(self) -> &'static str {
        match self {
            Self::Http => "HTTP",
            Self::XmlRpc => "XML-RPC",
            Self::XenApi => "Xen-API",
        }
    }
}
