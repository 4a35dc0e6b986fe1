//! The fleet that this host has joined.

use crate::core::error::Error;
use crate::core::fleet::FleetView;
use async_trait::async_trait;
use std::fmt::Debug;
use std::sync::Arc;

/// What is known of the hosts of a fleet.
#[async_trait]
pub trait Fleet: Debug + Send + Sync + 'static {
    /// All hosts and their domains. Whoever asks first for some time waits until etcd has listed
    /// them, a few seconds at most; then the answer follows etcd and is at hand.
    ///
    /// While etcd does not answer, the answer is what it said last, and tells how old that is.
    /// There is an error only if etcd has said nothing yet.
    async fn view(&self) -> Result<Arc<FleetView>, Error>;
}
