//! Why a value is refused.

use std::fmt;

/// The reason why a value is refused. The text names the value and says what is accepted; the
/// reader of a field adds the field's name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invalid {
    reason: String,
    /// The parameter at fault, if the reason is about one of a request.
    parameter: Option<Box<str>>,
    is_missing: bool,
}

impl Invalid {
    /// A refusal with this reason.
    pub fn new(reason: impl Into<String>) -> Self {
        Self { reason: reason.into(), parameter: None, is_missing: false }
    }

    /// A required parameter that the request does not have.
    pub fn missing(parameter: &str) -> Self {
        let missing = Self::new(format!("Missing parameter: {parameter}")).about(parameter);
        Self { is_missing: true, ..missing }
    }

    /// The same, about this parameter of the request. A wire may tell its name apart from the text.
    #[must_use]
    pub fn about(self, parameter: impl Into<Box<str>>) -> Self {
        Self { parameter: Some(parameter.into()), ..self }
    }

    /// The parameter at fault, if the refusal is about one.
    pub fn parameter(&self) -> Option<&str> {
        self.parameter.as_deref()
    }

    /// Whether the parameter is missing.
    pub const fn is_missing(&self) -> bool {
        self.is_missing
    }
}

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)
    }
}

impl std::error::Error for Invalid {}
