//! Functions of the table, and what they make of a call.

use super::record;
use crate::core::error::Error;
use crate::core::model::{DomainRef, Invalid};
use crate::core::op::{Change, DomainOp, Op, Outcome, Query};
use crate::wire::xmlrpc::args::{Args, BadArgument};
use crate::wire::xmlrpc::context::Context;
use crate::wire::xmlrpc::value::Value;

/// A function that can be called.
pub(super) struct Function {
    pub(super) name: &'static str,
    /// Names of its parameters.
    pub(super) params: &'static [&'static str],
    /// How many of them must be given.
    pub(super) required: usize,
    /// Makes a plan of a call's arguments.
    pub(super) plan: fn(&Args<'_>, &Context) -> Result<Plan, Refusal>,
}

/// The operations of a call, and how their outcomes become its answer.
pub(super) struct Plan {
    /// Executed in order; the first failure ends the call.
    pub(super) ops: Vec<Op>,
    /// Makes the answer of the outcomes.
    pub(super) answer: Box<dyn FnOnce(Vec<Outcome>) -> Result<Value, Error> + Send>,
}

/// Why a call is refused before anything is executed.
pub(super) enum Refusal {
    /// An argument has the wrong type.
    BadArgument(BadArgument),
    /// An argument has an invalid value.
    Invalid(Invalid),
}

impl From<BadArgument> for Refusal {
    fn from(bad_argument: BadArgument) -> Self {
        Self::BadArgument(bad_argument)
    }
}

impl From<Invalid> for Refusal {
    fn from(invalid: Invalid) -> Self {
        Self::Invalid(invalid)
    }
}

impl Plan {
    /// Several operations.
    pub(super) fn new(
        ops: Vec<Op>,
        answer: impl FnOnce(Vec<Outcome>) -> Result<Value, Error> + Send + 'static,
    ) -> Self {
        Self { ops, answer: Box::new(answer) }
    }

    /// One operation.
    pub(super) fn one(
        op: impl Into<Op>,
        answer: impl FnOnce(Outcome) -> Value + Send + 'static,
    ) -> Self {
        let first = |outcomes: Vec<Outcome>| outcomes.into_iter().next().unwrap_or(Outcome::Done);
        Self::new(vec![op.into()], move |outcomes| Ok(answer(first(outcomes))))
    }

    /// An operation whose answer is None.
    pub(super) fn none(op: impl Into<Op>) -> Self {
        Self::one(op, |_| Value::Nil)
    }

    /// An operation whose answer is 0: xend passed Xen's return code on.
    pub(super) fn zero(op: impl Into<Op>) -> Self {
        Self::one(op, |_| Value::Int(0))
    }

    /// An operation whose answer is the outcome's record.
    pub(super) fn record(op: impl Into<Op>) -> Self {
        Self::one(op, |outcome| record::of_outcome(&outcome))
    }

    /// An answer about the domain that the first argument names. An unknown domain is a fault.
    pub(super) fn with_domain(
        args: &Args<'_>,
        answer: impl FnOnce(Outcome) -> Value + Send + 'static,
    ) -> Result<Self, Refusal> {
        Ok(Self::one(Query::Domain(domain(args)?), answer))
    }

    /// A fixed answer.
    pub(super) fn fixed(value: Value) -> Self {
        Self::new(vec![], |_| Ok(value))
    }

    /// A fault, after operations that check what the arguments name.
    pub(super) fn unsupported(ops: Vec<Op>, reason: &'static str) -> Self {
        Self::new(ops, move |_| Err(Error::Unsupported(reason.to_owned())))
    }
}

/// The domain that the first argument names.
pub(super) fn domain(args: &Args<'_>) -> Result<DomainRef, Refusal> {
    Ok(DomainRef::new(args.text(0)?))
}

/// An operation on the domain that the first argument names.
pub(super) fn on_domain(args: &Args<'_>, op: DomainOp) -> Result<Op, Refusal> {
    Ok(Change::Domain(domain(args)?, op).into())
}
