//! CPU pools. Stored pools with `auto_start` are made again after a boot of the host.

use crate::core::context::Core;
use crate::core::error::Error;
use crate::core::inventory::Inventory;
use crate::core::model::{CpuSet, Item, ObjectKind, Pool, PoolChange, PoolFacts, PoolSetting};
use crate::core::op::PoolOp;
use std::sync::Arc;
use tracing::warn;

/// The pools of the hypervisor and those in the inventory.
struct Pools {
    active: Vec<PoolFacts>,
    inventory: Arc<Inventory>,
}

impl Pools {
    fn active(&self, name: &str) -> Option<&PoolFacts> {
        self.active.iter().find(|pool| pool.name == name)
    }

    fn stored(&self, name: &str) -> Option<(&Arc<Item>, &Pool)> {
        self.inventory.pools().find(|(_, pool)| pool.name == name)
    }

    fn check_active(&self, name: &str) -> Result<&PoolFacts, Error> {
        self.active(name).ok_or_else(|| {
            if self.stored(name).is_some() {
                Error::PoolState("deactivated")
            } else {
                no_such(name)
            }
        })
    }

    fn check_not_active(&self, name: &str) -> Result<(), Error> {
        if self.active(name).is_some() { Err(Error::PoolState("activated")) } else { Ok(()) }
    }

    fn check_new_name(&self, name: &str) -> Result<(), Error> {
        if self.active(name).is_some() || self.stored(name).is_some() {
            return Err(Error::PoolExists(name.to_owned()));
        }
        Ok(())
    }

    /// The CPUs of a host with `cpus` CPUs that are in no pool.
    fn free(&self, cpus: u32) -> CpuSet {
        let pools = self.active.iter().map(|pool| &pool.cpus);
        pools.fold(CpuSet::first(cpus), |free, pool| free.difference(pool))
    }

    /// CPUs for a pool that is to be started: those that it names, or as many free ones as it
    /// wants.
    fn cpus_for(&self, pool: &Pool, cpus: u32) -> Result<CpuSet, Error> {
        let free = self.free(cpus);
        if let Some(taken) = pool.cpus.difference(&free).lowest() {
            return Err(taken_cpu(taken));
        }
        if !pool.cpus.is_empty() {
            return Ok(pool.cpus.clone());
        }
        let needed = pool.ncpu.max(1);
        let wanted = usize::try_from(needed).unwrap_or(usize::MAX);
        if wanted > free.len() {
            let available = u32::try_from(free.len()).unwrap_or(u32::MAX);
            return Err(Error::NotEnoughCpus { needed, available });
        }
        Ok(free.iter().take(wanted).collect())
    }
}

fn no_such(name: &str) -> Error {
    Error::NoSuchObject { class: "cpu_pool", name: name.to_owned() }
}

fn taken_cpu(cpu: u32) -> Error {
    Error::NoSuchCpu(format!("CPU {cpu} is in a pool already, or not there"))
}

impl Core {
    pub(super) async fn change_pool(&self, name: &str, op: PoolOp) -> Result<(), Error> {
        let inventory = self.inventory.write().await;
        let pools =
            Pools { active: self.hypervisor.pools().await?, inventory: inventory.current() };
        match op {
            PoolOp::Define { uuid, pool, client_data } => {
                pools.check_new_name(name)?;
                inventory.put(Item { uuid, kind: ObjectKind::Pool(pool), client_data }).await
            }
            PoolOp::Set(setting) => inventory.put(changed_pool(&pools, name, setting)?).await,
            PoolOp::Delete => {
                let (item, _) = pools.stored(name).ok_or_else(|| no_such(name))?;
                pools.check_not_active(name)?;
                inventory.remove(item.uuid).await
            }
            PoolOp::Start => {
                let (_, pool) = pools.stored(name).ok_or_else(|| no_such(name))?;
                pools.check_not_active(name)?;
                let cpus = pools.cpus_for(pool, self.info.topology.cpus)?;
                let scheduler = pool.scheduler;
                let change = PoolChange::Create { name: name.to_owned(), scheduler, cpus };
                self.hypervisor.change_pools(change).await
            }
            PoolOp::Stop => {
                let pool = pools.check_active(name)?;
                if !pool.domains.is_empty() || name == PoolFacts::FIRST {
                    return Err(Error::PoolState("in use"));
                }
                self.hypervisor.change_pools(PoolChange::Destroy(name.to_owned())).await
            }
            PoolOp::AddCpu(cpu) => {
                pools.check_active(name)?;
                if !pools.free(self.info.topology.cpus).contains(cpu) {
                    return Err(taken_cpu(cpu));
                }
                let change = PoolChange::AddCpu { name: name.to_owned(), cpu };
                self.hypervisor.change_pools(change).await
            }
            PoolOp::RemoveCpu(cpu) => {
                let pool = pools.check_active(name)?;
                if !pool.cpus.contains(cpu) {
                    return Err(Error::NoSuchCpu(format!("CPU {cpu} is not in CPU pool {name}")));
                }
                if pool.cpus.len() == 1 && !pool.domains.is_empty() {
                    return Err(Error::LastCpu(name.to_owned()));
                }
                let change = PoolChange::RemoveCpu { name: name.to_owned(), cpu };
                self.hypervisor.change_pools(change).await
            }
        }
    }

    /// Starts the stored pools with `auto_start` that are not active.
    pub(super) async fn start_pools(&self) {
        let active = match self.hypervisor.pools().await {
            Ok(active) => active,
            Err(error) => {
                warn!(%error, "The host's CPU pools could not be read");
                return;
            }
        };
        let inventory = self.inventory.current();
        for (_, pool) in inventory.pools().filter(|(_, pool)| pool.auto_start) {
            if active.iter().any(|known| known.name == pool.name) {
                continue;
            }
            if let Err(error) = self.change_pool(&pool.name, PoolOp::Start).await {
                warn!(pool = pool.name, %error, "A CPU pool could not be started");
            }
        }
    }
}

/// A stored pool after a change. Of an active pool, name, scheduler and CPUs cannot be changed.
fn changed_pool(pools: &Pools, name: &str, setting: PoolSetting) -> Result<Item, Error> {
    let (item, old) = pools.stored(name).ok_or(Error::PoolState("not managed"))?;
    let mut pool = old.clone();
    setting.apply(&mut pool)?;
    if pool.name != name {
        pools.check_new_name(&pool.name)?;
    }
    if pool.name != old.name || pool.scheduler != old.scheduler || pool.cpus != old.cpus {
        pools.check_not_active(name)?;
    }
    Ok(Item { kind: ObjectKind::Pool(pool), ..Item::clone(item) })
}
