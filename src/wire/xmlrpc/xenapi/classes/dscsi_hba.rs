//! SCSI adapters of the host that are passed through to VMs.

use crate::core::model::{Device, Generic, Property, Uuid};
use crate::wire::xmlrpc::args::Args;
use crate::wire::xmlrpc::xenapi::failure::Failure;
use crate::wire::xmlrpc::xenapi::fetched::Need;
use crate::wire::xmlrpc::xenapi::host_view::HostView;
use crate::wire::xmlrpc::xenapi::new_record::NewRecord;
use crate::wire::xmlrpc::xenapi::objects::devices::{self, attach, key, vm_of_record};
use crate::wire::xmlrpc::xenapi::objects::hardware::{adapter, adapters, pscsi_hba_uuid};
use crate::wire::xmlrpc::xenapi::schema::{Action, Class, ClassCall, DataStore, Field};
use crate::wire::xmlrpc::xenapi::values::{no_texts, refs, text};

/// A setting of a device; empty if it is missing.
fn setting(host: &HostView, uuid: Uuid, name: &str) -> Result<String, Failure> {
    let device = devices::DSCSI_HBA.find(host, uuid)?.device;
    Ok(key(device.rest(), name).map(ToString::to_string).unwrap_or_default())
}

/// The adapter of the host; `None` while it is not there.
fn physical(host: &HostView, uuid: Uuid) -> Result<Option<Uuid>, Failure> {
    let adapter = setting(host, uuid, "p-host")?.parse::<u32>().ok();
    let all = adapters(host)?;
    let adapter = adapter.filter(|adapter| all.contains(adapter));
    Ok(adapter.map(|adapter| pscsi_hba_uuid(host, adapter)))
}

fn create(host: &HostView, _: Uuid, args: &Args<'_>) -> Result<Action, Failure> {
    let record = NewRecord::from_args("DSCSI_HBA", args)?;
    let vm = vm_of_record(host, &record)?;
    let physical = record.object("PSCSI_HBA", "PSCSI_HBA", |uuid| adapter(host, uuid))?;
    let physical = adapter(host, physical)?;
    let virtual_host = record.number::<u32>("virtual_host")?.unwrap_or(physical);
    let mode = match record.text("assignment_mode")?.as_str() {
        "" | "HOST" => "HOST",
        "VIRT" => "VIRT",
        _ => return Err(Failure::value("assignment_mode", "HOST or VIRT is expected")),
    };
    let rest = vec![
        Property::new("feature-host", "1"),
        Property::new("p-host", physical.to_string()),
        Property::new("v-host", virtual_host.to_string()),
        Property::new("assignment_mode", mode),
    ];
    let device = Generic { class: "vscsi".to_owned(), id: None, uuid: None, rest };
    Ok(attach(host, vm, Device::Generic(device)))
}

pub(super) static DSCSI_HBA: Class = Class {
    name: "DSCSI_HBA",
    all: |host| Ok(devices::DSCSI_HBA.all(host)),
    check: |host, uuid| devices::DSCSI_HBA.check(host, uuid),
    data_store: DataStore::Device,
    fields: &[
        Field::read("uuid", |_, uuid| Ok(text(&uuid))),
        Field::read("VM", |host, uuid| Ok(text(&devices::DSCSI_HBA.find(host, uuid)?.vm.uuid))),
        Field::read("PSCSI_HBAs", |host, uuid| Ok(refs(physical(host, uuid)?)))
            .needing(&[Need::Hardware]),
        Field::read("DSCSIs", |_, _| Ok(no_texts())),
        Field::read("virtual_host", |host, uuid| Ok(text(&setting(host, uuid, "v-host")?))),
        Field::read("assignment_mode", |host, uuid| {
            Ok(text(&setting(host, uuid, "assignment_mode")?))
        }),
    ],
    calls: &[
        ClassCall::on_class("create", &["session", "record"], create).needing(&[Need::Hardware]),
        ClassCall::on_object("destroy", &["session", "self"], |host, uuid, _| {
            devices::DSCSI_HBA.destroy(host, uuid)
        }),
    ],
    ..Class::EMPTY
};
