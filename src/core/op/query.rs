//! Queries.

use crate::core::model::{DomainRef, Scheduler};
use std::path::PathBuf;

/// An operation that changes nothing. It is answered at once, beside all other operations.
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
    /// The end of a guest's console output.
    Console(DomainRef),
    /// The VCPUs of a domain.
    Vcpus(DomainRef),
    /// The devices of one class of a domain, from its XenStore.
    Devices(DomainRef, String),
    /// All devices of a domain, from its XenStore.
    AllDevices(DomainRef),
    /// The configuration in the file of a saved domain.
    Saved(PathBuf),
    /// The host's hardware.
    Hardware,
    /// Domain-0's network interfaces.
    Interfaces,
    /// CPU pools.
    Pools,
    /// The local storage of disk images.
    Storage,
    /// The sizes of files or disks.
    Extents(Vec<PathBuf>),
    /// A domain's SEDF parameters.
    Sedf(DomainRef),
    /// A domain's parameters in this scheduler; an error if the host has another scheduler.
    Sched(DomainRef, Scheduler),
    /// All virtual networks.
    Vnets,
    /// The virtual network with this id.
    Vnet(String),
    /// Wait until a domain's devices are connected.
    DevicesConnected(DomainRef),
}
