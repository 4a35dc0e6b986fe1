//! The local storage: two SRs on one directory, the images in it and what else VMs use as disks,
//! and how it is attached.
//!
//! Every disk of a VM has a VDI. One that nobody made known is there for as long as a VM uses it.

use super::devices::is_block;
use super::failure::{About, Failure, Instead};
use super::notes::{Kind, Shelf, of_record};
use super::record::{Record, find};
use super::table::{Call, Class, Field, Work};
use super::world::{Need, World, map, number, refs, text, texts};
use crate::core::model::{Block, Note, Notes, Text, Thing, Uuid, Vdi, VdiKind, VdiSetting};
use crate::core::op::Change;
use crate::core::ports::Extent;
use crate::wire::xmlrpc::args::Args;
use crate::wire::xmlrpc::value::Value;
use std::collections::{BTreeMap, HashMap};

/// The storage repositories that xend had, which clients find by their types. Images that are made
/// in either are sparse files; what is somewhere else is in the one that its format says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Repository {
    Local,
    Qcow,
}

impl Repository {
    const ALL: [Self; 2] = [Self::Local, Self::Qcow];

    /// Its type in the Xen-API.
    const fn kind(self) -> &'static str {
        match self {
            Self::Local => "local",
            Self::Qcow => "qcow_file",
        }
    }

    const fn label(self) -> &'static str {
        match self {
            Self::Local => "Local",
            Self::Qcow => "QCoW",
        }
    }

    fn uuid(self, world: &World) -> Uuid {
        world.own(&format!("SR {}", self.kind()))
    }

    /// How it is attached.
    fn pbd(self, world: &World) -> Uuid {
        world.own(&format!("PBD {}", self.kind()))
    }

    fn find(world: &World, uuid: Uuid) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.uuid(world) == uuid)
    }

    /// The one whose reference is noted on an object.
    fn noted(world: &World, object: Uuid) -> Option<Self> {
        let reference = world.notes(object).text(SR_OF)?.parse().ok()?;
        Self::find(world, reference)
    }

    /// The one that an image is in.
    fn of(world: &World, uuid: Uuid, vdi: &Vdi) -> Self {
        let path = vdi.location.iter().position(|byte| *byte == b'/').unwrap_or(vdi.location.len());
        let mut formats = vdi.location[..path].split(|byte| *byte == b':');
        let by_format = || {
            if formats.any(|format| format.starts_with(b"qcow")) { Self::Qcow } else { Self::Local }
        };
        Self::noted(world, uuid).unwrap_or_else(by_format)
    }
}

/// Where the SR of an object is noted.
const SR_OF: &str = "SR";

/// Notes of a new object in an SR.
fn notes_in(record: &Record<'_>, fields: &[Field], sr: Uuid) -> Result<Notes, Failure> {
    let mut notes = of_record(record, fields)?;
    let set = notes.set(SR_OF, Some(Note::Text(sr.to_string())));
    set.map_err(|invalid| Failure::value(SR_OF, &invalid.to_string()))?;
    Ok(notes)
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
            if !vdi.location.is_empty() {
                by_location.entry(vdi.uname()).or_insert(item.uuid);
            }
        }
        let mut implied = BTreeMap::new();
        for plugged in world.devices(is_block) {
            let Some(block) = plugged.device.as_block().filter(|block| !block.uname.is_empty())
            else {
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
        said.or_else(|| {
            self.by_location.get(&block.uname).copied().filter(|_| !block.uname.is_empty())
        })
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
pub(super) fn uname(world: &World, uuid: Uuid) -> Option<Text> {
    vdi(world, uuid).map(|vdi| vdi.uname())
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
    world.seen.extents.get(&vdi.uname()).copied().unwrap_or_default()
}

/// What was asked for, or how large it is.
fn virtual_size(world: &World, vdi: &Vdi) -> u64 {
    if vdi.size > 0 { vdi.size } else { extent(world, vdi).size }
}

fn flag(world: &World, uuid: Uuid, get: fn(&Vdi) -> bool) -> Option<Value> {
    vdi(world, uuid).map(|vdi| Value::Bool(get(&vdi)))
}

fn about(uuid: Uuid) -> About {
    About {
        instead: Some(Instead::MessageAndObject("VDI_ERROR", uuid.to_string())),
        ..About::default()
    }
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
    let sr = record.object(world, "SR", &SR)?;
    let uuid = Uuid::new_v4();
    let given = record.map("other_config")?.remove("location");
    // xm makes one for a drive without a medium, too.
    let is_empty_drive = given.as_deref() == Some("");
    let given = given.unwrap_or_default();
    Vdi::check_location(given.as_bytes()).map_err(|invalid| {
        Failure::value("other_config.location", &invalid.to_string()).sent("", &given)
    })?;
    let location = Text::from(given);
    // xm says -1 or 0 of what is somewhere else.
    let size = record.number::<i64>("virtual_size")?;
    let size = size.and_then(|size| u64::try_from(size).ok()).filter(|size| *size > 0);
    let size = match (size, location.is_empty()) {
        (Some(size), _) => size,
        (None, false) => 0,
        (None, true) if is_empty_drive => 0,
        (None, true) => {
            return Err(Failure::value("virtual_size", "a number of bytes above 0 is expected"));
        }
    };
    let kind = record.parsed("type")?.unwrap_or(VdiKind::System);
    let (sharable, read_only) = (record.flag("sharable")?, record.flag("read_only")?);
    let vdi = Box::new(Vdi { location, size, kind, own: false, sharable, read_only });
    let notes = notes_in(&record, VDI.fields, sr)?;
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
        Field::noted("name_description", Kind::Text, |world, uuid| {
            vdi(world, uuid).and_then(|_| text(""))
        }),
        Field::read("SR", |world, uuid| {
            let vdi = vdi(world, uuid)?;
            text(Repository::of(world, uuid, &vdi).uuid(world))
        }),
        Field::read("VBDs", |world, uuid| {
            vdi(world, uuid)?;
            Some(refs(disks(world).users.get(&uuid).into_iter().flatten().copied()))
        }),
        Field::written(
            "virtual_size",
            |world, uuid| Some(number(virtual_size(world, &vdi(world, uuid)?))),
            |world, uuid, args| {
                change(world, uuid, Change::SetVdi(uuid, VdiSetting::Size(args.number(2)?)))
            },
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
                change(
                    world,
                    uuid,
                    Change::SetVdi(uuid, VdiSetting::Sharable(args.flag(2, false)?)),
                )
            },
        ),
        Field::written(
            "read_only",
            |world, uuid| flag(world, uuid, |vdi| vdi.read_only),
            |world, uuid, args| {
                change(
                    world,
                    uuid,
                    Change::SetVdi(uuid, VdiSetting::ReadOnly(args.flag(2, false)?)),
                )
            },
        ),
        Field::read("security_label", |world, uuid| vdi(world, uuid).and_then(|_| text(""))),
        // xm looks for an image by its location here.
        Field::beside("other_config", |world, uuid| {
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

/// The images that are in an SR.
fn vdis_in(world: &World, sr: Uuid) -> impl Iterator<Item = (Uuid, Vdi)> {
    let all = all_vdis(world).into_iter().filter_map(move |uuid| Some((uuid, vdi(world, uuid)?)));
    all.filter(move |(uuid, vdi)| Repository::of(world, *uuid, vdi).uuid(world) == sr)
}

fn total(world: &World, sr: Uuid, of: fn(&World, &Vdi) -> u64) -> u64 {
    vdis_in(world, sr).filter(|(_, vdi)| vdi.own).map(|(_, vdi)| of(world, &vdi)).sum()
}

pub(super) static SR: Class = Class {
    name: "SR",
    all: |world| Repository::ALL.map(|one| one.uuid(world)).into(),
    needs: &[],
    shelf: Shelf::Inventory,
    fields: &[
        Field::read("uuid", |world, uuid| Repository::find(world, uuid).and_then(|_| text(uuid))),
        Field::noted("name_label", Kind::Text, |world, uuid| {
            text(Repository::find(world, uuid)?.label())
        }),
        Field::noted("name_description", Kind::Text, |_, _| text("Disk images of this host")),
        Field::read("VDIs", |world, uuid| Some(refs(vdis_in(world, uuid).map(|(vdi, _)| vdi)))),
        Field::read("PBDs", |world, uuid| Some(refs(pbds_of(world, uuid)))),
        Field::read("virtual_allocation", |world, uuid| {
            Some(number(total(world, uuid, virtual_size)))
        })
        .needing(&[Need::Storage]),
        Field::read("physical_utilisation", |world, uuid| {
            Some(number(total(world, uuid, |world, vdi| extent(world, vdi).used)))
        })
        .needing(&[Need::Storage]),
        Field::read("physical_size", |world, _| {
            Some(number(world.seen.storage.as_ref().map_or(0, |storage| storage.size)))
        })
        .needing(&[Need::Storage]),
        Field::read("type", |world, uuid| text(Repository::find(world, uuid)?.kind())),
        Field::read("content_type", |_, _| text("")),
    ],
    calls: &[Call::free("get_supported_types", &["session"], |_, _, _| {
        Ok(Work::Said(texts(Repository::ALL.map(|one| one.kind().to_owned()))))
    })],
};

fn all_pbds(world: &World) -> Vec<Uuid> {
    let more =
        world.inventory.items().filter(|item| item.thing == Thing::Pbd).map(|item| item.uuid);
    Repository::ALL.map(|one| one.pbd(world)).into_iter().chain(more).collect()
}

/// The SR that is attached by a PBD of the host's own.
fn attached_by(world: &World, pbd: Uuid) -> Option<Repository> {
    Repository::ALL.into_iter().find(|one| one.pbd(world) == pbd)
}

fn is_pbd(world: &World, uuid: Uuid) -> bool {
    let noted = || world.inventory.get(&uuid).is_some_and(|item| item.thing == Thing::Pbd);
    attached_by(world, uuid).is_some() || noted()
}

fn sr_of_pbd(world: &World, uuid: Uuid) -> Uuid {
    let noted = || Repository::noted(world, uuid).unwrap_or(Repository::Local);
    attached_by(world, uuid).unwrap_or_else(noted).uuid(world)
}

fn pbds_of(world: &World, sr: Uuid) -> impl Iterator<Item = Uuid> {
    all_pbds(world).into_iter().filter(move |pbd| sr_of_pbd(world, *pbd) == sr)
}

fn create_pbd(world: &World, _: Uuid, args: &Args<'_>) -> Result<Work, Failure> {
    let record = Record::of("PBD", args)?;
    record.object(world, "host", &super::host::HOST)?;
    let sr = record.object(world, "SR", &SR)?;
    let uuid = Uuid::new_v4();
    let notes = notes_in(&record, PBD.fields, sr)?;
    Ok(Work::makes(vec![Change::CreatePbd { uuid, notes }.into()], About::default(), uuid))
}

pub(super) static PBD: Class = Class {
    name: "PBD",
    all: all_pbds,
    needs: &[],
    shelf: Shelf::Inventory,
    fields: &[
        Field::read("uuid", |world, uuid| {
            is_pbd(world, uuid).then(|| Value::text(uuid.to_string()))
        }),
        Field::read("host", |world, _| Some(world.host_ref())),
        Field::read("SR", |world, uuid| text(sr_of_pbd(world, uuid))),
        Field::noted("device_config", Kind::Map, |world, _| {
            let dir = world.seen.storage.as_ref().map(|storage| storage.dir.display().to_string());
            Some(map([("location", dir.unwrap_or_default())]))
        })
        .fixed()
        .needing(&[Need::Storage]),
        // The directory is attached; what else somebody noted is not looked at.
        Field::read("currently_attached", |world, uuid| {
            Some(Value::Bool(attached_by(world, uuid).is_some()))
        }),
    ],
    calls: &[
        Call::free("create", &["session", "record"], create_pbd),
        Call::one("destroy", &["session", "self"], |world, uuid, _| {
            if attached_by(world, uuid).is_some() {
                let why = "The local storage is attached for as long as the host is up";
                return Err(Failure::new("OPERATION_NOT_ALLOWED", [why]));
            }
            Ok(Work::silent(vec![Change::DestroyPbd(uuid).into()], About::default()))
        }),
        Call::free("get_by_SR", &["session", "sr"], |world, _, args| {
            let sr = find(world, &SR, &args.text(1)?)?;
            Ok(Work::Said(refs(pbds_of(world, sr))))
        }),
    ],
};
