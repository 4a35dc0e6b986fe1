//! The fields of VMs.

use super::parameters::event_name;
use super::set;
use crate::core::model::{DomainConfig, GuestKind, Image, OnXendStart, Uuid};
use crate::wire::xmlrpc::value::Value;
use crate::wire::xmlrpc::xenapi::failure::Failure;
use crate::wire::xmlrpc::xenapi::fetched::Need;
use crate::wire::xmlrpc::xenapi::host_view::HostView;
use crate::wire::xmlrpc::xenapi::objects::devices::{
    CONSOLE, DPCI, DSCSI, DSCSI_HBA, VBD, VIF, VTPM,
};
use crate::wire::xmlrpc::xenapi::objects::pools::pool_of_vm;
use crate::wire::xmlrpc::xenapi::objects::vms::{
    guest_metrics_uuid, metrics_uuid, power_state, vm,
};
use crate::wire::xmlrpc::xenapi::schema::{DataType, Field};
use crate::wire::xmlrpc::xenapi::values::{
    bytes_of_mib, map, no_texts, refs, shown_properties, text,
};

fn config(host: &HostView, uuid: Uuid) -> Result<&DomainConfig, Failure> {
    Ok(&vm(host, uuid)?.config)
}

/// The image of a guest with firmware, or of one without.
fn image(config: &DomainConfig, is_hvm: bool) -> Option<&Image> {
    config.image.as_ref().filter(|image| (image.kind == GuestKind::Hvm) == is_hvm)
}

/// A part of a paravirtual guest's image; empty for other guests.
fn pv_image(host: &HostView, uuid: Uuid, get: impl Fn(&Image) -> String) -> Result<Value, Failure> {
    let image = image(config(host, uuid)?, false);
    Ok(Value::Text(image.map(get).unwrap_or_default()))
}

/// Settings of the image, and the defaults of those that are not set.
fn platform(config: &DomainConfig) -> Value {
    let image = config.image.as_ref();
    // xend had `superpages` beside the image.
    let defaults =
        image.into_iter().flat_map(Image::defaults).filter(|(key, _)| *key != "superpages");
    let defaults = defaults.map(|(key, value)| (key.to_owned(), Value::text(value)));
    let mut members: Vec<_> = defaults.collect();
    if let Value::Struct(set) = shown_properties(image.into_iter().flat_map(|image| &image.rest)) {
        members.extend(set);
    }
    Value::Struct(members)
}

/// The boot order of an HVM guest; `None` for other guests.
fn boot_order(config: &DomainConfig) -> Option<String> {
    let image = image(config, true)?;
    Some(image.setting("boot").map_or_else(|| "cd".to_owned(), ToString::to_string))
}

fn boot_params(config: &DomainConfig) -> Value {
    let order = boot_order(config).filter(|order| !order.is_empty());
    let order = order.map(|order| ("order", order));
    let others =
        config.client_data.shown("HVM_boot_params").map(|(key, value)| (key, value.to_owned()));
    map(order.into_iter().chain(others))
}

/// A size in bytes among the client data.
fn stored_size(config: &DomainConfig, field: &str) -> Option<u128> {
    config.client_data.text(field).and_then(|text| text.parse().ok())
}

/// The value that a client set, limited to the guest's maximum.
fn static_min(config: &DomainConfig) -> Value {
    let max = u128::from(config.maxmem) << 20;
    text(&stored_size(config, "memory_static_min").unwrap_or(0).min(max))
}

/// The value that a client set, limited to the target; the target if no client set one.
fn dynamic_min(config: &DomainConfig) -> Value {
    let target = u128::from(config.memory) << 20;
    text(&stored_size(config, "memory_dynamic_min").map_or(target, |min| min.min(target)))
}

/// Weight, cap and affinities, and the parameters that clients added.
fn vcpus_params(config: &DomainConfig) -> Value {
    let own = [("weight", config.cpu_weight.to_string()), ("cap", config.cpu_cap.to_string())];
    let pinned = config.cpus.iter().enumerate().filter(|(_, cpus)| !cpus.is_empty());
    let pinned: Vec<(String, String)> = pinned
        .map(|(vcpu, cpus)| {
            let cpus: Vec<String> = cpus.iter().map(|cpu| cpu.to_string()).collect();
            (format!("cpumap{vcpu}"), cpus.join(","))
        })
        .collect();
    let pinned = pinned.iter().map(|(key, cpus)| (key.as_str(), cpus.clone()));
    let others =
        config.client_data.shown("VCPUs_params").map(|(key, value)| (key, value.to_owned()));
    map(own.into_iter().chain(pinned).chain(others))
}

/// All fields, in the order of a record.
pub(super) const FIELDS: &[Field] = &[
    Field::read("uuid", |_, uuid| Ok(text(&uuid))).in_fleet(),
    Field::read("power_state", |host, uuid| Ok(text(power_state(vm(host, uuid)?)))).in_fleet(),
    Field::read_write("name_label", |host, uuid| Ok(text(vm(host, uuid)?.name())), set::name)
        .in_fleet(),
    Field::read_write(
        "name_description",
        |host, uuid| Ok(text(&config(host, uuid)?.description)),
        set::description,
    ),
    Field::client_data("user_version", DataType::Text, |_, _| Ok(text("1"))),
    Field::client_data("is_a_template", DataType::Flag, |_, _| Ok(Value::Bool(false))).in_fleet(),
    Field::read_write(
        "auto_power_on",
        |host, uuid| Ok(Value::Bool(config(host, uuid)?.on_xend_start == OnXendStart::Start)),
        set::auto_power_on,
    ),
    Field::read("resident_on", |host, _| Ok(host.host_ref())).in_fleet(),
    Field::read_write(
        "memory_static_min",
        |host, uuid| Ok(static_min(config(host, uuid)?)),
        set::memory_static_min,
    ),
    Field::read_write(
        "memory_static_max",
        |host, uuid| Ok(bytes_of_mib(config(host, uuid)?.maxmem)),
        set::memory_static_max,
    ),
    Field::read_write(
        "memory_dynamic_min",
        |host, uuid| Ok(dynamic_min(config(host, uuid)?)),
        set::memory_dynamic_min,
    ),
    Field::read_write(
        "memory_dynamic_max",
        |host, uuid| Ok(bytes_of_mib(config(host, uuid)?.memory)),
        set::memory_dynamic_max,
    )
    .in_fleet(),
    Field::read_write(
        "VCPUs_params",
        |host, uuid| Ok(vcpus_params(config(host, uuid)?)),
        set::vcpus_params,
    ),
    Field::read_write(
        "VCPUs_max",
        |host, uuid| Ok(text(&config(host, uuid)?.vcpus)),
        set::vcpus_max,
    )
    .in_fleet(),
    Field::read_write(
        "VCPUs_at_startup",
        |host, uuid| Ok(text(&config(host, uuid)?.vcpu_avail.count_ones())),
        set::vcpus_at_startup,
    ),
    Field::read_write(
        "actions_after_shutdown",
        |host, uuid| Ok(text(event_name(config(host, uuid)?.on_poweroff))),
        set::after_shutdown,
    ),
    Field::read_write(
        "actions_after_reboot",
        |host, uuid| Ok(text(event_name(config(host, uuid)?.on_reboot))),
        set::after_reboot,
    ),
    Field::read_write(
        "actions_after_suspend",
        |host, uuid| {
            let stored = config(host, uuid)?.client_data.text("actions_after_suspend");
            Ok(text(stored.unwrap_or("restart")))
        },
        set::after_suspend,
    ),
    Field::read_write(
        "actions_after_crash",
        |host, uuid| Ok(text(event_name(config(host, uuid)?.on_crash))),
        set::after_crash,
    ),
    Field::read("consoles", |host, uuid| CONSOLE.of_vm(host, uuid)),
    Field::read("VIFs", |host, uuid| VIF.of_vm(host, uuid)),
    Field::read("VBDs", |host, uuid| VBD.of_vm(host, uuid)),
    Field::read("VTPMs", |host, uuid| VTPM.of_vm(host, uuid)),
    Field::read("DPCIs", |host, uuid| DPCI.of_vm(host, uuid)),
    Field::read("DSCSIs", |host, uuid| DSCSI.of_vm(host, uuid)),
    Field::read("DSCSI_HBAs", |host, uuid| DSCSI_HBA.of_vm(host, uuid)),
    Field::read("crash_dumps", |_, _| Ok(no_texts())),
    Field::read("cpu_pool", |host, uuid| Ok(refs(pool_of_vm(host, uuid)?)))
        .needing(&[Need::PoolsOfVms]),
    Field::read_write(
        "pool_name",
        |host, uuid| Ok(text(&config(host, uuid)?.pool_name)),
        set::pool_name,
    ),
    Field::read("tools_version", |_, _| Ok(map([]))),
    Field::read_write(
        "PV_bootloader",
        |host, uuid| Ok(text(&config(host, uuid)?.bootloader)),
        set::pv_bootloader,
    ),
    Field::read_write(
        "PV_bootloader_args",
        |host, uuid| Ok(text(&config(host, uuid)?.bootloader_args)),
        set::pv_bootloader_args,
    ),
    Field::read_write(
        "PV_kernel",
        |host, uuid| pv_image(host, uuid, |image| image.kernel.to_string()),
        set::pv_kernel,
    ),
    Field::read_write(
        "PV_ramdisk",
        |host, uuid| {
            pv_image(host, uuid, |image| {
                image.ramdisk.as_ref().map(ToString::to_string).unwrap_or_default()
            })
        },
        set::pv_ramdisk,
    ),
    Field::read_write(
        "PV_args",
        |host, uuid| pv_image(host, uuid, |image| image.args.to_string()),
        set::pv_args,
    ),
    Field::read_write(
        "HVM_boot_policy",
        |host, uuid| {
            let is_hvm = image(config(host, uuid)?, true).is_some();
            Ok(text(if is_hvm { "BIOS order" } else { "" }))
        },
        set::hvm_boot_policy,
    ),
    Field::read_write(
        "HVM_boot_params",
        |host, uuid| Ok(boot_params(config(host, uuid)?)),
        set::hvm_boot_params,
    ),
    Field::read_write("platform", |host, uuid| Ok(platform(config(host, uuid)?)), set::platform),
    Field::client_data("PCI_bus", DataType::Text, |_, _| Ok(text(""))),
    Field::client_data("other_config", DataType::Map, |_, _| Ok(map([]))),
    Field::read_write(
        "xenstore_data",
        |host, uuid| {
            let data = config(host, uuid)?.xenstore_data.shown();
            Ok(map(data.map(|(path, value)| (path.as_str(), value.to_string()))))
        },
        set::xenstore_data,
    ),
    Field::read("domid", |host, uuid| {
        Ok(text(&vm(host, uuid)?.domid().map_or(-1, |domid| i64::from(domid.0))))
    })
    .in_fleet(),
    Field::read("is_control_domain", |host, uuid| Ok(Value::Bool(vm(host, uuid)?.is_privileged())))
        .in_fleet(),
    Field::read("metrics", |_, uuid| Ok(text(&metrics_uuid(uuid)))).in_fleet(),
    Field::read("guest_metrics", |_, uuid| Ok(text(&guest_metrics_uuid(uuid)))).in_fleet(),
    // There is no security module.
    Field::read("security_label", |_, _| Ok(text(""))),
];
