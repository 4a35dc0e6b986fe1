//! Why a value is refused.

use std::fmt;

/// The reason why a value is refused. The text names the value and says what is accepted; the
/// reader of a field adds the field's name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invalid {
    reason: String,
    /// The parameter at fault, if the reason is about one of a request.
    parameter: Option<Box<str>>,
    fault: Fault,
}

/// What is wrong with a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    /// It can never be accepted.
    Value,
    /// A required parameter is missing.
    Missing,
    /// Something else has it already.
    Taken,
    /// The configuration of the host forbids it.
    Forbidden,
    /// It names a file that does not exist.
    Absent,
}

impl Invalid {
    /// A refusal with this reason.
    pub fn new(reason: impl Into<String>) -> Self {
        Self { reason: reason.into(), parameter: None, fault: Fault::Value }
    }

    /// A required parameter that the request does not have.
    pub fn missing(parameter: &str) -> Self {
        let missing = Self::new(format!("Missing parameter: {parameter}")).about(parameter);
        Self { fault: Fault::Missing, ..missing }
    }

    /// The same, of a value that would be accepted if nothing else had it already.
    #[must_use]
    pub fn taken(self) -> Self {
        Self { fault: Fault::Taken, ..self }
    }

    /// The same, about this parameter of the request. A wire may tell its name apart from the text.
    #[must_use]
    pub fn about(self, parameter: impl Into<Box<str>>) -> Self {
        Self { parameter: Some(parameter.into()), ..self }
    }

    /// The same, with another text.
    #[must_use]
    pub fn reworded(self, reason: impl Into<String>) -> Self {
        Self { reason: reason.into(), ..self }
    }

    /// The same, of what would be done if the configuration of the host allowed it.
    #[must_use]
    pub fn forbidden(self) -> Self {
        Self { fault: Fault::Forbidden, ..self }
    }

    /// The same, of the name of a file that does not exist.
    #[must_use]
    pub fn absent(self) -> Self {
        Self { fault: Fault::Absent, ..self }
    }

    /// The parameter at fault, if the refusal is about one.
    pub fn parameter(&self) -> Option<&str> {
        self.parameter.as_deref()
    }

    /// Whether the parameter is missing.
    pub const fn is_missing(&self) -> bool {
        matches!(self.fault, Fault::Missing)
    }

    /// Whether something else has the value already.
    pub const fn is_taken(&self) -> bool {
        matches!(self.fault, Fault::Taken)
    }

    /// Whether the value names a file that does not exist.
    pub const fn is_absent(&self) -> bool {
        matches!(self.fault, Fault::Absent)
    }

    /// Whether the configuration of the host forbids it.
    pub const fn is_forbidden(&self) -> bool {
        matches!(self.fault, Fault::Forbidden)
    }
}

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)
    }
}

impl std::error::Error for Invalid {}
