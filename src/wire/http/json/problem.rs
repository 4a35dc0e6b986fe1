//! Failures as `application/problem+json` (RFC 9457).

use super::problem_kind::ProblemKind;
use crate::core::error::Error;
use crate::core::model::Invalid;
use schemars::JsonSchema;
use serde::Serialize;

/// A failure.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(crate) struct Problem {
    /// Where the kind of problem is described.
    #[serde(rename = "type")]
    kind: &'static str,
    /// The kind of problem, for people.
    title: &'static str,
    /// Status of the answer.
    pub(crate) status: u16,
    /// What happened, for people.
    detail: String,
    /// The kind of problem, for programs. Codes are never changed.
    code: &'static str,
    /// The parameter at fault, with the path of the key within it: `config.memory_mib`.
    #[serde(skip_serializing_if = "Option::is_none")]
    parameter: Option<String>,
    /// What is accepted in its place.
    #[serde(skip_serializing_if = "Option::is_none")]
    allowed: Option<Box<[String]>>,
}

impl Problem {
    pub(crate) fn new(kind: &'static ProblemKind, detail: impl Into<String>) -> Self {
        Self {
            kind: kind.uri,
            title: kind.title,
            status: kind.status,
            detail: detail.into(),
            code: kind.code,
            parameter: None,
            allowed: None,
        }
    }

    /// The problem of an error.
    pub(crate) fn of(error: &Error) -> Self {
        let problem = Self::new(ProblemKind::of(error), error.to_string());
        match error {
            Error::Invalid(invalid) => match invalid.parameter() {
                Some(parameter) => problem.about(parameter),
                None => problem,
            },
            _ => problem,
        }
    }

    /// The same, about a parameter.
    pub(crate) fn about(self, parameter: impl Into<String>) -> Self {
        Self { parameter: Some(parameter.into()), ..self }
    }

    /// The same, with what is accepted.
    pub(crate) fn allowing<'a>(self, allowed: impl IntoIterator<Item = &'a str>) -> Self {
        Self { allowed: Some(allowed.into_iter().map(str::to_owned).collect()), ..self }
    }

    /// The same, with what to do about it.
    pub(crate) fn with_advice(self, advice: &str) -> Self {
        Self { detail: format!("{}: {advice}", self.detail), ..self }
    }

    /// What happened, for people.
    pub(crate) fn detail(&self) -> &str {
        &self.detail
    }

    /// The kind of problem, for people.
    pub(crate) const fn title(&self) -> &'static str {
        self.title
    }

    /// The text of the body.
    pub(crate) fn to_json(&self) -> Vec<u8> {
        serde_json::to_vec(self).unwrap_or_default()
    }
}

/// A parameter of a request that is refused.
impl From<Invalid> for Problem {
    fn from(invalid: Invalid) -> Self {
        Self::of(&invalid.into())
    }
}
