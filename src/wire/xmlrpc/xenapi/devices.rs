//! A VM's devices, under their own UUIDs: what they have in common; TPMs and consoles.

use super::failure::{About, Failure, Instead};
use super::notes::{Kind, Shelf, apply};
use super::record::Record;
use super::table::{Call, Class, Field, Work};
use super::vm::{VM, power_state};
use super::world::{Need, Plugged, World, map, text};
use crate::core::model::{
    Backend, Console, Device, DeviceFacts, DomainRef, Generic, Note, NoteChange, Property, Setting,
    Text, Uuid, Vfb,
};
use crate::core::op::{Change, DeviceRef, DomainOp, Op};
use crate::core::snapshot::DomainView;
use crate::wire::xmlrpc::args::Args;
use crate::wire::xmlrpc::value::Value;
use std::sync::Arc;

pub(super) fn is_block(device: &Device) -> bool {
    matches!(device, Device::Block(_))
}

pub(super) fn is_vif(device: &Device) -> bool {
    matches!(device, Device::Vif(_))
}

/// A text console, or a screen.
pub(super) fn is_console(device: &Device) -> bool {
    matches!(device, Device::Console(_) | Device::Vfb(_))
}

pub(super) fn is_vtpm(device: &Device) -> bool {
    device.class() == "vtpm"
}

pub(super) fn is_dpci(device: &Device) -> bool {
    matches!(device, Device::Pci(_))
}

pub(super) fn is_dscsi(device: &Device) -> bool {
    device.class() == "vscsi" && !is_dscsi_hba(device)
}

/// A whole adapter is a `vscsi` device that says so.
pub(super) fn is_dscsi_hba(device: &Device) -> bool {
    device.class() == "vscsi" && device.rest().iter().any(|property| property.key == "feature-host")
}

pub(super) fn all(world: &World, of: fn(&Device) -> bool) -> Vec<Uuid> {
    world.devices(of).filter_map(|plugged| plugged.device.uuid()).collect()
}

pub(super) fn find(world: &World, of: fn(&Device) -> bool, uuid: Uuid) -> Option<Plugged<'_>> {
    world.device(uuid).filter(|plugged| of(plugged.device))
}

pub(super) fn vm_of(world: &World, of: fn(&Device) -> bool, uuid: Uuid) -> Option<Value> {
    find(world, of, uuid).and_then(|plugged| text(plugged.view.uuid))
}

pub(super) fn attached(world: &World, of: fn(&Device) -> bool, uuid: Uuid) -> Option<Value> {
    find(world, of, uuid).map(|plugged| Value::Bool(plugged.here))
}

/// What XenStore says of it, where that was looked at.
pub(super) fn facts_of<'a>(world: &'a World, plugged: &Plugged<'_>) -> Option<&'a DeviceFacts> {
    let device = plugged.device;
    let mine =
        |facts: &&DeviceFacts| device.is_of(&facts.class) && Some(facts.number) == device.id();
    world.seen.devices.get(&plugged.view.uuid)?.iter().find(mine)
}

/// The same as a map.
pub(super) fn runtime(world: &World, of: fn(&Device) -> bool, uuid: Uuid) -> Option<Value> {
    let nodes = facts_of(world, &find(world, of, uuid)?).into_iter().flat_map(|facts| &facts.nodes);
    let nodes = nodes.filter(|node| !node.is_secret());
    let node = |property: &Property| {
        Some((property.key.to_string(), Value::text(property.text()?.to_string())))
    };
    Some(Value::Struct(nodes.filter_map(node).collect()))
}

pub(super) fn about(view: &DomainView) -> About {
    About {
        vm: view.uuid.to_string(),
        power_state: power_state(view),
        wanted: "Running",
        ..About::default()
    }
}

/// The same for what is done with one of its devices.
pub(super) fn about_device(view: &DomainView, device: &Device) -> About {
    let field = match device {
        Device::Block(_) => "VDI",
        Device::Vif(_) => "MAC",
        _ => "",
    };
    let instead = if is_dpci(device) {
        Instead::Message("DIRECT_PCI_ERROR")
    } else {
        // Most of what fails with a device is a guest or a hotplug script that does not do its
        // part.
        Instead::WhereItFailed("INVALID_DEVICE_ERROR")
    };
    About { field, instead: Some(instead), ..about(view) }
}

/// An operation on a VM.
pub(super) fn with(view: &Arc<DomainView>, op: DomainOp) -> Op {
    Change::Domain(DomainRef::new(view.uuid.to_string()), op).into()
}

/// Plugs a new device into the VM that a record names.
pub(super) fn attach(view: &Arc<DomainView>, mut device: Device) -> Work {
    let uuid = *device.uuid_mut().get_or_insert_with(Uuid::new_v4);
    let about = about_device(view, &device);
    Work::makes(vec![with(view, DomainOp::AttachDevice(Box::new(device)))], about, uuid)
}

/// The VM that a new device is for.
pub(super) fn for_vm<'a>(
    world: &'a World,
    record: &Record<'_>,
) -> Result<&'a Arc<DomainView>, Failure> {
    let uuid = record.object(world, "VM", &VM)?;
    world.vm(uuid).ok_or_else(|| Failure::new("HANDLE_INVALID", ["VM", &uuid.to_string()]))
}

pub(super) fn reference(device: &Device) -> DeviceRef {
    let number = device.id().unwrap_or_default();
    DeviceRef { text: number.to_string(), number }
}

/// Unplugs a device; `forget` takes it out of the definition, too.
pub(super) fn detach(
    world: &World,
    class: &str,
    of: fn(&Device) -> bool,
    uuid: Uuid,
    forget: bool,
) -> Result<Work, Failure> {
    let gone = || Failure::new("HANDLE_INVALID", [class, &uuid.to_string()]);
    let plugged = find(world, of, uuid).ok_or_else(gone)?;
    if !forget && !plugged.here {
        return Err(Failure::new("INVALID_DEVICE_ERROR", [uuid.to_string().as_str()]));
    }
    let about = about_device(plugged.view, plugged.device);
    let device = reference(plugged.device);
    let op = DomainOp::DetachDevice {
        class: plugged.device.class().to_owned(),
        device,
        force: false,
        forget,
    };
    Ok(Work::silent(vec![with(plugged.view, op)], about))
}

/// Plugs in what a running VM's definition has and it has not.
pub(super) fn plug(
    world: &World,
    class: &str,
    of: fn(&Device) -> bool,
    uuid: Uuid,
) -> Result<Work, Failure> {
    let gone = || Failure::new("HANDLE_INVALID", [class, &uuid.to_string()]);
    let plugged = find(world, of, uuid).ok_or_else(gone)?;
    if plugged.here {
        return Err(Failure::new("DEVICE_EXISTS_ERROR", [uuid.to_string().as_str()]));
    }
    let about = about_device(plugged.view, plugged.device);
    Ok(Work::silent(vec![with(plugged.view, DomainOp::PlugDevice(uuid))], about))
}

/// Sets something of a device. What the guest sees of it does not change while it runs.
pub(super) fn set(
    world: &World,
    of: fn(&Device) -> bool,
    uuid: Uuid,
    seen: bool,
    change: impl FnOnce(&mut Device) -> Result<(), Failure>,
) -> Result<Work, Failure> {
    let gone = || Failure::new("HANDLE_INVALID", ["device", &uuid.to_string()]);
    let plugged = find(world, of, uuid).ok_or_else(gone)?;
    if seen && plugged.here {
        return Err(Failure::power_state(&About { wanted: "Halted", ..about(plugged.view) }));
    }
    let mut device = plugged.device.clone();
    change(&mut device)?;
    let op = DomainOp::Set(Setting::Device(Box::new(device)));
    Ok(Work::silent(vec![with(plugged.view, op)], about(plugged.view)))
}

/// A key of a device, in the place of what it was.
pub(super) fn put(rest: &mut Vec<Property>, key: &str, value: Option<String>) {
    rest.retain(|property| property.key != key);
    rest.extend(value.filter(|value| !value.is_empty()).map(|value| Property::new(key, value)));
}

pub(super) fn key<'a>(rest: &'a [Property], key: &str) -> Option<&'a Text> {
    rest.iter().find(|property| property.key == key).and_then(Property::text)
}

fn create_vtpm(world: &World, _: Uuid, args: &Args<'_>) -> Result<Work, Failure> {
    let record = Record::of("VTPM", args)?;
    let view = for_vm(world, &record)?;
    // A reference, a name or a domid, as xm sends it, of a VM that may come later.
    let backend = match record.text("backend")?.as_str() {
        "" => "Domain-0".to_owned(),
        given => {
            backend(world, given).map_or_else(|| given.to_owned(), |view| view.name().to_string())
        }
    };
    let backend = Backend(backend.into());
    let rest = vec![Property::new("backend", backend.0), Property::new("instance", "1")];
    let device = Generic { class: "vtpm".to_owned(), id: None, uuid: Some(Uuid::new_v4()), rest };
    let mut device = Device::Generic(device);
    note_record(&mut device, &record, "other_config")?;
    Ok(attach(view, device))
}

/// The VM that serves a device.
fn backend<'a>(world: &'a World, given: &str) -> Option<&'a Arc<DomainView>> {
    world.snapshot.find(&DomainRef::new(given))
}

/// Notes a map of the record with the device.
fn note_record(
    device: &mut Device,
    record: &Record<'_>,
    field: &'static str,
) -> Result<(), Failure> {
    let map = record.map(field)?;
    if map.is_empty() {
        return Ok(());
    }
    apply(device, &NoteChange::Field(field.to_owned(), Some(Note::Map(map))))
}

pub(super) static VTPM: Class = Class {
    name: "VTPM",
    all: |world| all(world, is_vtpm),
    needs: &[],
    shelf: Shelf::Device,
    fields: &[
        Field::read("uuid", |world, uuid| find(world, is_vtpm, uuid).and_then(|_| text(uuid))),
        Field::read("VM", |world, uuid| vm_of(world, is_vtpm, uuid)),
        Field::read("backend", |world, uuid| {
            let device = find(world, is_vtpm, uuid)?.device;
            let named =
                key(device.rest(), "backend").map_or_else(|| "0".to_owned(), ToString::to_string);
            text(backend(world, &named).map_or(named, |view| view.uuid.to_string()))
        }),
        Field::read("runtime_properties", |world, uuid| runtime(world, is_vtpm, uuid))
            .needing(&[Need::Devices]),
        Field::noted("other_config", Kind::Map, |world, uuid| {
            find(world, is_vtpm, uuid).map(|_| map([]))
        }),
    ],
    calls: &[
        Call::free("create", &["session", "record"], create_vtpm),
        Call::one("destroy", &["session", "self"], |world, uuid, _| {
            detach(world, "VTPM", is_vtpm, uuid, true)
        }),
    ],
};

/// What a screen is like is said in `other_config`, in xend's own keys.
fn create_console(world: &World, _: Uuid, args: &Args<'_>) -> Result<Work, Failure> {
    let record = Record::of("console", args)?;
    let view = for_vm(world, &record)?;
    let uuid = Some(Uuid::new_v4());
    let device = match record.text("protocol")?.as_str() {
        "vt100" => {
            let mut device =
                Device::Console(Console { protocol: "vt100".into(), id: None, uuid, rest: vec![] });
            note_record(&mut device, &record, "other_config")?;
            device
        }
        "rfb" => {
            let settings = record.map("other_config")?;
            let mut rest: Vec<Property> = settings
                .into_iter()
                .filter(|(key, _)| !["type", "vnc", "location"].contains(&key.as_str()))
                .map(|(key, value)| Property::new(key, value))
                .collect();
            rest.insert(0, Property::new("vnc", "1"));
            Device::Vfb(Vfb { id: None, uuid, rest })
        }
        other => {
            let reason = format!("{} is not one of vt100, rfb", other.escape_debug());
            return Err(Failure::new("CONSOLE_PROTOCOL_INVALID", [reason.as_str()]));
        }
    };
    Ok(attach(view, device))
}

pub(super) static CONSOLE: Class = Class {
    name: "console",
    all: |world| all(world, is_console),
    needs: &[],
    shelf: Shelf::Device,
    fields: &[
        Field::read("uuid", |world, uuid| find(world, is_console, uuid).and_then(|_| text(uuid))),
        Field::read("VM", |world, uuid| vm_of(world, is_console, uuid)),
        Field::read("protocol", |world, uuid| match find(world, is_console, uuid)?.device {
            Device::Vfb(_) => text("rfb"),
            _ => text("vt100"),
        }),
        Field::read("location", |world, uuid| {
            let Plugged { view, device, .. } = find(world, is_console, uuid)?;
            let facts = view.facts.as_ref();
            // The display that a domain asks for is known before it runs.
            let wanted = || match device {
                Device::Vfb(vfb) => Some(format!("{}:{}", vfb.vnc_listen(), vfb.wanted_port()?)),
                _ => None,
            };
            let location =
                facts.and_then(|facts| facts.location(&view.config, device)).or_else(wanted);
            text(location.unwrap_or_default())
        }),
        Field::beside("other_config", |world, uuid| {
            let rest = find(world, is_console, uuid)?.device.rest();
            let shown = rest.iter().filter(|property| !property.is_secret());
            let member =
                |p: &Property| Some((p.key.to_string(), Value::text(p.text()?.to_string())));
            Some(Value::Struct(shown.filter_map(member).collect()))
        }),
    ],
    calls: &[
        Call::free("create", &["session", "record"], create_console),
        Call::one("destroy", &["session", "self"], |world, uuid, _| {
            detach(world, "console", is_console, uuid, true)
        }),
    ],
};
