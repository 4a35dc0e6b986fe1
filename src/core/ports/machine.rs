//! The machine below the domains.

use crate::core::error::Error;
use crate::core::model::{Hardware, Interface, NetworkChange, PoolChange, PoolFacts};
use async_trait::async_trait;

/// The hardware, the network and the CPU pools of a hypervisor's host. Changes do not survive a
/// reboot.
#[async_trait]
pub trait Machine: Send + Sync + 'static {
    /// CPUs, PCI and SCSI devices.
    async fn hardware(&self) -> Result<Hardware, Error>;

    /// Domain-0's network interfaces, sorted by name.
    async fn interfaces(&self) -> Result<Vec<Interface>, Error>;

    /// Changes Domain-0's network. Creating an existing interface or bridge, or removing a missing
    /// one, is no error.
    async fn change_network(&self, change: NetworkChange) -> Result<(), Error>;

    /// Domain-0's load averages over 1, 5 and 15 minutes.
    async fn load_average(&self) -> Result<[f64; 3], Error>;

    /// CPU pools, `Pool-0` first.
    async fn pools(&self) -> Result<Vec<PoolFacts>, Error>;

    /// Changes CPU pools.
    async fn change_pools(&self, change: PoolChange) -> Result<(), Error>;
}
