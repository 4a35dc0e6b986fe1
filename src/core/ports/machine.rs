//! The machine below the domains.

use crate::core::error::Error;
use crate::core::model::{Hardware, Interface, NetworkChange, PoolChange, PoolFacts};
use async_trait::async_trait;

/// What a hypervisor's host is made of, and what can be changed of it. None of it outlives the
/// machine's run.
#[async_trait]
pub trait Machine: Send + Sync + 'static {
    /// CPUs and what is plugged in.
    async fn hardware(&self) -> Result<Hardware, Error>;

    /// Domain-0's network interfaces, in the order of their names.
    async fn interfaces(&self) -> Result<Vec<Interface>, Error>;

    /// Changes Domain-0's network. What is there already, or has gone, is no error.
    async fn change_network(&self, change: NetworkChange) -> Result<(), Error>;

    /// CPU pools, `Pool-0` first.
    async fn pools(&self) -> Result<Vec<PoolFacts>, Error>;

    /// Changes them.
    async fn change_pools(&self, change: PoolChange) -> Result<(), Error>;
}
