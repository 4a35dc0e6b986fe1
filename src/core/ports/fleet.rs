//! The fleet that this host has joined.

use crate::core::error::Error;
use crate::core::fleet::{FleetView, HostName, Member};
use async_trait::async_trait;
use std::fmt::Debug;
use std::sync::Arc;

/// What is known of the hosts of a fleet.
#[async_trait]
pub trait Fleet: Debug + Send + Sync + 'static {
    /// The name of this host.
    fn own(&self) -> HostName;

    /// All hosts and their domains. Whoever asks first for some time waits until etcd has listed
    /// them, a few seconds at most; then the answer follows etcd and is at hand.
    ///
    /// While etcd does not answer, the answer is what it said last, and tells how old that is.
    /// There is an error only if etcd has said nothing yet.
    async fn view(&self) -> Result<Arc<FleetView>, Error>;

    /// A host as etcd has it now; `None` if there is none. While etcd does not answer at once, it
    /// is the host as it was known last: enough to find it, and not to trust it.
    async fn member(&self, host: &HostName) -> Result<Option<Member>, Error> {
        Ok(self.view().await?.members.get(host).cloned())
    }

    /// A host as etcd has it when this is called or later; `None` if there is none. Whatever etcd
    /// said before does not count: the host may have left since. Fails within a few seconds.
    async fn member_now(&self, host: &HostName) -> Result<Option<Member>, Error>;
}
