//! Metrics from inside of VMs. xend documented the class and never had it. They are what the agent
//! in the guest reports; without one most of them are empty. Fields that today's clients of the
//! Xen-API read beside those of the documentation: `netbios_name`, `live`, `PV_drivers_detected`,
//! `PV_drivers_up_to_date`, `can_use_hotplug_vbd` and `can_use_hotplug_vif`.

use crate::core::model::{Device, GuestAddress, GuestReport, Property, Uuid};
use crate::wire::xmlrpc::value::Value;
use crate::wire::xmlrpc::xenapi::failure::Failure;
use crate::wire::xmlrpc::xenapi::host_view::HostView;
use crate::wire::xmlrpc::xenapi::inputs::{Inputs, VmInputs};
use crate::wire::xmlrpc::xenapi::objects::vms::{guest_metrics_uuid, vm_of_guest_metrics};
use crate::wire::xmlrpc::xenapi::schema::{Class, Field};
use crate::wire::xmlrpc::xenapi::values::{map, text, time};
use std::collections::BTreeMap;

/// What the guest reports; `None` without an agent.
fn report(host: &HostView, metrics: Uuid) -> Result<Option<&GuestReport>, Failure> {
    Ok(vm_of_guest_metrics(host, metrics)?.report.as_deref())
}

/// A part of the report that is a map; an empty map without a report.
fn part(
    host: &HostView,
    metrics: Uuid,
    get: impl Fn(&GuestReport) -> &BTreeMap<String, String>,
) -> Result<Value, Failure> {
    let entries = report(host, metrics)?.map(get).into_iter().flatten();
    Ok(Value::Struct(entries.map(|(key, value)| (key.clone(), text(value))).collect()))
}

/// What the guest reports; without an agent the ELF notes of the guest's kernel that name it.
fn os_version(host: &HostView, metrics: Uuid) -> Result<Value, Failure> {
    if report(host, metrics)?.is_some_and(|report| !report.os.is_empty()) {
        return part(host, metrics, |report| &report.os);
    }
    let facts = vm_of_guest_metrics(host, metrics)?.facts.as_ref();
    let notes = facts.map(|facts| facts.notes.clone()).unwrap_or_default();
    let note = |key: &str| {
        let found = notes.iter().find(|property| property.key == key).and_then(Property::text);
        found.map(ToString::to_string)
    };
    let fields = [("name", note("GUEST_OS")), ("uname", note("GUEST_VERSION"))];
    Ok(map(fields.into_iter().filter_map(|(key, value)| Some((key, value?)))))
}

/// Versions of the agent. Clients of the Xen-API expect a `micro`.
fn drivers_version(host: &HostView, metrics: Uuid) -> Result<Value, Failure> {
    let mut versions = part(host, metrics, |report| &report.agent_version)?;
    if let Value::Struct(members) = &mut versions {
        if !members.is_empty() && !members.iter().any(|(key, _)| key == "micro") {
            members.push(("micro".to_owned(), text("-1")));
        }
    }
    Ok(versions)
}

/// The guest's memory in KiB.
fn memory(host: &HostView, metrics: Uuid) -> Result<Value, Failure> {
    let memory = report(host, metrics)?.and_then(|report| report.memory);
    Ok(map(memory.into_iter().flat_map(|memory| {
        [("free", memory.free_kib.to_string()), ("total", memory.total_kib.to_string())]
    })))
}

/// The addresses that the guest reports: `0/ip` is the first IPv4 address, `0/ipv4/0` and
/// `0/ipv6/0` are all. Without an agent the configured addresses, under `0/ip`.
fn networks(host: &HostView, metrics: Uuid) -> Result<Value, Failure> {
    let reported = report(host, metrics)?.map(|report| report.addresses.as_slice());
    if let Some(addresses) = reported.filter(|addresses| !addresses.is_empty()) {
        let mut members = BTreeMap::new();
        for GuestAddress { vif, index, address } in addresses {
            let family = if address.is_ipv4() { "ipv4" } else { "ipv6" };
            if address.is_ipv4() {
                members.entry(format!("{vif}/ip")).or_insert_with(|| text(address));
            }
            members.insert(format!("{vif}/{family}/{index}"), text(address));
        }
        return Ok(Value::Struct(members.into_iter().collect()));
    }
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

/// The guest's own name.
fn netbios_name(host: &HostView, metrics: Uuid) -> Result<Value, Failure> {
    let name = report(host, metrics)?.and_then(|report| report.host_name.clone());
    Ok(map(name.map(|name| ("host_name", name))))
}

/// Whether an agent reports.
fn has_agent(host: &HostView, metrics: Uuid) -> Result<Value, Failure> {
    Ok(Value::Bool(report(host, metrics)?.is_some()))
}

/// Whether the guest says that it takes devices of a class while it runs.
fn takes_devices(host: &HostView, metrics: Uuid, class: &str) -> Result<Value, Failure> {
    let feature = format!("feature/hotplug/{class}");
    let said = report(host, metrics)?.and_then(|report| report.other.get(&feature));
    Ok(text(match said.map(String::as_str) {
        Some("0") => "no",
        Some(_) => "yes",
        None => "unspecified",
    }))
}

pub(crate) static VM_GUEST_METRICS: Class = Class {
    name: "VM_guest_metrics",
    all: |host| Ok(host.vms().map(|vm| guest_metrics_uuid(vm.uuid)).collect()),
    check: |host, uuid| vm_of_guest_metrics(host, uuid).map(drop),
    inputs: Some(|host, uuid| {
        let vm = vm_of_guest_metrics(host, uuid)?.clone();
        Ok(if vm.report.is_some() {
            Inputs::Vm(vm, VmInputs { report: true, ..VmInputs::default() })
        } else {
            // They were updated at the moment.
            Inputs::Figures(vm, host.version.swept)
        })
    }),
    fields: &[
        Field::read("uuid", |_, uuid| Ok(text(&uuid))).in_fleet(),
        Field::read("os_version", os_version),
        Field::read("netbios_name", netbios_name),
        Field::read("PV_drivers_version", drivers_version),
        Field::read("PV_drivers_detected", has_agent),
        Field::read("PV_drivers_up_to_date", has_agent),
        Field::read("memory", memory),
        Field::read("disks", |_, _| Ok(map([]))),
        Field::read("networks", networks),
        Field::read("other", |host, metrics| part(host, metrics, |report| &report.other)),
        Field::read("last_updated", |host, metrics| {
            Ok(time(report(host, metrics)?.map_or(host.now, |report| report.updated)))
        }),
        Field::read("live", has_agent),
        Field::read("can_use_hotplug_vbd", |host, uuid| takes_devices(host, uuid, "vbd")),
        Field::read("can_use_hotplug_vif", |host, uuid| takes_devices(host, uuid, "vif")),
    ],
    ..Class::EMPTY
};
