//! Which hosts the Xen-API shows.

use crate::core::fleet::HostName;

/// The hosts that the Xen-API shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum XenApiHosts {
    /// The one that answers.
    Own,
    /// All of its fleet, with their VMs, and calls that name one of them.
    Fleet,
}

/// Which host a view shows.
#[derive(Debug, Clone)]
pub(crate) enum ShownHost {
    /// The one that answers; with its name in the fleet if that is shown.
    Own(Option<HostName>),
    /// Another one of the fleet.
    Other {
        name: HostName,
        /// The version of its xend.
        version: String,
    },
}

/// The host of the fleet that a call names.
#[derive(Debug)]
pub(crate) struct ChosenHost {
    pub(crate) name: HostName,
    /// Whether it is the one that answers.
    pub(crate) is_own: bool,
}
