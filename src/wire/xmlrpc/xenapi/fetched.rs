//! Facts of the host that are fetched only for the calls that need them.

use super::failure::Failure;
use crate::core::model::{
    Device, DeviceFacts, DomId, Hardware, Interface, PoolFacts, Text, Uuid, VcpuFacts,
};
use crate::core::ports::{DiskUsage, StorageFacts};
use std::collections::HashMap;
#[cfg(test)]
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

/// Facts to fetch before a call is made. A field or call declares it in the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Need {
    /// VCPUs of VMs.
    Vcpus,
    /// Devices of VMs as XenStore shows them.
    Devices,
    /// Domain-0's network.
    Interfaces,
    /// CPU pools.
    Pools,
    /// CPU pools as they were at the last sweep, or at a later change of a VM: which one a VM is
    /// in.
    PoolsOfVms,
    /// CPUs, PCI and SCSI devices.
    Hardware,
    /// The directory of disk images and the room in it.
    Storage,
    /// Sizes of disk images.
    ImageSizes,
}

/// The facts that were fetched for one call. Reading facts that were not fetched is a failure: the
/// table lacks a declaration.
#[derive(Default)]
pub(crate) struct Fetched {
    pub(super) vcpus: Option<HashMap<Uuid, Arc<[VcpuFacts]>>>,
    pub(super) devices: Option<HashMap<Uuid, Arc<DeviceTable>>>,
    pub(super) interfaces: Option<Vec<Interface>>,
    pub(super) pools: Option<Arc<PoolTable>>,
    pub(super) hardware: Option<Hardware>,
    pub(super) storage: Option<StorageFacts>,
    /// By the `uname` of disks; `None` for an image that is not there.
    pub(super) image_sizes: Option<HashMap<Text, Option<DiskUsage>>>,
}

/// CPU pools, and which domain is in which.
#[derive(Default)]
pub(crate) struct PoolTable {
    pools: Vec<PoolFacts>,
    /// The places of pools by their domains, from the first use on.
    by_domain: OnceLock<HashMap<DomId, usize>>,
}

impl PoolTable {
    pub(crate) fn new(pools: Vec<PoolFacts>) -> Self {
        Self { pools, by_domain: OnceLock::new() }
    }

    /// All pools.
    pub(crate) fn all(&self) -> &[PoolFacts] {
        &self.pools
    }

    /// The pool that a domain is in.
    pub(crate) fn of_domain(&self, domid: DomId) -> Option<&PoolFacts> {
        let by_domain = self.by_domain.get_or_init(|| {
            let pools = self.pools.iter().enumerate();
            pools
                .flat_map(|(at, pool)| pool.domains.iter().map(move |domid| (*domid, at)))
                .collect()
        });
        self.pools.get(*by_domain.get(&domid)?)
    }
}

/// The devices of a VM as XenStore shows them, in the order of their numbers.
#[derive(Debug, Default)]
pub(crate) struct DeviceTable {
    devices: Vec<DeviceFacts>,
    /// Devices that [`place`](Self::place) has looked at.
    #[cfg(test)]
    looked_at: AtomicUsize,
}

impl DeviceTable {
    pub(crate) fn new(mut devices: Vec<DeviceFacts>) -> Self {
        devices.sort_by_key(|facts| facts.number);
        Self {
            devices,
            #[cfg(test)]
            looked_at: AtomicUsize::new(0),
        }
    }

    /// The place of a device, whose number only devices of other classes share.
    pub(crate) fn place(&self, device: &Device) -> Option<usize> {
        let number = device.id()?;
        let first = self.devices.partition_point(|facts| facts.number < number);
        let rest = self.devices.iter().enumerate().skip(first);
        let mut same = rest.take_while(|(_, facts)| facts.number == number);
        same.find(|(_, facts)| {
            #[cfg(test)]
            self.looked_at.fetch_add(1, Ordering::Relaxed);
            device.has_class(&facts.class)
        })
        .map(|(at, _)| at)
    }

    /// The device at a place.
    pub(crate) fn at(&self, place: usize) -> Option<&DeviceFacts> {
        self.devices.get(place)
    }

    /// How many devices were looked at, to find some.
    #[cfg(test)]
    pub(crate) fn looked_at(&self) -> usize {
        self.looked_at.load(Ordering::Relaxed)
    }
}

fn not_fetched(need: Need) -> Failure {
    tracing::error!(?need, "A call reads what it does not declare, this is a bug");
    Failure::new("INTERNAL_ERROR", [format!("{need:?} was not fetched").as_str()])
}

impl Fetched {
    /// The facts of another host with these VMs, of which nothing is fetched.
    pub(crate) fn of_other_host(vms: &[Uuid]) -> Self {
        Self {
            vcpus: Some(vms.iter().map(|vm| (*vm, Arc::default())).collect()),
            devices: Some(vms.iter().map(|vm| (*vm, Arc::default())).collect()),
            interfaces: Some(Vec::new()),
            pools: Some(Arc::default()),
            hardware: Some(Hardware::default()),
            ..Self::default()
        }
    }

    /// The VCPUs of a VM; empty when the VM is not on the host.
    pub(crate) fn vcpus(&self, vm: Uuid) -> Result<&[VcpuFacts], Failure> {
        let vcpus = self.vcpus.as_ref().and_then(|all| all.get(&vm));
        vcpus.map(|vcpus| &**vcpus).ok_or_else(|| not_fetched(Need::Vcpus))
    }

    /// The VCPUs of all VMs, by the VM.
    pub(crate) fn all_vcpus(&self) -> Result<&HashMap<Uuid, Arc<[VcpuFacts]>>, Failure> {
        self.vcpus.as_ref().ok_or_else(|| not_fetched(Need::Vcpus))
    }

    /// The devices of a VM; empty when the VM is not on the host.
    pub(crate) fn devices(&self, vm: Uuid) -> Result<&Arc<DeviceTable>, Failure> {
        let devices = self.devices.as_ref().and_then(|all| all.get(&vm));
        devices.ok_or_else(|| not_fetched(Need::Devices))
    }

    pub(crate) fn interfaces(&self) -> Result<&[Interface], Failure> {
        self.interfaces.as_deref().ok_or_else(|| not_fetched(Need::Interfaces))
    }

    pub(crate) fn pools(&self) -> Result<&[PoolFacts], Failure> {
        let pools = self.pools.as_ref().map(|pools| pools.all());
        pools.ok_or_else(|| not_fetched(Need::Pools))
    }

    /// The pools of VMs.
    pub(crate) fn pools_of_vms(&self) -> Result<&PoolTable, Failure> {
        self.pools.as_deref().ok_or_else(|| not_fetched(Need::PoolsOfVms))
    }

    pub(crate) fn hardware(&self) -> Result<&Hardware, Failure> {
        self.hardware.as_ref().ok_or_else(|| not_fetched(Need::Hardware))
    }

    pub(crate) fn storage(&self) -> Result<&StorageFacts, Failure> {
        self.storage.as_ref().ok_or_else(|| not_fetched(Need::Storage))
    }

    /// The size of the image behind a disk; 0 bytes if it is not there.
    pub(crate) fn image_size(&self, uname: &Text) -> Result<DiskUsage, Failure> {
        let size = self.image_sizes.as_ref().and_then(|all| all.get(uname));
        size.map(|size| size.unwrap_or_default()).ok_or_else(|| not_fetched(Need::ImageSizes))
    }
}
