//! What guests may use, as Debian's xenstored 4.17 counts it, and the bounds of the store itself.

use crate::error::Refusal;

/// The nodes that a guest may own.
pub(crate) const GUEST_NODES: usize = 1000;

/// A node that a guest writes is smaller than this, in bytes: see [`Node::size`].
///
/// [`Node::size`]: super::node::Node::size
pub(crate) const GUEST_NODE_SIZE: usize = 2048;

/// The entries of a node's permissions that a guest may set.
pub(crate) const GUEST_PERMISSIONS: usize = 5;

/// A guest that has more watches than this gets no further ones.
pub(crate) const GUEST_WATCHES: usize = 128;

/// A guest that has more transactions than this gets no further ones.
pub(crate) const GUEST_TRANSACTIONS: usize = 10;

/// The nodes that a guest may touch in a transaction.
pub(crate) const GUEST_TRANSACTION_NODES: usize = 1024;

/// The watches of a connection of the host.
pub(crate) const HOST_WATCHES: usize = 65_536;

/// The transactions of a connection of the host at a time.
pub(crate) const HOST_TRANSACTIONS: usize = 256;

/// The nodes that the host may touch in a transaction.
pub(crate) const HOST_TRANSACTION_NODES: usize = 65_536;

/// The bytes of all nodes and their paths.
pub(crate) const STORE_BYTES: usize = 64 * 1024 * 1024;

/// Refuses what is above a quota.
pub(crate) fn at_most(used: usize, limit: usize, refusal: Refusal) -> Result<(), Refusal> {
    if used > limit { Err(refusal) } else { Ok(()) }
}
