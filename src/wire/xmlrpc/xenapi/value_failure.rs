//! `VALUE_NOT_SUPPORTED`: the failed parameter as the Xen-API calls it, and the text that was sent.

use super::failure::{Failure, shown_value};
use super::method::Method;
use crate::core::model::Property;
use crate::wire::xmlrpc::args::Args;
use crate::wire::xmlrpc::value::Value;

/// The core's names of fields of a VM.
const VM_FIELDS: [(&str, &str); 8] = [
    ("name", "name_label"),
    ("memory", "memory_dynamic_max"),
    ("maxmem", "memory_static_max"),
    ("vcpus", "VCPUs_max"),
    ("vcpu_avail", "VCPUs_at_startup"),
    ("cpu_weight", "VCPUs_params"),
    ("cpu_cap", "VCPUs_params"),
    ("image", "PV_kernel"),
];

/// Completes a failure of a call about a value.
pub(crate) fn complete(failure: Failure, method: Method, args: &Args<'_>) -> Failure {
    let Failure::Value { field, sent, reason } = failure else { return failure };
    let named = |name: &str| args.names.iter().position(|one| *one == name);
    // A parameter called `value` is named by its field: VCPUs_params for add_to_VCPUs_params.
    let name_of = |at: usize| match (method, args.names.get(at).copied().unwrap_or_default()) {
        (Method::Set(of) | Method::AddTo(of) | Method::RemoveFrom(of), "value") => of.name,
        (Method::Call(call), "value") => call.field(),
        (_, name) => name,
    };
    let parameter = |at: usize| (name_of(at), args.values.get(at));
    let first = 1 + usize::from(method.is_on_object());
    let vm_field =
        || VM_FIELDS.iter().find(|(core, _)| *core == field).map_or("", |(_, name)| *name);
    let (name, value) = match (method, named(&field)) {
        (Method::Set(_) | Method::AddTo(_) | Method::RemoveFrom(_), Some(at)) => parameter(at),
        (Method::Set(of) | Method::RemoveFrom(of), None) => (of.name, args.values.get(2)),
        (Method::AddTo(of), None) => (of.name, args.values.get(3)),
        (Method::Call(call), _) if sent.is_some() && field == "value" => (call.field(), None),
        _ if sent.is_some() => (field.as_str(), None),
        (_, Some(at)) => parameter(at),
        (_, None) => match (member(args, &field), member(args, vm_field())) {
            (Some(value), _) => (field.as_str(), Some(value)),
            (None, Some(value)) => (vm_field(), Some(value)),
            // The record lacks the member.
            (None, None) if named("record").is_some() && !field.is_empty() => {
                (field.as_str(), None)
            }
            // The reason names a field of the core, or none.
            (None, None) => parameter(first),
        },
    };
    let key = named("key").and_then(|at| args.values.get(at));
    let is_secret = matches!(key, Some(Value::Text(key)) if Property::is_secret_key(key));
    let value =
        value.filter(|value| !is_secret || !matches!(value, Value::Text(_)) || Some(*value) == key);
    let sent = sent.unwrap_or_else(|| shown_value(name, value));
    Failure::Value { field: name.to_owned(), sent: Some(sent), reason }
}

/// A member of a parameter that is a struct.
fn member<'a>(args: &Args<'a>, name: &str) -> Option<&'a Value> {
    let structs = args.values.iter().filter_map(|value| match value {
        Value::Struct(members) => Some(members),
        _ => None,
    });
    structs.flatten().find(|(key, _)| key == name).map(|(_, value)| value)
}
