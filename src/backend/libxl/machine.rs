//! The machine: CPU pools by libxl, everything else by Linux.

use super::sysfs::Sysfs;
use super::{Inner, Xen, failed, json};
use crate::core::error::Error;
use crate::core::model::{
    CpuSet, DomId, Hardware, Interface, InterfaceChange, Invalid, NetworkChange, PoolChange,
    PoolFacts,
};
use crate::core::ports::Machine;
use async_trait::async_trait;
use serde_json::Value;
use std::process::Command;

/// Runs iproute2's `ip`, as Xen's own hotplug scripts do. One of these ways to fail is none.
fn ip(args: &[&str], harmless: &[&str]) -> Result<(), Error> {
    let output = Command::new("ip")
        .args(args)
        .output()
        .map_err(|error| Error::backend("ip cannot be run: is iproute2 installed?", error))?;
    let said = String::from_utf8_lossy(&output.stderr);
    if output.status.success() || harmless.iter().any(|way| said.contains(way)) {
        return Ok(());
    }
    let said = said.trim().trim_start_matches("RTNETLINK answers: ").to_owned();
    let reason = std::io::Error::other(format!("ip {}: {said}", args.join(" ")));
    Err(Error::backend(format!("The network could not be changed: {said}"), reason))
}

fn relink(change: &NetworkChange) -> Result<(), Error> {
    const THERE: &[&str] = &["File exists"];
    const GONE: &[&str] = &["Cannot find device"];
    match change {
        NetworkChange::MakeBridge(name) => {
            ip(&["link", "add", "name", name, "type", "bridge"], THERE)?;
            ip(&["link", "set", "dev", name, "up"], &[])
        }
        NetworkChange::MakeVlan { device, tag } => {
            let name = Interface::vlan_name(device, *tag);
            ip(
                &[
                    "link",
                    "add",
                    "link",
                    device,
                    "name",
                    &name,
                    "type",
                    "vlan",
                    "id",
                    &tag.to_string(),
                ],
                THERE,
            )?;
            ip(&["link", "set", "dev", &name, "up"], &[])
        }
        NetworkChange::Interface(InterfaceChange::Adjust { name, mac, mtu }) => {
            if let Some(mac) = mac {
                ip(&["link", "set", "dev", name, "address", &mac.to_string()], &[])?;
            }
            match mtu {
                Some(mtu) => ip(&["link", "set", "dev", name, "mtu", &mtu.to_string()], &[]),
                None => Ok(()),
            }
        }
        NetworkChange::RemoveBridge(name) => {
            ip(&["link", "delete", "dev", name, "type", "bridge"], GONE)
        }
        NetworkChange::RemoveVlan { device, tag } => ip(
            &["link", "delete", "dev", &Interface::vlan_name(device, *tag), "type", "vlan"],
            GONE,
        ),
        NetworkChange::Interface(InterfaceChange::Link { name, bridge: Some(bridge) }) => {
            ip(&["link", "set", "dev", name, "master", bridge], &[])
        }
        NetworkChange::Interface(InterfaceChange::Link { name, bridge: None }) => {
            ip(&["link", "set", "dev", name, "nomaster"], &[])
        }
    }
}

/// A pool as libxl's JSON has it, which leaves out what is 0.
fn pool(info: &Value, domains: &[Value]) -> Option<PoolFacts> {
    let id = |value: &Value| value.as_u64().unwrap_or(0);
    let in_it = domains.iter().filter(|domain| id(&domain["cpupool"]) == id(&info["poolid"]));
    let number = |value: &Value| value.as_u64().and_then(|n| u32::try_from(n).ok());
    Some(PoolFacts {
        name: info["pool_name"].as_str()?.to_owned(),
        scheduler: super::facts::scheduler(info["sched"].as_str()?).ok()?,
        cpus: info["cpumap"].as_array().into_iter().flatten().filter_map(number).collect(),
        domains: in_it.map(|domain| DomId(number(&domain["domid"]).unwrap_or(0))).collect(),
    })
}

impl Inner {
    fn pools(&self) -> Result<Vec<PoolFacts>, Error> {
        let read =
            |text: Result<String, _>| json(&text.map_err(|f| failed("Reading the CPU pools", f))?);
        let (pools, domains) = (read(self.libxl.pools())?, read(self.libxl.domains())?);
        let domains = domains.as_array().map(Vec::as_slice).unwrap_or_default();
        Ok(pools.as_array().into_iter().flatten().filter_map(|info| pool(info, domains)).collect())
    }

    /// How many CPUs are in no pool.
    pub(super) fn free_cpus(&self) -> Result<u32, Error> {
        let pools = self.pools()?;
        let free = (0..self.cpus).filter(|cpu| !pools.iter().any(|pool| pool.cpus.contains(*cpu)));
        Ok(u32::try_from(free.count()).unwrap_or(0))
    }

    fn regroup(&self, change: &PoolChange) -> Result<(), Error> {
        let numbers = |cpus: &CpuSet| cpus.iter().collect::<Vec<u32>>();
        let done = match change {
            PoolChange::Create { name, scheduler, cpus } => {
                self.libxl.create_pool(name, scheduler.name(), &numbers(cpus))
            }
            PoolChange::Destroy(name) => self.libxl.destroy_pool(name),
            PoolChange::AddCpu { name, cpu } => self.libxl.pool_cpu(name, *cpu, true),
            PoolChange::RemoveCpu { name, cpu } => self.libxl.pool_cpu(name, *cpu, false),
            PoolChange::Move { domid, name } => self.libxl.move_to_pool(name, domid.0),
        };
        done.map_err(|failure| match change {
            _ if failure.code == super::Failure::NOT_FOUND => {
                Invalid::new("There is no such CPU pool").into()
            }
            _ => failed("Changing a CPU pool", failure),
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
        self.blocking(move |_| relink(&change)).await
    }

    async fn pools(&self) -> Result<Vec<PoolFacts>, Error> {
        self.blocking(Inner::pools).await
    }

    async fn change_pools(&self, change: PoolChange) -> Result<(), Error> {
        self.blocking(move |inner| inner.regroup(&change)).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::model::Scheduler;

    #[test]
    fn a_pool_is_read_from_libxls_json() {
        let info = serde_json::json!({"poolid": 1, "pool_name": "new", "sched": "credit2", "n_dom": 1, "cpumap": [1, 3]});
        let domains = [
            serde_json::json!({"domid": 0, "cpupool": 0}),
            serde_json::json!({"domid": 7, "cpupool": 1}),
        ];
        let wanted = PoolFacts {
            name: "new".into(),
            scheduler: Scheduler::Credit2,
            cpus: "1,3".parse().unwrap(),
            domains: vec![DomId(7)],
        };
        assert_eq!(pool(&info, &domains), Some(wanted));
        let empty = serde_json::json!({"poolid": 1, "pool_name": "new", "sched": "credit2"});
        assert!(pool(&empty, &domains).unwrap().cpus.is_empty());
        let first = serde_json::json!({"pool_name": "Pool-0", "sched": "credit", "n_dom": 1, "cpumap": [0]});
        assert_eq!(pool(&first, &domains).unwrap().domains, [DomId(0)]);
    }
}
