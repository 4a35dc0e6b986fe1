//! Disks and CD-ROM drives of VMs.

use crate::core::model::{
    Block, BlockClass, BlockKind, BlockMode, Device, Text, Uuid, VirtualDevice,
};
use crate::core::op::DomainOp;
use crate::wire::xmlrpc::args::Args;
use crate::wire::xmlrpc::value::Value;
use crate::wire::xmlrpc::xenapi::device_kinds::is_block;
use crate::wire::xmlrpc::xenapi::failure::Failure;
use crate::wire::xmlrpc::xenapi::fetched::Need;
use crate::wire::xmlrpc::xenapi::host_view::HostView;
use crate::wire::xmlrpc::xenapi::new_record::NewRecord;
use crate::wire::xmlrpc::xenapi::objects::devices::{
    self, attach, device_inputs, device_ref, vm_of_record,
};
use crate::wire::xmlrpc::xenapi::objects::disks::{find_vdi, vdi, vdi_of_disk};
use crate::wire::xmlrpc::xenapi::objects::vms::{vm_change, vm_context};
use crate::wire::xmlrpc::xenapi::schema::{Action, Class, ClassCall, DataStore, Field};
use crate::wire::xmlrpc::xenapi::values::{optional_ref, text};

fn block(host: &HostView, uuid: Uuid) -> Result<&Block, Failure> {
    let block = devices::VBD.find(host, uuid)?.device.as_block();
    block.ok_or_else(|| Failure::no_object("VBD", &uuid))
}

/// Changes a disk. A setting that the guest sees cannot change while the VM runs.
fn change(
    host: &HostView,
    uuid: Uuid,
    guest_sees: bool,
    apply: impl FnOnce(&mut Block),
) -> Result<Action, Failure> {
    devices::VBD.change(host, uuid, guest_sees, |device| {
        if let Device::Block(block) = device {
            apply(block);
        }
        Ok(())
    })
}

fn parse_mode(mode: &str, sharable: bool) -> Result<BlockMode, Failure> {
    match mode.to_ascii_uppercase().as_str() {
        "RW" | "W" if sharable => Ok(BlockMode::Shared),
        "RW" | "W" => Ok(BlockMode::ReadWrite),
        "RO" | "R" => Ok(BlockMode::ReadOnly),
        _ => Err(Failure::value("mode", "RO or RW is expected")),
    }
}

fn parse_device(dev: &str) -> Result<VirtualDevice, Failure> {
    VirtualDevice::parse(dev).map_err(|invalid| Failure::value("device", &invalid))
}

/// The `uname` of the image that a reference names, and the VDI if it is one of the inventory. An
/// empty reference is a CD-ROM drive without a medium.
fn image(
    host: &HostView,
    reference: &str,
    kind: BlockKind,
) -> Result<(Text, Option<Uuid>), Failure> {
    if reference.is_empty() && kind == BlockKind::Cdrom {
        return Ok((Text::default(), None));
    }
    let uuid = find_vdi(host, reference)?;
    let uname = vdi(host, uuid)?.uname();
    Block::check_uname(&uname, kind).map_err(|invalid| Failure::value("VDI", &invalid))?;
    Ok((uname, Some(uuid).filter(|uuid| host.inventory.vdi(uuid).is_some())))
}

fn create(host: &HostView, _: Uuid, args: &Args<'_>) -> Result<Action, Failure> {
    let record = NewRecord::from_args("VBD", args)?;
    let vm = vm_of_record(host, &record)?;
    let kind = match record.text("type")?.to_ascii_lowercase().as_str() {
        "" | "disk" => BlockKind::Disk,
        "cd" => BlockKind::Cdrom,
        _ => return Err(Failure::value("type", "CD or Disk is expected")),
    };
    let is_cdrom = kind == BlockKind::Cdrom;
    let reference = if is_cdrom { record.text("VDI")? } else { record.required_text("VDI")? };
    let (uname, vdi) = image(host, &reference, kind)?;
    let dev = record.required_text("device")?;
    let dev = dev.split(':').find(|part| *part != "ioemu").unwrap_or(&dev).to_owned();
    let number = parse_device(&dev)?;
    let mut disks = vm.configs().flat_map(|config| &config.devices).filter_map(Device::as_block);
    if disks.any(|block| block.number == number) {
        return Err(Failure::new("DEVICE_EXISTS_ERROR", [dev.as_str()]));
    }
    let stored = vdi.and_then(|vdi| host.inventory.vdi(&vdi)).map(|(_, vdi)| vdi);
    let mode = record.optional_text("mode")?;
    let is_sharable = stored.is_some_and(|vdi| vdi.sharable);
    let mode = parse_mode(mode.as_deref().unwrap_or("RW"), is_sharable)?;
    let is_read_only = stored.is_some_and(|vdi| vdi.read_only);
    if mode != BlockMode::ReadOnly && is_read_only && !is_cdrom {
        return Err(Failure::value("mode", "The image is read-only, RO is expected"));
    }
    let class = match uname.split(|byte| *byte == b':').next() {
        Some(b"tap") => BlockClass::Tap,
        Some(b"tap2") => BlockClass::Tap2,
        _ => BlockClass::Vbd,
    };
    // xm sends it with every disk; where it is missing, the first disk is bootable.
    let bootable = record.member("bootable").map(|_| record.flag("bootable")).transpose()?;
    let block = Block {
        class,
        uname,
        dev,
        number,
        kind,
        mode,
        bootable,
        backend: None,
        vdi,
        uuid: None,
        rest: vec![],
    };
    Ok(attach(host, vm, Device::Block(block)))
}

/// Puts another medium into a CD-ROM drive.
fn change_medium(host: &HostView, uuid: Uuid, args: &Args<'_>) -> Result<Action, Failure> {
    let found = devices::VBD.find(host, uuid)?;
    let drive = block(host, uuid)?;
    if drive.kind != BlockKind::Cdrom {
        return Err(Failure::new("INVALID_DEVICE_ERROR", [uuid.to_string().as_str()]));
    }
    let (uname, vdi) = image(host, &args.text(2)?, BlockKind::Cdrom)?;
    let to = Box::new(Device::Block(Block { uname, vdi, ..drive.clone() }));
    let op = DomainOp::ConfigureDevice { device: device_ref(found.device), to };
    Ok(Action::execute(vec![vm_change(found.vm.uuid, op)], vm_context(found.vm)))
}

/// Whether the VM boots from a disk: the first one, if nothing else is configured.
fn is_bootable(host: &HostView, uuid: Uuid) -> Result<bool, Failure> {
    let found = devices::VBD.find(host, uuid)?;
    let first = found.vm.config.devices.iter().find(|device| is_block(device));
    let is_first = first.and_then(Device::uuid) == Some(uuid);
    Ok(block(host, uuid)?.bootable.unwrap_or(is_first))
}

pub(super) static VBD: Class = Class {
    name: "VBD",
    all: |host| Ok(devices::VBD.all(host)),
    check: |host, uuid| devices::VBD.check(host, uuid),
    data_store: DataStore::Device,
    inputs: Some(|host, uuid| {
        let found = devices::VBD.find(host, uuid)?;
        device_inputs(host, &found, vdi_of_disk(host, block(host, uuid)?))
    }),
    fields: &[
        Field::read("uuid", |_, uuid| Ok(text(&uuid))),
        Field::read("VM", |host, uuid| Ok(text(&devices::VBD.find(host, uuid)?.vm.uuid))),
        Field::read("VDI", |host, uuid| Ok(optional_ref(vdi_of_disk(host, block(host, uuid)?)))),
        Field::read_write(
            "device",
            |host, uuid| Ok(text(&block(host, uuid)?.dev)),
            |host, uuid, args| {
                let dev = args.text(2)?;
                let number = parse_device(&dev)?;
                change(host, uuid, true, |block| {
                    block.dev = dev;
                    block.number = number;
                })
            },
        ),
        Field::read_write(
            "bootable",
            |host, uuid| Ok(Value::Bool(is_bootable(host, uuid)?)),
            |host, uuid, args| {
                let bootable = args.flag(2, false)?;
                change(host, uuid, false, |block| block.bootable = Some(bootable))
            },
        ),
        Field::read_write(
            "mode",
            |host, uuid| {
                let is_read_only = block(host, uuid)?.mode == BlockMode::ReadOnly;
                Ok(text(if is_read_only { "RO" } else { "RW" }))
            },
            |host, uuid, args| {
                let mode = parse_mode(&args.text(2)?, false)?;
                change(host, uuid, true, |block| block.mode = mode)
            },
        ),
        Field::read("type", |host, uuid| {
            let is_cdrom = block(host, uuid)?.kind == BlockKind::Cdrom;
            Ok(text(if is_cdrom { "CD" } else { "Disk" }))
        }),
        Field::read("currently_attached", |host, uuid| {
            Ok(Value::Bool(devices::VBD.find(host, uuid)?.attached))
        }),
        // The metrics have the disk's own reference.
        Field::read("metrics", |_, uuid| Ok(text(&uuid))),
        Field::read("runtime_properties", |host, uuid| devices::VBD.runtime_properties(host, uuid))
            .needing(&[Need::Devices]),
    ],
    calls: &[
        ClassCall::on_class("create", &["session", "record"], create),
        ClassCall::on_object("destroy", &["session", "self"], |host, uuid, _| {
            devices::VBD.destroy(host, uuid)
        }),
        ClassCall::on_object("media_change", &["session", "vbd", "vdi"], change_medium),
        ClassCall::on_object("plug", &["session", "self"], |host, uuid, _| {
            devices::VBD.plug(host, uuid)
        }),
        ClassCall::on_object("unplug", &["session", "self"], |host, uuid, _| {
            devices::VBD.unplug(host, uuid)
        }),
    ],
    ..Class::EMPTY
};
