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
}

impl Failure {
    pub(super) fn new<'a>(code: &'static str, params: impl IntoIterator<Item = &'a str>) -> Self {
        Self { code, params: params.into_iter().map(str::to_owned).collect() }
    }

    /// A value that makes no sense: which field, and why; what it was can be a secret.
    pub(super) fn value(field: &str, reason: &str) -> Self {
        Self::new("VALUE_NOT_SUPPORTED", [field, "", reason])
    }

    pub(super) fn power_state(about: &About) -> Self {
        Self::new("VM_BAD_POWER_STATE", [about.vm.as_str(), about.wanted, about.power_state])
    }

    pub(super) fn of(error: Error, about: &About) -> Self {
        let text = error.to_string();
        match error {
            Error::NoSuchDomain(_) | Error::Gone(_) => Self::new("HANDLE_INVALID", ["VM", &about.vm]),
            Error::BadState { .. } | Error::NotStarted(_) => Self::power_state(about),
            Error::Exists { name, .. } | Error::NameTaken { name, .. } => {
                Self::new("UNIQUE_NAME_ERROR", [name.as_str(), "VM"])
            }
            Error::Invalid(_) | Error::Missing { .. } => {
                let field = text.split_once(':').map_or("", |(field, _)| field);
                let field = if field.contains(' ') { "" } else { field };
                Self::value(field, &text)
            }
            Error::Privileged(_) | Error::Dom0Shutdown | Error::NotManaged(_) | Error::Unsupported(_) => {
                Self::new("OPERATION_NOT_ALLOWED", [text.as_str()])
            }
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
        let field = text.split_once(':').map_or("", |(field, _)| field).to_owned();
        Self::value(&field, &text)
    }
}
