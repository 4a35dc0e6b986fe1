//! Fields that have no effect and are kept: labels, descriptions, `other_config`.

use super::failure::{About, Failure};
use super::table::{Field, Get, Work};
use super::world::{World, noted};
use crate::core::model::{Device, DomainRef, Note, NoteChange, Notes, Property, Setting, Uuid};
use crate::core::op::{Change, DomainOp};
use crate::wire::xmlrpc::args::Args;
use crate::wire::xmlrpc::value::Value;
use std::collections::BTreeMap;

/// Where what is noted on the objects of a class is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shelf {
    /// In the VM's configuration.
    Vm,
    /// In the VM's configuration, with the device.
    Device,
    /// In the inventory.
    Inventory,
}

/// What sort of thing is noted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    Flag,
    Map,
}

impl Kind {
    pub(super) fn value(self, note: &Note) -> Value {
        match (self, note) {
            (Self::Flag, Note::Text(text)) => Value::Bool(text == "true"),
            (_, note) => noted(note),
        }
    }

    fn read(self, args: &Args<'_>, at: usize) -> Result<Note, Failure> {
        Ok(match self {
            Self::Text => Note::Text(args.text(at)?),
            Self::Flag => Note::Text(args.flag(at, false)?.to_string()),
            Self::Map => Note::Map(args.map(at)?),
        })
    }
}

/// Bytes of memory in whole MiB: every size of a VM's is rounded down, so that what is not above
/// another one stays so.
pub(super) const fn memory(bytes: u64) -> u64 {
    bytes >> MIB << MIB
}

/// The binary logarithm of a MiB.
pub(super) const MIB: u32 = 20;

/// What is noted in a field.
pub(super) fn read(shelf: Shelf, world: &World, uuid: Uuid, field: &str) -> Option<Note> {
    let of = |notes: &Notes| notes.get(field).cloned();
    match shelf {
        Shelf::Vm => of(&world.vm(uuid)?.config.notes),
        Shelf::Device => of(&Notes::from_properties(world.device(uuid)?.device.rest())),
        Shelf::Inventory => of(&world.notes(uuid)),
    }
}

fn change(shelf: Shelf, world: &World, uuid: Uuid, change: NoteChange) -> Result<Work, Failure> {
    let about = About { vm: uuid.to_string(), ..About::default() };
    let op = match shelf {
        Shelf::Inventory => Change::Note(uuid, change),
        Shelf::Vm => {
            Change::Domain(DomainRef::new(uuid.to_string()), DomainOp::Set(Setting::Note(change)))
        }
        Shelf::Device => {
            let gone = || Failure::new("HANDLE_INVALID", ["device", &uuid.to_string()]);
            let plugged = world.device(uuid).ok_or_else(gone)?;
            let mut device = plugged.device.clone();
            apply(&mut device, &change)?;
            let vm = DomainRef::new(plugged.view.uuid.to_string());
            Change::Domain(vm, DomainOp::Set(Setting::Device(Box::new(device))))
        }
    };
    Ok(Work::silent(vec![op.into()], about))
}

/// Notes something with a device, among whose other keys it is.
pub(super) fn apply(device: &mut Device, change: &NoteChange) -> Result<(), Failure> {
    let field = match change {
        NoteChange::Field(field, _) | NoteChange::Entry { field, .. } => field.clone(),
    };
    let rest = device.rest_mut();
    let mut notes = Notes::from_properties(rest);
    change.apply(&mut notes).map_err(|invalid| Failure::value(&field, &invalid.to_string()))?;
    rest.retain(|property| property.key != field.as_str());
    rest.extend(
        notes.to_properties().into_iter().filter(|property| property.key == field.as_str()),
    );
    Ok(())
}

pub(super) fn set(
    shelf: Shelf,
    world: &World,
    uuid: Uuid,
    field: &Field,
    args: &Args<'_>,
) -> Result<Work, Failure> {
    let Some(kind) = field.get.noted() else {
        return Err(Failure::new("OPERATION_NOT_ALLOWED", [field.name]));
    };
    let mut note = kind.read(args, 2)?;
    if let (Note::Map(new), Some(Note::Map(old))) =
        (&mut note, read(shelf, world, uuid, field.name))
    {
        keep(new, old, args, 2);
    }
    if let Note::Map(new) = &note {
        for (key, value) in new {
            check_fact(world, uuid, field, key, value)?;
        }
    }
    change(shelf, world, uuid, NoteChange::Field(field.name.to_owned(), Some(note)))
}

/// What stays of a map that is set: what nil says of, and passwords, which nobody who read the map
/// can give back.
pub(super) fn keep(
    new: &mut BTreeMap<String, String>,
    old: BTreeMap<String, String>,
    args: &Args<'_>,
    at: usize,
) {
    for (key, value) in old {
        if args.leaves(at, &key) || Property::is_secret_key(&key) {
            new.entry(key).or_insert(value);
        }
    }
}

/// A fact in a map cannot be set to something else: nothing would come of it.
fn check_fact(
    world: &World,
    uuid: Uuid,
    field: &Field,
    key: &str,
    value: &str,
) -> Result<(), Failure> {
    let facts = if let Get::Beside(facts) = field.get { facts(world, uuid) } else { None };
    let Some(Value::Struct(facts)) = facts else { return Ok(()) };
    match facts.iter().find(|(fact, _)| fact == key) {
        Some((_, fact)) if *fact != Value::text(value) => {
            let reason = format!("{key} says what is so and cannot be set");
            Err(Failure::value(field.name, &reason).sent(key, value))
        }
        _ => Ok(()),
    }
}

/// Notes one text of a map, or takes it away.
pub(super) fn set_entry(
    shelf: Shelf,
    world: &World,
    uuid: Uuid,
    field: &Field,
    key: String,
    value: Option<String>,
) -> Result<Work, Failure> {
    if let Some(value) = &value {
        check_fact(world, uuid, field, &key, value)?;
    }
    change(shelf, world, uuid, NoteChange::Entry { field: field.name.to_owned(), key, value })
}

/// Notes of what a new object's record says, of those fields that are noted.
pub(super) fn of_record(
    record: &super::record::Record<'_>,
    fields: &[Field],
) -> Result<Notes, Failure> {
    let mut notes = Notes::default();
    for field in fields {
        let Some(kind) = field.get.noted() else { continue };
        let Some(at) = record.args_of(field.name) else { continue };
        let note = kind.read(&at.args(), 0)?;
        let set = notes.set(field.name, Some(note));
        set.map_err(|invalid| Failure::value(field.name, &invalid.to_string()))?;
    }
    Ok(notes)
}
