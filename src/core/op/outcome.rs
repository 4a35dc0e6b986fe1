//! Outcomes of operations.

use crate::core::model::{
    Device, DeviceFacts, DomId, DomainConfig, Hardware, HostFigures, HostInfo, Interface,
    PoolFacts, SchedParams, SedfParams, VcpuFacts, Vnet,
};
use crate::core::ports::{DiskUsage, StorageFacts, Verdict};
use crate::core::snapshot::{DomainView, Snapshot};
use std::sync::Arc;

/// The result of a successful operation.
#[derive(Debug, Clone)]
pub enum Outcome {
    /// Success without a value.
    Done,
    /// All domains.
    Domains(Arc<Snapshot>),
    /// A domain that was found or created.
    Domain(Arc<DomainView>),
    /// The host.
    Host(Arc<HostInfo>, HostFigures),
    /// Text of the hypervisor or a guest.
    Text(Vec<u8>),
    /// The VCPUs of a domain.
    Vcpus(Arc<DomainView>, Vec<VcpuFacts>),
    /// Devices, from the guest's XenStore.
    Devices(Vec<DeviceFacts>),
    /// Devices in the definition of a domain that is not on the host.
    DefinedDevices(Vec<Device>),
    /// A device that was attached.
    Attached {
        class: String,
        id: u32,
        /// The domid of the domain; `None` if the domain is not on the host.
        domid: Option<DomId>,
    },
    /// The configuration in the file of a saved domain.
    Saved(Box<DomainConfig>),
    /// The host's hardware.
    Hardware(Hardware),
    /// Domain-0's network interfaces, sorted by name.
    Interfaces(Vec<Interface>),
    /// CPU pools, `Pool-0` first.
    Pools(Vec<PoolFacts>),
    /// The local storage of disk images.
    Storage(StorageFacts),
    /// The sizes of files or disks; `None` for one that does not exist.
    Extents(Vec<Option<DiskUsage>>),
    /// Virtual networks, sorted by id.
    Vnets(Vec<Vnet>),
    /// A virtual network.
    Vnet(Vnet),
    /// Whether a migration to this host has succeeded.
    Verdict(Verdict),
    /// A domain's SEDF parameters.
    Sedf(Arc<DomainView>, SedfParams),
    /// A domain's parameters in the host's scheduler.
    Sched(Arc<DomainView>, SchedParams),
}
