//! The simulated machine: its cards, disks, network and CPU pools.

use super::form::HostRecord;
use super::{Sim, lock};
use crate::core::error::Error;
use crate::core::model::{
    CpuModel, CpuSet, DomId, Hardware, Hctl, Interface, InterfaceChange, InterfaceKind, Invalid,
    Mac, NetworkChange, PciAddress, PciFacts, PoolChange, PoolFacts, Scheduler, ScsiFacts,
};
use crate::core::ports::Machine;
use async_trait::async_trait;
use std::sync::Arc;

/// A CPU pool as the host's record holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SimPool {
    pub(super) name: String,
    pub(super) cpus: CpuSet,
}

/// A machine with one bridge, on which its one card is.
pub(super) fn first_interfaces() -> Vec<Interface> {
    let interface = |name: &str, kind, bridge: Option<&str>| Interface {
        name: name.to_owned(),
        kind,
        mac: Some(Mac::in_xen_range([0x7f, 0xff, 0x01])),
        mtu: 1500,
        bridge: bridge.map(str::to_owned),
        io: (0, 0),
    };
    vec![
        interface("eth0", InterfaceKind::Physical, Some("xenbr0")),
        interface("xenbr0", InterfaceKind::Bridge, None),
    ]
}

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

fn invalid(reason: String) -> Error {
    Invalid::new(reason).into()
}

/// Makes, removes or links an interface.
fn relink(interfaces: &mut Vec<Interface>, change: NetworkChange) -> Result<(), Error> {
    let no_such = |name: &str| invalid(format!("There is no network interface {name}"));
    let (made, removed) = match change {
        NetworkChange::MakeBridge(name) => (Some((name, InterfaceKind::Bridge)), None),
        NetworkChange::MakeVlan { device, tag } => {
            if !interfaces.iter().any(|one| one.name == device) {
                return Err(no_such(&device));
            }
            (Some((Interface::vlan_name(&device, tag), InterfaceKind::Vlan { device, tag })), None)
        }
        NetworkChange::RemoveBridge(name) => (None, Some(name)),
        NetworkChange::RemoveVlan { device, tag } => {
            (None, Some(Interface::vlan_name(&device, tag)))
        }
        NetworkChange::Interface(InterfaceChange::Adjust { name, mac, mtu }) => {
            let found =
                interfaces.iter_mut().find(|one| one.name == name).ok_or_else(|| no_such(&name))?;
            (found.mac, found.mtu) = (mac.or(found.mac), mtu.unwrap_or(found.mtu));
            (None, None)
        }
        NetworkChange::Interface(InterfaceChange::Link { name, bridge }) => {
            let there = |bridge: &String| {
                interfaces
                    .iter()
                    .any(|one| one.name == *bridge && one.kind == InterfaceKind::Bridge)
            };
            if let Some(missing) = bridge.as_ref().filter(|bridge| !there(bridge)) {
                return Err(no_such(missing));
            }
            let found = interfaces.iter_mut().find(|one| one.name == name);
            found.ok_or_else(|| no_such(&name))?.bridge = bridge;
            (None, None)
        }
    };
    if let Some((name, kind)) =
        made.filter(|(name, _)| !interfaces.iter().any(|one| one.name == *name))
    {
        let mac = Some(Mac::in_xen_range([
            0x7f,
            0xff,
            u8::try_from(interfaces.len()).unwrap_or(u8::MAX),
        ]));
        interfaces.push(Interface { name, kind, mac, mtu: 1500, bridge: None, io: (0, 0) });
    }
    if let Some(name) = removed {
        interfaces.retain(|one| one.name != name);
        for one in interfaces.iter_mut().filter(|one| one.bridge.as_ref() == Some(&name)) {
            one.bridge = None;
        }
    }
    interfaces.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(())
}

/// Changes the pools, by Xen's rules.
fn regroup(
    pools: &mut Vec<SimPool>,
    cpus: u32,
    own: Scheduler,
    busy: impl Fn(&str) -> bool,
    change: PoolChange,
) -> Result<(), Error> {
    let no_such = |name: &str| invalid(format!("There is no CPU pool {name}"));
    let free = |pools: &[SimPool], cpu: u32| {
        cpu < cpus && !pools.iter().any(|pool| pool.cpus.contains(cpu))
    };
    let not_free = |cpu: u32| invalid(format!("CPU {cpu} is in a pool, or not there"));
    let find = |pools: &[SimPool], name: &str| {
        pools.iter().position(|pool| pool.name == name).ok_or_else(|| no_such(name))
    };
    match change {
        PoolChange::Create { name, scheduler, cpus: wanted } => {
            if pools.iter().any(|pool| pool.name == name) {
                return Err(invalid(format!("There is a CPU pool {name} already")));
            }
            if scheduler != own {
                return Err(Error::Unsupported(format!(
                    "All pools of the simulated host have the scheduler {own}"
                )));
            }
            if let Some(taken) = wanted.iter().find(|cpu| !free(pools, *cpu)) {
                return Err(not_free(taken));
            }
            pools.push(SimPool { name, cpus: wanted });
        }
        PoolChange::Destroy(name) => {
            let at = find(pools, &name)?;
            if at == 0 || busy(&name) {
                return Err(Error::InUse { what: "CPU pool", by: "domains".to_owned() });
            }
            pools.remove(at);
        }
        PoolChange::AddCpu { name, cpu } => {
            let at = find(pools, &name)?;
            if !free(pools, cpu) {
                return Err(not_free(cpu));
            }
            pools[at].cpus = pools[at].cpus.iter().chain([cpu]).collect();
        }
        PoolChange::RemoveCpu { name, cpu } => {
            let at = find(pools, &name)?;
            let left: CpuSet = pools[at].cpus.iter().filter(|one| *one != cpu).collect();
            if left == pools[at].cpus {
                return Err(invalid(format!("CPU {cpu} is not in CPU pool {name}")));
            }
            if left.is_empty() && busy(&name) {
                return Err(Error::InUse {
                    what: "The last CPU of the pool",
                    by: "domains".to_owned(),
                });
            }
            pools[at].cpus = left;
        }
        PoolChange::Move { name, .. } => {
            if pools[find(pools, &name)?].cpus.is_empty() {
                return Err(invalid(format!("CPU pool {name} has no CPU")));
            }
        }
    }
    Ok(())
}

impl Sim {
    /// The CPUs of a domain's pool.
    pub(super) fn pool_cpus(&self, name: &[u8]) -> CpuSet {
        let pools = self.host.numbers().pools;
        let found = pools.iter().find(|pool| pool.name.as_bytes() == name).or(pools.first());
        found.map(|pool| pool.cpus.clone()).unwrap_or_default()
    }

    /// How many CPUs are in no pool.
    pub(super) fn free_cpus(&self) -> u32 {
        let pools = self.host.numbers().pools;
        let all = 0..self.host.settings.cpus;
        let free = all.filter(|cpu| !pools.iter().any(|pool| pool.cpus.contains(*cpu)));
        u32::try_from(free.count()).unwrap_or(0)
    }
}

#[async_trait]
impl Machine for Sim {
    async fn hardware(&self) -> Result<Hardware, Error> {
        Ok(hardware())
    }

    async fn interfaces(&self) -> Result<Vec<Interface>, Error> {
        Ok(lock(&self.host.interfaces).clone())
    }

    async fn change_network(&self, change: NetworkChange) -> Result<(), Error> {
        relink(&mut lock(&self.host.interfaces), change)
    }

    async fn pools(&self) -> Result<Vec<PoolFacts>, Error> {
        let (records, now) = (self.host.records(), self.host.now());
        let of = |name: &str| -> Vec<DomId> {
            let there = records.iter().filter(|record| !record.is_gone(now));
            there
                .filter(|record| record.config.pool_name == name)
                .map(|record| record.domid)
                .collect()
        };
        let pools = self.host.numbers().pools.into_iter();
        Ok(pools
            .map(|SimPool { name, cpus }| PoolFacts {
                scheduler: self.host.settings.scheduler,
                cpus,
                domains: of(&name),
                name,
            })
            .collect())
    }

    async fn change_pools(&self, change: PoolChange) -> Result<(), Error> {
        let busy: Vec<String> = self
            .pools()
            .await?
            .into_iter()
            .filter(|pool| !pool.domains.is_empty())
            .map(|pool| pool.name)
            .collect();
        if let PoolChange::Move { domid, name } = &change {
            let (domid, name) = (*domid, name.clone());
            self.regroup(&busy, change.clone()).await?;
            return self
                .change(domid, move |record, _| {
                    let mut config = crate::core::model::DomainConfig::clone(&record.config);
                    config.pool_name = name.into();
                    record.config = Arc::new(config);
                    Ok(())
                })
                .await;
        }
        self.regroup(&busy, change).await
    }
}

impl Sim {
    async fn regroup(&self, busy: &[String], change: PoolChange) -> Result<(), Error> {
        let (host, busy) = (Arc::clone(&self.host), busy.to_vec());
        self.blocking(move || {
            let (cpus, own) = (host.settings.cpus, host.settings.scheduler);
            host.renumber(|record| {
                let mut pools = record.pools.clone();
                regroup(&mut pools, cpus, own, |name| busy.iter().any(|one| one == name), change)?;
                Ok(HostRecord { pools, ..record.clone() })
            })
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pools_keep_xens_rules() {
        let mut pools = vec![SimPool { name: "Pool-0".into(), cpus: CpuSet::first(4) }];
        let mut does = |change| {
            regroup(&mut pools, 4, Scheduler::Credit, |name| name == "Pool-0", change)
                .map_err(|error| error.to_string())
        };
        let (name, one) = ("new".to_owned(), || "Pool-0".to_owned());
        let create = |cpus: &str| PoolChange::Create {
            name: "new".into(),
            scheduler: Scheduler::Credit,
            cpus: cpus.parse().unwrap(),
        };
        assert_eq!(does(create("3")), Err("CPU 3 is in a pool, or not there".into()));
        does(PoolChange::RemoveCpu { name: one(), cpu: 3 }).unwrap();
        does(create("3")).unwrap();
        assert!(does(create("")).is_err());
        assert!(does(PoolChange::AddCpu { name: name.clone(), cpu: 3 }).is_err());
        for cpu in [0, 1] {
            does(PoolChange::RemoveCpu { name: one(), cpu }).unwrap();
        }
        assert!(
            does(PoolChange::RemoveCpu { name: one(), cpu: 2 }).unwrap_err().contains("last CPU")
        );
        assert!(does(PoolChange::Destroy(one())).is_err());
        does(PoolChange::Destroy(name)).unwrap();
        does(PoolChange::AddCpu { name: one(), cpu: 3 }).unwrap();
    }

    #[test]
    fn a_bridge_that_goes_leaves_its_interfaces() {
        let mut interfaces = first_interfaces();
        let mut does = |change| relink(&mut interfaces, change).map_err(|error| error.to_string());
        does(NetworkChange::MakeBridge("br1".into())).unwrap();
        does(NetworkChange::MakeVlan { device: "eth0".into(), tag: 7 }).unwrap();
        does(NetworkChange::MakeVlan { device: "eth0".into(), tag: 7 }).unwrap();
        assert!(does(NetworkChange::MakeVlan { device: "eth9".into(), tag: 7 }).is_err());
        does(NetworkChange::Interface(InterfaceChange::Link {
            name: "eth0.7".into(),
            bridge: Some("br1".into()),
        }))
        .unwrap();
        assert!(
            does(NetworkChange::Interface(InterfaceChange::Link {
                name: "eth0.7".into(),
                bridge: Some("eth0".into())
            }))
            .is_err()
        );
        does(NetworkChange::RemoveBridge("br1".into())).unwrap();
        let found = interfaces.iter().find(|one| one.name == "eth0.7").unwrap();
        assert_eq!((&found.bridge, interfaces.len()), (&None, 3));
    }
}
