//! What an entry of a table of operations is.

use super::super::Settings;
use crate::core::model::{DomainRef, Invalid};
use crate::core::op::{Change, DomainOp, Op};
use crate::wire::http::params::Params;

/// An operation on a page. The router looks it up here, and the reference is printed from it.
pub(in crate::wire::http) struct Operation {
    /// What `op` is.
    pub(in crate::wire::http) name: &'static str,
    /// What its button says.
    pub(in crate::wire::http) label: &'static str,
    /// What it does, in a sentence.
    pub(in crate::wire::http) about: &'static str,
    /// Which domains it is for; for an operation that is on no domain, none.
    pub(in crate::wire::http) when: &'static [Stage],
    /// What can be lost by it: pages ask before they do it.
    pub(in crate::wire::http) loses: Option<&'static str>,
    /// What it takes.
    pub(in crate::wire::http) params: &'static [Param],
    /// How success is told.
    pub(in crate::wire::http) success: Success,
    /// Makes an operation of the parameters.
    pub(super) op: fn(&Asked<'_>) -> Result<Op, Invalid>,
}

impl Operation {
    /// Whether a domain comes of what somebody wrote.
    pub(super) fn reads_a_domain(&self) -> bool {
        let written = self.params.iter().any(|param| matches!(param.takes, Takes::Config(_)));
        written && (self.success == Success::Created || self.name == "new")
    }
}

/// Where a domain is, as far as operations are concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::wire::http) enum Stage {
    /// It is Domain-0.
    Dom0,
    /// It is another domain on the host.
    Guest,
    /// It is defined.
    Halted,
    /// It is defined, and its memory is in a file.
    Suspended,
}

pub(super) const EVERYWHERE: [Stage; 4] =
    [Stage::Dom0, Stage::Guest, Stage::Halted, Stage::Suspended];
pub(super) const GUEST: [Stage; 1] = [Stage::Guest];
pub(super) const HALTED: [Stage; 1] = [Stage::Halted];
pub(super) const SUSPENDED: [Stage; 1] = [Stage::Suspended];
pub(super) const DESTROYABLE: [Stage; 2] = [Stage::Guest, Stage::Suspended];

/// What an operation is made of.
pub(super) struct Asked<'a> {
    /// The last segment of the page's path, where that is a name.
    pub(super) name: &'a str,
    pub(super) params: &'a Params,
    pub(super) settings: Settings,
}

impl Asked<'_> {
    /// Something to be done with the domain that the page is about.
    #[allow(clippy::unnecessary_wraps, reason = "what an entry's function ends with")]
    pub(super) fn domain(&self, op: DomainOp) -> Result<Op, Invalid> {
        Ok(Change::Domain(self.target(), op).into())
    }

    pub(super) fn target(&self) -> DomainRef {
        DomainRef::new(self.name)
    }
}

/// A parameter of an operation.
pub(in crate::wire::http) struct Param {
    /// Its name.
    pub(in crate::wire::http) name: &'static str,
    /// What it is.
    pub(in crate::wire::http) takes: Takes,
    /// Whether it must be given.
    pub(in crate::wire::http) needed: Needed,
    /// What it means.
    pub(in crate::wire::http) about: &'static str,
    /// A value that is right.
    pub(in crate::wire::http) example: &'static str,
}

/// Whether a parameter must be given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::wire::http) enum Needed {
    /// It must.
    Yes,
    /// It is this if it is not given.
    Else(&'static str),
}

/// What a parameter is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::wire::http) enum Takes {
    /// A whole number from 0 up, of this unit.
    Number(&'static str),
    /// 0 or 1.
    Flag,
    /// One of these words.
    Word(&'static [&'static str]),
    /// Text of this sort.
    Text(&'static str),
    /// The absolute path of a file on the host.
    Path,
    /// An S-expression of this sort.
    Config(&'static str),
}

impl Takes {
    /// The type in a word.
    pub(in crate::wire::http) const fn kind(self) -> &'static str {
        match self {
            Self::Number(_) => "number",
            Self::Flag => "flag",
            Self::Word(_) => "word",
            Self::Text(_) => "text",
            Self::Path => "path",
            Self::Config(_) => "s-expression",
        }
    }

    /// The unit, or what sort of text it is.
    pub(in crate::wire::http) fn unit(self) -> String {
        match self {
            Self::Number(unit) | Self::Text(unit) | Self::Config(unit) => unit.to_owned(),
            Self::Flag => "0 or 1".to_owned(),
            Self::Word(words) => words.join(", "),
            Self::Path => "absolute, on the host".to_owned(),
        }
    }
}

/// A parameter that must be given.
pub(super) const fn needed(
    name: &'static str,
    takes: Takes,
    about: &'static str,
    example: &'static str,
) -> Param {
    Param { name, takes, needed: Needed::Yes, about, example }
}

/// A parameter that is `default` if it is not given.
pub(super) const fn optional(
    name: &'static str,
    takes: Takes,
    default: &'static str,
    about: &'static str,
    example: &'static str,
) -> Param {
    Param { name, takes, needed: Needed::Else(default), about, example }
}

/// How xend told the success of an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::wire::http) enum Success {
    /// `201 created`, the domain's Location, and the domain.
    Created,
    /// `201 Created` and the domain's Location. There is no S-expression: xm 3.0.0 fails if one has
    /// a domid. HTML and JSON have the domain.
    Restored,
    /// `202 Accepted`, `Location: URL/..`, no body. Failures have the Location as well.
    Accepted,
    /// `200 OK`, no body.
    Empty,
    /// `200 OK` and the `0` that a Python function returned.
    Zero,
    /// `200 OK` and an answer.
    Answer,
}

impl Success {
    /// What a caller gets.
    pub(in crate::wire::http) const fn about(self) -> &'static str {
        match self {
            Self::Created => "201 created, the Location of the domain, and the domain",
            Self::Restored => {
                "201 Created and the Location of the domain; HTML and JSON have the domain, too"
            }
            Self::Accepted => "202 Accepted",
            Self::Empty => "200 OK",
            Self::Zero => "200 OK and 0",
            Self::Answer => "200 OK and the answer",
        }
    }
}
