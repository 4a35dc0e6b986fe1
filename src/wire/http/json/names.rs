//! The names of parameters: those of forms, and those of JSON, which have units.

use crate::core::error::Error;
use crate::core::model::Invalid;
use crate::wire::http::operation::{Operation, Param};
use std::borrow::Cow;

/// Whose names a request has for its parameters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Names {
    #[default]
    Form,
    Json,
}

impl Names {
    /// The name of a parameter.
    pub(crate) fn of(self, param: &Param) -> Cow<'static, str> {
        match self {
            Self::Form => param.name.into(),
            Self::Json => param.json_name(),
        }
    }

    /// An error of an operation, whose text has the name that the request has for a parameter.
    pub(crate) fn in_error(self, operation: &Operation, error: Error) -> Error {
        match error {
            Error::Invalid(refusal) => Error::Invalid(self.in_refusal(operation, refusal)),
            error => error,
        }
    }

    fn in_refusal(self, operation: &Operation, refusal: Invalid) -> Invalid {
        const INVALID: &str = "Invalid value for ";
        let Some(param) = operation.param_of(&refusal) else { return refusal };
        let name = self.of(param);
        let text = refusal.to_string();
        let reason = text.strip_prefix(INVALID).and_then(|text| text.strip_prefix(param.name));
        match reason.filter(|reason| name != param.name && reason.starts_with(':')) {
            Some(reason) => refusal.reworded(format!("{INVALID}{name}{reason}")),
            None => refusal,
        }
    }
}
