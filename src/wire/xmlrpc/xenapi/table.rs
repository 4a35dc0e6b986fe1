//! What a class is made of.

use super::devices::{CONSOLE, VBD, VIF};
use super::event::EVENT;
use super::failure::{About, Failure};
use super::host::{HOST, HOST_CPU, HOST_METRICS, POOL};
use super::metrics::VM_METRICS;
use super::session::SESSION;
use super::task::TASK;
use super::vm::VM;
use super::world::World;
use crate::core::model::Uuid;
use crate::core::op::{Op, Outcome};
use crate::wire::xmlrpc::args::Args;
use crate::wire::xmlrpc::value::Value;

/// All classes.
pub(super) static CLASSES: [&Class; 12] =
    [&SESSION, &TASK, &EVENT, &HOST, &HOST_CPU, &HOST_METRICS, &POOL, &VM, &VM_METRICS, &VBD, &VIF, &CONSOLE];

/// A class of objects.
pub(super) struct Class {
    pub(super) name: &'static str,
    /// The objects that there are. Those of a kind that has an order are in it.
    pub(super) all: fn(&World) -> Vec<Uuid>,
    pub(super) fields: &'static [Field],
    /// What is neither a getter, a setter nor derived from these.
    pub(super) calls: &'static [Call],
}

/// A field of an object. Its getter is `get_NAME`, and it is in the object's record.
pub(super) struct Field {
    pub(super) name: &'static str,
    /// What it is; none if the object has gone.
    pub(super) get: fn(&World, Uuid) -> Option<Value>,
    /// `set_NAME`
    pub(super) set: Option<Make>,
}

impl Field {
    pub(super) const fn read(name: &'static str, get: fn(&World, Uuid) -> Option<Value>) -> Self {
        Self { name, get, set: None }
    }

    pub(super) const fn written(
        name: &'static str,
        get: fn(&World, Uuid) -> Option<Value>,
        set: Make,
    ) -> Self {
        Self { name, get, set: Some(set) }
    }
}

/// Makes something to be done of a call. The parameters are counted from the session, which is the first; the UUID is the
/// object's that the second one names, or the host's if none is named.
pub(super) type Make = fn(&World, Uuid, &Args<'_>) -> Result<Work, Failure>;

/// Something else that can be called.
pub(super) struct Call {
    pub(super) name: &'static str,
    /// The names of its parameters, the session first.
    pub(super) takes: &'static [&'static str],
    /// Whether the second one is the object that it is done with.
    pub(super) one: bool,
    pub(super) make: Make,
}

/// What is to be done.
pub(super) enum Work {
    /// Nothing: this is the answer.
    Said(Value),
    /// The session ends.
    LogOut,
    /// It is waited for something to happen.
    NextEvent,
    /// One operation after the other.
    Ask { ops: Vec<Op>, about: About, tell: fn(Vec<Outcome>) -> Value },
}

/// What a call's name means.
#[derive(Clone, Copy)]
pub(super) enum Doing {
    All,
    AllRecords,
    Record,
    ByUuid,
    ByNameLabel,
    Get(&'static Field),
    Set(Make),
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
            Self::Call(call) => call.takes,
        }
    }

    pub(super) fn takes(self) -> usize {
        self.names().len()
    }

    /// Whether the second parameter is an object of the class.
    pub(super) fn is_about_one(self) -> bool {
        match self {
            Self::All | Self::AllRecords | Self::ByUuid | Self::ByNameLabel => false,
            Self::Record | Self::Get(_) | Self::Set(_) => true,
            Self::Call(call) => call.one,
        }
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
        let texts = |all: Vec<Uuid>| {
            Value::Array(all.into_iter().map(|uuid| Value::text(uuid.to_string())).collect())
        };
        Ok(Work::Said(match self {
            Self::All => texts((class.all)(world)),
            Self::AllRecords => {
                let records = (class.all)(world).into_iter();
                // One that goes away meanwhile is left out.
                let records = records.filter_map(|uuid| Some((uuid.to_string(), class.record(world, uuid)?)));
                Value::Struct(records.collect())
            }
            Self::Record => class.record(world, uuid).ok_or_else(gone)?,
            Self::ByUuid => {
                let text = args.text(1)?;
                let found = Uuid::try_parse(&text).ok().filter(|uuid| class.exists(world, *uuid));
                let found = found.ok_or_else(|| Failure::new("HANDLE_INVALID", [class.name, &text]))?;
                Value::text(found.to_string())
            }
            Self::ByNameLabel => {
                let wanted = Some(Value::text(args.text(1)?));
                let label = class.fields.iter().find(|field| field.name == "name_label");
                let has = |uuid: &Uuid| label.is_some_and(|label| (label.get)(world, *uuid) == wanted);
                texts((class.all)(world).into_iter().filter(has).collect())
            }
            Self::Get(field) => (field.get)(world, uuid).ok_or_else(gone)?,
            Self::Set(make) => return make(world, uuid, args),
            Self::Call(call) => return (call.make)(world, uuid, args),
        }))
    }
}

impl Class {
    pub(super) fn exists(&self, world: &World, uuid: Uuid) -> bool {
        self.fields.first().is_some_and(|field| (field.get)(world, uuid).is_some())
            && (self.all)(world).contains(&uuid)
    }

    fn record(&self, world: &World, uuid: Uuid) -> Option<Value> {
        let member = |field: &Field| Some((field.name.to_owned(), (field.get)(world, uuid)?));
        Some(Value::Struct(self.fields.iter().map(member).collect::<Option<_>>()?))
    }
}

/// All calls by their names: what `host.list_methods` answers, and what a client can try.
pub(super) fn methods() -> Vec<String> {
    let mut all = vec!["session.login_with_password".to_owned()];
    for class in CLASSES {
        let mut add = |method: &str| all.push(format!("{}.{method}", class.name));
        for derived in ["get_all", "get_all_records", "get_record", "get_by_uuid", "get_by_name_label"] {
            if class.doing(derived).is_some() {
                add(derived);
            }
        }
        for field in class.fields {
            add(&format!("get_{}", field.name));
            if field.set.is_some() {
                add(&format!("set_{}", field.name));
            }
        }
        for call in class.calls {
            add(call.name);
        }
    }
    all
}
