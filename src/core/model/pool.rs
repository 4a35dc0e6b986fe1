//! CPU pools.

use super::cpu_set::CpuSet;
use super::ids::DomId;
use super::invalid::Invalid;
use super::sched::Scheduler;

/// A CPU pool of the hypervisor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PoolFacts {
    pub name: String,
    pub scheduler: Scheduler,
    pub cpus: CpuSet,
    pub domains: Vec<DomId>,
}

impl PoolFacts {
    /// The pool that always exists and has Domain-0.
    pub const FIRST: &'static str = "Pool-0";
}

/// A change of the hypervisor's CPU pools.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PoolChange {
    /// Create a pool.
    Create {
        name: String,
        scheduler: Scheduler,
        /// CPUs that are in no pool.
        cpus: CpuSet,
    },
    /// Destroy a pool without domains. Its CPUs are in no pool afterwards.
    Destroy(String),
    /// Add a CPU that is in no pool.
    AddCpu {
        name: String,
        cpu: u32,
    },
    RemoveCpu {
        name: String,
        cpu: u32,
    },
    /// Move a domain into a pool.
    Move {
        domid: DomId,
        name: String,
    },
}

/// The definition of a CPU pool, as it is stored.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Pool {
    pub name: String,
    pub scheduler: Scheduler,
    /// The CPUs; if empty, the pool gets `ncpu` free CPUs when it is started.
    pub cpus: CpuSet,
    /// The number of CPUs for a pool without a list of CPUs.
    pub ncpu: u32,
    /// Whether the pool is started together with xend.
    pub auto_start: bool,
}

impl Pool {
    /// The longest name in bytes.
    pub const MAX_NAME: usize = 63;

    /// Checks a name, which becomes a value in XenStore.
    pub fn check_name(name: &str) -> Result<(), Invalid> {
        let allowed = |c: char| c.is_ascii_alphanumeric() || "_-.".contains(c);
        if (1..=Self::MAX_NAME).contains(&name.len()) && name.chars().all(allowed) {
            return Ok(());
        }
        Err(Invalid::new(format!(
            "name_label: 1 to {} letters, digits and _ - . are expected",
            Self::MAX_NAME
        )))
    }
}

/// A change of a stored pool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PoolSetting {
    Name(String),
    /// The scheduler, from the next start on.
    Scheduler(Scheduler),
    /// The CPUs, from the next start on.
    Cpus(CpuSet),
    /// The number of CPUs.
    Ncpu(u32),
    /// Whether the pool is started together with xend.
    AutoStart(bool),
}

impl PoolSetting {
    /// Applies the change.
    pub fn apply(self, pool: &mut Pool) -> Result<(), Invalid> {
        match self {
            Self::Name(name) => {
                Pool::check_name(&name)?;
                pool.name = name;
            }
            Self::Scheduler(scheduler) => pool.scheduler = scheduler,
            Self::Cpus(cpus) => pool.cpus = cpus,
            Self::Ncpu(count) => pool.ncpu = count,
            Self::AutoStart(on) => pool.auto_start = on,
        }
        Ok(())
    }
}
