//! Devices of VMs, which are looked up by their own UUIDs.

use super::vms::{check_right, vm, vm_change, vm_context};
use crate::core::model::{Device, DeviceFacts, Property, Setting, Text, Uuid};
use crate::core::op::{DeviceRef, DomainOp};
use crate::core::rights::OpKind;
use crate::core::snapshot::DomainView;
use crate::wire::xmlrpc::value::Value;
use crate::wire::xmlrpc::xenapi::device_kinds::{
    is_block, is_console, is_dpci, is_dscsi, is_dscsi_hba, is_vif, is_vtpm,
};
use crate::wire::xmlrpc::xenapi::failure::{CodeOverride, Failure, FailureContext};
use crate::wire::xmlrpc::xenapi::host_view::{self, HostView, VmDevice};
use crate::wire::xmlrpc::xenapi::inputs::{DeviceNodes, Inputs, VmInputs};
use crate::wire::xmlrpc::xenapi::new_record::NewRecord;
use crate::wire::xmlrpc::xenapi::schema::Action;
use crate::wire::xmlrpc::xenapi::values::{refs, shown_properties};
use std::sync::Arc;

/// A class of devices.
#[derive(Clone, Copy)]
pub(crate) struct DeviceClass {
    /// Its name in the Xen-API.
    pub(crate) name: &'static str,
    pub(crate) contains: fn(&Device) -> bool,
}

pub(crate) const VBD: DeviceClass = DeviceClass { name: "VBD", contains: is_block };
pub(crate) const VIF: DeviceClass = DeviceClass { name: "VIF", contains: is_vif };
pub(crate) const CONSOLE: DeviceClass = DeviceClass { name: "console", contains: is_console };
pub(crate) const VTPM: DeviceClass = DeviceClass { name: "VTPM", contains: is_vtpm };
pub(crate) const DPCI: DeviceClass = DeviceClass { name: "DPCI", contains: is_dpci };
pub(crate) const DSCSI: DeviceClass = DeviceClass { name: "DSCSI", contains: is_dscsi };
pub(crate) const DSCSI_HBA: DeviceClass = DeviceClass { name: "DSCSI_HBA", contains: is_dscsi_hba };

impl DeviceClass {
    /// The devices of all VMs.
    pub(crate) fn all(self, host: &HostView) -> Vec<Uuid> {
        let devices = host.vms().flat_map(host_view::devices);
        devices.filter(|found| self.has(*found)).filter_map(|found| found.device.uuid()).collect()
    }

    /// What the metrics of a device are made from.
    pub(crate) fn metrics_inputs(self, host: &HostView, uuid: Uuid) -> Result<Inputs, Failure> {
        Ok(Inputs::Figures(self.find(host, uuid)?.vm.clone(), host.version.swept))
    }

    fn has(self, found: VmDevice<'_>) -> bool {
        (self.contains)(found.device)
    }

    pub(crate) fn check(self, host: &HostView, uuid: Uuid) -> Result<(), Failure> {
        self.find(host, uuid).map(drop)
    }

    pub(crate) fn find(self, host: &HostView, uuid: Uuid) -> Result<VmDevice<'_>, Failure> {
        let found = host.device(uuid).filter(|found| self.has(*found));
        found.ok_or_else(|| Failure::no_object(self.name, &uuid))
    }

    /// References of a VM's devices.
    pub(crate) fn of_vm(self, host: &HostView, uuid: Uuid) -> Result<Value, Failure> {
        let devices = host_view::devices(vm(host, uuid)?).filter(|found| self.has(*found));
        Ok(refs(devices.filter_map(|found| found.device.uuid())))
    }

    /// The nodes of a device in XenStore, as a map.
    pub(crate) fn runtime_properties(self, host: &HostView, uuid: Uuid) -> Result<Value, Failure> {
        let facts = facts(host, &self.find(host, uuid)?)?;
        Ok(shown_properties(facts.into_iter().flat_map(|facts| &facts.nodes)))
    }

    /// `destroy`: unplugs a device and removes it from the definition.
    pub(crate) fn destroy(self, host: &HostView, uuid: Uuid) -> Result<Action, Failure> {
        Ok(detach(self.find(host, uuid)?, true))
    }

    /// `unplug`: unplugs a device that stays in the definition.
    pub(crate) fn unplug(self, host: &HostView, uuid: Uuid) -> Result<Action, Failure> {
        let found = self.find(host, uuid)?;
        check_right(host, found.vm, OpKind::DetachDevice, "device_destroy")?;
        if !found.attached {
            return Err(Failure::new("INVALID_DEVICE_ERROR", [uuid.to_string().as_str()]));
        }
        Ok(detach(found, false))
    }

    /// `plug`: plugs in a device that a running VM's definition has and the VM has not.
    pub(crate) fn plug(self, host: &HostView, uuid: Uuid) -> Result<Action, Failure> {
        let found = self.find(host, uuid)?;
        check_right(host, found.vm, OpKind::PlugDevice, "device_plug")?;
        if found.attached {
            return Err(Failure::new("DEVICE_EXISTS_ERROR", [uuid.to_string().as_str()]));
        }
        let op = vm_change(found.vm.uuid, DomainOp::PlugDevice(uuid));
        Ok(Action::execute(vec![op], device_context(found.vm, found.device)))
    }

    /// Changes a device. A setting that the guest sees cannot change while the VM runs.
    pub(crate) fn change(
        self,
        host: &HostView,
        uuid: Uuid,
        guest_sees: bool,
        change: impl FnOnce(&mut Device) -> Result<(), Failure>,
    ) -> Result<Action, Failure> {
        let found = self.find(host, uuid)?;
        let context = vm_context(found.vm);
        check_right(host, found.vm, OpKind::SetDevice, "set")?;
        if guest_sees && found.attached {
            let context = FailureContext { wanted_state: "Halted", ..context };
            return Err(Failure::power_state(&context));
        }
        let mut device = found.device.clone();
        change(&mut device)?;
        let op = DomainOp::Set(Setting::Device(Box::new(device)));
        Ok(Action::execute(vec![vm_change(found.vm.uuid, op)], context))
    }
}

fn detach(found: VmDevice<'_>, forget: bool) -> Action {
    let op = DomainOp::DetachDevice {
        class: found.device.class().to_owned(),
        device: device_ref(found.device),
        force: false,
        forget,
    };
    let context = device_context(found.vm, found.device);
    Action::execute(vec![vm_change(found.vm.uuid, op)], context)
}

/// Facts of a device in XenStore; `None` while it is not there.
pub(crate) fn facts<'a>(
    host: &'a HostView,
    found: &VmDevice<'_>,
) -> Result<Option<&'a DeviceFacts>, Failure> {
    let devices = host.fetched.devices(found.vm.uuid)?;
    Ok(devices.place(found.device).and_then(|place| devices.at(place)))
}

/// What the record of a device is made from that shows its nodes in XenStore, and another object
/// beside its VM.
pub(crate) fn device_inputs(
    host: &HostView,
    found: &VmDevice<'_>,
    reference: Option<Uuid>,
) -> Result<Inputs, Failure> {
    let devices = host.fetched.devices(found.vm.uuid)?;
    let nodes = devices.place(found.device).map(|at| DeviceNodes::new(devices.clone(), at));
    let inputs = VmInputs { nodes, reference, ..VmInputs::default() };
    Ok(Inputs::Vm(found.vm.clone(), inputs))
}

/// The context of an operation on a device.
pub(crate) fn device_context(vm: &DomainView, device: &Device) -> FailureContext {
    let field = match device {
        Device::Block(_) => "VDI",
        Device::Vif(_) => "MAC",
        _ => "",
    };
    let code = if is_dpci(device) {
        CodeOverride::Always("DIRECT_PCI_ERROR")
    } else {
        // Most failures with a device are those of a guest or a hotplug script that does not do
        // its part.
        CodeOverride::InternalError("INVALID_DEVICE_ERROR")
    };
    FailureContext { field, code: Some(code), ..vm_context(vm) }
}

/// Plugs a new device into a VM.
pub(crate) fn attach(host: &HostView, vm: &DomainView, mut device: Device) -> Action {
    let uuid = *device.uuid_mut().get_or_insert_with(|| host.state.new_uuid());
    let context = device_context(vm, &device);
    let op = vm_change(vm.uuid, DomainOp::AttachDevice(Box::new(device)));
    Action::create(vec![op], context, uuid)
}

/// The VM that a new device is for.
pub(crate) fn vm_of_record<'a>(
    host: &'a HostView,
    record: &NewRecord<'_>,
) -> Result<&'a Arc<DomainView>, Failure> {
    vm(host, record.object("VM", "VM", |uuid| vm(host, uuid))?)
}

/// The number by which an operation names a device.
pub(crate) fn device_ref(device: &Device) -> DeviceRef {
    let number = device.id().unwrap_or_default();
    DeviceRef { text: number.to_string(), number }
}

/// Sets a key of a device; an empty value removes it.
pub(crate) fn put(rest: &mut Vec<Property>, key: &str, value: Option<String>) {
    rest.retain(|property| property.key != key);
    rest.extend(value.filter(|value| !value.is_empty()).map(|value| Property::new(key, value)));
}

pub(crate) fn key<'a>(rest: &'a [Property], key: &str) -> Option<&'a Text> {
    rest.iter().find(|property| property.key == key).and_then(Property::text)
}
