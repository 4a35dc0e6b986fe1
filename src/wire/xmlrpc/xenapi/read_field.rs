//! Reading fields and records of objects.

use super::client_data::{self, data_value};
use super::failure::Failure;
use super::host_view::HostView;
use super::schema::{Class, Field, Source};
use super::values::shown_client_value;
use crate::core::model::Uuid;
use crate::wire::xmlrpc::value::Value;

/// A field of an object.
pub(crate) fn read_field(
    class: &Class,
    field: &Field,
    host: &HostView,
    uuid: Uuid,
) -> Result<Value, Failure> {
    let client_data = || client_data::read(class.data_store, host, uuid, field.name);
    match field.source {
        Source::Fact(get) => get(host, uuid),
        Source::ClientData(kind, initial) => match client_data() {
            Some(note) => Ok(data_value(kind, &note)),
            None => initial(host, uuid),
        },
        Source::FactsAndClientData(get) => {
            let facts = get(host, uuid)?;
            Ok(match client_data() {
                Some(note) => merged(facts, shown_client_value(&note)),
                None => facts,
            })
        }
    }
}

/// The members of both structs; those of the first one count.
fn merged(facts: Value, data: Value) -> Value {
    match (facts, data) {
        (Value::Struct(mut members), Value::Struct(data)) => {
            let facts = members.len();
            for (key, value) in data {
                if !members[..facts].iter().any(|(fact, _)| *fact == key) {
                    members.push((key, value));
                }
            }
            Value::Struct(members)
        }
        (facts, _) => facts,
    }
}

/// `None` if the object is gone: a session or task can end during the call.
pub(crate) fn if_present<T>(read: Result<T, Failure>) -> Result<Option<T>, Failure> {
    match read {
        Ok(value) => Ok(Some(value)),
        Err(failure) if failure.is_no_object() => Ok(None),
        Err(failure) => Err(failure),
    }
}

/// All fields of an object.
pub(crate) fn read_record(class: &Class, host: &HostView, uuid: Uuid) -> Result<Value, Failure> {
    let member = |field: &Field| Ok((field.name.to_owned(), read_field(class, field, host, uuid)?));
    Ok(Value::Struct(class.fields.iter().map(member).collect::<Result<_, Failure>>()?))
}
