//! What a class is made of.

use super::failure::{About, Failure};
use super::notes::{self, Kind, Shelf};
use super::world::{Need, World, noted};
use super::{
    cpu_pool, devices, disks, event, hand, host, metrics, network, policy, session, task, vbd, vif,
    vm,
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

    pub(super) fn value(&self, class: &Class, world: &World, uuid: Uuid) -> Option<Value> {
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
                    let new = noted
                        .into_iter()
                        .filter(|(key, _)| !members.iter().any(|(one, _)| one == key));
                    members.extend(new.collect::<Vec<_>>());
                }
                Some(Value::Struct(members))
            }
        }
    }

    pub(super) fn is_map(&self) -> bool {
        matches!((self.get.noted(), self.set), (Some(Kind::Map), Set::Noted))
    }
}

/// Makes something to be done of a call. The parameters are counted from the session, which is the
/// first; the UUID is the object's that the second one names, or the host's if none is named.
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
    pub(super) const fn one(
        name: &'static str,
        takes: &'static [&'static str],
        make: Make,
    ) -> Self {
        Self { name, takes, optional: 0, one: true, needs: &[], make }
    }

    /// Something without one.
    pub(super) const fn free(
        name: &'static str,
        takes: &'static [&'static str],
        make: Make,
    ) -> Self {
        Self { name, takes, optional: 0, one: false, needs: &[], make }
    }

    pub(super) const fn needing(mut self, needs: &'static [Need]) -> Self {
        self.needs = needs;
        self
    }

    /// The field that it sets: `VCPUs_params` of `add_to_VCPUs_params_live`.
    pub(super) fn field(&self) -> &'static str {
        let name = self.name.strip_suffix("_live").unwrap_or(self.name);
        let setters = ["set_", "add_to_", "remove_from_"];
        setters.iter().find_map(|prefix| name.strip_prefix(prefix)).unwrap_or(name)
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

impl Class {
    pub(super) fn exists(&self, world: &World, uuid: Uuid) -> bool {
        self.fields.first().is_some_and(|field| field.value(self, world, uuid).is_some())
            && (self.all)(world).contains(&uuid)
    }

    pub(super) fn record(&self, world: &World, uuid: Uuid) -> Option<Value> {
        let member = |field: &Field| Some((field.name.to_owned(), field.value(self, world, uuid)?));
        Some(Value::Struct(self.fields.iter().map(member).collect::<Option<_>>()?))
    }
}
