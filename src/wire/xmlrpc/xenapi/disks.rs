//! The local storage: one SR, the images in it and what else VMs use as disks, and how it is attached.
//!
//! Every disk of a VM has a VDI. One that nobody made known is there for as long as a VM uses it.

use super::devices::is_block;
use super::failure::{About, Failure};
use super::notes::{Kind, Shelf, of_record};
use super::record::{Record, find};
use super::table::{Call, Class, Field, Work};
use super::world::{Need, World, map, number, refs, text, texts};
use crate::core::model::{Block, Text, Thing, Uuid, Vdi, VdiKind, VdiSetting};
use crate::core::op::Change;
use crate::core::ports::Extent;
use crate::wire::xmlrpc::args::Args;
use crate::wire::xmlrpc::value::Value;
use std::collections::{BTreeMap, HashMap};

fn sr(world: &World) -> Uuid {
    world.own("SR local")
}

fn pbd(world: &World) -> Uuid {
    world.own("PBD local")
}

/// Disk images, and which disks are which: looked at once a call.
pub(super) struct Disks {
    /// Those that nobody made known, by UUIDs that follow from where they are.
    implied: BTreeMap<Uuid, Text>,
    by_location: HashMap<Text, Uuid>,
    /// The disks that use one.
    users: HashMap<Uuid, Vec<Uuid>>,
}

impl Disks {
    fn look(world: &World) -> Self {
        let mut by_location: HashMap<Text, Uuid> = HashMap::new();
        for (item, vdi) in world.inventory.vdis() {
            by_location.entry(vdi.location.clone()).or_insert(item.uuid);
        }
        let mut implied = BTreeMap::new();
        for plugged in world.devices(is_block) {
            let Some(block) = plugged.device.as_block().filter(|block| !block.uname.is_empty()) else {
                continue;
            };
            by_location.entry(block.uname.clone()).or_insert_with(|| {
                let uuid = world.own(&format!("VDI {}", block.uname));
                implied.insert(uuid, block.uname.clone());
                uuid
            });
        }
        let mut this = Self { implied, by_location, users: HashMap::new() };
        for plugged in world.devices(is_block) {
            let vdi = plugged.device.as_block().and_then(|block| this.of(world, block));
            if let (Some(vdi), Some(uuid)) = (vdi, plugged.device.uuid()) {
                this.users.entry(vdi).or_default().push(uuid);
            }
        }
        this
    }

    fn of(&self, world: &World, block: &Block) -> Option<Uuid> {
        let said = block.vdi.filter(|vdi| world.inventory.vdi(vdi).is_some());
        said.or_else(|| self.by_location.get(&block.uname).copied().filter(|_| !block.uname.is_empty()))
    }
}

fn disks(world: &World) -> &Disks {
    world.disks.get_or_init(|| Disks::look(world))
}

/// What a VDI is, known or implied.
fn vdi(world: &World, uuid: Uuid) -> Option<Vdi> {
    if let Some((_, vdi)) = world.inventory.vdi(&uuid) {
        return Some(vdi.clone());
    }
    let (location, kind) = (disks(world).implied.get(&uuid)?.clone(), VdiKind::System);
    Some(Vdi { location, size: 0, kind, own: false, sharable: false, read_only: false })
}

/// What is behind a block device that uses a VDI.
pub(super) fn location(world: &World, uuid: Uuid) -> Option<Text> {
    vdi(world, uuid).map(|vdi| vdi.location)
}

/// Where all images are.
pub(super) fn locations(world: &World) -> Vec<&Text> {
    disks(world).by_location.keys().collect()
}

/// The VDI of a disk; none of a drive without a medium.
pub(super) fn of_block(world: &World, block: &Block) -> Option<Uuid> {
    disks(world).of(world, block)
}

fn all_vdis(world: &World) -> Vec<Uuid> {
    let known = world.inventory.vdis().map(|(item, _)| item.uuid);
    known.chain(disks(world).implied.keys().copied()).collect()
}

fn extent(world: &World, vdi: &Vdi) -> Extent {
    world.seen.extents.get(&vdi.location).copied().unwrap_or_default()
}

/// What was asked for, or how large it is.
fn virtual_size(world: &World, vdi: &Vdi) -> u64 {
    if vdi.size > 0 { vdi.size } else { extent(world, vdi).size }
}

fn flag(world: &World, uuid: Uuid, get: fn(&Vdi) -> bool) -> Option<Value> {
    vdi(world, uuid).map(|vdi| Value::Bool(get(&vdi)))
}

fn about(uuid: Uuid) -> About {
    About { instead: Some(("VDI_ERROR", uuid.to_string())), ..About::default() }
}

/// One that nobody made known cannot be changed.
fn change(world: &World, uuid: Uuid, change: Change) -> Result<Work, Failure> {
    if world.inventory.vdi(&uuid).is_none() {
        let why = "It is there for as long as a VM uses it, and is nothing that could be changed";
        return Err(Failure::new("VDI_ERROR", [why, uuid.to_string().as_str()]));
    }
    Ok(Work::silent(vec![change.into()], about(uuid)))
}

fn create_vdi(world: &World, _: Uuid, args: &Args<'_>) -> Result<Work, Failure> {
    let record = Record::of("VDI", args)?;
    record.object(world, "SR", &SR)?;
    let uuid = Uuid::new_v4();
    let location: Text = record.map("other_config")?.remove("location").unwrap_or_default().into();
    if !location.is_empty() {
        let kind = crate::core::model::BlockKind::Disk;
        Block::check_uname(&location, kind)
            .map_err(|invalid| Failure::value("other_config", &invalid.to_string()))?;
    }
    // xm says -1 or 0 of what is somewhere else.
    let size = record.number::<i64>("virtual_size")?;
    let size = size.and_then(|size| u64::try_from(size).ok()).filter(|size| *size > 0);
    let size = match (size, location.is_empty()) {
        (Some(size), _) => size,
        (None, false) => 0,
        (None, true) => return Err(Failure::value("virtual_size", "a number of bytes above 0 is expected")),
    };
    let kind = record.parsed("type")?.unwrap_or(VdiKind::System);
    let (sharable, read_only) = (record.flag("sharable")?, record.flag("read_only")?);
    let vdi = Box::new(Vdi { location, size, kind, own: false, sharable, read_only });
    let notes = of_record(&record, VDI.fields)?;
    let ops = vec![Change::CreateVdi { uuid, vdi, notes, copy: None }.into()];
    Ok(Work::makes(ops, about(uuid), uuid))
}

pub(super) static VDI: Class = Class {
    name: "VDI",
    all: all_vdis,
    needs: &[],
    shelf: Shelf::Inventory,
    fields: &[
        Field::read("uuid", |world, uuid| vdi(world, uuid).and_then(|_| text(uuid))),
        Field::noted("name_label", Kind::Text, |world, uuid| text(vdi(world, uuid)?.location)),
        Field::noted("name_description", Kind::Text, |world, uuid| vdi(world, uuid).and_then(|_| text(""))),
        Field::read("SR", |world, uuid| vdi(world, uuid).and_then(|_| text(sr(world)))),
        Field::read("VBDs", |world, uuid| {
            vdi(world, uuid)?;
            Some(refs(disks(world).users.get(&uuid).into_iter().flatten().copied()))
        }),
        Field::written(
            "virtual_size",
            |world, uuid| Some(number(virtual_size(world, &vdi(world, uuid)?))),
            |world, uuid, args| change(world, uuid, Change::SetVdi(uuid, VdiSetting::Size(args.number(2)?))),
        )
        .needing(&[Need::Storage]),
        Field::read("physical_utilisation", |world, uuid| {
            Some(number(extent(world, &vdi(world, uuid)?).used))
        })
        .needing(&[Need::Storage]),
        Field::read("type", |world, uuid| text(vdi(world, uuid)?.kind)),
        Field::written(
            "sharable",
            |world, uuid| flag(world, uuid, |vdi| vdi.sharable),
            |world, uuid, args| {
                change(world, uuid, Change::SetVdi(uuid, VdiSetting::Sharable(args.flag(2, false)?)))
            },
        ),
        Field::written(
            "read_only",
            |world, uuid| flag(world, uuid, |vdi| vdi.read_only),
            |world, uuid, args| {
                change(world, uuid, Change::SetVdi(uuid, VdiSetting::ReadOnly(args.flag(2, false)?)))
            },
        ),
        Field::read("security_label", |world, uuid| vdi(world, uuid).and_then(|_| text(""))),
        // xm looks for an image by its location here.
        Field::noted("other_config", Kind::Map, |world, uuid| {
            Some(map([("location", vdi(world, uuid)?.location.to_string())]))
        }),
    ],
    calls: &[
        Call::free("create", &["session", "record"], create_vdi),
        Call::one("set_security_label", &["session", "self", "label", "old_label"], |_, _, _| {
            Err(super::policy::no_module())
        }),
        Call::one("destroy", &["session", "vdi"], |world, uuid, _| {
            change(world, uuid, Change::DestroyVdi(uuid))
        }),
    ],
};

fn total(world: &World, of: fn(&World, &Vdi) -> u64) -> u64 {
    let own = world.inventory.vdis().filter(|(_, vdi)| vdi.own);
    own.map(|(_, vdi)| of(world, vdi)).sum()
}

pub(super) static SR: Class = Class {
    name: "SR",
    all: |world| vec![sr(world)],
    needs: &[],
    shelf: Shelf::Inventory,
    fields: &[
        Field::read("uuid", |world, _| text(sr(world))),
        Field::noted("name_label", Kind::Text, |_, _| text("Local")),
        Field::noted("name_description", Kind::Text, |_, _| text("Disk images of this host")),
        Field::read("VDIs", |world, _| Some(refs(all_vdis(world)))),
        Field::read("PBDs", |world, _| Some(refs(all_pbds(world)))),
        Field::read("virtual_allocation", |world, _| Some(number(total(world, virtual_size))))
            .needing(&[Need::Storage]),
        Field::read("physical_utilisation", |world, _| {
            Some(number(world.seen.storage.as_ref().map_or(0, |storage| storage.used)))
        })
        .needing(&[Need::Storage]),
        Field::read("physical_size", |world, _| {
            Some(number(world.seen.storage.as_ref().map_or(0, |storage| storage.size)))
        })
        .needing(&[Need::Storage]),
        Field::read("type", |_, _| text("local")),
        Field::read("content_type", |_, _| text("")),
    ],
    calls: &[Call::free("get_supported_types", &["session"], |_, _, _| {
        Ok(Work::Said(texts(["local".to_owned()])))
    })],
};

fn all_pbds(world: &World) -> Vec<Uuid> {
    let more = world.inventory.items().filter(|item| item.thing == Thing::Pbd).map(|item| item.uuid);
    std::iter::once(pbd(world)).chain(more).collect()
}

fn is_pbd(world: &World, uuid: Uuid) -> bool {
    uuid == pbd(world) || world.inventory.get(&uuid).is_some_and(|item| item.thing == Thing::Pbd)
}

fn create_pbd(world: &World, _: Uuid, args: &Args<'_>) -> Result<Work, Failure> {
    let record = Record::of("PBD", args)?;
    record.object(world, "host", &super::host::HOST)?;
    record.object(world, "SR", &SR)?;
    let uuid = Uuid::new_v4();
    let notes = of_record(&record, PBD.fields)?;
    Ok(Work::makes(vec![Change::CreatePbd { uuid, notes }.into()], About::default(), uuid))
}

pub(super) static PBD: Class = Class {
    name: "PBD",
    all: all_pbds,
    needs: &[],
    shelf: Shelf::Inventory,
    fields: &[
        Field::read("uuid", |world, uuid| is_pbd(world, uuid).then(|| Value::text(uuid.to_string()))),
        Field::read("host", |world, _| Some(world.host_ref())),
        Field::read("SR", |world, _| text(sr(world))),
        Field::noted("device_config", Kind::Map, |world, _| {
            let dir = world.seen.storage.as_ref().map(|storage| storage.dir.display().to_string());
            Some(map([("location", dir.unwrap_or_default())]))
        })
        .fixed()
        .needing(&[Need::Storage]),
        // The directory is attached; what else somebody noted is not looked at.
        Field::read("currently_attached", |world, uuid| Some(Value::Bool(uuid == pbd(world)))),
    ],
    calls: &[
        Call::free("create", &["session", "record"], create_pbd),
        Call::one("destroy", &["session", "self"], |world, uuid, _| {
            if uuid == pbd(world) {
                let why = "The local storage is attached for as long as the host is up";
                return Err(Failure::new("OPERATION_NOT_ALLOWED", [why]));
            }
            Ok(Work::silent(vec![Change::DestroyPbd(uuid).into()], About::default()))
        }),
        Call::free("get_by_SR", &["session", "sr"], |world, _, args| {
            find(world, &SR, &args.text(1)?)?;
            Ok(Work::Said(refs(all_pbds(world))))
        }),
    ],
};
