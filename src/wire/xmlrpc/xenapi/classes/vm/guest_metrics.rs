//! Metrics from inside of VMs. xend documented the class and never had it. Without an agent in the
//! guest most of them are empty.

use crate::core::model::{Device, Property, Uuid};
use crate::wire::xmlrpc::value::Value;
use crate::wire::xmlrpc::xenapi::failure::Failure;
use crate::wire::xmlrpc::xenapi::host_view::HostView;
use crate::wire::xmlrpc::xenapi::objects::vms::{guest_metrics_uuid, vm_of_guest_metrics};
use crate::wire::xmlrpc::xenapi::schema::{Class, Field};
use crate::wire::xmlrpc::xenapi::values::{map, text, time};

/// The ELF notes of the guest's kernel that name it.
fn os_version(host: &HostView, metrics: Uuid) -> Result<Value, Failure> {
    let facts = vm_of_guest_metrics(host, metrics)?.facts.as_ref();
    let notes = facts.map(|facts| facts.notes.clone()).unwrap_or_default();
    let note = |key: &str| {
        let found = notes.iter().find(|property| property.key == key).and_then(Property::text);
        found.map(ToString::to_string)
    };
    let fields = [("name", note("GUEST_OS")), ("uname", note("GUEST_VERSION"))];
    Ok(map(fields.into_iter().filter_map(|(key, value)| Some((key, value?)))))
}

/// The configured addresses of its interfaces, under `0/ip`.
fn networks(host: &HostView, metrics: Uuid) -> Result<Value, Failure> {
    let devices = &vm_of_guest_metrics(host, metrics)?.config.devices;
    let address = |device: &Device| match device {
        Device::Vif(vif) => {
            let number = vif.id.unwrap_or_default();
            Some((format!("{number}/ip"), Value::Text(vif.ip.as_ref()?.to_string())))
        }
        _ => None,
    };
    Ok(Value::Struct(devices.iter().filter_map(address).collect()))
}

pub(crate) static VM_GUEST_METRICS: Class = Class {
    name: "VM_guest_metrics",
    all: |host| Ok(host.vms().map(|vm| guest_metrics_uuid(vm.uuid)).collect()),
    check: |host, uuid| vm_of_guest_metrics(host, uuid).map(drop),
    fields: &[
        Field::read("uuid", |_, uuid| Ok(text(&uuid))),
        Field::read("os_version", os_version),
        Field::read("PV_drivers_version", |_, _| Ok(map([]))),
        Field::read("memory", |_, _| Ok(map([]))),
        Field::read("disks", |_, _| Ok(map([]))),
        Field::read("networks", networks),
        Field::read("other", |_, _| Ok(map([]))),
        Field::read("last_updated", |host, _| Ok(time(host.now))),
    ],
    ..Class::EMPTY
};
