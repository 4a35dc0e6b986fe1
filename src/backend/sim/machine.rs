//! The port [`Machine`].

use super::handle::Sim;
use super::host_record::{HostRecord, SimPool};
use super::lock::lock;
use super::network;
use super::pools::{self, PoolHost};
use crate::backend::load_average::load_average;
use crate::core::backend;
use crate::core::error::Error;
use crate::core::model::{
    CpuModel, CpuSet, DomId, Hardware, Hctl, Interface, NetworkChange, PciAddress, PciFacts,
    PoolChange, PoolFacts, ScsiFacts,
};
use crate::core::ports::Machine;
use async_trait::async_trait;
use std::sync::Arc;

fn hardware() -> Hardware {
    let pci = |bus, slot, device, class, driver: &str| {
        Some(PciFacts {
            address: PciAddress::new(0, bus, slot, 0).ok()?,
            vendor: 0x8086,
            device,
            class,
            revision: 2,
            subsystem_vendor: 0x8086,
            subsystem: 0x0001,
            driver: driver.to_owned(),
        })
    };
    let scsi = |unit, node: &str, generic: &str| ScsiFacts {
        at: Hctl([0, 0, 0, unit]),
        vendor: "XEND".to_owned(),
        model: "Simulated disk".to_owned(),
        kind: 0,
        node: node.to_owned(),
        generic: generic.to_owned(),
        revision: "1.0".to_owned(),
        level: "6".to_owned(),
    };
    let functions = [
        pci(0, 0, 0x29c0, 0x06_00_00, ""),
        pci(0, 0x19, 0x10d3, 0x02_00_00, "e1000e"),
        pci(3, 0, 0x10d3, 0x02_00_00, "pciback"),
    ];
    Hardware {
        cpu: CpuModel {
            vendor: "GenuineIntel".to_owned(),
            name: "Simulated Xeon".to_owned(),
            stepping: 3,
            flags: "fpu de tsc msr pae mce cx8 apic sep mca cmov pat clflush mmx fxsr sse sse2 ss ht nx lm"
                .to_owned(),
        },
        pci: functions.into_iter().flatten().collect(),
        scsi: vec![scsi(0, "sda", "sg0"), scsi(1, "sdb", "sg1")],
    }
}

impl Sim {
    /// The CPUs of the pool with a name, or else of the first pool.
    pub(super) fn pool_cpus(&self, name: &[u8]) -> CpuSet {
        let pools = self.host().host_record().pools;
        let found = pools.iter().find(|pool| pool.name.as_bytes() == name).or(pools.first());
        found.map(|pool| pool.cpus.clone()).unwrap_or_default()
    }

    /// The number of CPUs that are in no pool.
    pub(super) fn free_cpus(&self) -> u32 {
        let pools = self.host().host_record().pools;
        backend::free_cpus(self.host().settings.cpus, pools.iter().map(|pool| &pool.cpus))
    }

    /// Changes the pools in the host's record.
    async fn change_pool_record(&self, change: PoolChange) -> Result<(), Error> {
        let pools = self.pools().await?;
        let used = pools.into_iter().filter(|pool| !pool.domains.is_empty());
        let used: Vec<String> = used.map(|pool| pool.name).collect();
        self.blocking(move |host| {
            let settings = &host.settings;
            let pool_host =
                PoolHost { cpus: settings.cpus, scheduler: settings.scheduler, used: &used };
            host.change_host_record(|record| {
                let mut pools = record.pools.clone();
                pools::change(&mut pools, &pool_host, change)?;
                Ok(HostRecord { pools, ..record.clone() })
            })
        })
        .await
    }
}

#[async_trait]
impl Machine for Sim {
    async fn hardware(&self) -> Result<Hardware, Error> {
        Ok(hardware())
    }

    async fn interfaces(&self) -> Result<Vec<Interface>, Error> {
        Ok(lock(&self.host().interfaces).clone())
    }

    async fn change_network(&self, change: NetworkChange) -> Result<(), Error> {
        network::change(&mut lock(&self.host().interfaces), change)
    }

    async fn load_average(&self) -> Result<[f64; 3], Error> {
        load_average()
    }

    async fn pools(&self) -> Result<Vec<PoolFacts>, Error> {
        let records = self.host().existing_records();
        let members = |name: &str| -> Vec<DomId> {
            let records = records.iter().filter(|record| record.config.pool_name == name);
            records.map(|record| record.domid).collect()
        };
        let facts = |SimPool { name, cpus }| PoolFacts {
            scheduler: self.host().settings.scheduler,
            cpus,
            domains: members(&name),
            name,
        };
        Ok(self.host().host_record().pools.into_iter().map(facts).collect())
    }

    async fn change_pools(&self, change: PoolChange) -> Result<(), Error> {
        self.change_pool_record(change.clone()).await?;
        let PoolChange::Move { domid, name } = change else { return Ok(()) };
        self.change(domid, move |record, _| {
            Arc::make_mut(&mut record.config).pool_name = name.into();
            Ok(())
        })
        .await
    }
}
