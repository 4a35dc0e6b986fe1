//! A VM's devices, under their own UUIDs.

use super::table::{Class, Field};
use super::world::{World, map};
use crate::core::model::{BlockKind, BlockMode, Device, Property, Uuid};
use crate::core::snapshot::DomainView;
use crate::wire::xmlrpc::value::Value;
use std::sync::Arc;

fn is_block(device: &Device) -> bool {
    matches!(device, Device::Block(_))
}

fn is_vif(device: &Device) -> bool {
    matches!(device, Device::Vif(_))
}

/// A text console, or a screen.
fn is_console(device: &Device) -> bool {
    matches!(device, Device::Console(_) | Device::Vfb(_))
}

fn all(world: &World, of: fn(&Device) -> bool) -> Vec<Uuid> {
    world.devices(of).filter_map(|(_, device)| device.uuid()).collect()
}

fn find(world: &World, of: fn(&Device) -> bool, uuid: Uuid) -> Option<(&Arc<DomainView>, &Device)> {
    world.device(uuid).filter(|(_, device)| of(device))
}

/// The references of a VM's devices of one kind.
pub(super) fn refs(view: &DomainView, class: &str) -> Value {
    let of = match class {
        "VBD" => is_block,
        "VIF" => is_vif,
        _ => is_console,
    };
    let devices = view.config.devices.iter().filter(|device| of(device)).filter_map(Device::uuid);
    Value::Array(devices.map(|uuid| Value::text(uuid.to_string())).collect())
}

#[allow(clippy::unnecessary_wraps, clippy::needless_pass_by_value, reason = "what a getter ends with")]
fn text(text: impl ToString) -> Option<Value> {
    Some(Value::text(text.to_string()))
}

fn vm_of(world: &World, of: fn(&Device) -> bool, uuid: Uuid) -> Option<Value> {
    find(world, of, uuid).map(|(view, _)| Value::text(view.uuid.to_string()))
}

pub(super) static VBD: Class = Class {
    name: "VBD",
    all: |world| all(world, is_block),
    fields: &[
        Field::read("uuid", |world, uuid| find(world, is_block, uuid).and_then(|_| text(uuid))),
        Field::read("VM", |world, uuid| vm_of(world, is_block, uuid)),
        Field::read("device", |world, uuid| text(&find(world, is_block, uuid)?.1.as_block()?.dev)),
        Field::read("bootable", |world, uuid| {
            let (view, device) = find(world, is_block, uuid)?;
            let first = view.config.devices.iter().find(|one| is_block(one)).and_then(Device::uuid);
            Some(Value::Bool(device.as_block()?.bootable.unwrap_or(first == Some(uuid))))
        }),
        Field::read("mode", |world, uuid| {
            let writable = find(world, is_block, uuid)?.1.as_block()?.mode != BlockMode::ReadOnly;
            text(if writable { "RW" } else { "RO" })
        }),
        Field::read("type", |world, uuid| {
            let kind = find(world, is_block, uuid)?.1.as_block()?.kind;
            text(if kind == BlockKind::Cdrom { "CD" } else { "Disk" })
        }),
    ],
    calls: &[],
};

pub(super) static VIF: Class = Class {
    name: "VIF",
    all: |world| all(world, is_vif),
    fields: &[
        Field::read("uuid", |world, uuid| find(world, is_vif, uuid).and_then(|_| text(uuid))),
        Field::read("VM", |world, uuid| vm_of(world, is_vif, uuid)),
        Field::read("device", |world, uuid| {
            text(format!("eth{}", find(world, is_vif, uuid)?.1.id().unwrap_or_default()))
        }),
        Field::read("MAC", |world, uuid| match find(world, is_vif, uuid)?.1 {
            Device::Vif(vif) => text(vif.mac.map(|mac| mac.to_string()).unwrap_or_default()),
            _ => None,
        }),
        Field::read("security_label", |_, _| text("")),
    ],
    calls: &[],
};

pub(super) static CONSOLE: Class = Class {
    name: "console",
    all: |world| all(world, is_console),
    fields: &[
        Field::read("uuid", |world, uuid| find(world, is_console, uuid).and_then(|_| text(uuid))),
        Field::read("VM", |world, uuid| vm_of(world, is_console, uuid)),
        Field::read("protocol", |world, uuid| match find(world, is_console, uuid)?.1 {
            Device::Vfb(_) => text("rfb"),
            _ => text("vt100"),
        }),
        Field::read("location", |world, uuid| match find(world, is_console, uuid)?.1 {
            Device::Vfb(frame) => {
                let get = |key: &str| frame.rest.iter().find(|p| p.key == key).and_then(Property::text);
                let host = get("vnclisten").map_or_else(|| "127.0.0.1".to_owned(), ToString::to_string);
                let display = get("vncdisplay").and_then(|d| d.to_string().parse::<u32>().ok()).unwrap_or(0);
                text(format!("{host}:{}", 5900 + display))
            }
            _ => text(""),
        }),
        Field::read("other_config", |_, _| Some(map([]))),
    ],
    calls: &[],
};
