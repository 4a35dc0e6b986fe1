//! Virtual TPMs of VMs.

use crate::core::model::{Device, Generic, Property, Uuid};
use crate::wire::xmlrpc::args::Args;
use crate::wire::xmlrpc::xenapi::client_data;
use crate::wire::xmlrpc::xenapi::failure::Failure;
use crate::wire::xmlrpc::xenapi::fetched::Need;
use crate::wire::xmlrpc::xenapi::host_view::HostView;
use crate::wire::xmlrpc::xenapi::new_record::NewRecord;
use crate::wire::xmlrpc::xenapi::objects::devices::{self, attach, key, vm_of_record};
use crate::wire::xmlrpc::xenapi::schema::{Action, Class, ClassCall, DataStore, DataType, Field};
use crate::wire::xmlrpc::xenapi::values::{map, text};

/// `backend` is a reference, or a name or domid, as xm sends it, of a VM that may come later.
fn create(host: &HostView, _: Uuid, args: &Args<'_>) -> Result<Action, Failure> {
    let record = NewRecord::from_args("VTPM", args)?;
    let vm = vm_of_record(host, &record)?;
    let backend = match record.text("backend")?.as_str() {
        "" => "Domain-0".to_owned(),
        name => host.find_vm(name).map_or_else(|| name.to_owned(), |vm| vm.name().to_string()),
    };
    let rest = vec![Property::new("backend", backend), Property::new("instance", "1")];
    let device = Generic { class: "vtpm".to_owned(), id: None, uuid: None, rest };
    let mut device = Device::Generic(device);
    client_data::add_map_of_record(&mut device, &record, "other_config")?;
    Ok(attach(host, vm, device))
}

/// The reference of the VM that serves a TPM; its name while it is not there.
fn backend(host: &HostView, uuid: Uuid) -> Result<String, Failure> {
    let device = devices::VTPM.find(host, uuid)?.device;
    let name = key(device.rest(), "backend").map_or_else(|| "0".to_owned(), ToString::to_string);
    Ok(host.find_vm(&name).map_or(name, |vm| vm.uuid.to_string()))
}

pub(super) static VTPM: Class = Class {
    name: "VTPM",
    all: |host| Ok(devices::VTPM.all(host)),
    check: |host, uuid| devices::VTPM.check(host, uuid),
    data_store: DataStore::Device,
    fields: &[
        Field::read("uuid", |_, uuid| Ok(text(&uuid))),
        Field::read("VM", |host, uuid| Ok(text(&devices::VTPM.find(host, uuid)?.vm.uuid))),
        Field::read("backend", |host, uuid| Ok(text(&backend(host, uuid)?))),
        Field::read("runtime_properties", |host, uuid| {
            devices::VTPM.runtime_properties(host, uuid)
        })
        .needing(&[Need::Devices]),
        Field::client_data("other_config", DataType::Map, |_, _| Ok(map([]))),
    ],
    calls: &[
        ClassCall::on_class("create", &["session", "record"], create),
        ClassCall::on_object("destroy", &["session", "self"], |host, uuid, _| {
            devices::VTPM.destroy(host, uuid)
        }),
    ],
    ..Class::EMPTY
};
