//! Names of nodes in XenStore, relative to a domain's directory.

/// The host puts requests here, each under a name of its own.
pub const REQUESTS: &str = "data/host";

/// The agent puts responses here, each under the name of its request.
pub const RESPONSES: &str = "data/guest";

/// Settings of the guest's interfaces, each under its
/// [`Mac::node_name`](crate::network::Mac::node_name).
pub const NETWORKING: &str = "vm-data/networking";

/// The guest's host name. Without it the guest keeps its own.
pub const HOSTNAME: &str = "vm-data/hostname";
