//! What a call's name means for a class: the getters, setters, records and lists that derive from
//! its fields.

use super::failure::Failure;
use super::notes;
use super::table::{CLASSES, Call, Class, Field, Set, Work};
use super::world::{Need, World, refs};
use crate::core::model::Uuid;
use crate::wire::xmlrpc::args::Args;
use crate::wire::xmlrpc::value::Value;

/// What a call's name means.
#[derive(Clone, Copy)]
pub(super) enum Doing {
    All,
    AllRecords,
    Record,
    ByUuid,
    ByNameLabel,
    Get(&'static Field),
    Set(&'static Field),
    AddTo(&'static Field),
    RemoveFrom(&'static Field),
    Call(&'static Call),
}

impl Doing {
    /// The names of the parameters.
    pub(super) fn names(self) -> &'static [&'static str] {
        match self {
            Self::All | Self::AllRecords => &["session"],
            Self::Record | Self::Get(_) => &["session", "self"],
            Self::ByUuid => &["session", "uuid"],
            Self::ByNameLabel => &["session", "label"],
            Self::Set(_) => &["session", "self", "value"],
            Self::AddTo(_) => &["session", "self", "key", "value"],
            Self::RemoveFrom(_) => &["session", "self", "key"],
            Self::Call(call) => call.takes,
        }
    }

    /// How many parameters there can be.
    pub(super) fn takes(self) -> std::ops::RangeInclusive<usize> {
        let most = self.names().len();
        let optional = if let Self::Call(call) = self { call.optional } else { 0 };
        most - optional..=most
    }

    /// Whether the second parameter is an object of the class.
    pub(super) fn is_about_one(self) -> bool {
        match self {
            Self::All | Self::AllRecords | Self::ByUuid | Self::ByNameLabel => false,
            Self::Record | Self::Get(_) | Self::Set(_) | Self::AddTo(_) | Self::RemoveFrom(_) => {
                true
            }
            Self::Call(call) => call.one,
        }
    }

    /// What must be looked at before it can be done.
    pub(super) fn needs(self, class: &Class) -> Vec<Need> {
        let label = || class.fields.iter().filter(|field| field.name == "name_label");
        let fields: Vec<&Field> = match self {
            Self::All
            | Self::ByUuid
            | Self::Set(_)
            | Self::AddTo(_)
            | Self::RemoveFrom(_)
            | Self::Call(_) => vec![],
            Self::AllRecords | Self::Record => class.fields.iter().collect(),
            Self::ByNameLabel => label().collect(),
            Self::Get(field) => vec![field],
        };
        let call = if let Self::Call(call) = self { call.needs } else { &[] };
        let mut needs = class.needs.to_vec();
        for need in fields.into_iter().flat_map(|field| field.needs).chain(call) {
            if !needs.contains(need) {
                needs.push(*need);
            }
        }
        needs
    }

    pub(super) fn make(
        self,
        class: &Class,
        world: &World,
        one: Option<Uuid>,
        args: &Args<'_>,
    ) -> Result<Work, Failure> {
        let uuid = one.unwrap_or(world.host);
        let gone = || Failure::new("HANDLE_INVALID", [class.name, &uuid.to_string()]);
        Ok(Work::Said(match self {
            Self::All => refs((class.all)(world)),
            Self::AllRecords => {
                let records = (class.all)(world).into_iter();
                // One that goes away meanwhile is left out.
                let records =
                    records.filter_map(|uuid| Some((uuid.to_string(), class.record(world, uuid)?)));
                Value::Struct(records.collect())
            }
            Self::Record => class.record(world, uuid).ok_or_else(gone)?,
            Self::ByUuid => {
                let text = args.text(1)?;
                let found = Uuid::try_parse(&text).ok().filter(|uuid| class.exists(world, *uuid));
                let found =
                    found.ok_or_else(|| Failure::new("HANDLE_INVALID", [class.name, &text]))?;
                Value::text(found.to_string())
            }
            Self::ByNameLabel => {
                let wanted = Some(Value::text(args.text(1)?));
                let label = class.fields.iter().find(|field| field.name == "name_label");
                let has = |uuid: &Uuid| {
                    label.is_some_and(|label| label.value(class, world, *uuid) == wanted)
                };
                refs((class.all)(world).into_iter().filter(has))
            }
            Self::Get(field) => field.value(class, world, uuid).ok_or_else(gone)?,
            Self::Set(field) => {
                return match field.set {
                    Set::By(make) => make(world, uuid, args),
                    Set::Never | Set::Noted => notes::set(class.shelf, world, uuid, field, args),
                };
            }
            // Nothing is to change.
            Self::AddTo(_) if args.is_nil(3) => return Ok(Work::Said(Value::Nil)),
            Self::AddTo(field) => {
                let (key, value) = (args.text(2)?, Some(args.text(3)?));
                return notes::set_entry(class.shelf, world, uuid, field, key, value);
            }
            Self::RemoveFrom(field) => {
                return notes::set_entry(class.shelf, world, uuid, field, args.text(2)?, None);
            }
            Self::Call(call) => return (call.make)(world, uuid, args),
        }))
    }

    /// Methods can be, and what lists and finds; getters and setters cannot.
    pub(super) fn can_be_a_task(self) -> bool {
        match self {
            Self::Get(_) | Self::Set(_) => false,
            Self::All
            | Self::AllRecords
            | Self::Record
            | Self::ByUuid
            | Self::ByNameLabel
            | Self::AddTo(_)
            | Self::RemoveFrom(_)
            | Self::Call(_) => true,
        }
    }
}

impl Class {
    /// What a method's name means for this class.
    pub(super) fn doing(&'static self, method: &str) -> Option<Doing> {
        if let Some(call) = self.calls.iter().find(|call| call.name == method) {
            return Some(Doing::Call(call));
        }
        let field = |prefix: &str| {
            let name = method.strip_prefix(prefix)?;
            self.fields.iter().find(|field| field.name == name)
        };
        match method {
            "get_all" => Some(Doing::All),
            "get_all_records" if self.name != "session" => Some(Doing::AllRecords),
            "get_record" => Some(Doing::Record),
            "get_by_uuid" => Some(Doing::ByUuid),
            "get_by_name_label" if self.fields.iter().any(|field| field.name == "name_label") => {
                Some(Doing::ByNameLabel)
            }
            _ => (field("get_").map(Doing::Get))
                .or_else(|| {
                    field("set_").filter(|field| !matches!(field.set, Set::Never)).map(Doing::Set)
                })
                .or_else(|| field("add_to_").filter(|field| field.is_map()).map(Doing::AddTo))
                .or_else(|| {
                    field("remove_from_").filter(|field| field.is_map()).map(Doing::RemoveFrom)
                }),
        }
    }

    /// The names of its methods.
    fn methods(&'static self) -> Vec<String> {
        let derived =
            ["get_all", "get_all_records", "get_record", "get_by_uuid", "get_by_name_label"];
        let mut all: Vec<String> = derived
            .into_iter()
            .filter(|method| self.doing(method).is_some())
            .map(str::to_owned)
            .collect();
        for field in self.fields {
            for prefix in ["get_", "set_", "add_to_", "remove_from_"] {
                let method = format!("{prefix}{}", field.name);
                let named = |call: &Call| call.name == method;
                if self.doing(&method).is_some() && !self.calls.iter().any(named) {
                    all.push(method);
                }
            }
        }
        let more =
            self.calls.iter().map(|call| call.name.to_owned()).filter(|name| !all.contains(name));
        let more: Vec<String> = more.collect();
        all.extend(more);
        all
    }
}

/// All calls by their names: what `host.list_methods` answers, and what a client can try.
pub(super) fn methods() -> Vec<String> {
    let mut all = vec!["session.login_with_password".to_owned()];
    for class in CLASSES {
        for method in class.methods() {
            all.push(format!("{}.{method}", class.name));
            if class.doing(&method).is_some_and(Doing::can_be_a_task) {
                all.push(format!("Async.{}.{method}", class.name));
            }
        }
    }
    all
}
