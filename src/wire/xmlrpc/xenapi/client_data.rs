//! Client data: fields that clients set and that have no effect, such as labels, descriptions and
//! `other_config`.

use super::failure::{Failure, FailureContext};
use super::host_view::HostView;
use super::new_record::NewRecord;
use super::schema::{Action, DataStore, DataType, Field, Source};
use super::values::shown_client_value;
use crate::core::model::{
    ClientData, ClientDataChange, ClientValue, Device, DomainRef, Property, Setting, Uuid,
};
use crate::core::op::{Change, DomainOp};
use crate::wire::xmlrpc::args::Args;
use crate::wire::xmlrpc::value::Value;
use std::collections::BTreeMap;

/// Client data as a value. Passwords are never shown.
pub(crate) fn data_value(kind: DataType, note: &ClientValue) -> Value {
    match (kind, note) {
        (DataType::Flag, ClientValue::Text(text)) => Value::Bool(text == "true"),
        (_, note) => shown_client_value(note),
    }
}

fn from_args(kind: DataType, args: &Args<'_>, at: usize) -> Result<ClientValue, Failure> {
    Ok(match kind {
        DataType::Text => ClientValue::Text(args.text(at)?),
        DataType::Flag => ClientValue::Text(args.flag(at, false)?.to_string()),
        DataType::Map => ClientValue::Map(args.map(at)?),
    })
}

/// The client data of a field; `None` if no client has set it.
pub(crate) fn read(
    data_store: DataStore,
    host: &HostView,
    uuid: Uuid,
    field: &str,
) -> Option<ClientValue> {
    let of = |client_data: &ClientData| client_data.get(field).cloned();
    match data_store {
        DataStore::Vm => of(&host.vm(uuid)?.config.client_data),
        DataStore::Device => of(&ClientData::from_properties(host.device(uuid)?.device.rest())),
        DataStore::Inventory => of(&host.client_data(uuid)),
    }
}

fn store(
    data_store: DataStore,
    host: &HostView,
    uuid: Uuid,
    change: ClientDataChange,
) -> Result<Action, Failure> {
    let set =
        |vm: Uuid, setting| Change::Domain(DomainRef::new(vm.to_string()), DomainOp::Set(setting));
    let change = match data_store {
        DataStore::Inventory => Change::SetClientData(uuid, change),
        DataStore::Vm => set(uuid, Setting::ClientData(change)),
        DataStore::Device => {
            let found = host.device(uuid).ok_or_else(|| Failure::no_object("device", &uuid))?;
            let mut device = found.device.clone();
            apply_to_device(&mut device, &change)?;
            set(found.vm.uuid, Setting::Device(Box::new(device)))
        }
    };
    let context = FailureContext { object: uuid.to_string(), ..FailureContext::default() };
    Ok(Action::execute(vec![change], context))
}

/// Changes client data of a device, which is among its other keys.
fn apply_to_device(device: &mut Device, change: &ClientDataChange) -> Result<(), Failure> {
    let field = match change {
        ClientDataChange::Field(field, _) | ClientDataChange::Entry { field, .. } => field.clone(),
    };
    let rest = device.rest_mut();
    let mut client_data = ClientData::from_properties(rest);
    change.apply(&mut client_data).map_err(|invalid| Failure::value(&field, &invalid))?;
    let is_field = |property: &Property| property.key == field.as_str();
    rest.retain(|property| !is_field(property));
    rest.extend(client_data.to_properties().into_iter().filter(is_field));
    Ok(())
}

/// `set_FIELD`.
pub(crate) fn set(
    data_store: DataStore,
    host: &HostView,
    uuid: Uuid,
    field: &Field,
    args: &Args<'_>,
) -> Result<Action, Failure> {
    let Some(kind) = field.source.client_data() else {
        return Err(Failure::not_allowed(field.name));
    };
    let mut note = from_args(kind, args, 2)?;
    if let (ClientValue::Map(new), Some(ClientValue::Map(old))) =
        (&mut note, read(data_store, host, uuid, field.name))
    {
        keep_entries(new, old, args, 2);
    }
    if let ClientValue::Map(new) = &note {
        for (key, value) in new {
            check_fact(host, uuid, field, key, value)?;
        }
    }
    store(data_store, host, uuid, ClientDataChange::Field(field.name.to_owned(), Some(note)))
}

/// Keeps entries of a map that is set anew: those that the new map has as nil, and passwords, which
/// no client that read the map could give back.
pub(crate) fn keep_entries(
    new: &mut BTreeMap<String, String>,
    old: BTreeMap<String, String>,
    args: &Args<'_>,
    at: usize,
) {
    for (key, value) in old {
        if args.has_nil_member(at, &key) || Property::is_secret_key(&key) {
            new.entry(key).or_insert(value);
        }
    }
}

/// Refuses to change a fact in a map of facts and client data.
fn check_fact(
    host: &HostView,
    uuid: Uuid,
    field: &Field,
    key: &str,
    value: &str,
) -> Result<(), Failure> {
    let Source::FactsAndClientData(get) = field.source else { return Ok(()) };
    let Value::Struct(facts) = get(host, uuid)? else { return Ok(()) };
    match facts.iter().find(|(fact, _)| fact == key) {
        Some((_, fact)) if *fact != Value::text(value) => {
            let reason = format!("{key} is a fact and cannot be set");
            Err(Failure::value(field.name, &reason).sent(key, value))
        }
        _ => Ok(()),
    }
}

/// `add_to_FIELD` and `remove_from_FIELD`: sets one entry of a map, or removes it.
pub(crate) fn set_entry(
    data_store: DataStore,
    host: &HostView,
    uuid: Uuid,
    field: &Field,
    key: String,
    value: Option<String>,
) -> Result<Action, Failure> {
    if let Some(value) = &value {
        check_fact(host, uuid, field, &key, value)?;
    }
    let change = ClientDataChange::Entry { field: field.name.to_owned(), key, value };
    store(data_store, host, uuid, change)
}

/// The client data in a new object's record.
pub(crate) fn from_record(record: &NewRecord<'_>, fields: &[Field]) -> Result<ClientData, Failure> {
    let mut client_data = ClientData::default();
    for field in fields {
        let Some(kind) = field.source.client_data() else { continue };
        let Some(member) = record.member(field.name) else { continue };
        let note = from_args(kind, &member.args(), 0)?;
        client_data
            .set(field.name, Some(note))
            .map_err(|invalid| Failure::value(field.name, &invalid))?;
    }
    Ok(client_data)
}

/// Adds a map of a new device's record to the device.
pub(crate) fn add_map_of_record(
    device: &mut Device,
    record: &NewRecord<'_>,
    field: &'static str,
) -> Result<(), Failure> {
    let map = record.map(field)?;
    if map.is_empty() {
        return Ok(());
    }
    apply_to_device(device, &ClientDataChange::Field(field.to_owned(), Some(ClientValue::Map(map))))
}
