//! The port [`Machine`]: CPU pools by libxl, everything else by Linux.

use super::answers::{call_failed, parse};
use super::facts::PoolInfo;
use super::host::XenHost;
use super::network;
use super::sysfs::Sysfs;
use super::xen::Xen;
use crate::backend::load_average::load_average;
use crate::core::backend;
use crate::core::error::Error;
use crate::core::model::{Hardware, Interface, Invalid, NetworkChange, PoolChange, PoolFacts};
use crate::core::ports::Machine;
use async_trait::async_trait;

impl XenHost {
    fn pools(&self) -> Result<Vec<PoolFacts>, Error> {
        let pools = self.libxl.pools();
        let pools: Vec<PoolInfo> =
            parse(&pools.map_err(|failure| call_failed("Reading the CPU pools", failure))?)?;
        let domains = self.dominfos()?;
        Ok(pools.into_iter().filter_map(|pool| pool.facts(&domains)).collect())
    }

    /// The number of CPUs that are in no pool.
    pub(super) fn free_cpus(&self) -> Result<u32, Error> {
        let pools = self.pools()?;
        Ok(backend::free_cpus(self.cpus, pools.iter().map(|pool| &pool.cpus)))
    }

    fn change_pools(&self, change: &PoolChange) -> Result<(), Error> {
        let done = match change {
            PoolChange::Create { name, scheduler, cpus } => {
                let cpus: Vec<u32> = cpus.iter().collect();
                self.libxl.create_pool(name, scheduler.name(), &cpus)
            }
            PoolChange::Destroy(name) => self.libxl.destroy_pool(name),
            PoolChange::AddCpu { name, cpu } => self.libxl.add_pool_cpu(name, *cpu),
            PoolChange::RemoveCpu { name, cpu } => self.libxl.remove_pool_cpu(name, *cpu),
            PoolChange::Move { domid, name } => self.libxl.move_to_pool(name, domid.0),
        };
        done.map_err(|failure| {
            if failure.is_not_found() {
                Invalid::new("There is no such CPU pool").into()
            } else {
                call_failed("Changing a CPU pool", failure)
            }
        })
    }
}

#[async_trait]
impl Machine for Xen {
    async fn hardware(&self) -> Result<Hardware, Error> {
        self.blocking(|_| Ok(Sysfs::of_this_machine().hardware())).await
    }

    async fn interfaces(&self) -> Result<Vec<Interface>, Error> {
        self.blocking(|_| Ok(Sysfs::of_this_machine().interfaces())).await
    }

    async fn change_network(&self, change: NetworkChange) -> Result<(), Error> {
        self.blocking(move |_| network::change(&change)).await
    }

    async fn load_average(&self) -> Result<[f64; 3], Error> {
        self.blocking(|_| load_average()).await
    }

    async fn pools(&self) -> Result<Vec<PoolFacts>, Error> {
        self.blocking(XenHost::pools).await
    }

    async fn change_pools(&self, change: PoolChange) -> Result<(), Error> {
        self.blocking(move |host| host.change_pools(&change)).await
    }
}
