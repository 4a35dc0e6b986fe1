//! An in-memory XenStore that behaves as Debian's xenstored 4.17: domains, permissions,
//! transactions, watches and quotas.

mod arguments;
mod connection;
mod domains;
mod node;
mod paths;
#[cfg(test)]
mod properties;
mod quota;
mod requests;
mod session;
mod state;
mod transaction;
mod tree;
mod view;
mod watch;

pub use connection::{Connection, Identity, Store};
