//! `xend.*`: what xm of 3.0.3 to 4.4 calls.
//!
//! An entry of the table says what a function takes, makes operations of it, and says how what
//! comes back is told. What fails is a fault: 3 if there is no such domain, 2 if it cannot be done,
//! 1 if the call makes no sense.

mod cpu;
mod device_list;
mod devices;
mod domains;
mod files;
mod life;
mod node;
mod none;
mod pools;

use super::args::{Args, Unfit};
use super::codec::{self, Call};
use super::context::Context;
use super::fault::{INTERNAL, NO_SUCH_DOMAIN, XEND_ERROR};
use super::sink::written;
use super::value::Value;
use crate::core::caller::Caller;
use crate::core::error::Error;
use crate::core::model::{DomainRef, Invalid};
use crate::core::op::{Change, DomainOp, Op, Outcome, Query};
use crate::shape;
use std::fmt::Write as _;

/// A function.
struct Function {
    name: &'static str,
    /// The names of its parameters.
    takes: &'static [&'static str],
    /// How many of them must be given.
    needs: usize,
    make: fn(&Args<'_>, &Context) -> Result<Work, Refused>,
}

/// What is to be done for a call.
struct Work {
    /// One after the other, until one fails.
    ops: Vec<Op>,
    /// What is told of what came back.
    tell: Box<dyn FnOnce(Vec<Outcome>) -> Result<Value, Error> + Send>,
}

/// Why there is nothing to be done.
enum Refused {
    /// The parameters are not what they should be.
    Unfit(Unfit),
    /// They are, and mean nothing.
    Invalid(Invalid),
}

impl From<Unfit> for Refused {
    fn from(unfit: Unfit) -> Self {
        Self::Unfit(unfit)
    }
}

impl From<Invalid> for Refused {
    fn from(invalid: Invalid) -> Self {
        Self::Invalid(invalid)
    }
}

impl Work {
    /// Something to be asked or done, and what is told of it.
    fn of(op: impl Into<Op>, tell: impl FnOnce(Outcome) -> Value + Send + 'static) -> Self {
        let first = |outcomes: Vec<Outcome>| outcomes.into_iter().next().unwrap_or(Outcome::Done);
        Self { ops: vec![op.into()], tell: Box::new(move |outcomes| Ok(tell(first(outcomes)))) }
    }

    /// Something of which xend said nothing.
    fn silent(op: impl Into<Op>) -> Self {
        Self::of(op, |_| Value::Nil)
    }

    /// Something of which xend passed Xen's 0 on.
    fn zero(op: impl Into<Op>) -> Self {
        Self::of(op, |_| Value::Int(0))
    }

    /// Something that is told as it is.
    fn shown(op: impl Into<Op>) -> Self {
        Self::of(op, |outcome| show(&outcome))
    }

    /// Nothing is to be done.
    fn said(value: Value) -> Self {
        Self { ops: vec![], tell: Box::new(|_| Ok(value)) }
    }

    /// What today's Xen has no more, once it is known that what is named is there.
    fn unsupported(ops: Vec<Op>, why: &'static str) -> Self {
        Self { ops, tell: Box::new(move |_| Err(Error::Unsupported(why.to_owned()))) }
    }
}

/// The domain that the first parameter names.
fn domain(args: &Args<'_>) -> Result<DomainRef, Refused> {
    Ok(DomainRef::new(args.text(0)?))
}

/// Something with that domain.
fn on(args: &Args<'_>, op: DomainOp) -> Result<Op, Refused> {
    Ok(Change::Domain(domain(args)?, op).into())
}

/// Whether there is that domain, for what means nothing on today's Xen.
fn looked_up(
    args: &Args<'_>,
    tell: impl FnOnce(Outcome) -> Value + Send + 'static,
) -> Result<Work, Refused> {
    Ok(Work::of(Query::Domain(domain(args)?), tell))
}

fn show(outcome: &Outcome) -> Value {
    written(|sink| match outcome {
        Outcome::Domain(view) => shape::domain(sink, view),
        Outcome::Host(info, figures) => shape::node(sink, info, figures),
        Outcome::Vcpus(view, vcpus) => shape::vcpus(sink, view, vcpus),
        Outcome::Sedf(view, params) => shape::sedf(sink, view, params),
        Outcome::Attached { class, id, domid } => shape::attached(sink, class, *domid, *id),
        Outcome::Devices(devices) => shape::devices(sink, devices),
        Outcome::DefinedDevices(devices) => shape::defined_devices(sink, devices),
        _ => {}
    })
}

/// All functions by their names.
pub(super) fn methods() -> impl Iterator<Item = &'static str> {
    tables().map(|function| function.name)
}

/// The parameters of a function, and how many of them must be given.
pub(super) fn parameters(method: &str) -> Option<(&'static [&'static str], usize)> {
    tables()
        .find(|function| function.name == method)
        .map(|function| (function.takes, function.needs))
}

/// The fault for too few or too many parameters.
pub(super) fn wrong_count(method: &str, least: usize, most: usize, given: usize) -> String {
    let count = if least == most { least.to_string() } else { format!("{least} to {most}") };
    codec::fault(INTERNAL, &format!("{method}() takes {count} parameters, {given} were given"))
}

/// The answer to a call; none if there is no such function.
pub(super) async fn answer(wire: &Context, caller: &Caller, call: &Call) -> Option<String> {
    let function = tables().find(|function| function.name == call.method)?;
    let (least, most, given) = (function.needs, function.takes.len(), call.params.len());
    if given < least || given > most {
        return Some(wrong_count(function.name, least, most, given));
    }
    let args = Args { names: function.takes, values: &call.params };
    let work = match (function.make)(&args, wire) {
        Ok(work) => work,
        Err(Refused::Unfit(unfit)) => {
            return Some(codec::fault(INTERNAL, &format!("{}: {unfit}", function.name)));
        }
        Err(Refused::Invalid(invalid)) => {
            return Some(codec::fault(XEND_ERROR, &invalid.to_string()));
        }
    };
    let mut outcomes = Vec::with_capacity(work.ops.len());
    for op in work.ops {
        match wire.engine().execute(caller, op).await {
            Ok(outcome) => outcomes.push(outcome),
            Err(Error::NoSuchDomain(name)) => return Some(codec::fault(NO_SUCH_DOMAIN, &name)),
            Err(error) => return Some(codec::fault(XEND_ERROR, &error.to_string())),
        }
    }
    Some(match (work.tell)(outcomes) {
        Ok(value) => codec::answer(&escaped(value)),
        Err(error) => codec::fault(XEND_ERROR, &error.to_string()),
    })
}

fn tables() -> impl Iterator<Item = &'static Function> {
    [
        domains::FUNCTIONS,
        life::FUNCTIONS,
        files::FUNCTIONS,
        cpu::FUNCTIONS,
        devices::FUNCTIONS,
        node::FUNCTIONS,
        none::FUNCTIONS,
        pools::FUNCTIONS,
    ]
    .into_iter()
    .flatten()
}

/// xend sent a string that is a whole answer as Python's `repr` has it between its quotes, and xm
/// evaluates that. Its own quotes were never escaped.
fn escaped(value: Value) -> Value {
    let Value::Text(text) = value else { return value };
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'\\' => out.push_str("\\\\"),
            b'\n' => out.push_str("\\n"),
            b'\r' => out.push_str("\\r"),
            b'\t' => out.push_str("\\t"),
            b' '..=b'~' => out.push(char::from(byte)),
            // Writing to a string does not fail.
            _ => drop(write!(out, "\\x{byte:02x}")),
        }
    }
    Value::Text(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_string_is_escaped_as_python_does_it() {
        let text = escaped(Value::text("a\\b\n\u{7}'\"ü"));
        assert_eq!(text, Value::text(r#"a\\b\n\x07'"\xc3\xbc"#));
        let nested = Value::Array(vec![Value::text("a\n")]);
        assert_eq!(escaped(nested.clone()), nested);
    }

    #[test]
    fn every_function_is_there_once() {
        let mut names: Vec<_> = tables().map(|function| function.name).collect();
        names.sort_unstable();
        let all = names.len();
        names.dedup();
        assert_eq!(names.len(), all);
        assert!(tables().all(|function| function.needs <= function.takes.len()));
    }
}
