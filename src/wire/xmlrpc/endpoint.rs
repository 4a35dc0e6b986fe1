//! What a listener offers, and how its clients log in.

use crate::core::ports::Authenticator;
use std::sync::Arc;

/// The calls that a listener takes.
#[derive(Clone)]
pub enum Endpoint {
    /// `xend.*` alone.
    Legacy,
    /// `xend.*` and the Xen-API.
    XenApi(LoginPolicy),
}

/// How clients log in to the Xen-API. Root and the daemon's own user always can on a unix socket.
#[derive(Clone)]
pub enum LoginPolicy {
    /// Every client on the network can, with any user and password.
    Trust,
    /// With a password. `xend.*` have no passwords, and are then for root and the daemon's own user
    /// only.
    Password(Arc<dyn Authenticator>),
    /// No other client can.
    Deny,
}
