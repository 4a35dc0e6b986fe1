//! The host and its objects.

use super::View;
use crate::core::error::Error;
use crate::core::inventory::Inventory;
use crate::core::model::{
    ClientData, Hardware, HostFigures, HostInfo, HostLoad, Interface, Policy, PoolFacts, Uuid, Vnet,
};
use crate::core::ports::StorageFacts;
use crate::core::rights::{OpKind, User};
use std::sync::Arc;
use tokio::sync::watch;

impl View {
    /// The host, with figures as fresh as those of [`domains`](Self::domains).
    pub async fn host(&self) -> Result<(Arc<HostInfo>, HostFigures), Error> {
        self.require(OpKind::ShowHost, "the host")?;
        let figures = self.core.fresh_snapshot().await.figures;
        Ok((self.core.info.clone(), figures))
    }

    /// The properties of the host that do not change while it is up, for the use of wires: they
    /// show them to callers who may do [`OpKind::ShowHost`].
    pub fn host_info(&self) -> &Arc<HostInfo> {
        &self.core.info
    }

    /// Whether clients may start domains on the host with this UUID. They may unless the host's
    /// client data say otherwise, which are the operators'; this one fact of them is everybody's.
    pub fn is_host_enabled(&self, host: &Uuid) -> bool {
        let inventory = self.core.inventory.current();
        let data = inventory.client_data(host);
        data.is_none_or(|data| data.text(ClientData::DISABLED).is_none())
    }

    /// The host's load average, and its CPUs and memory in use.
    pub async fn load(&self) -> Result<HostLoad, Error> {
        self.require(OpKind::ShowLoad, "load")?;
        let averages = self.core.hypervisor.load_average().await?;
        let figures = self.core.fresh_snapshot().await.figures;
        let samples = self.core.samples.last();
        let info = &self.core.info;
        Ok(HostLoad {
            averages,
            cpu: samples.domains.values().map(|sample| sample.cpu).sum(),
            cpus: info.topology.cpus,
            memory_used: info.total_memory.saturating_sub(figures.free_memory),
            memory: info.total_memory,
        })
    }

    /// The hypervisor's messages.
    pub async fn dmesg(&self) -> Result<Vec<u8>, Error> {
        self.require(OpKind::ReadDmesg, "dmesg")?;
        self.core.hypervisor.dmesg().await
    }

    /// CPUs, PCI and SCSI devices.
    pub async fn hardware(&self) -> Result<Hardware, Error> {
        self.require(OpKind::ShowHardware, "hardware")?;
        self.core.hypervisor.hardware().await
    }

    /// Domain-0's network interfaces, sorted by name.
    pub async fn interfaces(&self) -> Result<Vec<Interface>, Error> {
        self.require(OpKind::ShowInterfaces, "interfaces")?;
        self.core.hypervisor.interfaces().await
    }

    /// CPU pools, `Pool-0` first, with the domains that the caller sees.
    pub async fn pools(&self) -> Result<Vec<PoolFacts>, Error> {
        self.require(OpKind::ShowPools, "pools")?;
        let mut pools = self.core.hypervisor.pools().await?;
        if !self.caller.is_operator() {
            let visible = self.snapshot();
            for pool in &mut pools {
                pool.domains.retain(|domid| visible.by_domid(*domid).is_some());
            }
        }
        Ok(pools)
    }

    /// The directory of disk images, and its free space.
    pub async fn storage(&self) -> Result<StorageFacts, Error> {
        self.require(OpKind::ShowStorage, "storage")?;
        self.core.storage_question("Reading the storage", self.core.store.storage()).await
    }

    /// All virtual networks, sorted by id.
    pub async fn vnets(&self) -> Result<Vec<Vnet>, Error> {
        self.require(OpKind::ShowVnets, "vnets")?;
        Ok(self.core.vnets.all().await)
    }

    /// The virtual network with this id.
    pub async fn vnet(&self, id: &str) -> Result<Vnet, Error> {
        self.require(OpKind::ShowVnets, "vnets")?;
        self.core.vnets.get(id).await
    }

    /// The users of all accounts, sorted by name.
    pub fn accounts(&self) -> Result<Vec<Arc<User>>, Error> {
        self.require(OpKind::ShowAccounts, "accounts")?;
        let mut users = self.core.settings.accounts.all();
        users.sort_by(|a, b| a.name().cmp(b.name()));
        Ok(users)
    }

    /// The operator's current policy.
    pub fn policy(&self) -> Arc<Policy> {
        self.core.settings.policy.load_full()
    }

    /// The objects of the host beside its domains. A user sees the disk images and networks of
    /// visible domains; networks, pools and storage need the right to facts about the host.
    pub fn inventory(&self) -> Arc<Inventory> {
        let full = self.core.inventory.current();
        if self.caller.is_operator() {
            return full;
        }
        let visible = self.snapshot();
        let configs: Vec<_> = visible.domains().flat_map(|view| view.configs()).cloned().collect();
        Arc::new(full.visible_to(&self.caller.access(), &configs))
    }

    /// A counter of changes of the inventory. Slow readers see only the latest.
    pub fn inventory_generations(&self) -> watch::Receiver<u64> {
        self.core.inventory.generations()
    }
}
