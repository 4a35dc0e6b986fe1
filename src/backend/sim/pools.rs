//! CPU pools, with Xen's rules for their changes.

use super::host_record::SimPool;
use crate::core::error::Error;
use crate::core::model::{CpuSet, Invalid, PoolChange, Scheduler};

/// The host that has the pools.
pub(super) struct PoolHost<'a> {
    /// The number of physical CPUs.
    pub(super) cpus: u32,
    pub(super) scheduler: Scheduler,
    /// The names of the pools that have domains.
    pub(super) used: &'a [String],
}

/// Changes the pools. Moving a domain is only checked here.
pub(super) fn change(
    pools: &mut Vec<SimPool>,
    host: &PoolHost<'_>,
    change: PoolChange,
) -> Result<(), Error> {
    match change {
        PoolChange::Create { name, scheduler, cpus } => {
            if pools.iter().any(|pool| pool.name == name) {
                return Err(invalid(format!("There is a CPU pool {name} already")));
            }
            if scheduler != host.scheduler {
                return Err(Error::Unsupported(format!(
                    "All pools of the simulated host have the scheduler {}",
                    host.scheduler
                )));
            }
            if let Some(cpu) = cpus.difference(&free(pools, host)).lowest() {
                return Err(taken(cpu));
            }
            pools.push(SimPool { name, cpus });
        }
        PoolChange::Destroy(name) => {
            let at = find(pools, &name)?;
            if at == 0 || host.used.contains(&name) {
                return Err(Error::InUse { what: "CPU pool", by: "domains".to_owned() });
            }
            pools.remove(at);
        }
        PoolChange::AddCpu { name, cpu } => {
            let at = find(pools, &name)?;
            if !free(pools, host).contains(cpu) {
                return Err(taken(cpu));
            }
            pools[at].cpus = pools[at].cpus.union(&CpuSet::from_iter([cpu]));
        }
        PoolChange::RemoveCpu { name, cpu } => {
            let at = find(pools, &name)?;
            let left = pools[at].cpus.difference(&CpuSet::from_iter([cpu]));
            if left == pools[at].cpus {
                return Err(invalid(format!("CPU {cpu} is not in CPU pool {name}")));
            }
            if left.is_empty() && host.used.contains(&name) {
                let what = "The last CPU of the pool";
                return Err(Error::InUse { what, by: "domains".to_owned() });
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

fn find(pools: &[SimPool], name: &str) -> Result<usize, Error> {
    pools
        .iter()
        .position(|pool| pool.name == name)
        .ok_or_else(|| invalid(format!("There is no CPU pool {name}")))
}

/// The CPUs of the host that are in no pool.
fn free(pools: &[SimPool], host: &PoolHost<'_>) -> CpuSet {
    pools.iter().fold(CpuSet::first(host.cpus), |free, pool| free.difference(&pool.cpus))
}

fn taken(cpu: u32) -> Error {
    invalid(format!("CPU {cpu} is in a pool, or not there"))
}

fn invalid(reason: String) -> Error {
    Invalid::new(reason).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pools_keep_xens_rules() {
        let mut pools = vec![SimPool { name: "Pool-0".into(), cpus: CpuSet::first(4) }];
        let used = ["Pool-0".to_owned()];
        let host = PoolHost { cpus: 4, scheduler: Scheduler::Credit, used: &used };
        let mut apply =
            |requested| change(&mut pools, &host, requested).map_err(|error| error.to_string());
        let first = || "Pool-0".to_owned();
        let new = || "new".to_owned();
        let create = |cpus: &str| PoolChange::Create {
            name: new(),
            scheduler: Scheduler::Credit,
            cpus: cpus.parse().unwrap(),
        };
        assert_eq!(apply(create("3")), Err("CPU 3 is in a pool, or not there".into()));
        apply(PoolChange::RemoveCpu { name: first(), cpu: 3 }).unwrap();
        apply(create("3")).unwrap();
        assert!(apply(create("")).is_err());
        assert!(apply(PoolChange::AddCpu { name: new(), cpu: 3 }).is_err());
        for cpu in [0, 1] {
            apply(PoolChange::RemoveCpu { name: first(), cpu }).unwrap();
        }
        assert!(
            apply(PoolChange::RemoveCpu { name: first(), cpu: 2 })
                .unwrap_err()
                .contains("last CPU")
        );
        assert!(apply(PoolChange::Destroy(first())).is_err());
        apply(PoolChange::Destroy(new())).unwrap();
        apply(PoolChange::AddCpu { name: first(), cpu: 3 }).unwrap();
    }
}
