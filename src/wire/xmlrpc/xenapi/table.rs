//! What a class is made of.

use super::failure::{About, Failure};
use super::notes::{self, Kind, Shelf};
use super::world::{Need, World, noted, refs};
use super::{
    cpu_pool, devices, disks, event, hand, host, metrics, network, policy, session, task, vbd, vif, vm,
};
use crate::core::model::Uuid;
use crate::core::op::{Op, Outcome};
use crate::wire::xmlrpc::args::Args;
use crate::wire::xmlrpc::value::Value;
use std::time::Duration;

/// All classes.
pub(super) static CLASSES: [&Class; 32] = [
    &session::SESSION,
    &task::TASK,
    &event::EVENT,
    &host::HOST,
    &host::HOST_CPU,
    &host::HOST_METRICS,
    &host::POOL,
    &vm::VM,
    &metrics::VM_METRICS,
    &metrics::VM_GUEST_METRICS,
    &vbd::VBD,
    &metrics::VBD_METRICS,
    &vif::VIF,
    &metrics::VIF_METRICS,
    &devices::VTPM,
    &devices::CONSOLE,
    &network::NETWORK,
    &network::PIF,
    &metrics::PIF_METRICS,
    &disks::SR,
    &disks::VDI,
    &disks::PBD,
    &hand::PPCI,
    &hand::DPCI,
    &hand::PSCSI,
    &hand::PSCSI_HBA,
    &hand::DSCSI,
    &hand::DSCSI_HBA,
    &cpu_pool::CPU_POOL,
    &policy::XSPOLICY,
    &policy::ACMPOLICY,
    &policy::DEBUG,
];

/// A class of objects.
pub(super) struct Class {
    pub(super) name: &'static str,
    /// The objects that there are. Those of a kind that has an order are in it.
    pub(super) all: fn(&World) -> Vec<Uuid>,
    /// What must be looked at to know that.
    pub(super) needs: &'static [Need],
    pub(super) fields: &'static [Field],
    /// What is neither a getter, a setter nor derived from these.
    pub(super) calls: &'static [Call],
    /// Where what is noted on its objects is kept.
    pub(super) shelf: Shelf,
}

/// What a field is, if the object is there.
pub(super) type Getter = fn(&World, Uuid) -> Option<Value>;

/// What a field is made of.
#[derive(Clone, Copy)]
pub(super) enum Get {
    /// Something that is so.
    Of(Getter),
    /// Something that somebody noted; before that it is what the getter says.
    Noted(Kind, Getter),
    /// A map of what is so, and of what somebody noted beside it.
    Beside(Getter),
}

impl Get {
    /// What is noted, if anything is.
    pub(super) const fn noted(self) -> Option<Kind> {
        match self {
            Self::Of(_) => None,
            Self::Noted(kind, _) => Some(kind),
            Self::Beside(_) => Some(Kind::Map),
        }
    }
}

/// How a field is set.
#[derive(Clone, Copy)]
pub(super) enum Set {
    /// It is not.
    Never,
    By(Make),
    /// It is noted, and a map's texts are set one by one, too.
    Noted,
}

/// A field of an object. Its getter is `get_NAME`, and it is in the object's record.
pub(super) struct Field {
    pub(super) name: &'static str,
    pub(super) get: Get,
    /// `set_NAME`, and of a map that is noted `add_to_NAME` and `remove_from_NAME`.
    pub(super) set: Set,
    /// What must be looked at to know it.
    pub(super) needs: &'static [Need],
}

impl Field {
    pub(super) const fn read(name: &'static str, get: Getter) -> Self {
        Self { name, get: Get::Of(get), set: Set::Never, needs: &[] }
    }

    pub(super) const fn written(name: &'static str, get: Getter, set: Make) -> Self {
        Self { name, get: Get::Of(get), set: Set::By(set), needs: &[] }
    }

    /// One that has no effect, and is kept.
    pub(super) const fn noted(name: &'static str, kind: Kind, before: Getter) -> Self {
        Self { name, get: Get::Noted(kind, before), set: Set::Noted, needs: &[] }
    }

    /// A map of what is so, beside which something is noted that has no effect.
    pub(super) const fn beside(name: &'static str, facts: Getter) -> Self {
        Self { name, get: Get::Beside(facts), set: Set::Noted, needs: &[] }
    }

    pub(super) const fn needing(mut self, needs: &'static [Need]) -> Self {
        self.needs = needs;
        self
    }

    /// It is noted when the object is made, and stays as it is.
    pub(super) const fn fixed(mut self) -> Self {
        self.set = Set::Never;
        self
    }

    fn value(&self, class: &Class, world: &World, uuid: Uuid) -> Option<Value> {
        match self.get {
            Get::Of(get) => get(world, uuid),
            Get::Noted(kind, before) => match notes::read(class.shelf, world, uuid, self.name) {
                Some(note) => Some(kind.value(&note)),
                None => before(world, uuid),
            },
            Get::Beside(facts) => {
                let Some(Value::Struct(mut members)) = facts(world, uuid) else { return None };
                let noted = notes::read(class.shelf, world, uuid, self.name).as_ref().map(noted);
                if let Some(Value::Struct(noted)) = noted {
                    let new = noted.into_iter().filter(|(key, _)| !members.iter().any(|(one, _)| one == key));
                    members.extend(new.collect::<Vec<_>>());
                }
                Some(Value::Struct(members))
            }
        }
    }

    fn is_map(&self) -> bool {
        matches!((self.get.noted(), self.set), (Some(Kind::Map), Set::Noted))
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
    /// How many of the last ones can be left out.
    pub(super) optional: usize,
    /// Whether the second one is the object that it is done with.
    pub(super) one: bool,
    /// What must be looked at for it.
    pub(super) needs: &'static [Need],
    pub(super) make: Make,
}

impl Call {
    /// Something with an object.
    pub(super) const fn one(name: &'static str, takes: &'static [&'static str], make: Make) -> Self {
        Self { name, takes, optional: 0, one: true, needs: &[], make }
    }

    /// Something without one.
    pub(super) const fn free(name: &'static str, takes: &'static [&'static str], make: Make) -> Self {
        Self { name, takes, optional: 0, one: false, needs: &[], make }
    }

    pub(super) const fn needing(mut self, needs: &'static [Need]) -> Self {
        self.needs = needs;
        self
    }

    /// So many of the last parameters can be left out.
    pub(super) const fn optional(mut self, count: usize) -> Self {
        self.optional = count;
        self
    }
}

/// What is told of what came back.
pub(super) type Tell = Box<dyn FnOnce(Vec<Outcome>) -> Value + Send>;

/// What is to be done.
pub(super) enum Work {
    /// Nothing: this is the answer.
    Said(Value),
    /// The session ends.
    LogOut,
    /// It is waited for something to happen.
    NextEvent,
    /// It is waited.
    Wait(Duration),
    /// One operation after the other.
    Ask { ops: Vec<Op>, about: About, tell: Tell },
}

impl Work {
    /// One operation after the other, of which nothing is told.
    pub(super) fn silent(ops: Vec<Op>, about: About) -> Self {
        Self::Ask { ops, about, tell: Box::new(|_| Value::Nil) }
    }

    /// The same, after which there is a new object.
    pub(super) fn makes(ops: Vec<Op>, about: About, uuid: Uuid) -> Self {
        Self::Ask { ops, about, tell: Box::new(move |_| Value::text(uuid.to_string())) }
    }
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
            Self::Record | Self::Get(_) | Self::Set(_) | Self::AddTo(_) | Self::RemoveFrom(_) => true,
            Self::Call(call) => call.one,
        }
    }

    /// Whether its one value is what a field is to be.
    pub(super) fn is_setter(self) -> bool {
        match self {
            Self::Set(_) | Self::AddTo(_) | Self::RemoveFrom(_) => true,
            Self::Call(call) => call.name.starts_with("set_"),
            Self::All | Self::AllRecords | Self::Record | Self::ByUuid | Self::ByNameLabel | Self::Get(_) => {
                false
            }
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
                let has = |uuid: &Uuid| label.is_some_and(|label| label.value(class, world, *uuid) == wanted);
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
}

impl Class {
    pub(super) fn exists(&self, world: &World, uuid: Uuid) -> bool {
        self.fields.first().is_some_and(|field| field.value(self, world, uuid).is_some())
            && (self.all)(world).contains(&uuid)
    }

    fn record(&self, world: &World, uuid: Uuid) -> Option<Value> {
        let member = |field: &Field| Some((field.name.to_owned(), field.value(self, world, uuid)?));
        Some(Value::Struct(self.fields.iter().map(member).collect::<Option<_>>()?))
    }

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
                .or_else(|| field("set_").filter(|field| !matches!(field.set, Set::Never)).map(Doing::Set))
                .or_else(|| field("add_to_").filter(|field| field.is_map()).map(Doing::AddTo))
                .or_else(|| field("remove_from_").filter(|field| field.is_map()).map(Doing::RemoveFrom)),
        }
    }

    /// The names of its methods.
    fn methods(&'static self) -> Vec<String> {
        let derived = ["get_all", "get_all_records", "get_record", "get_by_uuid", "get_by_name_label"];
        let mut all: Vec<String> =
            derived.into_iter().filter(|method| self.doing(method).is_some()).map(str::to_owned).collect();
        for field in self.fields {
            for prefix in ["get_", "set_", "add_to_", "remove_from_"] {
                let method = format!("{prefix}{}", field.name);
                let named = |call: &Call| call.name == method;
                if self.doing(&method).is_some() && !self.calls.iter().any(named) {
                    all.push(method);
                }
            }
        }
        let more = self.calls.iter().map(|call| call.name.to_owned()).filter(|name| !all.contains(name));
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
            if class.doing(&method).is_some_and(|doing| doing.can_be_a_task()) {
                all.push(format!("Async.{}.{method}", class.name));
            }
        }
    }
    all
}
