//! SCSI devices of the host that are passed through to VMs.

use crate::core::model::{Device, Generic, Hctl, Property, Uuid};
use crate::wire::xmlrpc::args::Args;
use crate::wire::xmlrpc::value::Value;
use crate::wire::xmlrpc::xenapi::failure::Failure;
use crate::wire::xmlrpc::xenapi::fetched::Need;
use crate::wire::xmlrpc::xenapi::host_view::HostView;
use crate::wire::xmlrpc::xenapi::new_record::NewRecord;
use crate::wire::xmlrpc::xenapi::objects::devices::{self, attach, key, vm_of_record};
use crate::wire::xmlrpc::xenapi::objects::hardware::{pscsi, pscsi_uuid};
use crate::wire::xmlrpc::xenapi::schema::{Action, Class, ClassCall, DataStore, Field};
use crate::wire::xmlrpc::xenapi::values::{optional_ref, text};

/// A setting of a device; empty if it is missing.
fn setting(host: &HostView, uuid: Uuid, name: &str) -> Result<String, Failure> {
    let device = devices::DSCSI.find(host, uuid)?.device;
    Ok(key(device.rest(), name).map(ToString::to_string).unwrap_or_default())
}

/// One of the four numbers that the device has in the guest.
fn virtual_number(host: &HostView, uuid: Uuid, which: usize) -> Result<Value, Failure> {
    let hctl = setting(host, uuid, "v-dev")?.parse::<Hctl>();
    Ok(text(&hctl.map_or(0, |hctl| hctl.0[which])))
}

/// The device of the host; `None` while it is not there.
fn physical(host: &HostView, uuid: Uuid) -> Result<Option<Uuid>, Failure> {
    let at = setting(host, uuid, "p-dev")?.parse::<Hctl>().ok();
    let all = &host.fetched.hardware()?.scsi;
    let at = at.filter(|at| all.iter().any(|facts| facts.at == *at));
    Ok(at.map(|at| pscsi_uuid(host, at)))
}

fn create(host: &HostView, _: Uuid, args: &Args<'_>) -> Result<Action, Failure> {
    let record = NewRecord::from_args("DSCSI", args)?;
    let vm = vm_of_record(host, &record)?;
    let physical = record.object("PSCSI", "PSCSI", |uuid| pscsi(host, uuid))?;
    let facts = pscsi(host, physical)?;
    let at = record.parsed::<Hctl>("virtual_HCTL")?;
    let at =
        at.ok_or_else(|| Failure::new("CREATE_UNSPECIFIED_ATTRIBUTE", ["virtual_HCTL", "DSCSI"]))?;
    let rest = vec![
        Property::new("p-dev", facts.at.to_string()),
        Property::new("p-devname", facts.node.as_str()),
        Property::new("v-dev", at.to_string()),
    ];
    let device = Generic { class: "vscsi".to_owned(), id: None, uuid: None, rest };
    Ok(attach(host, vm, Device::Generic(device)))
}

pub(super) static DSCSI: Class = Class {
    name: "DSCSI",
    all: |host| Ok(devices::DSCSI.all(host)),
    check: |host, uuid| devices::DSCSI.check(host, uuid),
    data_store: DataStore::Device,
    fields: &[
        Field::read("uuid", |_, uuid| Ok(text(&uuid))),
        Field::read("VM", |host, uuid| Ok(text(&devices::DSCSI.find(host, uuid)?.vm.uuid))),
        Field::read("PSCSI", |host, uuid| Ok(optional_ref(physical(host, uuid)?)))
            .needing(&[Need::Hardware]),
        Field::read("HBA", |_, _| Ok(text(""))),
        Field::read("virtual_host", |host, uuid| virtual_number(host, uuid, 0)),
        Field::read("virtual_channel", |host, uuid| virtual_number(host, uuid, 1)),
        Field::read("virtual_target", |host, uuid| virtual_number(host, uuid, 2)),
        Field::read("virtual_lun", |host, uuid| virtual_number(host, uuid, 3)),
        Field::read("virtual_HCTL", |host, uuid| Ok(text(&setting(host, uuid, "v-dev")?))),
        Field::read("runtime_properties", |host, uuid| {
            devices::DSCSI.runtime_properties(host, uuid)
        })
        .needing(&[Need::Devices]),
    ],
    calls: &[
        ClassCall::on_class("create", &["session", "record"], create).needing(&[Need::Hardware]),
        ClassCall::on_object("destroy", &["session", "self"], |host, uuid, _| {
            devices::DSCSI.destroy(host, uuid)
        }),
    ],
    ..Class::EMPTY
};
