//! The port [`GuestStore`].

use super::xen::Xen;
use crate::core::error::Error;
use crate::core::model::{DomId, StorePath};
use crate::core::ports::{GuestStore, TreeLimits};
use async_trait::async_trait;
use tokio::sync::mpsc;

#[async_trait]
impl GuestStore for Xen {
    async fn read_node(&self, domid: DomId, path: &StorePath) -> Result<Option<Vec<u8>>, Error> {
        let path = path.clone();
        self.blocking(move |host| host.xenstore.read(domid, &path)).await
    }

    async fn read_tree(
        &self,
        domid: DomId,
        path: &StorePath,
        limits: TreeLimits,
    ) -> Result<Vec<(String, Vec<u8>)>, Error> {
        let path = path.clone();
        self.blocking(move |host| host.xenstore.read_tree(domid, &path, limits)).await
    }

    async fn write_node(&self, domid: DomId, path: &StorePath, value: &[u8]) -> Result<(), Error> {
        let path = path.clone();
        let value = value.to_vec();
        self.blocking(move |host| host.xenstore.write(domid, &path, &value)).await
    }

    async fn remove_node(&self, domid: DomId, path: &StorePath) -> Result<(), Error> {
        let path = path.clone();
        self.blocking(move |host| host.xenstore.remove(domid, &path)).await
    }

    fn subscribe_reports(&self) -> mpsc::UnboundedReceiver<DomId> {
        self.host().reports.subscribe()
    }
}
