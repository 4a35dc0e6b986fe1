//! Facts of the host that are fetched only for the calls that need them.

use super::failure::Failure;
use crate::core::model::{DeviceFacts, Hardware, Interface, PoolFacts, Text, Uuid, VcpuFacts};
use crate::core::ports::{DiskUsage, StorageFacts};
use std::collections::HashMap;

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
    pub(super) vcpus: Option<HashMap<Uuid, Vec<VcpuFacts>>>,
    pub(super) devices: Option<HashMap<Uuid, Vec<DeviceFacts>>>,
    pub(super) interfaces: Option<Vec<Interface>>,
    pub(super) pools: Option<Vec<PoolFacts>>,
    pub(super) hardware: Option<Hardware>,
    pub(super) storage: Option<StorageFacts>,
    /// By the `uname` of disks; `None` for an image that is not there.
    pub(super) image_sizes: Option<HashMap<Text, Option<DiskUsage>>>,
}

fn not_fetched(need: Need) -> Failure {
    tracing::error!(?need, "A call reads what it does not declare, this is a bug");
    Failure::new("INTERNAL_ERROR", [format!("{need:?} was not fetched").as_str()])
}

impl Fetched {
    /// The VCPUs of a VM; empty when the VM is not on the host.
    pub(crate) fn vcpus(&self, vm: Uuid) -> Result<&[VcpuFacts], Failure> {
        let vcpus = self.vcpus.as_ref().and_then(|all| all.get(&vm));
        vcpus.map(Vec::as_slice).ok_or_else(|| not_fetched(Need::Vcpus))
    }

    /// The VCPUs of all VMs, by the VM.
    pub(crate) fn all_vcpus(&self) -> Result<&HashMap<Uuid, Vec<VcpuFacts>>, Failure> {
        self.vcpus.as_ref().ok_or_else(|| not_fetched(Need::Vcpus))
    }

    /// The devices of a VM; empty when the VM is not on the host.
    pub(crate) fn devices(&self, vm: Uuid) -> Result<&[DeviceFacts], Failure> {
        let devices = self.devices.as_ref().and_then(|all| all.get(&vm));
        devices.map(Vec::as_slice).ok_or_else(|| not_fetched(Need::Devices))
    }

    pub(crate) fn interfaces(&self) -> Result<&[Interface], Failure> {
        self.interfaces.as_deref().ok_or_else(|| not_fetched(Need::Interfaces))
    }

    pub(crate) fn pools(&self) -> Result<&[PoolFacts], Failure> {
        self.pools.as_deref().ok_or_else(|| not_fetched(Need::Pools))
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
