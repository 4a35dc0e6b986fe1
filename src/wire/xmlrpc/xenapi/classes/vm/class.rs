//! The class of VMs.

use super::calls::CALLS;
use super::fields::FIELDS;
use crate::core::model::{DomName, Uuid};
use crate::wire::xmlrpc::xenapi::host_view::HostView;
use crate::wire::xmlrpc::xenapi::inputs::{Inputs, VmInputs};
use crate::wire::xmlrpc::xenapi::objects::pools::pool_of_vm;
use crate::wire::xmlrpc::xenapi::objects::vms::vm;
use crate::wire::xmlrpc::xenapi::schema::{Class, DataStore};

/// Names are unique.
fn by_label(host: &HostView, label: &str) -> Vec<Uuid> {
    let vm = host.vm_by_name(&DomName::adopted(label));
    vm.map(|vm| vm.uuid).into_iter().collect()
}

pub(crate) static VM: Class = Class {
    name: "VM",
    all: |host| Ok(host.vms().map(|vm| vm.uuid).collect()),
    check: |host, uuid| vm(host, uuid).map(drop),
    by_label: Some(by_label),
    data_store: DataStore::Vm,
    inputs: Some(|host, uuid| {
        let reference = pool_of_vm(host, uuid)?;
        let inputs = VmInputs { reference, ..VmInputs::default() };
        Ok(Inputs::Vm(vm(host, uuid)?.clone(), inputs))
    }),
    fields: FIELDS,
    calls: CALLS,
    ..Class::EMPTY
};
