//! What records are made from. A record that was printed is sent again as long as this is the same.

#[cfg(test)]
mod tests;

use super::fetched::DeviceTable;
use crate::core::model::{GuestReport, Item, Property, Uuid};
use crate::core::ports::DiskUsage;
use crate::core::snapshot::{DomainIdentity, DomainView};
use std::ptr;
use std::sync::{Arc, Weak};
use tokio::time::Instant;

/// What an object's record is made from, apart from what never changes. Records of one object for
/// callers of one scope are the same if their inputs are.
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
    devices: Arc<DeviceTable>,
    at: usize,
}

impl DeviceNodes {
    /// Those of the device at this place.
    pub(crate) fn new(devices: Arc<DeviceTable>, at: usize) -> Self {
        Self { devices, at }
    }

    /// The traffic of the device is not among them.
    fn nodes(&self) -> &[Property] {
        self.devices.at(self.at).map_or(&[], |facts| &facts.nodes)
    }
}

/// What a record was made from, as far as it takes to see whether it would be made from the same
/// now. It keeps nothing large in memory: of what has been replaced meanwhile it knows that it was
/// another one.
pub(crate) enum KeptInputs {
    Vm {
        vm: DomainIdentity,
        report: Option<Weak<GuestReport>>,
        nodes: Option<Box<[Property]>>,
        reference: Option<Uuid>,
    },
    Figures(Weak<DomainView>, Option<Instant>),
    Image {
        item: Option<Weak<Item>>,
        disks: Box<[Uuid]>,
        usage: DiskUsage,
    },
}

/// Whether this is the very value that was kept.
fn is_same<T>(kept: Option<&Weak<T>>, value: Option<&Arc<T>>) -> bool {
    match (kept, value) {
        (Some(kept), Some(value)) => ptr::eq(kept.as_ptr(), Arc::as_ptr(value)),
        (kept, value) => kept.is_none() && value.is_none(),
    }
}

impl VmInputs {
    fn shown_report<'a>(&self, vm: &'a DomainView) -> Option<&'a Arc<GuestReport>> {
        vm.report.as_ref().filter(|_| self.report)
    }
}

impl KeptInputs {
    /// What is kept of these inputs.
    pub(crate) fn of(inputs: &Inputs) -> Self {
        match inputs {
            Inputs::Vm(vm, shown) => Self::Vm {
                vm: vm.identity(),
                report: shown.shown_report(vm).map(Arc::downgrade),
                nodes: shown.nodes.as_ref().map(|nodes| nodes.nodes().into()),
                reference: shown.reference,
            },
            Inputs::Figures(vm, swept) => Self::Figures(Arc::downgrade(vm), *swept),
            Inputs::Image(image) => Self::Image {
                item: image.item.as_ref().map(Arc::downgrade),
                disks: image.disks.as_slice().into(),
                usage: image.usage,
            },
        }
    }

    /// Whether these inputs are the same.
    pub(crate) fn are(&self, inputs: &Inputs) -> bool {
        match (self, inputs) {
            (Self::Vm { vm, report, nodes, reference }, Inputs::Vm(view, shown)) => {
                vm.is_of(view)
                    && is_same(report.as_ref(), shown.shown_report(view))
                    && nodes.as_deref() == shown.nodes.as_ref().map(DeviceNodes::nodes)
                    && *reference == shown.reference
            }
            (Self::Figures(vm, swept), Inputs::Figures(view, at)) => {
                is_same(Some(vm), Some(view)) && swept == at
            }
            (Self::Image { item, disks, usage }, Inputs::Image(image)) => {
                is_same(item.as_ref(), image.item.as_ref())
                    && (&**disks, *usage) == (image.disks.as_slice(), image.usage)
            }
            _ => false,
        }
    }

    /// About how many bytes are kept beside the value itself.
    pub(crate) fn size(&self) -> usize {
        match self {
            Self::Vm { nodes, .. } => {
                let nodes = nodes.iter().flatten();
                let each = |node: &Property| {
                    size_of::<Property>()
                        + node.key.len()
                        + node.text().map_or(0, |text| text.len())
                };
                nodes.map(each).sum()
            }
            Self::Figures(..) => 0,
            Self::Image { disks, .. } => size_of_val::<[Uuid]>(disks),
        }
    }
}
