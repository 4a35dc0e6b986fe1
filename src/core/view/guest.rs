//! XenStore, as far as it belongs to a domain.

use super::View;
use crate::core::error::Error;
use crate::core::model::{DomainRef, StorePath};
use crate::core::ports::TreeLimits;
use crate::core::rights::OpKind;

/// How much [`View::store_tree`] reads.
const MOST_NODES: usize = 1024;
const MOST_LEVELS: usize = 16;

impl View {
    /// The value of a node of a domain in XenStore; `None` if there is no such node.
    pub async fn store_node(
        &self,
        domain: &DomainRef,
        path: &StorePath,
    ) -> Result<Option<Vec<u8>>, Error> {
        let (view, domid) = self.on_host(domain)?;
        self.require_on(OpKind::ReadGuestStore, "xenstore read", &view)?;
        self.core.hypervisor.read_node(domid, path).await
    }

    /// The nodes below a node of a domain in XenStore with their values, by paths relative to the
    /// domain's directory: 1024 at most.
    pub async fn store_tree(
        &self,
        domain: &DomainRef,
        path: &StorePath,
    ) -> Result<Vec<(String, Vec<u8>)>, Error> {
        let (view, domid) = self.on_host(domain)?;
        self.require_on(OpKind::ReadGuestStore, "xenstore list", &view)?;
        let limits = TreeLimits { depth: MOST_LEVELS, nodes: MOST_NODES };
        self.core.hypervisor.read_tree(domid, path, limits).await
    }
}
