//! An operation on a page: the value of `op`, its parameters, and its request to the engine.

use super::engine_request::EngineRequest;
use super::params::Params;
use crate::core::model::{DomainRef, Invalid, Policy};
use crate::core::op::{Change, DomainOp};
use crate::core::rights::{Access, OpKind};
use crate::core::snapshot::DomainView;

/// An operation on a page. POST looks it up by its name; the reference and the forms are made from
/// it.
pub(super) struct Operation {
    /// The value of `op`.
    pub(super) name: &'static str,
    /// The text of its button.
    pub(super) label: &'static str,
    /// The effect, in a sentence or two.
    pub(super) about: &'static str,
    /// The kinds of the changes or reads that it can be. Pages offer it to callers who may do one
    /// of them; the engine checks each request itself.
    pub(super) kinds: &'static [OpKind],
    /// The stages in which a domain can do it; empty on pages that are not a domain's.
    pub(super) stages: &'static [DomainStage],
    /// The loss that pages warn of before they send it. `None` if no data can be lost.
    pub(super) data_loss: Option<&'static str>,
    pub(super) params: &'static [Param],
    pub(super) success: Success,
    /// Reads the parameters.
    pub(super) build: fn(&OperationRequest<'_>) -> Result<EngineRequest, Invalid>,
}

impl Operation {
    /// Whether it makes a domain from a configuration that a person wrote.
    pub(super) fn reads_domain_config(&self) -> bool {
        let reads_config =
            self.params.iter().any(|param| matches!(param.kind, ParamKind::Config(_)));
        reads_config && (self.success == Success::Created || self.name == "new")
    }

    /// Whether a caller with this access may do it to some domain, or to the host.
    pub(super) fn is_offered(&self, access: &Access) -> bool {
        self.kinds.iter().any(|kind| access.may(*kind)) && self.files_are_allowed(access)
    }

    /// Whether a caller with this access may do it to the domain.
    pub(super) fn is_offered_on(&self, access: &Access, domain: &DomainView) -> bool {
        let may = |kind: &OpKind| access.may_on(*kind, domain.uuid, domain.name().as_str());
        self.kinds.iter().any(may) && self.files_are_allowed(access)
    }

    fn files_are_allowed(&self, access: &Access) -> bool {
        let names_file = self
            .params
            .iter()
            .any(|param| param.kind == ParamKind::Path && param.default.is_none());
        !names_file || access.may_name_files()
    }

    /// Whether it has an optional parameter with this name.
    pub(super) fn has_optional(&self, name: &str) -> bool {
        self.params.iter().any(|param| param.name == name && param.default.is_some())
    }
}

/// The stage of a domain's life, as far as it decides which operations are offered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum DomainStage {
    Dom0,
    /// On the host, and not Domain-0.
    Guest,
    /// Defined, not on the host.
    Halted,
    /// Defined, with its memory in a file.
    Suspended,
}

pub(super) const ANY_STAGE: [DomainStage; 4] =
    [DomainStage::Dom0, DomainStage::Guest, DomainStage::Halted, DomainStage::Suspended];
pub(super) const GUEST: [DomainStage; 1] = [DomainStage::Guest];
pub(super) const HALTED: [DomainStage; 1] = [DomainStage::Halted];
pub(super) const SUSPENDED: [DomainStage; 1] = [DomainStage::Suspended];
pub(super) const DESTROYABLE: [DomainStage; 2] = [DomainStage::Guest, DomainStage::Suspended];

/// A request for an operation.
pub(super) struct OperationRequest<'a> {
    /// The domain or the vnet in the page's path; empty on other pages.
    pub(super) name: &'a str,
    pub(super) params: &'a Params,
    pub(super) policy: &'a Policy,
}

impl OperationRequest<'_> {
    /// A change of the domain in the path.
    #[allow(clippy::unnecessary_wraps, reason = "the last expression of most `build` functions")]
    pub(super) fn change(&self, op: DomainOp) -> Result<EngineRequest, Invalid> {
        Ok(Change::Domain(self.domain(), op).into())
    }

    /// The domain in the path.
    pub(super) fn domain(&self) -> DomainRef {
        DomainRef::new(self.name)
    }
}

/// A parameter of an operation or of a query.
pub(super) struct Param {
    pub(super) name: &'static str,
    pub(super) kind: ParamKind,
    /// The value if it is left out, in words; `None` if it is required.
    pub(super) default: Option<&'static str>,
    pub(super) about: &'static str,
    /// A valid value.
    pub(super) example: &'static str,
}

/// A required parameter.
pub(super) const fn required(
    name: &'static str,
    kind: ParamKind,
    about: &'static str,
    example: &'static str,
) -> Param {
    Param { name, kind, default: None, about, example }
}

/// A parameter that can be left out.
pub(super) const fn optional(
    name: &'static str,
    kind: ParamKind,
    default: &'static str,
    about: &'static str,
    example: &'static str,
) -> Param {
    Param { name, kind, default: Some(default), about, example }
}

/// The type of a parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ParamKind {
    /// A whole number from 0 up, in this unit.
    Number(&'static str),
    /// 0 or 1.
    Flag,
    /// One of these words.
    Word(&'static [&'static str]),
    /// Text, with a word on its format.
    Text(&'static str),
    /// The absolute path of a file on the host.
    Path,
    /// An S-expression that configures this.
    Config(&'static str),
}

impl ParamKind {
    /// The type in a word.
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Number(_) => "number",
            Self::Flag => "flag",
            Self::Word(_) => "word",
            Self::Text(_) => "text",
            Self::Path => "path",
            Self::Config(_) => "s-expression",
        }
    }

    /// The unit of a number, or the values or the format that are accepted.
    pub(super) fn unit(self) -> String {
        match self {
            Self::Number(unit) | Self::Text(unit) | Self::Config(unit) => unit.to_owned(),
            Self::Flag => "0 or 1".to_owned(),
            Self::Word(words) => words.join(", "),
            Self::Path => "absolute path on the host".to_owned(),
        }
    }
}

/// The answer to an operation that succeeded, as xend gave it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Success {
    /// `201 created`, the domain's Location, and the domain.
    Created,
    /// `201 Created` and the domain's Location. S-expression clients get no body: xm 3.0.0 fails if
    /// there is one with a domid. HTML and JSON have the domain.
    Restored,
    /// `202 Accepted`, `Location: URL/..`, no body. Failures have the Location as well.
    Accepted,
    /// `200 OK`, no body.
    Empty,
    /// `200 OK` and the `0` that a Python function returned.
    Zero,
    /// `200 OK` and the result.
    Answer,
}

impl Success {
    /// The answer in words, for the reference.
    pub(super) const fn about(self) -> &'static str {
        match self {
            Self::Created => "201 created, the domain's Location, and the domain",
            Self::Restored => {
                "201 Created and the domain's Location; the domain itself in HTML and JSON only"
            }
            Self::Accepted => "202 Accepted",
            Self::Empty => "200 OK",
            Self::Zero => "200 OK and 0",
            Self::Answer => "200 OK and the result",
        }
    }
}

/// The request to the engine for an urlencoded form.
#[cfg(test)]
pub(super) fn build_from_form(operation: &Operation, form: &str) -> Result<EngineRequest, Invalid> {
    let policy = Policy { node_shutdown: true, ..Policy::default() };
    let params = Params::from_form(form.as_bytes());
    (operation.build)(&OperationRequest { name: "web1", params: &params, policy: &policy })
}
