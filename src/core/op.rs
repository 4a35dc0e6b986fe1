//! What a caller can ask for, and what comes back.

use super::model::{
    CpuSet, DeviceFacts, DomName, DomainConfig, DomainRef, HostFigures, HostInfo, SchedParams, Scheduler,
    SedfParams, ShutdownReason, VcpuFacts,
};
use super::snapshot::{DomainView, Snapshot};
use std::sync::Arc;

/// Everything that can be asked for. One variant a thing; a wire turns its own words into these and nothing else.
#[derive(Debug, Clone)]
pub enum Op {
    /// Something that only looks: it is answered beside whatever else goes on.
    Query(Query),
    /// Something that changes the host or a domain: what one domain does is ordered.
    Change(Change),
}

/// What only looks.
#[derive(Debug, Clone)]
pub enum Query {
    /// All domains.
    Domains,
    /// One domain.
    Domain(DomainRef),
    /// The host.
    Host,
    /// The hypervisor's messages.
    Dmesg,
    /// A domain's VCPUs.
    Vcpus(DomainRef),
    /// A domain's devices of a class, as its XenStore shows them.
    Devices(DomainRef, String),
    /// A domain's SEDF parameters.
    Sedf(DomainRef),
    /// A domain's parameters in one scheduler; an error if the host has another one.
    Sched(DomainRef, Scheduler),
    /// Wait until a domain's devices are connected.
    DevicesConnected(DomainRef),
}

/// What changes something.
#[derive(Debug, Clone)]
pub enum Change {
    /// Build a domain and leave it paused.
    Create(Box<DomainConfig>),
    /// Something with one domain.
    Domain(DomainRef, DomainOp),
    /// Empty the hypervisor's message buffer.
    ClearDmesg,
}

/// What can be done with one domain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DomainOp {
    /// Keep its VCPUs off the CPUs.
    Pause,
    /// The opposite.
    Unpause,
    /// Take it apart.
    Destroy,
    /// Ask the guest to stop.
    Shutdown(ShutdownReason),
    /// Give it another name.
    Rename(DomName),
    /// Set SEDF parameters, translated if the host's scheduler is another one.
    SetSedf(SedfParams),
    /// Set parameters of a credit scheduler; an error if the host has another one.
    SetShare {
        /// Credit or credit2.
        scheduler: Scheduler,
        /// The share; what it is if none.
        weight: Option<u16>,
        /// The limit in percent of one CPU, 0 for none; what it is if none.
        cap: Option<u16>,
    },
    /// Let the guest have this much memory, in MiB.
    SetMemory(u64),
    /// Let the guest be given this much memory at most, in MiB.
    SetMaxMemory(u64),
    /// Give the guest this many of its VCPUs to use.
    SetVcpus(u32),
    /// Say on which CPUs a VCPU, or each of them, may be. The empty set is any.
    Pin {
        /// The VCPU; each if none.
        vcpu: Option<u32>,
        /// The CPUs.
        cpus: CpuSet,
    },
    /// Press Magic `SysRq` and this key on the guest's keyboard.
    Sysrq(u8),
}

impl From<Query> for Op {
    fn from(query: Query) -> Self {
        Self::Query(query)
    }
}

impl From<Change> for Op {
    fn from(change: Change) -> Self {
        Self::Change(change)
    }
}

impl Change {
    /// A word for logs.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Create(_) => "create",
            Self::ClearDmesg => "dmesg clear",
            Self::Domain(_, op) => match op {
                DomainOp::Pause => "pause",
                DomainOp::Unpause => "unpause",
                DomainOp::Destroy => "destroy",
                DomainOp::Shutdown(_) => "shutdown",
                DomainOp::Rename(_) => "rename",
                DomainOp::SetSedf(_) => "cpu_sedf_set",
                DomainOp::SetShare { .. } => "domain_sched_credit_set",
                DomainOp::SetMemory(_) => "mem_target_set",
                DomainOp::SetMaxMemory(_) => "maxmem_set",
                DomainOp::SetVcpus(_) => "set_vcpus",
                DomainOp::Pin { .. } => "pincpu",
                DomainOp::Sysrq(_) => "sysrq",
            },
        }
    }

    /// The domain that it is about, as the caller named it.
    pub fn target(&self) -> &str {
        match self {
            Self::Create(config) => config.name.as_str(),
            Self::Domain(domain, _) => domain.as_str(),
            Self::ClearDmesg => "",
        }
    }
}

/// What comes back if all went well.
#[derive(Debug, Clone)]
pub enum Outcome {
    /// It is done, and there is nothing to say.
    Done,
    /// All domains.
    Domains(Arc<Snapshot>),
    /// A domain, found or just created.
    Domain(Arc<DomainView>),
    /// The host.
    Host(Arc<HostInfo>, HostFigures),
    /// Text as the hypervisor has it.
    Text(Vec<u8>),
    /// A domain's VCPUs.
    Vcpus(Arc<DomainView>, Vec<VcpuFacts>),
    /// Devices, as the guest's XenStore shows them.
    Devices(Vec<DeviceFacts>),
    /// A domain's SEDF parameters.
    Sedf(Arc<DomainView>, SedfParams),
    /// A domain's parameters in the host's scheduler.
    Sched(Arc<DomainView>, SchedParams),
}
