//! Where a domain is that is in the way of another one.

use super::fleet::HostName;
use super::model::DomId;

/// Where a domain is that has a name or a UUID already.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// This host. A domain that is defined and not started has no domid.
    Here(Option<DomId>),
    /// Another host of the fleet.
    Host(HostName),
    /// None: the fleet has its definition, and the host that had it was forgotten.
    NoHost,
}

impl From<Option<HostName>> for Place {
    fn from(host: Option<HostName>) -> Self {
        host.map_or(Self::NoHost, Self::Host)
    }
}
