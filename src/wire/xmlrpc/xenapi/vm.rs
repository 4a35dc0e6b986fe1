//! Virtual machines: their fields.

use super::devices::refs;
use super::failure::Failure;
use super::table::{Class, Field, Work};
use super::vm_calls::{self, rename};
use super::world::{World, map, metrics_of, number};
use crate::core::lifecycle::State;
use crate::core::model::{GuestKind, Image, OnEvent, OnXendStart, Property, ShutdownReason, Uuid};
use crate::core::snapshot::DomainView;
use crate::wire::xmlrpc::args::Args;
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

type Get = fn(&World, Uuid) -> Option<Value>;

fn view(world: &World, uuid: Uuid) -> Option<&Arc<DomainView>> {
    world.vm(uuid)
}

#[allow(clippy::unnecessary_wraps, clippy::needless_pass_by_value, reason = "what a getter ends with")]
fn text(text: impl ToString) -> Option<Value> {
    Some(Value::text(text.to_string()))
}

#[allow(clippy::unnecessary_wraps, reason = "what a getter ends with")]
fn bytes(mib: u64) -> Option<Value> {
    Some(number(u128::from(mib) << 20))
}

/// A list, a text and a map of what there is none of.
const NONE: Get = |_, _| Some(Value::Array(vec![]));
const EMPTY: Get = |_, _| text("");
const NO_MAP: Get = |_, _| Some(map([]));

/// The image of a guest that has firmware, or of one that has none.
fn image(world: &World, uuid: Uuid, hvm: bool) -> Option<&Image> {
    view(world, uuid)?.config.image.as_ref().filter(|image| (image.kind == GuestKind::Hvm) == hvm)
}

/// Something of a paravirtual guest's image, which other guests have not.
fn of_pv(world: &World, uuid: Uuid, get: impl Fn(&Image) -> String) -> Option<Value> {
    view(world, uuid)?;
    text(image(world, uuid, false).map(get).unwrap_or_default())
}

const fn words(mode: OnEvent) -> &'static str {
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
    let config = &view(world, uuid)?.config;
    let rest = config.image.iter().flat_map(|image| &image.rest).filter(|setting| !setting.is_secret());
    let member =
        |setting: &Property| Some((setting.key.to_string(), Value::text(setting.text()?.to_string())));
    Some(Value::Struct(rest.filter_map(member).collect()))
}

/// Where the firmware of an HVM guest looks for something to boot; a word for `HVM_boot_policy` says whether there is any.
fn boot(world: &World, uuid: Uuid) -> Option<(&'static str, String)> {
    view(world, uuid)?;
    let order = |image: &Image| image.setting("boot").map_or_else(|| "cd".to_owned(), ToString::to_string);
    Some(image(world, uuid, true).map_or_else(Default::default, |image| ("BIOS order", order(image))))
}

fn set_name(world: &World, uuid: Uuid, args: &Args<'_>) -> Result<Work, Failure> {
    rename(world, uuid, args)
}

pub(super) static VM: Class = Class {
    name: "VM",
    all: |world| world.snapshot.domains().map(|view| view.uuid).collect(),
    fields: &[
        Field::read("uuid", |world, uuid| text(view(world, uuid)?.uuid)),
        Field::read("power_state", |world, uuid| text(power_state(view(world, uuid)?))),
        Field::written("name_label", |world, uuid| text(view(world, uuid)?.name()), set_name),
        Field::read("name_description", |world, uuid| text(&view(world, uuid)?.config.description)),
        Field::read("user_version", |_, _| text("1")),
        Field::read("is_a_template", |_, _| Some(Value::Bool(false))),
        Field::read("auto_power_on", |world, uuid| {
            Some(Value::Bool(view(world, uuid)?.config.on_xend_start == OnXendStart::Start))
        }),
        Field::read("resident_on", |world, _| Some(world.host_ref())),
        Field::read("memory_static_min", |_, _| text("0")),
        Field::read("memory_static_max", |world, uuid| bytes(view(world, uuid)?.config.maxmem)),
        Field::read("memory_dynamic_min", |world, uuid| bytes(view(world, uuid)?.config.memory)),
        Field::read("memory_dynamic_max", |world, uuid| bytes(view(world, uuid)?.config.memory)),
        Field::read("VCPUs_params", |world, uuid| {
            let config = &view(world, uuid)?.config;
            Some(map([("weight", config.cpu_weight.to_string()), ("cap", config.cpu_cap.to_string())]))
        }),
        Field::read("VCPUs_max", |world, uuid| text(view(world, uuid)?.config.vcpus)),
        Field::read("VCPUs_at_startup", |world, uuid| {
            text(view(world, uuid)?.config.vcpu_avail.count_ones())
        }),
        Field::read("actions_after_shutdown", |world, uuid| {
            text(words(view(world, uuid)?.config.on_poweroff))
        }),
        Field::read("actions_after_reboot", |world, uuid| text(words(view(world, uuid)?.config.on_reboot))),
        Field::read("actions_after_suspend", |_, _| text("destroy")),
        Field::read("actions_after_crash", |world, uuid| text(words(view(world, uuid)?.config.on_crash))),
        Field::read("consoles", |world, uuid| Some(refs(view(world, uuid)?, "console"))),
        Field::read("VIFs", |world, uuid| Some(refs(view(world, uuid)?, "VIF"))),
        Field::read("VBDs", |world, uuid| Some(refs(view(world, uuid)?, "VBD"))),
        Field::read("VTPMs", NONE),
        Field::read("DPCIs", NONE),
        Field::read("DSCSIs", NONE),
        Field::read("DSCSI_HBAs", NONE),
        Field::read("crash_dumps", NONE),
        Field::read("cpu_pool", NONE),
        Field::read("pool_name", |world, uuid| text(&view(world, uuid)?.config.pool_name)),
        Field::read("tools_version", NO_MAP),
        Field::read("PV_bootloader", |world, uuid| text(&view(world, uuid)?.config.bootloader)),
        Field::read("PV_bootloader_args", |world, uuid| text(&view(world, uuid)?.config.bootloader_args)),
        Field::read("PV_kernel", |world, uuid| of_pv(world, uuid, |image| image.kernel.to_string())),
        Field::read("PV_ramdisk", |world, uuid| {
            of_pv(world, uuid, |image| image.ramdisk.as_ref().map(ToString::to_string).unwrap_or_default())
        }),
        Field::read("PV_args", |world, uuid| of_pv(world, uuid, |image| image.args.to_string())),
        Field::read("HVM_boot_policy", |world, uuid| text(boot(world, uuid)?.0)),
        Field::read("HVM_boot_params", |world, uuid| {
            let (_, order) = boot(world, uuid)?;
            Some(map((!order.is_empty()).then_some(("order", order))))
        }),
        Field::read("platform", platform),
        Field::read("PCI_bus", EMPTY),
        Field::read("other_config", NO_MAP),
        Field::read("domid", |world, uuid| {
            Some(number(view(world, uuid)?.domid().map_or(-1, |domid| i64::from(domid.0))))
        }),
        Field::read("is_control_domain", |world, uuid| Some(Value::Bool(view(world, uuid)?.is_privileged()))),
        Field::read("metrics", |world, uuid| text(metrics_of(view(world, uuid)?.uuid))),
        Field::read("security_label", EMPTY),
    ],
    calls: vm_calls::CALLS,
};
