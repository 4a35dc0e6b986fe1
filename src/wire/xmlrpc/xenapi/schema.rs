//! The types of the table of classes: fields with their getters and setters, and calls.

use super::failure::{Failure, FailureContext};
use super::fetched::Need;
use super::host_view::HostView;
use super::hosts::ChosenHost;
use super::inputs::Inputs;
use super::plugins::PluginCall;
use super::printed::List;
use crate::core::model::{DomName, Uuid};
use crate::core::op::Change;
use crate::core::rights::OpKind;
use crate::wire::xmlrpc::args::Args;
use crate::wire::xmlrpc::value::Value;
use std::time::Duration;

/// A class of objects.
pub(crate) struct Class {
    pub(crate) name: &'static str,
    /// All objects, in their order if they have one.
    pub(crate) all: fn(&HostView) -> Result<Vec<Uuid>, Failure>,
    /// Fails with `HANDLE_INVALID` if there is no such object.
    pub(crate) check: fn(&HostView, Uuid) -> Result<(), Failure>,
    /// Finds objects by `name_label` without reading all of them, where that is possible.
    pub(crate) by_label: Option<fn(&HostView, &str) -> Vec<Uuid>>,
    /// The facts that `all` and `check` read.
    pub(crate) needs: &'static [Need],
    pub(crate) data_store: DataStore,
    /// Finds what an object's record is made from; `None` for a class whose records are printed
    /// anew for each call. A class whose objects are as many as VMs or disks should have it.
    pub(crate) inputs: Option<ReadInputs>,
    pub(crate) fields: &'static [Field],
    /// Calls that do not derive from fields. One with the name of a derived call replaces it.
    pub(crate) calls: &'static [ClassCall],
}

impl Class {
    /// A class without objects, fields and calls.
    pub(crate) const EMPTY: Self = Self {
        name: "",
        all: |_| Ok(vec![]),
        check: |_, uuid| Err(Failure::no_object("", &uuid)),
        by_label: None,
        needs: &[],
        data_store: DataStore::Inventory,
        inputs: None,
        fields: &[],
        calls: &[],
    };

    /// Whether a fleet shows objects of other hosts.
    pub(crate) fn is_in_fleet(&self) -> bool {
        self.fields.iter().any(|field| field.in_fleet)
    }
}

/// Where client data of a class's objects is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DataStore {
    /// In the VM's configuration.
    Vm,
    /// In the VM's configuration, with the device.
    Device,
    Inventory,
}

/// The type of a field with client data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DataType {
    Text,
    Flag,
    /// Texts by their keys.
    Map,
}

/// Finds what an object's record is made from.
pub(crate) type ReadInputs = fn(&HostView, Uuid) -> Result<Inputs, Failure>;

/// Reads a field of an object.
pub(crate) type Getter = fn(&HostView, Uuid) -> Result<Value, Failure>;

/// The source of a field's value.
#[derive(Clone, Copy)]
pub(crate) enum Source {
    Fact(Getter),
    /// Client data, which has no effect; the getter's value until a client sets it.
    ClientData(DataType, Getter),
    /// A map of facts, with client data under other keys.
    FactsAndClientData(Getter),
}

impl Source {
    /// The type of its client data; `None` if it has none.
    pub(crate) const fn client_data(self) -> Option<DataType> {
        match self {
            Self::Fact(_) => None,
            Self::ClientData(kind, _) => Some(kind),
            Self::FactsAndClientData(_) => Some(DataType::Map),
        }
    }
}

/// How a field is set.
#[derive(Clone, Copy)]
pub(crate) enum Setter {
    ReadOnly,
    By(Make),
    /// As client data. The entries of a map can be set one by one.
    ClientData,
}

/// A field of an object: a member of its record, with the getter `get_NAME`.
pub(crate) struct Field {
    pub(crate) name: &'static str,
    pub(crate) source: Source,
    /// `set_NAME`, and for a map of client data `add_to_NAME` and `remove_from_NAME`.
    pub(crate) setter: Setter,
    /// The facts that the getter reads.
    pub(crate) needs: &'static [Need],
    /// Whether a fleet knows it of the objects of other hosts.
    pub(crate) in_fleet: bool,
}

impl Field {
    const fn new(name: &'static str, source: Source, setter: Setter) -> Self {
        Self { name, source, setter, needs: &[], in_fleet: false }
    }

    pub(crate) const fn read(name: &'static str, get: Getter) -> Self {
        Self::new(name, Source::Fact(get), Setter::ReadOnly)
    }

    pub(crate) const fn read_write(name: &'static str, get: Getter, set: Make) -> Self {
        Self::new(name, Source::Fact(get), Setter::By(set))
    }

    pub(crate) const fn client_data(name: &'static str, kind: DataType, initial: Getter) -> Self {
        Self::new(name, Source::ClientData(kind, initial), Setter::ClientData)
    }

    pub(crate) const fn facts_and_client_data(name: &'static str, facts: Getter) -> Self {
        Self::new(name, Source::FactsAndClientData(facts), Setter::ClientData)
    }

    pub(crate) const fn needing(mut self, needs: &'static [Need]) -> Self {
        self.needs = needs;
        self
    }

    /// A field that a fleet knows of the objects of other hosts.
    pub(crate) const fn in_fleet(mut self) -> Self {
        self.in_fleet = true;
        self
    }

    /// Client data that is given when the object is created, and stays.
    pub(crate) const fn fixed(mut self) -> Self {
        self.setter = Setter::ReadOnly;
        self
    }

    /// Whether its entries can be set one by one.
    pub(crate) fn is_settable_map(&self) -> bool {
        matches!(
            (self.source.client_data(), self.setter),
            (Some(DataType::Map), Setter::ClientData)
        )
    }
}

/// Turns a call into an action. Parameters are counted from the session, which is the first. The
/// UUID is the object's that the second one names; the host's for a call without an object.
pub(crate) type Make = fn(&HostView, Uuid, &Args<'_>) -> Result<Action, Failure>;

/// A call that does not derive from a field.
pub(crate) struct ClassCall {
    pub(crate) name: &'static str,
    /// The names of the parameters, the session first.
    pub(crate) params: &'static [&'static str],
    /// The number of optional parameters, which are the last ones.
    pub(crate) optional: usize,
    /// Whether the second parameter is an object of the class.
    pub(crate) on_object: bool,
    /// What the caller must be allowed to do. `None` where the engine checks it, or what a caller
    /// sees depends on it.
    pub(crate) requires: Option<OpKind>,
    /// The facts that `make` reads.
    pub(crate) needs: &'static [Need],
    /// Whether it is only there where the hosts of a fleet are shown.
    pub(crate) of_fleet: bool,
    pub(crate) make: Make,
}

impl ClassCall {
    const fn new(
        name: &'static str,
        params: &'static [&'static str],
        on_object: bool,
        make: Make,
    ) -> Self {
        Self {
            name,
            params,
            optional: 0,
            on_object,
            requires: None,
            needs: &[],
            of_fleet: false,
            make,
        }
    }

    /// A call for one object.
    pub(crate) const fn on_object(
        name: &'static str,
        params: &'static [&'static str],
        make: Make,
    ) -> Self {
        Self::new(name, params, true, make)
    }

    /// A call without an object, such as `create`.
    pub(crate) const fn on_class(
        name: &'static str,
        params: &'static [&'static str],
        make: Make,
    ) -> Self {
        Self::new(name, params, false, make)
    }

    pub(crate) const fn needing(mut self, needs: &'static [Need]) -> Self {
        self.needs = needs;
        self
    }

    /// A call that is refused at once to callers who may not do this.
    pub(crate) const fn requiring(mut self, kind: OpKind) -> Self {
        self.requires = Some(kind);
        self
    }

    /// A call that is only there where the hosts of a fleet are shown.
    pub(crate) const fn of_fleet(mut self) -> Self {
        self.of_fleet = true;
        self
    }

    pub(crate) const fn optional(mut self, count: usize) -> Self {
        self.optional = count;
        self
    }

    /// The field that it sets: `VCPUs_params` of `add_to_VCPUs_params_live`.
    pub(crate) fn field(&self) -> &'static str {
        let name = self.name.strip_suffix("_live").unwrap_or(self.name);
        let setters = ["set_", "add_to_", "remove_from_"];
        setters.iter().find_map(|prefix| name.strip_prefix(prefix)).unwrap_or(name)
    }
}

/// The action that a call asks for.
pub(crate) enum Action {
    /// The answer is known.
    Answer(Value),
    /// List all objects of the class.
    List(List),
    /// List the objects of the class that have this label.
    FindByLabel(String),
    /// Changes for the engine, one after the other until one fails.
    Execute {
        changes: Vec<Change>,
        context: FailureContext,
        /// The answer if none fails.
        answer: Value,
    },
    /// Changes of which the last one defines a VM of this name. The answer is its reference.
    Define {
        changes: Vec<Change>,
        context: FailureContext,
        name: DomName,
    },
    /// Find the host that the call names, and change the VM.
    OnHost(OnHost),
    /// Migrate all VMs that run on this host to others.
    Evacuate,
    /// Call a plug-in of the host.
    CallPlugin(PluginCall),
    LogOut,
    /// Wait for the next events.
    NextEvent,
    Wait(Duration),
    /// Answer with the names of all methods.
    ListMethods,
    /// Answer with the daemon's log.
    ReadLog,
    /// Answer with the hypervisor's messages.
    ReadDmesg {
        /// Whether to clear them afterwards.
        clear: bool,
    },
}

/// Turns such a call into a change.
pub(crate) type MakeOnHost =
    fn(&HostView, Uuid, &ChosenHost, bool) -> Result<(Change, FailureContext), Failure>;

/// A call about a VM that names a host of the fleet.
pub(crate) struct OnHost {
    pub(crate) vm: Uuid,
    /// The reference of the host, or its name in the fleet.
    pub(crate) host: String,
    /// The option of the call: whether the VM is paused then, or goes on meanwhile.
    pub(crate) option: bool,
    pub(crate) make: MakeOnHost,
}

impl Action {
    /// Changes without an answer.
    pub(crate) fn execute(changes: Vec<Change>, context: FailureContext) -> Self {
        Self::Execute { changes, context, answer: Value::Nil }
    }

    /// Changes that create an object.
    pub(crate) fn create(changes: Vec<Change>, context: FailureContext, uuid: Uuid) -> Self {
        Self::Execute { changes, context, answer: Value::text(uuid.to_string()) }
    }
}
