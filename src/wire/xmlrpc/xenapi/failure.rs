//! Failed calls, in the Xen-API's error codes.

use crate::core::error::Error;
use crate::core::model::Property;
use crate::wire::xmlrpc::args::BadArgument;
use crate::wire::xmlrpc::value::Value;

/// A failed call. An answer shows everything in it as text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Failure {
    /// A code with its parameters.
    Code(&'static str, Vec<String>),
    /// `VALUE_NOT_SUPPORTED`.
    Value {
        /// The field or parameter.
        field: String,
        /// The text that was sent; `None` until it is looked up in the call.
        sent: Option<String>,
        reason: String,
    },
}

/// The object of an operation, for error codes that name it.
#[derive(Debug, Clone, Default)]
pub(crate) struct FailureContext {
    /// The reference of the VM or other object.
    pub(crate) object: String,
    /// The VM's power state.
    pub(crate) power_state: &'static str,
    /// The power state that the operation needs.
    pub(crate) wanted_state: &'static str,
    /// The object's class, for errors about names; `None` for a VM.
    pub(crate) class: Option<&'static str>,
    /// The field at fault, for reasons that name none.
    pub(crate) field: &'static str,
    pub(crate) code: Option<CodeOverride>,
}

/// A class's own code in the place of a general one.
#[derive(Debug, Clone)]
pub(crate) enum CodeOverride {
    /// For every general code, with the message.
    Always(&'static str),
    /// For `INTERNAL_ERROR` alone, with the message.
    InternalError(&'static str),
    /// For every general code, with the message and the object's reference.
    WithObject(&'static str, String),
}

/// Codes that a class's own code replaces.
const GENERAL: [&str; 3] = ["INVALID_DEVICE_ERROR", "OPERATION_NOT_ALLOWED", "INTERNAL_ERROR"];

/// The parameter with the arguments of a plug-in, among them passwords and contents of files.
const PLUGIN_ARGUMENTS: &str = "args";

/// The most characters of a sent value that an error shows.
const MAX_SENT: usize = 256;

/// The most characters of a parameter of a code. A client can send a reference of any length.
const MAX_PARAM: usize = 4096;

/// As much of a parameter as a failure has.
fn shown_param(param: &str) -> String {
    param.chars().take(MAX_PARAM).collect()
}

impl Failure {
    pub(crate) fn new<'a>(code: &'static str, params: impl IntoIterator<Item = &'a str>) -> Self {
        Self::Code(code, params.into_iter().map(shown_param).collect())
    }

    /// No session has this reference, or it is over.
    pub(crate) fn no_session(reference: &str) -> Self {
        Self::new("SESSION_INVALID", [reference])
    }

    /// No object of the class has this reference.
    pub(crate) fn no_object(class: &str, reference: &(impl ToString + ?Sized)) -> Self {
        Self::new("HANDLE_INVALID", [class, &reference.to_string()])
    }

    pub(crate) fn not_allowed(reason: &str) -> Self {
        Self::new("OPERATION_NOT_ALLOWED", [reason])
    }

    /// The text for the log. References of sessions, passwords, and what an agent in a guest says
    /// are not in it.
    pub(crate) fn for_log(&self, method: &str) -> String {
        let is_confidential = method.contains("session.") || method.contains(".call_plugin");
        match self {
            Self::Code(code, _) if is_confidential || *code == "SESSION_INVALID" => {
                (*code).to_owned()
            }
            Self::Code(code, params) => format!("{code} {}", params.join(" ")),
            Self::Value { field, .. } if is_confidential => format!("VALUE_NOT_SUPPORTED {field}"),
            Self::Value { field, reason, .. } => format!("VALUE_NOT_SUPPORTED {field}: {reason}"),
        }
    }

    /// The class and the reference of the object that is not there, if that is the failure.
    pub(crate) fn missing_object(&self) -> Option<(&str, &str)> {
        match self {
            Self::Code("HANDLE_INVALID", params) => match params.as_slice() {
                [class, reference] => Some((class, reference)),
                _ => None,
            },
            _ => None,
        }
    }

    pub(crate) fn is_no_object(&self) -> bool {
        matches!(self, Self::Code("HANDLE_INVALID", _))
    }

    /// An invalid value of a field. The text that was sent is looked up in the call later.
    pub(crate) fn value(field: &str, reason: &(impl ToString + ?Sized)) -> Self {
        // A reason can quote what was sent.
        Self::Value {
            field: field.to_owned(),
            sent: None,
            reason: shown_param(&reason.to_string()),
        }
    }

    /// The same for a reason that begins with the field: `memory: ...`
    pub(crate) fn unfit(reason: &(impl ToString + ?Sized)) -> Self {
        let reason = reason.to_string();
        let field = reason.split_once(':').map_or("", |(field, _)| field);
        Self::value(if field.contains(' ') { "" } else { field }, &reason)
    }

    /// Adds the text that was sent, where the value is a part of a parameter.
    pub(crate) fn sent(self, key: &str, text: &str) -> Self {
        match self {
            Self::Value { field, sent: None, reason } => {
                let sent = Some(shown_value(key, Some(&Value::text(text))));
                Self::Value { field, sent, reason }
            }
            other => other,
        }
    }

    pub(crate) fn power_state(context: &FailureContext) -> Self {
        Self::new(
            "VM_BAD_POWER_STATE",
            [context.object.as_str(), context.wanted_state, context.power_state],
        )
    }

    /// An error of the engine.
    pub(crate) fn from_error(error: Error, context: &FailureContext) -> Self {
        let text = error.to_string();
        let with_text = |code| Self::new(code, [text.as_str()]);
        let failure = match error {
            Error::NoSuchDomain(_) | Error::Gone(_) => Self::no_object("VM", &context.object),
            Error::NoSuchObject { class, name } => Self::no_object(class, &name),
            Error::NoSuchVnet(id) => Self::no_object("vnet", &id),
            Error::NoSuchMigration(uuid) => Self::no_object("migration", &uuid),
            Error::BadState { .. } | Error::NotStarted(_) => Self::power_state(context),
            Error::Exists { name, .. }
            | Error::NameTaken { name, .. }
            | Error::NameIsIdentifier { name, .. }
            | Error::PoolExists(name) => {
                Self::new("UNIQUE_NAME_ERROR", [name.as_str(), context.class.unwrap_or("VM")])
            }
            Error::VnetExists(id) => Self::new("UNIQUE_NAME_ERROR", [id.as_str(), "vnet"]),
            Error::PoolState(state) => Self::new("POOL_BAD_STATE", [state]),
            // xend spelled this code so.
            Error::NoSuchCpu(_) => with_text("INVAILD_CPU"),
            Error::LastCpu(_) => with_text("LAST_CPU_NOT_REMOVEABLE"),
            Error::NotEnoughCpus { needed, available } => Self::new(
                "INSUFFICIENT_CPUS",
                [needed.to_string().as_str(), &available.to_string()],
            ),
            Error::NotConnected { device, .. } => {
                Self::new("INVALID_DEVICE_ERROR", [device.as_str()])
            }
            Error::Device { .. } | Error::PciTaken { .. } | Error::DeviceBusy { .. } => {
                with_text("INVALID_DEVICE_ERROR")
            }
            // The text of an unreachable host begins with the field that names it.
            Error::Invalid(_) | Error::Unreachable { .. } => match Self::unfit(&text) {
                Self::Value { field, .. } if field.is_empty() => Self::value(context.field, &text),
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
            | Error::DisksBusy
            | Error::Cancelled(_)
            | Error::NoMemory { .. }
            | Error::NoRoom { .. }
            | Error::LimitReached(_)
            | Error::NoTransfer
            | Error::Remote { .. }
            | Error::Rebooted(_)
            | Error::AgentLacks(_)
            | Error::FleetUnavailable { .. }
            | Error::OwnerUnknown { .. }
            | Error::OwnedElsewhere { .. }
            | Error::Undecided { .. }
            | Error::Stopping
            | Error::Unsupported(_) => with_text("OPERATION_NOT_ALLOWED"),
            Error::NotPermitted { .. } | Error::BeyondLimits(_) => with_text("PERMISSION_DENIED"),
            Error::ConnectionLost { .. }
            | Error::InDoubt { .. }
            | Error::Timeout { .. }
            | Error::AgentTimeout { .. }
            | Error::AgentFailed { .. }
            | Error::AgentResponse(_)
            | Error::Stalled { .. }
            | Error::Backend { .. } => with_text("INTERNAL_ERROR"),
        };
        let code = match &failure {
            Self::Value { .. } => None,
            Self::Code(code, _) => Some(*code),
        };
        let is_general = code.is_none_or(|code| GENERAL.contains(&code));
        match &context.code {
            Some(CodeOverride::WithObject(own, object)) if is_general => {
                Self::new(own, [text.as_str(), object])
            }
            Some(CodeOverride::Always(own)) if is_general => with_text(own),
            Some(CodeOverride::InternalError(own)) if code == Some("INTERNAL_ERROR") => {
                with_text(own)
            }
            _ => failure,
        }
    }

    /// `ErrorDescription`: the code and its parameters.
    pub(crate) fn description(self) -> Value {
        let (code, params) = match self {
            Self::Code(code, params) => (code, params),
            Self::Value { field, sent, reason } => {
                ("VALUE_NOT_SUPPORTED", vec![field, sent.unwrap_or_default(), reason])
            }
        };
        let params = params.into_iter().map(Value::Text);
        Value::Array(std::iter::once(Value::text(code)).chain(params).collect())
    }
}

/// A value as an error shows it: passwords are hidden, and of a value that is no text only the type
/// is shown.
pub(crate) fn shown_value(key: &str, value: Option<&Value>) -> String {
    let text = match value {
        None => String::new(),
        Some(_) if Property::is_secret_key(key) || key == PLUGIN_ARGUMENTS => String::new(),
        Some(Value::Text(text) | Value::Time(text)) => text.clone(),
        Some(Value::Int(n)) => n.to_string(),
        Some(Value::Bool(on)) => on.to_string(),
        Some(Value::Double(n)) => n.to_string(),
        Some(other) => other.kind().to_owned(),
    };
    text.chars().take(MAX_SENT).collect()
}

impl From<BadArgument> for Failure {
    fn from(argument: BadArgument) -> Self {
        Self::unfit(&argument)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::error::Place;
    use crate::core::model::{DomId, Invalid, PciAddress, Uuid};
    use crate::core::rights::Right;
    use crate::core::transfer::Stage;
    use std::collections::HashSet;
    use std::mem;
    use std::time::Duration;

    /// The number of variants of [`Error`]. A new one needs a code in `expected`, and a sample.
    const VARIANTS: usize = 54;

    /// The code of each error. Only failures of the hypervisor, of the store, of agents and of
    /// connections are internal errors: a refusal is none.
    fn expected(error: &Error) -> &'static str {
        match error {
            Error::NoSuchDomain(_)
            | Error::Gone(_)
            | Error::NoSuchObject { .. }
            | Error::NoSuchVnet(_)
            | Error::NoSuchMigration(_) => "HANDLE_INVALID",
            Error::BadState { .. } | Error::NotStarted(_) => "VM_BAD_POWER_STATE",
            Error::Exists { .. }
            | Error::NameTaken { .. }
            | Error::NameIsIdentifier { .. }
            | Error::PoolExists(_)
            | Error::VnetExists(_) => "UNIQUE_NAME_ERROR",
            Error::PoolState(_) => "POOL_BAD_STATE",
            Error::NoSuchCpu(_) => "INVAILD_CPU",
            Error::LastCpu(_) => "LAST_CPU_NOT_REMOVEABLE",
            Error::NotEnoughCpus { .. } => "INSUFFICIENT_CPUS",
            Error::NotConnected { .. }
            | Error::Device { .. }
            | Error::PciTaken { .. }
            | Error::DeviceBusy { .. } => "INVALID_DEVICE_ERROR",
            Error::Invalid(_) | Error::Missing { .. } | Error::Unreachable { .. } => {
                "VALUE_NOT_SUPPORTED"
            }
            Error::NotPermitted { .. } | Error::BeyondLimits(_) => "PERMISSION_DENIED",
            Error::Privileged(_)
            | Error::Dom0Shutdown
            | Error::NotManaged(_)
            | Error::InUse { .. }
            | Error::UuidTaken { .. }
            | Error::Busy(_)
            | Error::DisksBusy
            | Error::Cancelled(_)
            | Error::NoMemory { .. }
            | Error::NoRoom { .. }
            | Error::LimitReached(_)
            | Error::NoTransfer
            | Error::Remote { .. }
            | Error::Rebooted(_)
            | Error::AgentLacks(_)
            | Error::FleetUnavailable { .. }
            | Error::OwnerUnknown { .. }
            | Error::OwnedElsewhere { .. }
            | Error::Undecided { .. }
            | Error::Stopping
            | Error::Unsupported(_) => "OPERATION_NOT_ALLOWED",
            Error::ConnectionLost { .. }
            | Error::InDoubt { .. }
            | Error::Timeout { .. }
            | Error::AgentTimeout { .. }
            | Error::AgentFailed { .. }
            | Error::AgentResponse(_)
            | Error::Stalled { .. }
            | Error::Backend { .. } => "INTERNAL_ERROR",
        }
    }

    /// One error of each variant.
    fn samples() -> Vec<Error> {
        let text = || "x".to_owned();
        vec![
            Error::NoSuchDomain(text()),
            Error::Gone(text()),
            Error::NoSuchObject { class: "VDI", name: text() },
            Error::NoSuchVnet(text()),
            Error::NoSuchMigration(Uuid::nil()),
            Error::BadState { verb: "pause", name: text(), state: "halted" },
            Error::NotStarted(text()),
            Error::Exists { name: text(), at: Place::Here(None) },
            Error::NameTaken { name: text(), at: Place::Here(None) },
            Error::NameIsIdentifier { name: text(), what: "domid", owner: text() },
            Error::UuidTaken { uuid: Uuid::nil(), owner: text(), at: Place::Here(None) },
            Error::PoolExists(text()),
            Error::VnetExists(text()),
            Error::PoolState("activated"),
            Error::NoSuchCpu(text()),
            Error::LastCpu(text()),
            Error::NotEnoughCpus { needed: 2, available: 1 },
            Error::not_connected(&text()),
            Error::Device { device: 0, class: text(), reason: text() },
            Error::PciTaken {
                device: 0,
                address: PciAddress::new(0, 0, 3, 0).unwrap(),
                owner: text(),
            },
            Error::DeviceBusy { device: 0, class: text() },
            Error::Invalid(Invalid::new("memory: 0")),
            Error::Missing { what: "Kernel image", path: text() },
            Error::NotPermitted { op: "pause", target: text(), right: Some(Right::Power) },
            Error::BeyondLimits(text()),
            Error::Privileged("pause"),
            Error::Dom0Shutdown,
            Error::NotManaged(text()),
            Error::InUse { what: "VDI", by: text() },
            Error::Busy(text()),
            Error::DisksBusy,
            Error::Cancelled("The save"),
            Error::NoMemory { needed_kib: 2, free_kib: Some(1) },
            Error::backend("A file", std::io::Error::from(std::io::ErrorKind::StorageFull)),
            Error::LimitReached(text()),
            Error::NoTransfer,
            Error::Unreachable { message: "destination: x".to_owned(), source: None },
            Error::ConnectionLost { message: text(), source: None },
            Error::Remote { reason: text() },
            Error::Rebooted(DomId(7)),
            Error::AgentLacks("files"),
            Error::Stopping,
            Error::FleetUnavailable { reason: text() },
            Error::OwnerUnknown { domain: Uuid::nil(), reason: text() },
            Error::Undecided { what: text() },
            Error::OwnedElsewhere { domain: Uuid::nil(), host: text() },
            Error::Unsupported(text()),
            Error::InDoubt { name: text(), to: text() },
            Error::Timeout { what: "Pause", limit: Duration::ZERO },
            Error::AgentTimeout { seconds: 30 },
            Error::AgentFailed { returncode: text(), message: text() },
            Error::AgentResponse(text()),
            Error::Stalled {
                what: "Create",
                limit: Duration::ZERO,
                stage: Stage::default(),
                detail: text(),
            },
            Error::Backend { message: text(), source: None },
        ]
    }

    fn code(error: Error, context: &FailureContext) -> &'static str {
        match Failure::from_error(error, context) {
            Failure::Code(code, _) => code,
            Failure::Value { .. } => "VALUE_NOT_SUPPORTED",
        }
    }

    #[test]
    fn each_error_has_its_code_and_no_refusal_is_an_internal_error() {
        let variants: HashSet<_> = samples().iter().map(mem::discriminant).collect();
        assert_eq!((variants.len(), samples().len()), (VARIANTS, VARIANTS));
        for error in samples() {
            let shown = error.to_string();
            let expected = expected(&error);
            assert_eq!(code(error, &FailureContext::default()), expected, "{shown}");
        }
    }

    #[test]
    fn a_class_replaces_general_codes_and_no_others() {
        let pci = FailureContext {
            code: Some(CodeOverride::Always("DIRECT_PCI_ERROR")),
            ..FailureContext::default()
        };
        let disk = FailureContext {
            code: Some(CodeOverride::InternalError("INVALID_DEVICE_ERROR")),
            ..FailureContext::default()
        };
        for (error, same) in samples().into_iter().zip(samples()) {
            let expected = expected(&error);
            let is_general = GENERAL.contains(&expected) || expected == "VALUE_NOT_SUPPORTED";
            let of_pci = if is_general { "DIRECT_PCI_ERROR" } else { expected };
            let is_internal = expected == "INTERNAL_ERROR";
            let of_disk = if is_internal { "INVALID_DEVICE_ERROR" } else { expected };
            let shown = error.to_string();
            assert_eq!(code(error, &pci), of_pci, "{shown}");
            assert_eq!(code(same, &disk), of_disk, "{shown}");
        }
    }
}
