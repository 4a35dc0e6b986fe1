//! Functions of the table, and the plans that they make of calls.

use super::record;
use crate::core::engine::Engine;
use crate::core::error::Error;
use crate::core::model::{DomainRef, Invalid};
use crate::core::op::{Change, DomainOp, Outcome};
use crate::core::snapshot::{DomainView, Snapshot};
use crate::core::view::View;
use crate::wire::xmlrpc::args::{Args, BadArgument};
use crate::wire::xmlrpc::context::Context;
use crate::wire::xmlrpc::value::Value;
use std::pin::Pin;

/// About how many bytes a domain's record has.
const RECORD: usize = 1024;

/// A function that can be called.
pub(super) struct Function {
    pub(super) name: &'static str,
    /// Names of its parameters.
    pub(super) params: &'static [&'static str],
    /// The number of required parameters.
    pub(super) required: usize,
    /// Makes a plan of a call's arguments.
    pub(super) plan: fn(&Args<'_>, &CallContext<'_>) -> Result<Plan, Refusal>,
}

/// The input of a plan beside the arguments.
pub(super) struct CallContext<'a> {
    pub(super) context: &'a Context,
    pub(super) view: &'a View,
}

/// The reads and changes of a call, which give its answer.
pub(super) struct Plan(Box<dyn FnOnce(Engine, View) -> Answer + Send>);

type Answer = Pin<Box<dyn Future<Output = Result<Value, Error>> + Send>>;

/// The reason for refusing a call before anything is executed.
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
    /// Reads and changes in any order.
    pub(super) fn new<F>(answer: impl FnOnce(Engine, View) -> F + Send + 'static) -> Self
    where
        F: Future<Output = Result<Value, Error>> + Send + 'static,
    {
        Self(Box::new(|engine, view| Box::pin(answer(engine, view))))
    }

    /// Reads alone.
    pub(super) fn read<F>(answer: impl FnOnce(View) -> F + Send + 'static) -> Self
    where
        F: Future<Output = Result<Value, Error>> + Send + 'static,
    {
        Self::new(|_, view| answer(view))
    }

    /// All domains. The answer is made beside the threads that serve other calls if they are many.
    pub(super) fn with_domains(answer: impl FnOnce(&Snapshot) -> Value + Send + 'static) -> Self {
        Self::new(|engine, view| async move {
            let snapshot = view.domains().await?;
            Ok(engine.print(snapshot.len() * RECORD, || answer(&snapshot)).await)
        })
    }

    /// One change.
    pub(super) fn change(
        change: Change,
        answer: impl FnOnce(Outcome) -> Value + Send + 'static,
    ) -> Self {
        Self::new(
            |engine, view| async move { Ok(answer(engine.execute(view.caller(), change).await?)) },
        )
    }

    /// A change whose answer is None.
    pub(super) fn none(change: Change) -> Self {
        Self::change(change, |_| Value::Nil)
    }

    /// A change whose answer is 0: xend passed Xen's return code on.
    pub(super) fn zero(change: Change) -> Self {
        Self::change(change, |_| Value::Int(0))
    }

    /// A change whose answer is the outcome's record.
    pub(super) fn record(change: Change) -> Self {
        Self::change(change, |outcome| record::of_outcome(&outcome))
    }

    /// An answer about the domain that the first argument names. An unknown domain is a fault.
    pub(super) fn with_domain(
        args: &Args<'_>,
        answer: impl FnOnce(&DomainView) -> Value + Send + 'static,
    ) -> Result<Self, Refusal> {
        let domain = domain(args)?;
        Ok(Self::new(|engine, view| async move {
            let domain = view.domain(&domain).await?;
            Ok(engine.print(domain.config.text_size(), || answer(&domain)).await)
        }))
    }

    /// A fixed answer.
    pub(super) fn fixed(value: Value) -> Self {
        Self::read(|_| async { Ok(value) })
    }

    /// A fault.
    pub(super) fn failed(error: Error) -> Self {
        Self::read(|_| async { Err(error) })
    }

    /// A fault of a function that does not exist any more.
    pub(super) fn unsupported(reason: &'static str) -> Self {
        Self::failed(Error::Unsupported(reason.to_owned()))
    }

    /// Carries out the plan for the caller of the view.
    pub(super) async fn carry_out(self, engine: Engine, view: View) -> Result<Value, Error> {
        (self.0)(engine, view).await
    }
}

/// The domain that the first argument names.
pub(super) fn domain(args: &Args<'_>) -> Result<DomainRef, Refusal> {
    Ok(DomainRef::new(args.text(0)?))
}

/// A change of the domain that the first argument names.
pub(super) fn on_domain(args: &Args<'_>, op: DomainOp) -> Result<Change, Refusal> {
    Ok(Change::Domain(domain(args)?, op))
}
