//! What records are made from. A record that was printed is sent again as long as this is the same.

#[cfg(test)]
mod tests;

use crate::core::model::{DeviceFacts, Item, Uuid};
use crate::core::ports::DiskUsage;
use crate::core::snapshot::DomainView;
use std::sync::Arc;
use tokio::time::Instant;

/// What an object's record is made from, apart from what never changes. Records of one object for
/// callers of one scope are the same if their inputs are equal.
#[derive(Debug)]
pub(crate) enum Inputs {
    /// A VM without its figures, and more.
    Vm(Arc<DomainView>, VmInputs),
    /// A VM with its figures, its VCPUs and its devices' traffic, as they were at the last sweep.
    Figures(Arc<DomainView>, Option<Instant>),
    /// A disk image.
    Image(ImageInputs),
}

/// What a record shows beside a VM.
#[derive(Debug, Default)]
pub(crate) struct VmInputs {
    /// Whether it shows what the guest reports.
    pub(crate) report: bool,
    /// The nodes of a device in XenStore.
    pub(crate) nodes: Option<DeviceNodes>,
    /// An object that the record refers to and that can be another one with the same VM.
    pub(crate) reference: Option<Uuid>,
}

/// What the record of a disk image shows.
#[derive(Debug)]
pub(crate) struct ImageInputs {
    /// The item; `None` for an image that is there for as long as a VM uses it.
    pub(crate) item: Option<Arc<Item>>,
    /// The disks that use it.
    pub(crate) disks: Vec<Uuid>,
    pub(crate) usage: DiskUsage,
}

/// The nodes of one of a VM's devices. The facts of all devices are shared by their records.
#[derive(Debug)]
pub(crate) struct DeviceNodes {
    devices: Arc<[DeviceFacts]>,
    at: usize,
}

/// Whether two optional values are the very same one.
fn is_same<T: ?Sized>(one: Option<&Arc<T>>, other: Option<&Arc<T>>) -> bool {
    match (one, other) {
        (Some(one), Some(other)) => Arc::ptr_eq(one, other),
        (one, other) => one.is_none() && other.is_none(),
    }
}

impl DeviceNodes {
    /// Those of the device at this place.
    pub(crate) fn new(devices: Arc<[DeviceFacts]>, at: usize) -> Self {
        Self { devices, at }
    }
}

impl PartialEq for DeviceNodes {
    /// The traffic of the device is not among its nodes.
    fn eq(&self, other: &Self) -> bool {
        if Arc::ptr_eq(&self.devices, &other.devices) {
            return self.at == other.at;
        }
        match (self.devices.get(self.at), other.devices.get(other.at)) {
            (Some(own), Some(other)) => own.nodes == other.nodes,
            _ => false,
        }
    }
}

impl PartialEq for ImageInputs {
    fn eq(&self, other: &Self) -> bool {
        is_same(self.item.as_ref(), other.item.as_ref())
            && (&self.disks, self.usage) == (&other.disks, other.usage)
    }
}

impl PartialEq for Inputs {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Vm(vm, own), Self::Vm(other_vm, other)) => {
                let same_report = || is_same(vm.report.as_ref(), other_vm.report.as_ref());
                (Arc::ptr_eq(vm, other_vm) || vm.is_same_beside_figures(other_vm))
                    && own.report == other.report
                    && (!own.report || same_report())
                    && (&own.nodes, own.reference) == (&other.nodes, other.reference)
            }
            (Self::Figures(vm, swept), Self::Figures(other, other_swept)) => {
                Arc::ptr_eq(vm, other) && swept == other_swept
            }
            (Self::Image(own), Self::Image(other)) => own == other,
            _ => false,
        }
    }
}
