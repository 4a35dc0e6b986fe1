//! HTTP to xend: over its unix socket, over TCP, and encrypted.

pub(crate) mod address;
pub(crate) mod console;
pub(crate) mod http;
pub(crate) mod stream;
pub(crate) mod tls;
mod verifier;
pub(crate) mod xmlrpc;
