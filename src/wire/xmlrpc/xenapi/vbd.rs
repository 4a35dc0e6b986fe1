//! A VM's disks and CD-ROM drives.

use super::devices::{
    about, all, attach, attached, detach, find, for_vm, is_block, plug, reference, runtime, set,
    vm_of, with,
};
use super::disks::{self, VDI};
use super::failure::Failure;
use super::notes::Shelf;
use super::record::{Record, find as find_object};
use super::table::{Call, Class, Field, Work};
use super::world::{Need, World, text};
use crate::core::model::{
    Block, BlockClass, BlockKind, BlockMode, Device, Text, Uuid, VirtualDevice,
};
use crate::core::op::DomainOp;
use crate::wire::xmlrpc::args::Args;
use crate::wire::xmlrpc::value::Value;

fn block(world: &World, uuid: Uuid) -> Option<&Block> {
    find(world, is_block, uuid)?.device.as_block()
}

fn with_block(
    world: &World,
    uuid: Uuid,
    seen: bool,
    change: impl FnOnce(&mut Block) -> Result<(), Failure>,
) -> Result<Work, Failure> {
    set(world, is_block, uuid, seen, |device| match device {
        Device::Block(block) => change(block),
        _ => Ok(()),
    })
}

fn mode(word: &str, sharable: bool) -> Result<BlockMode, Failure> {
    match word.to_ascii_uppercase().as_str() {
        "RW" | "W" if sharable => Ok(BlockMode::Shared),
        "RW" | "W" => Ok(BlockMode::ReadWrite),
        "RO" | "R" => Ok(BlockMode::ReadOnly),
        _ => Err(Failure::value("mode", "RO or RW is expected")),
    }
}

/// What is behind a disk: an image that a reference names.
fn behind(
    world: &World,
    reference: &str,
    kind: BlockKind,
) -> Result<(Text, Option<Uuid>), Failure> {
    if reference.is_empty() && kind == BlockKind::Cdrom {
        return Ok((Text::default(), None));
    }
    let vdi = find_object(world, &VDI, reference)?;
    let uname = disks::uname(world, vdi).unwrap_or_default();
    Block::check_uname(&uname, kind)
        .map_err(|invalid| Failure::value("VDI", &invalid.to_string()))?;
    Ok((uname, Some(vdi).filter(|vdi| world.inventory.vdi(vdi).is_some())))
}

fn create_vbd(world: &World, _: Uuid, args: &Args<'_>) -> Result<Work, Failure> {
    let record = Record::of("VBD", args)?;
    let view = for_vm(world, &record)?;
    let kind = match record.text("type")?.to_ascii_lowercase().as_str() {
        "" | "disk" => BlockKind::Disk,
        "cd" => BlockKind::Cdrom,
        _ => return Err(Failure::value("type", "CD or Disk is expected")),
    };
    let reference =
        if kind == BlockKind::Cdrom { record.text("VDI")? } else { record.needed("VDI")? };
    let (uname, vdi) = behind(world, &reference, kind)?;
    let dev = record.needed("device")?;
    let dev = dev.split(':').find(|part| *part != "ioemu").unwrap_or(&dev).to_owned();
    let number = VirtualDevice::parse(&dev)
        .map_err(|invalid| Failure::value("device", &invalid.to_string()))?;
    let taken = |block: &Block| block.number == number;
    if view.configs().any(|config| config.devices.iter().filter_map(Device::as_block).any(taken)) {
        return Err(Failure::new("DEVICE_EXISTS_ERROR", [dev.as_str()]));
    }
    let image = vdi.and_then(|vdi| world.inventory.vdi(&vdi)).map(|(_, vdi)| vdi);
    let wanted = record.optional_text("mode")?.unwrap_or_else(|| "RW".to_owned());
    let mode = mode(&wanted, image.is_some_and(|vdi| vdi.sharable))?;
    if mode != BlockMode::ReadOnly
        && image.is_some_and(|vdi| vdi.read_only)
        && kind == BlockKind::Disk
    {
        return Err(Failure::value("mode", "The image is read-only, RO is expected"));
    }
    let class = match uname.split(|byte| *byte == b':').next() {
        Some(b"tap") => BlockClass::Tap,
        Some(b"tap2") => BlockClass::Tap2,
        _ => BlockClass::Vbd,
    };
    let bootable = record.args_of("bootable").map(|_| record.flag("bootable")).transpose()?;
    // Which of several is the first is what `bootable` says to those that ask; xm says it of each.
    let uuid = Some(Uuid::new_v4());
    let (backend, rest) = (None, vec![]);
    let block = Block { class, uname, dev, number, kind, mode, bootable, backend, vdi, uuid, rest };
    Ok(attach(view, Device::Block(block)))
}

/// Puts another medium into a CD-ROM drive.
fn change_medium(world: &World, uuid: Uuid, args: &Args<'_>) -> Result<Work, Failure> {
    let gone = || Failure::new("HANDLE_INVALID", ["VBD", &uuid.to_string()]);
    let plugged = find(world, is_block, uuid).ok_or_else(gone)?;
    let Some(drive) = plugged.device.as_block().filter(|block| block.kind == BlockKind::Cdrom)
    else {
        return Err(Failure::new("INVALID_DEVICE_ERROR", [uuid.to_string().as_str()]));
    };
    let (uname, vdi) = behind(world, &args.text(2)?, BlockKind::Cdrom)?;
    let to = Box::new(Device::Block(Block { uname, vdi, ..drive.clone() }));
    let op = DomainOp::ConfigureDevice { device: reference(plugged.device), to };
    Ok(Work::silent(vec![with(plugged.view, op)], about(plugged.view)))
}

pub(super) static VBD: Class = Class {
    name: "VBD",
    all: |world| all(world, is_block),
    needs: &[],
    shelf: Shelf::Device,
    fields: &[
        Field::read("uuid", |world, uuid| find(world, is_block, uuid).and_then(|_| text(uuid))),
        Field::read("VM", |world, uuid| vm_of(world, is_block, uuid)),
        Field::read("VDI", |world, uuid| {
            text(
                disks::of_block(world, block(world, uuid)?)
                    .map_or_else(String::new, |vdi| vdi.to_string()),
            )
        }),
        Field::written(
            "device",
            |world, uuid| text(&block(world, uuid)?.dev),
            |world, uuid, args| {
                let dev = args.text(2)?;
                let number = VirtualDevice::parse(&dev)
                    .map_err(|invalid| Failure::value("device", &invalid.to_string()))?;
                with_block(world, uuid, true, |block| {
                    (block.dev, block.number) = (dev, number);
                    Ok(())
                })
            },
        ),
        Field::written(
            "bootable",
            |world, uuid| {
                let plugged = find(world, is_block, uuid)?;
                let first = plugged
                    .view
                    .config
                    .devices
                    .iter()
                    .find(|one| is_block(one))
                    .and_then(Device::uuid);
                Some(Value::Bool(
                    plugged.device.as_block()?.bootable.unwrap_or(first == Some(uuid)),
                ))
            },
            |world, uuid, args| {
                let on = args.flag(2, false)?;
                with_block(world, uuid, false, |block| {
                    block.bootable = Some(on);
                    Ok(())
                })
            },
        ),
        Field::written(
            "mode",
            |world, uuid| {
                text(if block(world, uuid)?.mode == BlockMode::ReadOnly { "RO" } else { "RW" })
            },
            |world, uuid, args| {
                let mode = mode(&args.text(2)?, false)?;
                with_block(world, uuid, true, |block| {
                    block.mode = mode;
                    Ok(())
                })
            },
        ),
        Field::read("type", |world, uuid| {
            text(if block(world, uuid)?.kind == BlockKind::Cdrom { "CD" } else { "Disk" })
        }),
        Field::read("currently_attached", |world, uuid| attached(world, is_block, uuid)),
        Field::read("metrics", |world, uuid| find(world, is_block, uuid).and_then(|_| text(uuid))),
        Field::read("runtime_properties", |world, uuid| runtime(world, is_block, uuid))
            .needing(&[Need::Devices]),
    ],
    calls: &[
        Call::free("create", &["session", "record"], create_vbd),
        Call::one("destroy", &["session", "self"], |world, uuid, _| {
            detach(world, "VBD", is_block, uuid, true)
        }),
        Call::one("media_change", &["session", "vbd", "vdi"], change_medium),
        Call::one("plug", &["session", "self"], |world, uuid, _| {
            plug(world, "VBD", is_block, uuid)
        }),
        Call::one("unplug", &["session", "self"], |world, uuid, _| {
            detach(world, "VBD", is_block, uuid, false)
        }),
    ],
};
