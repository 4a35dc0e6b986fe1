//! What goes wrong, in the Xen-API's codes.

use crate::core::error::Error;
use crate::wire::xmlrpc::args::Unfit;
use crate::wire::xmlrpc::value::Value;

/// A code and what belongs to it, all of it texts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Failure {
    code: &'static str,
    params: Vec<String>,
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
    /// A code of its own for what goes wrong with something else, and which one it is.
    pub(super) instead: Option<(&'static str, String)>,
}

impl Failure {
    pub(super) fn new<'a>(code: &'static str, params: impl IntoIterator<Item = &'a str>) -> Self {
        Self { code, params: params.into_iter().map(str::to_owned).collect() }
    }

    /// A value that makes no sense: which field, and why; what it was can be a secret.
    pub(super) fn value(field: &str, reason: &str) -> Self {
        Self::new("VALUE_NOT_SUPPORTED", [field, "", reason])
    }

    /// The same of a reason that begins with the field: `memory: ...`
    pub(super) fn unfit(reason: &str) -> Self {
        let field = reason.split_once(':').map_or("", |(field, _)| field);
        Self::value(if field.contains(' ') { "" } else { field }, reason)
    }

    pub(super) fn power_state(about: &About) -> Self {
        Self::new("VM_BAD_POWER_STATE", [about.vm.as_str(), about.wanted, about.power_state])
    }

    pub(super) fn of(error: Error, about: &About) -> Self {
        let text = error.to_string();
        match error {
            Error::NoSuchDomain(_) | Error::Gone(_) => Self::new("HANDLE_INVALID", ["VM", &about.vm]),
            Error::NoSuchObject { class, name } => Self::new("HANDLE_INVALID", [class, &name]),
            Error::BadState { .. } | Error::NotStarted(_) => Self::power_state(about),
            Error::Exists { name, .. }
            | Error::NameTaken { name, .. }
            | Error::NameMeansDomain { name, .. }
            | Error::PoolExists(name) => {
                Self::new("UNIQUE_NAME_ERROR", [name.as_str(), about.class.unwrap_or("VM")])
            }
            Error::PoolState(state) => Self::new("POOL_BAD_STATE", [state]),
            Error::NoSuchCpu(reason) => Self::new("INVAILD_CPU", [reason.as_str()]),
            Error::LastCpu(_) => Self::new("LAST_CPU_NOT_REMOVEABLE", [text.as_str()]),
            Error::NotEnoughCpus { needed, available } => {
                Self::new("INSUFFICIENT_CPUS", [needed.to_string().as_str(), &available.to_string()])
            }
            Error::NotConnected(device) => Self::new("INVALID_DEVICE_ERROR", [device.as_str()]),
            Error::Device { .. } => Self::new("INVALID_DEVICE_ERROR", [text.as_str()]),
            _ if about.instead.is_some() => {
                let (code, which) = about.instead.clone().unwrap_or_default();
                Self::new(code, [text.as_str(), &which])
            }
            Error::Invalid(_) | Error::Missing { .. } => Self::unfit(&text),
            Error::Privileged(_)
            | Error::Dom0Shutdown
            | Error::NotManaged(_)
            | Error::InUse { .. }
            | Error::UuidTaken { .. }
            | Error::Busy(_)
            | Error::Cancelled(_)
            | Error::Unsupported(_) => Self::new("OPERATION_NOT_ALLOWED", [text.as_str()]),
            _ => Self::new("INTERNAL_ERROR", [text.as_str()]),
        }
    }

    pub(super) fn description(self) -> Value {
        let code = std::iter::once(Value::text(self.code));
        Value::Array(code.chain(self.params.into_iter().map(Value::Text)).collect())
    }
}

impl From<Unfit> for Failure {
    fn from(unfit: Unfit) -> Self {
        let Unfit(text) = unfit;
        Self::unfit(&text)
    }
}
