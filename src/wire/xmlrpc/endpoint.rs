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

/// How clients log in to the Xen-API. On a unix socket root and the daemon's own user always may.
#[derive(Clone)]
pub enum LoginPolicy {
    /// Every client on the network may, with any user and password.
    Trust,
    /// With a password. `xend.*`, which have none, are then for those local users alone.
    Password(Arc<dyn Authenticator>),
    /// No other client may.
    Deny,
}
