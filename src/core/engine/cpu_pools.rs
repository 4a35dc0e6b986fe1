//! The host's network and CPU pools: what is stored of them is brought back when the machine was
//! started anew.

use super::Core;
use crate::core::error::Error;
use crate::core::inventory::Inventory;
use crate::core::model::{
    CpuSet, Interface, InterfaceChange, Invalid, Item, Network, NetworkChange, Notes, Pool,
    PoolChange, PoolFacts, Thing, Vlan,
};
use crate::core::op::{NetworkOp, PoolOp};
use std::sync::Arc;
use tracing::warn;

/// What the hypervisor's pools and the stored ones are, as one operation sees them.
struct Pools {
    running: Vec<PoolFacts>,
    stored: Arc<Inventory>,
}

impl Pools {
    fn running(&self, name: &str) -> Option<&PoolFacts> {
        self.running.iter().find(|pool| pool.name == name)
    }

    fn stored(&self, name: &str) -> Option<(&Arc<Item>, &Pool)> {
        self.stored.pools().find(|(_, pool)| pool.name == name)
    }

    /// One that is started.
    fn at_work(&self, name: &str) -> Result<&PoolFacts, Error> {
        self.running(name).ok_or_else(|| {
            if self.stored(name).is_some() {
                Error::PoolState("deactivated")
            } else {
                no_such(name)
            }
        })
    }

    fn is_free(&self, cpu: u32, cpus: u32) -> bool {
        cpu < cpus && !self.running.iter().any(|pool| pool.cpus.contains(cpu))
    }
}

fn no_such(name: &str) -> Error {
    Error::NoSuchObject { class: "cpu_pool", name: name.to_owned() }
}

impl Core {
    pub(super) async fn interfaces(&self) -> Result<Vec<Interface>, Error> {
        self.limited("Reading the network", self.hypervisor.interfaces()).await
    }

    async fn relink(&self, change: NetworkChange) -> Result<(), Error> {
        self.limited("Changing the network", self.hypervisor.change_network(change)).await
    }

    async fn regroup(&self, change: PoolChange) -> Result<(), Error> {
        self.limited("Changing the CPU pools", self.hypervisor.change_pools(change)).await
    }

    pub(super) async fn change_network(&self, op: NetworkOp) -> Result<(), Error> {
        let _turn = self.stock.turn().await;
        let store = &*self.store;
        match op {
            NetworkOp::Create { uuid, network, notes } => {
                let known = self.stock.current();
                if known.networks().any(|(_, one)| one.bridge == network.bridge) {
                    let taken =
                        format!("name_label: there is a network {} already", network.bridge);
                    return Err(Invalid::new(taken).into());
                }
                let there = self.interfaces().await?.iter().any(|one| one.name == network.bridge);
                if !there {
                    self.relink(NetworkChange::MakeBridge(network.bridge.clone())).await?;
                }
                self.stock.keep(store, Item { uuid, thing: Thing::Network(network), notes }).await
            }
            NetworkOp::Destroy(uuid) => {
                let known = self.stock.current();
                let found = known.networks().find(|(item, _)| item.uuid == uuid);
                let (_, Network { bridge }) = found.ok_or_else(|| Error::NoSuchObject {
                    class: "network",
                    name: uuid.to_string(),
                })?;
                let domains = self.board.current();
                let user = domains
                    .domains()
                    .find(|view| view.configs().any(|config| config.is_on_bridge(bridge)));
                let interfaces = self.interfaces().await?;
                let port = interfaces.iter().find(|one| one.bridge.as_ref() == Some(bridge));
                let user = user
                    .map(|view| view.name().to_string())
                    .or_else(|| port.map(|port| port.name.clone()));
                if let Some(by) = user {
                    return Err(Error::InUse { what: "The network", by });
                }
                self.relink(NetworkChange::RemoveBridge(bridge.clone())).await?;
                self.stock.forget(store, uuid).await
            }
            NetworkOp::CreateVlan { uuid, vlan } => {
                self.make_vlan(&vlan).await?;
                self.stock
                    .keep(store, Item { uuid, thing: Thing::Vlan(vlan), notes: Notes::default() })
                    .await
            }
            NetworkOp::DestroyVlan(uuid) => {
                let known = self.stock.current();
                let found = known.vlans().find(|(item, _)| item.uuid == uuid);
                let (_, Vlan { device, tag, .. }) = found
                    .ok_or_else(|| Error::NoSuchObject { class: "PIF", name: uuid.to_string() })?;
                self.relink(NetworkChange::RemoveVlan { device: device.clone(), tag: *tag })
                    .await?;
                self.stock.forget(store, uuid).await
            }
            NetworkOp::Interface(change) => self.relink(NetworkChange::Interface(change)).await,
        }
    }

    async fn make_vlan(&self, vlan: &Vlan) -> Result<(), Error> {
        let Vlan { device, tag, bridge } = vlan.clone();
        self.relink(NetworkChange::MakeVlan { device, tag }).await?;
        self.relink(NetworkChange::Interface(InterfaceChange::Link {
            name: vlan.name(),
            bridge: Some(bridge),
        }))
        .await
    }

    pub(super) async fn pools(&self) -> Result<Vec<PoolFacts>, Error> {
        self.limited("Reading the CPU pools", self.hypervisor.pools()).await
    }

    pub(super) async fn change_pool(&self, name: &str, op: PoolOp) -> Result<(), Error> {
        let _turn = self.stock.turn().await;
        let pools = Pools { running: self.pools().await?, stored: self.stock.current() };
        let store = &*self.store;
        match op {
            PoolOp::Define { uuid, pool, notes } => {
                if pools.running(name).is_some() || pools.stored(name).is_some() {
                    return Err(Error::PoolExists(name.to_owned()));
                }
                self.stock.keep(store, Item { uuid, thing: Thing::Pool(pool), notes }).await
            }
            PoolOp::Set(setting) => {
                let (item, old) = pools.stored(name).ok_or(Error::PoolState("not managed"))?;
                let mut pool = old.clone();
                setting.apply(&mut pool)?;
                if pool.name != name
                    && (pools.running(&pool.name).is_some() || pools.stored(&pool.name).is_some())
                {
                    return Err(Error::PoolExists(pool.name));
                }
                let same = (&pool.name, pool.scheduler, &pool.cpus)
                    == (&old.name, old.scheduler, &old.cpus);
                if pools.running(name).is_some() && !same {
                    return Err(Error::PoolState("activated"));
                }
                self.stock.keep(store, Item { thing: Thing::Pool(pool), ..Item::clone(item) }).await
            }
            PoolOp::Delete => {
                let (item, _) = pools.stored(name).ok_or_else(|| no_such(name))?;
                if pools.running(name).is_some() {
                    return Err(Error::PoolState("activated"));
                }
                self.stock.forget(store, item.uuid).await
            }
            PoolOp::Start => {
                let (_, pool) = pools.stored(name).ok_or_else(|| no_such(name))?;
                if pools.running(name).is_some() {
                    return Err(Error::PoolState("activated"));
                }
                let cpus = self.cpus_for(&pools, pool)?;
                self.regroup(PoolChange::Create {
                    name: name.to_owned(),
                    scheduler: pool.scheduler,
                    cpus,
                })
                .await
            }
            PoolOp::Stop => match pools.running(name) {
                None if pools.stored(name).is_some() => Err(Error::PoolState("deactivated")),
                None => Err(no_such(name)),
                Some(pool) if !pool.domains.is_empty() || name == PoolFacts::FIRST => {
                    Err(Error::PoolState("in use"))
                }
                Some(_) => self.regroup(PoolChange::Destroy(name.to_owned())).await,
            },
            PoolOp::AddCpu(cpu) => {
                pools.at_work(name)?;
                if !pools.is_free(cpu, self.info.topology.cpus) {
                    return Err(Error::NoSuchCpu(format!(
                        "CPU {cpu} is in a pool already, or not there"
                    )));
                }
                self.regroup(PoolChange::AddCpu { name: name.to_owned(), cpu }).await
            }
            PoolOp::RemoveCpu(cpu) => {
                let pool = pools.at_work(name)?;
                if !pool.cpus.contains(cpu) {
                    return Err(Error::NoSuchCpu(format!("CPU {cpu} is not in CPU pool {name}")));
                }
                if pool.cpus.iter().count() == 1 && !pool.domains.is_empty() {
                    return Err(Error::LastCpu(name.to_owned()));
                }
                self.regroup(PoolChange::RemoveCpu { name: name.to_owned(), cpu }).await
            }
        }
    }

    /// The CPUs that a pool is to be made of: those that it names, or as many as it wants of those
    /// that are free.
    fn cpus_for(&self, pools: &Pools, pool: &Pool) -> Result<CpuSet, Error> {
        let cpus = self.info.topology.cpus;
        let free: Vec<u32> = (0..cpus).filter(|cpu| pools.is_free(*cpu, cpus)).collect();
        if let Some(taken) = pool.cpus.iter().find(|cpu| !free.contains(cpu)) {
            return Err(Error::NoSuchCpu(format!(
                "CPU {taken} is in a pool already, or not there"
            )));
        }
        if !pool.cpus.is_empty() {
            return Ok(pool.cpus.clone());
        }
        let wanted = usize::try_from(pool.ncpu.max(1)).unwrap_or(usize::MAX);
        let available = u32::try_from(free.len()).unwrap_or(u32::MAX);
        if wanted > free.len() {
            return Err(Error::NotEnoughCpus { needed: pool.ncpu.max(1), available });
        }
        Ok(free.into_iter().take(wanted).collect())
    }

    /// Brings back what is stored and went with the machine's last run.
    pub(super) async fn bring_back_host(&self) {
        if let Err(error) = self.bring_back().await {
            warn!(%error, "The host's networks and CPU pools could not be looked at");
        }
    }

    async fn bring_back(&self) -> Result<(), Error> {
        let stored = self.stock.current();
        let there = self.interfaces().await?;
        let is_there = |name: &str| there.iter().any(|one| one.name == name);
        for (_, network) in stored.networks().filter(|(_, network)| !is_there(&network.bridge)) {
            if let Err(error) = self.relink(NetworkChange::MakeBridge(network.bridge.clone())).await
            {
                warn!(bridge = network.bridge, %error, "A bridge could not be made");
            }
        }
        for (_, vlan) in stored.vlans().filter(|(_, vlan)| !is_there(&vlan.name())) {
            if let Err(error) = self.make_vlan(vlan).await {
                warn!(interface = vlan.name(), %error, "A virtual LAN could not be made");
            }
        }
        let running = self.pools().await?;
        for (_, pool) in stored.pools().filter(|(_, pool)| pool.auto_start) {
            if running.iter().any(|one| one.name == pool.name) {
                continue;
            }
            if let Err(error) = self.change_pool(&pool.name, PoolOp::Start).await {
                warn!(pool = pool.name, %error, "A CPU pool could not be started");
            }
        }
        Ok(())
    }
}
