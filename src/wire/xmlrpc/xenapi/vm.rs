//! Virtual machines: their fields.

use super::devices::{self, is_dpci, is_dscsi, is_dscsi_hba};
use super::notes::{Kind, Shelf};
use super::table::{Class, Field};
use super::vm_set as set;
use super::world::{Need, World, devices_of, map, metrics_of, none, number, refs, text};
use super::{cpu_pool, vm_calls};
use crate::core::lifecycle::State;
use crate::core::model::{
    Device, GuestKind, Image, OnEvent, OnXendStart, Property, ShutdownReason, Uuid,
};
use crate::core::snapshot::DomainView;
use crate::wire::xmlrpc::object_ids::derived_uuid as derived;
use crate::wire::xmlrpc::value::Value;
use std::sync::Arc;

/// What a VM is doing, in the Xen-API's words. One that is on its way down is halted.
pub(super) fn power_state(view: &DomainView) -> &'static str {
    match view.state() {
        State::Paused => "Paused",
        State::Running | State::Building => "Running",
        State::Suspended | State::Stopped(ShutdownReason::Suspend) => "Suspended",
        State::Stopped(ShutdownReason::Crash) => "Crashed",
        State::Halted | State::Stopped(_) | State::Dying | State::Gone => "Halted",
    }
}

pub(super) fn view(world: &World, uuid: Uuid) -> Option<&Arc<DomainView>> {
    world.vm(uuid)
}

#[allow(clippy::unnecessary_wraps, reason = "what a getter ends with")]
fn bytes(mib: u64) -> Option<Value> {
    Some(number(u128::from(mib) << 20))
}

/// The references of its devices of one kind.
fn own(world: &World, uuid: Uuid, of: fn(&Device) -> bool) -> Option<Value> {
    Some(refs(devices_of(view(world, uuid)?, of).filter_map(|plugged| plugged.device.uuid())))
}

/// The image of a guest that has firmware, or of one that has none.
fn image(world: &World, uuid: Uuid, hvm: bool) -> Option<&Image> {
    view(world, uuid)?.config.image.as_ref().filter(|image| (image.kind == GuestKind::Hvm) == hvm)
}

/// Something of a paravirtual guest's image, which other guests have not.
fn of_pv(world: &World, uuid: Uuid, get: impl Fn(&Image) -> String) -> Option<Value> {
    view(world, uuid)?;
    text(image(world, uuid, false).map(get).unwrap_or_default())
}

pub(super) const fn words(mode: OnEvent) -> &'static str {
    match mode {
        OnEvent::Destroy => "destroy",
        OnEvent::Restart => "restart",
        OnEvent::Preserve => "preserve",
        OnEvent::RenameRestart => "rename_restart",
        OnEvent::CoredumpDestroy => "coredump_and_destroy",
        OnEvent::CoredumpRestart => "coredump_and_restart",
    }
}

fn platform(world: &World, uuid: Uuid) -> Option<Value> {
    let image = view(world, uuid)?.config.image.as_ref();
    // A definition has this one beside its image.
    let defaults =
        image.into_iter().flat_map(Image::defaults).filter(|(key, _)| *key != "superpages");
    let set = image.iter().flat_map(|image| &image.rest).filter(|setting| !setting.is_secret());
    let member = |setting: &Property| {
        Some((setting.key.to_string(), Value::text(setting.text()?.to_string())))
    };
    let defaults = defaults.map(|(key, value)| (key.to_owned(), Value::text(value)));
    Some(Value::Struct(defaults.chain(set.filter_map(member)).collect()))
}

/// Where the firmware of an HVM guest looks for something to boot; a word for `HVM_boot_policy`
/// says whether there is any.
fn boot(world: &World, uuid: Uuid) -> Option<(&'static str, String)> {
    view(world, uuid)?;
    let order =
        |image: &Image| image.setting("boot").map_or_else(|| "cd".to_owned(), ToString::to_string);
    Some(
        image(world, uuid, true)
            .map_or_else(Default::default, |image| ("BIOS order", order(image))),
    )
}

/// It goes down with what the guest has at most.
fn static_min(world: &World, uuid: Uuid) -> Option<Value> {
    let config = &view(world, uuid)?.config;
    let noted = config.notes.text("memory_static_min").and_then(|text| text.parse::<u128>().ok());
    Some(number(noted.unwrap_or(0).min(u128::from(config.maxmem) << 20)))
}

/// What is not below this is not below the memory that the guest is to have, either.
fn dynamic_min(world: &World, uuid: Uuid) -> Option<Value> {
    let config = &view(world, uuid)?.config;
    let noted = config.notes.text("memory_dynamic_min").and_then(|text| text.parse::<u128>().ok());
    let target = u128::from(config.memory) << 20;
    Some(number(noted.map_or(target, |least| least.min(target))))
}

/// Weight, cap and affinities, and what else was given.
fn vcpus_params(world: &World, uuid: Uuid) -> Option<Value> {
    let config = &view(world, uuid)?.config;
    let own = [("weight", config.cpu_weight.to_string()), ("cap", config.cpu_cap.to_string())];
    let pinned = config.cpus.iter().enumerate().filter(|(_, cpus)| !cpus.is_empty());
    let pinned: Vec<(String, String)> = pinned
        .map(|(vcpu, cpus)| {
            let cpus: Vec<String> = cpus.iter().map(|cpu| cpu.to_string()).collect();
            (format!("cpumap{vcpu}"), cpus.join(","))
        })
        .collect();
    let more = config.notes.shown("VCPUs_params").map(|(key, value)| (key, value.to_owned()));
    Some(map(own
        .into_iter()
        .chain(pinned.iter().map(|(key, cpus)| (key.as_str(), cpus.clone())))
        .chain(more)))
}

fn boot_params(world: &World, uuid: Uuid) -> Option<Value> {
    let (_, order) = boot(world, uuid)?;
    let more = view(world, uuid)?
        .config
        .notes
        .shown("HVM_boot_params")
        .map(|(key, value)| (key, value.to_owned()));
    Some(map((!order.is_empty()).then_some(("order", order)).into_iter().chain(more)))
}

pub(super) static VM: Class = Class {
    name: "VM",
    all: |world| world.snapshot.domains().map(|view| view.uuid).collect(),
    needs: &[],
    shelf: Shelf::Vm,
    fields: &[
        Field::read("uuid", |world, uuid| text(view(world, uuid)?.uuid)),
        Field::read("power_state", |world, uuid| text(power_state(view(world, uuid)?))),
        Field::written("name_label", |world, uuid| text(view(world, uuid)?.name()), set::name),
        Field::written(
            "name_description",
            |world, uuid| text(&view(world, uuid)?.config.description),
            set::description,
        ),
        Field::noted("user_version", Kind::Text, |world, uuid| {
            view(world, uuid).and_then(|_| text("1"))
        }),
        Field::noted("is_a_template", Kind::Flag, |_, _| Some(Value::Bool(false))),
        Field::written(
            "auto_power_on",
            |world, uuid| {
                Some(Value::Bool(view(world, uuid)?.config.on_xend_start == OnXendStart::Start))
            },
            set::auto_power_on,
        ),
        Field::read("resident_on", |world, _| Some(world.host_ref())),
        Field::written("memory_static_min", static_min, set::memory_static_min),
        Field::written(
            "memory_static_max",
            |world, uuid| bytes(view(world, uuid)?.config.maxmem),
            set::memory_static_max,
        ),
        Field::written("memory_dynamic_min", dynamic_min, set::memory_dynamic_min),
        Field::written(
            "memory_dynamic_max",
            |world, uuid| bytes(view(world, uuid)?.config.memory),
            set::memory_dynamic_max,
        ),
        Field::written("VCPUs_params", vcpus_params, set::vcpus_params),
        Field::written(
            "VCPUs_max",
            |world, uuid| text(view(world, uuid)?.config.vcpus),
            set::vcpus_max,
        ),
        Field::written(
            "VCPUs_at_startup",
            |world, uuid| text(view(world, uuid)?.config.vcpu_avail.count_ones()),
            set::vcpus_at_startup,
        ),
        Field::written(
            "actions_after_shutdown",
            |world, uuid| text(words(view(world, uuid)?.config.on_poweroff)),
            set::after_shutdown,
        ),
        Field::written(
            "actions_after_reboot",
            |world, uuid| text(words(view(world, uuid)?.config.on_reboot)),
            set::after_reboot,
        ),
        Field::written(
            "actions_after_suspend",
            |world, uuid| {
                text(
                    view(world, uuid)?
                        .config
                        .notes
                        .text("actions_after_suspend")
                        .unwrap_or("restart"),
                )
            },
            set::after_suspend,
        ),
        Field::written(
            "actions_after_crash",
            |world, uuid| text(words(view(world, uuid)?.config.on_crash)),
            set::after_crash,
        ),
        Field::read("consoles", |world, uuid| own(world, uuid, devices::is_console)),
        Field::read("VIFs", |world, uuid| own(world, uuid, devices::is_vif)),
        Field::read("VBDs", |world, uuid| own(world, uuid, devices::is_block)),
        Field::read("VTPMs", |world, uuid| own(world, uuid, devices::is_vtpm)),
        Field::read("DPCIs", |world, uuid| own(world, uuid, is_dpci)),
        Field::read("DSCSIs", |world, uuid| own(world, uuid, is_dscsi)),
        Field::read("DSCSI_HBAs", |world, uuid| own(world, uuid, is_dscsi_hba)),
        Field::read("crash_dumps", none),
        Field::read("cpu_pool", cpu_pool::of_vm).needing(&[Need::Pools]),
        Field::written(
            "pool_name",
            |world, uuid| text(&view(world, uuid)?.config.pool_name),
            set::pool_name,
        ),
        Field::read("tools_version", |_, _| Some(map([]))),
        Field::written(
            "PV_bootloader",
            |world, uuid| text(&view(world, uuid)?.config.bootloader),
            set::pv_bootloader,
        ),
        Field::written(
            "PV_bootloader_args",
            |world, uuid| text(&view(world, uuid)?.config.bootloader_args),
            set::pv_bootloader_args,
        ),
        Field::written(
            "PV_kernel",
            |world, uuid| of_pv(world, uuid, |image| image.kernel.to_string()),
            set::pv_kernel,
        ),
        Field::written(
            "PV_ramdisk",
            |world, uuid| {
                of_pv(world, uuid, |image| {
                    image.ramdisk.as_ref().map(ToString::to_string).unwrap_or_default()
                })
            },
            set::pv_ramdisk,
        ),
        Field::written(
            "PV_args",
            |world, uuid| of_pv(world, uuid, |image| image.args.to_string()),
            set::pv_args,
        ),
        Field::written(
            "HVM_boot_policy",
            |world, uuid| text(boot(world, uuid)?.0),
            set::hvm_boot_policy,
        ),
        Field::written("HVM_boot_params", boot_params, set::hvm_boot_params),
        Field::written("platform", platform, set::platform),
        Field::noted("PCI_bus", Kind::Text, |_, _| text("")),
        Field::noted("other_config", Kind::Map, |_, _| Some(map([]))),
        Field::read("domid", |world, uuid| {
            Some(number(view(world, uuid)?.domid().map_or(-1, |domid| i64::from(domid.0))))
        }),
        Field::read("is_control_domain", |world, uuid| {
            Some(Value::Bool(view(world, uuid)?.is_privileged()))
        }),
        Field::read("metrics", |world, uuid| text(metrics_of(view(world, uuid)?.uuid))),
        Field::read("guest_metrics", |world, uuid| {
            text(derived(view(world, uuid)?.uuid, "guest_metrics"))
        }),
        // There is no security module.
        Field::read("security_label", |world, uuid| view(world, uuid).and_then(|_| text(""))),
    ],
    calls: vm_calls::CALLS,
};
