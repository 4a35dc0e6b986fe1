//! Methods of a class: its calls, and the getters, setters, records and lists that derive from its
//! fields.

use super::client_data;
use super::failure::Failure;
use super::fetched::Need;
use super::host_view::HostView;
use super::hosts::XenApiHosts;
use super::printed::List;
use super::read_field::{read_field, read_record};
use super::references::find_object;
use super::schema::{Action, Class, ClassCall, Field, Setter, Source};
use super::values::{refs, text};
use crate::core::model::Uuid;
use crate::core::rights::OpKind;
use crate::wire::xmlrpc::args::Args;
use crate::wire::xmlrpc::value::Value;
use std::ops::RangeInclusive;

/// Names of derived methods that do not belong to a field.
const DERIVED: [&str; 5] =
    ["get_all", "get_all_records", "get_record", "get_by_uuid", "get_by_name_label"];

/// A method of a class.
#[derive(Clone, Copy)]
pub(crate) enum Method {
    GetAll,
    GetAllRecords,
    GetRecord,
    GetByUuid,
    GetByNameLabel,
    Get(&'static Field),
    Set(&'static Field),
    AddTo(&'static Field),
    RemoveFrom(&'static Field),
    Call(&'static ClassCall),
}

/// The field with the label of a class's objects.
pub(crate) fn label(class: &Class) -> Option<&'static Field> {
    class.fields.iter().find(|field| field.name == "name_label")
}

impl Method {
    /// The method of a class with this name.
    pub(crate) fn find(class: &Class, name: &str) -> Option<Self> {
        if let Some(call) = class.calls.iter().find(|call| call.name == name) {
            return Some(Self::Call(call));
        }
        let field = |prefix: &str| {
            let name = name.strip_prefix(prefix)?;
            class.fields.iter().find(|field| field.name == name)
        };
        let get = || field("get_").map(Self::Get);
        let settable = |field: &&Field| !matches!(field.setter, Setter::ReadOnly);
        let set = || field("set_").filter(settable).map(Self::Set);
        let map = |prefix| field(prefix).filter(|field| field.is_settable_map());
        match name {
            "get_all" => Some(Self::GetAll),
            "get_all_records" if class.name != "session" => Some(Self::GetAllRecords),
            "get_record" => Some(Self::GetRecord),
            "get_by_uuid" => Some(Self::GetByUuid),
            "get_by_name_label" if label(class).is_some() => Some(Self::GetByNameLabel),
            _ => get()
                .or_else(set)
                .or_else(|| map("add_to_").map(Self::AddTo))
                .or_else(|| map("remove_from_").map(Self::RemoveFrom)),
        }
    }

    /// The names of a class's methods.
    pub(crate) fn names(class: &Class) -> Vec<String> {
        let exists = |name: &str| Self::find(class, name).is_some();
        let derived = DERIVED.into_iter().filter(|name| exists(name)).map(str::to_owned);
        let mut all: Vec<String> = derived.collect();
        for field in class.fields {
            for prefix in ["get_", "set_", "add_to_", "remove_from_"] {
                let name = format!("{prefix}{}", field.name);
                let is_call = class.calls.iter().any(|call| call.name == name);
                if exists(&name) && !is_call {
                    all.push(name);
                }
            }
        }
        let calls = class.calls.iter().map(|call| call.name.to_owned());
        let calls: Vec<String> = calls.filter(|name| !all.contains(name)).collect();
        all.extend(calls);
        all
    }

    /// The names of the parameters, the session first.
    pub(crate) fn params(self) -> &'static [&'static str] {
        match self {
            Self::GetAll | Self::GetAllRecords => &["session"],
            Self::GetRecord | Self::Get(_) => &["session", "self"],
            Self::GetByUuid => &["session", "uuid"],
            Self::GetByNameLabel => &["session", "label"],
            Self::Set(_) => &["session", "self", "value"],
            Self::AddTo(_) => &["session", "self", "key", "value"],
            Self::RemoveFrom(_) => &["session", "self", "key"],
            Self::Call(call) => call.params,
        }
    }

    /// The smallest and the largest number of parameters.
    pub(crate) fn param_count(self) -> RangeInclusive<usize> {
        let most = self.params().len();
        let optional = if let Self::Call(call) = self { call.optional } else { 0 };
        most - optional..=most
    }

    /// Whether the second parameter is an object of the class.
    pub(crate) fn is_on_object(self) -> bool {
        match self {
            Self::GetAll | Self::GetAllRecords | Self::GetByUuid | Self::GetByNameLabel => false,
            Self::GetRecord
            | Self::Get(_)
            | Self::Set(_)
            | Self::AddTo(_)
            | Self::RemoveFrom(_) => true,
            Self::Call(call) => call.on_object,
        }
    }

    /// Whether it can be called as `Async.*`: getters and setters cannot.
    pub(crate) fn can_be_task(self) -> bool {
        !matches!(self, Self::Get(_) | Self::Set(_))
    }

    /// Whether clients may call it where these hosts are shown.
    pub(crate) fn is_offered(self, hosts: XenApiHosts) -> bool {
        match self {
            Self::Call(call) => !call.of_fleet || hosts == XenApiHosts::Fleet,
            _ => true,
        }
    }

    /// What the caller must be allowed to do, and the name of the method for the refusal.
    pub(crate) fn required(self) -> Option<(OpKind, &'static str)> {
        match self {
            Self::Call(call) => call.requires.map(|kind| (kind, call.name)),
            _ => None,
        }
    }

    /// The facts that it reads beside those that its class always needs.
    pub(crate) fn needs(self, class: &Class) -> Vec<Need> {
        let of_field = |field: &Field| field.needs.to_vec();
        match self {
            // Those of lists are fetched when a list is made.
            Self::GetAll | Self::GetAllRecords | Self::GetByUuid => vec![],
            Self::GetRecord => class.fields.iter().flat_map(|field| field.needs).copied().collect(),
            Self::GetByNameLabel => label(class).map(of_field).unwrap_or_default(),
            Self::Get(field) => of_field(field),
            // A value sent for a fact must be the present one, so the facts are needed.
            Self::Set(field) | Self::AddTo(field) | Self::RemoveFrom(field) => match field.source {
                Source::FactsAndClientData(_) => of_field(field),
                Source::Fact(_) | Source::ClientData(..) => vec![],
            },
            Self::Call(call) => call.needs.to_vec(),
        }
    }

    /// Turns a call of the method into an action. `object` is the one that the second parameter
    /// names.
    pub(crate) fn make(
        self,
        class: &Class,
        host: &HostView,
        object: Option<Uuid>,
        args: &Args<'_>,
    ) -> Result<Action, Failure> {
        let uuid = object.unwrap_or(host.host);
        let store = class.data_store;
        Ok(Action::Answer(match self {
            Self::GetAll => return Ok(Action::List(List::References)),
            Self::GetAllRecords => return Ok(Action::List(List::Records)),
            Self::GetRecord => read_record(class, host, uuid)?,
            Self::GetByUuid => {
                let check = |uuid| (class.check)(host, uuid);
                text(&find_object(class.name, &args.text(1)?, check)?)
            }
            Self::GetByNameLabel => {
                let label = args.text(1)?;
                match class.by_label {
                    // Other hosts may have one as well.
                    Some(find) if !host.shows_fleet() => refs(find(host, &label)),
                    _ => return Ok(Action::FindByLabel(label)),
                }
            }
            Self::Get(field) => read_field(class, field, host, uuid)?,
            Self::Set(field) => {
                return match field.setter {
                    Setter::By(make) => make(host, uuid, args),
                    Setter::ReadOnly | Setter::ClientData => {
                        client_data::set(store, host, uuid, field, args)
                    }
                };
            }
            // A nil value changes nothing.
            Self::AddTo(_) if args.is_nil(3) => Value::Nil,
            Self::AddTo(field) => {
                let key = args.text(2)?;
                let value = Some(args.text(3)?);
                return client_data::set_entry(store, host, uuid, field, key, value);
            }
            Self::RemoveFrom(field) => {
                return client_data::set_entry(store, host, uuid, field, args.text(2)?, None);
            }
            Self::Call(call) => return (call.make)(host, uuid, args),
        }))
    }
}
