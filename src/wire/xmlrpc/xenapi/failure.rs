//! What goes wrong, in the Xen-API's codes.

use super::doing::Doing;
use crate::core::error::Error;
use crate::core::model::Property;
use crate::wire::xmlrpc::args::{Args, Unfit};
use crate::wire::xmlrpc::value::Value;

/// A failed call. Everything that an answer says of it is text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Failure {
    /// A code with its parameters.
    Code(&'static str, Vec<String>),
    /// `VALUE_NOT_SUPPORTED`.
    Value {
        /// The field, or the parameter.
        field: String,
        /// What was sent; `None` until the call is looked at.
        sent: Option<String>,
        reason: String,
    },
}

/// What an operation was about, for errors that name it.
#[derive(Debug, Clone, Default)]
pub(super) struct About {
    /// The VM's reference.
    pub(super) vm: String,
    /// What it is.
    pub(super) power_state: &'static str,
    /// What it should have been.
    pub(super) wanted: &'static str,
    /// The class of what has a name, if it is no VM.
    pub(super) class: Option<&'static str>,
    /// The field at fault where a reason names none.
    pub(super) field: &'static str,
    /// A code of its own for what goes wrong.
    pub(super) instead: Option<Instead>,
}

/// The code of a class for what goes wrong with one of its objects.
#[derive(Debug, Clone)]
pub(super) enum Instead {
    /// Whatever it is, with the message.
    Message(&'static str),
    /// Where the hypervisor failed, with the message.
    WhereItFailed(&'static str),
    /// Whatever it is, with the message and the object's reference.
    MessageAndObject(&'static str, String),
}

/// What the core calls things that are fields of a VM.
const FIELDS: [(&str, &str); 8] = [
    ("name", "name_label"),
    ("memory", "memory_dynamic_max"),
    ("maxmem", "memory_static_max"),
    ("vcpus", "VCPUs_max"),
    ("vcpu_avail", "VCPUs_at_startup"),
    ("cpu_weight", "VCPUs_params"),
    ("cpu_cap", "VCPUs_params"),
    ("image", "PV_kernel"),
];

/// How much is said of what was sent, in characters.
const MOST_SENT: usize = 256;

impl Failure {
    pub(super) fn new<'a>(code: &'static str, params: impl IntoIterator<Item = &'a str>) -> Self {
        Self::Code(code, params.into_iter().map(str::to_owned).collect())
    }

    /// A value that makes no sense: of which field, and why. What was sent is found in the call.
    pub(super) fn value(field: &str, reason: &str) -> Self {
        Self::Value { field: field.to_owned(), sent: None, reason: reason.to_owned() }
    }

    /// The same of a reason that begins with the field: `memory: ...`
    pub(super) fn unfit(reason: &str) -> Self {
        let field = reason.split_once(':').map_or("", |(field, _)| field);
        Self::value(if field.contains(' ') { "" } else { field }, reason)
    }

    /// Says what was sent, where a part of a parameter is meant.
    pub(super) fn sent(self, key: &str, text: &str) -> Self {
        match self {
            Self::Value { field, sent: None, reason } => {
                Self::Value { field, sent: Some(shown(key, Some(&Value::text(text)))), reason }
            }
            other => other,
        }
    }

    pub(super) fn power_state(about: &About) -> Self {
        Self::new("VM_BAD_POWER_STATE", [about.vm.as_str(), about.wanted, about.power_state])
    }

    pub(super) fn of(error: Error, about: &About) -> Self {
        let text = error.to_string();
        let refused = |code| Self::new(code, [text.as_str()]);
        let failure = match error {
            Error::NoSuchDomain(_) | Error::Gone(_) => {
                Self::new("HANDLE_INVALID", ["VM", &about.vm])
            }
            Error::NoSuchObject { class, name } => Self::new("HANDLE_INVALID", [class, &name]),
            Error::NoSuchVnet(id) => Self::new("HANDLE_INVALID", ["vnet", &id]),
            Error::NoSuchMigration(uuid) => {
                Self::new("HANDLE_INVALID", ["migration", &uuid.to_string()])
            }
            Error::BadState { .. } | Error::NotStarted(_) => Self::power_state(about),
            Error::Exists { name, .. }
            | Error::NameTaken { name, .. }
            | Error::NameMeansDomain { name, .. }
            | Error::PoolExists(name) => {
                Self::new("UNIQUE_NAME_ERROR", [name.as_str(), about.class.unwrap_or("VM")])
            }
            Error::VnetExists(id) => Self::new("UNIQUE_NAME_ERROR", [id.as_str(), "vnet"]),
            Error::PoolState(state) => Self::new("POOL_BAD_STATE", [state]),
            Error::NoSuchCpu(_) => refused("INVAILD_CPU"),
            Error::LastCpu(_) => refused("LAST_CPU_NOT_REMOVEABLE"),
            Error::NotEnoughCpus { needed, available } => Self::new(
                "INSUFFICIENT_CPUS",
                [needed.to_string().as_str(), &available.to_string()],
            ),
            Error::NotConnected(device) => Self::new("INVALID_DEVICE_ERROR", [device.as_str()]),
            Error::Device { .. } | Error::DeviceBusy { .. } => refused("INVALID_DEVICE_ERROR"),
            Error::Invalid(_) => match Self::unfit(&text) {
                Self::Value { field, .. } if field.is_empty() => Self::value(about.field, &text),
                named => named,
            },
            Error::Missing { what, path } => {
                let field = match what {
                    "Kernel image" => "PV_kernel",
                    "Initial RAM disk" => "PV_ramdisk",
                    _ => "platform",
                };
                Self::value(field, &text).sent(field, &path)
            }
            Error::Privileged(_)
            | Error::Dom0Shutdown
            | Error::NotManaged(_)
            | Error::InUse { .. }
            | Error::UuidTaken { .. }
            | Error::Busy(_)
            | Error::Cancelled(_)
            | Error::NoMemory { .. }
            | Error::NoRoom(_)
            | Error::Remote { .. }
            | Error::Stopping
            | Error::Unsupported(_) => refused("OPERATION_NOT_ALLOWED"),
            Error::InDoubt { .. }
            | Error::Timeout { .. }
            | Error::Stalled { .. }
            | Error::Backend { .. } => refused("INTERNAL_ERROR"),
        };
        let general = match failure {
            Self::Value { .. } => true,
            Self::Code(code, _) => {
                ["INVALID_DEVICE_ERROR", "OPERATION_NOT_ALLOWED", "INTERNAL_ERROR"].contains(&code)
            }
        };
        let failed = matches!(failure, Self::Code("INTERNAL_ERROR", _));
        match &about.instead {
            Some(Instead::MessageAndObject(code, object)) if general => {
                Self::new(code, [text.as_str(), object])
            }
            Some(Instead::Message(code)) if general => refused(code),
            Some(Instead::WhereItFailed(code)) if failed => refused(code),
            _ => failure,
        }
    }

    /// Completes what is said of a value: the field as the Xen-API calls it, and what was sent.
    pub(super) fn in_call(self, doing: Doing, args: &Args<'_>) -> Self {
        let Self::Value { field, sent, reason } = self else { return self };
        let named = |name: &str| args.names.iter().position(|one| *one == name);
        // `value` says nothing: add_to_VCPUs_params is about VCPUs_params.
        let name_of = |at: usize| match (doing, args.names.get(at).copied().unwrap_or_default()) {
            (Doing::Set(of) | Doing::AddTo(of) | Doing::RemoveFrom(of), "value") => of.name,
            (Doing::Call(call), "value") => call.field(),
            (_, name) => name,
        };
        let parameter = |at: usize| (name_of(at), args.values.get(at));
        let first = 1 + usize::from(doing.is_about_one());
        let renamed =
            || FIELDS.iter().find(|(word, _)| *word == field).map_or("", |(_, name)| *name);
        let (name, value) = match (doing, named(&field)) {
            (Doing::Set(_) | Doing::AddTo(_) | Doing::RemoveFrom(_), Some(at)) => parameter(at),
            (Doing::Set(of) | Doing::RemoveFrom(of), None) => (of.name, args.values.get(2)),
            (Doing::AddTo(of), None) => (of.name, args.values.get(3)),
            (Doing::Call(call), _) if sent.is_some() && field == "value" => (call.field(), None),
            _ if sent.is_some() => (field.as_str(), None),
            (_, Some(at)) => parameter(at),
            (_, None) => match (member(args, &field), member(args, renamed())) {
                (Some(value), _) => (field.as_str(), Some(value)),
                (None, Some(value)) => (renamed(), Some(value)),
                // A member that the record does not have: nothing was sent.
                (None, None) if named("record").is_some() && !field.is_empty() => {
                    (field.as_str(), None)
                }
                // The core's own word for it, or none.
                (None, None) => parameter(first),
            },
        };
        let key = named("key").and_then(|at| args.values.get(at));
        let secret = matches!(key, Some(Value::Text(key)) if Property::is_secret_key(key));
        let value = value
            .filter(|value| !secret || !matches!(value, Value::Text(_)) || Some(*value) == key);
        let sent = sent.unwrap_or_else(|| shown(name, value));
        Self::Value { field: name.to_owned(), sent: Some(sent), reason }
    }

    pub(super) fn description(self) -> Value {
        let (code, params) = match self {
            Self::Code(code, params) => (code, params),
            Self::Value { field, sent, reason } => {
                ("VALUE_NOT_SUPPORTED", vec![field, sent.unwrap_or_default(), reason])
            }
        };
        Value::Array(
            std::iter::once(Value::text(code)).chain(params.into_iter().map(Value::Text)).collect(),
        )
    }
}

/// A member of a parameter that is a struct.
fn member<'a>(args: &Args<'a>, name: &str) -> Option<&'a Value> {
    let structs = args.values.iter().filter_map(|value| match value {
        Value::Struct(members) => Some(members),
        _ => None,
    });
    structs.flatten().find(|(key, _)| key == name).map(|(_, value)| value)
}

/// What was sent, as far as it is a text and no secret.
fn shown(key: &str, value: Option<&Value>) -> String {
    let text = match value {
        None => String::new(),
        Some(_) if Property::is_secret_key(key) => String::new(),
        Some(Value::Text(text) | Value::Time(text)) => text.clone(),
        Some(Value::Int(n)) => n.to_string(),
        Some(Value::Bool(on)) => on.to_string(),
        Some(Value::Double(n)) => n.to_string(),
        Some(other) => other.kind().to_owned(),
    };
    text.chars().take(MOST_SENT).collect()
}

impl From<Unfit> for Failure {
    fn from(unfit: Unfit) -> Self {
        let Unfit(text) = unfit;
        Self::unfit(&text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::model::{Invalid, Uuid};
    use std::time::Duration;

    /// Only what went wrong in the hypervisor or in the store is an internal error.
    #[test]
    fn no_refusal_is_an_internal_error() {
        let text = || "x".to_owned();
        let refusals = [
            Error::NoSuchDomain(text()),
            Error::NoSuchObject { class: "VDI", name: text() },
            Error::InUse { what: "VDI", by: text() },
            Error::PoolState("activated"),
            Error::NoSuchCpu(text()),
            Error::LastCpu(text()),
            Error::NotEnoughCpus { needed: 2, available: 1 },
            Error::NoSuchVnet(text()),
            Error::VnetExists(text()),
            Error::NoSuchMigration(Uuid::nil()),
            Error::Remote { reason: text() },
            Error::Exists { name: text(), domid: None },
            Error::NameTaken { name: text(), domid: None },
            Error::Privileged("pause"),
            Error::Dom0Shutdown,
            Error::BadState { verb: "pause", name: text(), state: "halted" },
            Error::NotStarted(text()),
            Error::NotManaged(text()),
            Error::NotConnected(text()),
            Error::Busy(text()),
            Error::Invalid(Invalid::new("memory: 0")),
            Error::Unsupported(text()),
            Error::NoMemory { needed_kib: 2, free_kib: 1 },
            Error::NoRoom(text()),
            Error::Missing { what: "Kernel image", path: text() },
            Error::Device { device: 0, class: text(), reason: text() },
            Error::DeviceBusy { device: 0, class: text() },
            Error::Cancelled("The save"),
            Error::Gone(text()),
            Error::Stopping,
            Error::backend("A file", std::io::Error::from(std::io::ErrorKind::StorageFull)),
        ];
        let code = |error: Error, about: &About| match Failure::of(error, about) {
            Failure::Code(code, _) => code,
            Failure::Value { .. } => "VALUE_NOT_SUPPORTED",
        };
        for error in refusals {
            let shown = error.to_string();
            assert_ne!(code(error, &About::default()), "INTERNAL_ERROR", "{shown}");
        }
        let failures = || {
            [
                Error::InDoubt { name: text(), to: text() },
                Error::Timeout { what: "Pause", limit: Duration::ZERO },
                Error::Backend { message: text(), source: None },
            ]
        };
        let pci = About { instead: Some(Instead::Message("DIRECT_PCI_ERROR")), ..About::default() };
        for error in failures() {
            assert_eq!(code(error, &About::default()), "INTERNAL_ERROR");
        }
        for error in failures() {
            assert_eq!(code(error, &pci), "DIRECT_PCI_ERROR");
        }
        assert_eq!(code(Error::DeviceBusy { device: 0, class: text() }, &pci), "DIRECT_PCI_ERROR");
        let disk = About {
            instead: Some(Instead::WhereItFailed("INVALID_DEVICE_ERROR")),
            ..About::default()
        };
        for error in failures() {
            assert_eq!(code(error, &disk), "INVALID_DEVICE_ERROR");
        }
        assert_eq!(code(Error::Unsupported(text()), &disk), "OPERATION_NOT_ALLOWED");
    }
}
