//! XenStore, as far as it belongs to a domain.

use crate::core::error::Error;
use crate::core::model::{DomId, StorePath};
use async_trait::async_trait;
use tokio::sync::mpsc;

/// How much [`GuestStore::read_tree`] reads. What is beyond is left out.
#[derive(Debug, Clone, Copy)]
pub struct TreeLimits {
    /// Levels below the path: 1 for its children alone.
    pub depth: usize,
    pub nodes: usize,
}

/// The nodes of XenStore below a domain's directory, which the host and the guest share.
///
/// Each method fails with [`Error::Gone`] if the domain is not on the host, and leaves nothing of a
/// domain that has gone.
#[async_trait]
pub trait GuestStore: Send + Sync + 'static {
    /// The value of a node; `None` if there is no such node.
    async fn read_node(&self, domid: DomId, path: &StorePath) -> Result<Option<Vec<u8>>, Error>;

    /// The nodes below a node with their values, by paths relative to the domain's directory; none
    /// if there is no such node. A node that goes meanwhile is left out.
    async fn read_tree(
        &self,
        domid: DomId,
        path: &StorePath,
        limits: TreeLimits,
    ) -> Result<Vec<(String, Vec<u8>)>, Error>;

    /// Writes a node, and makes those above it. The guest can read nodes below `vm-data` and not
    /// change them; another new node has the permissions of the one above it. A value that does not
    /// fit into a message of XenStore is [`Error::Invalid`].
    async fn write_node(&self, domid: DomId, path: &StorePath, value: &[u8]) -> Result<(), Error>;

    /// Removes a node and all below it. A missing node is no error.
    async fn remove_node(&self, domid: DomId, path: &StorePath) -> Result<(), Error>;

    /// The domains whose guests have changed what they report, from now on; each that reports
    /// something already comes once. There is one receiver: a later call replaces it.
    fn subscribe_reports(&self) -> mpsc::UnboundedReceiver<DomId>;
}
