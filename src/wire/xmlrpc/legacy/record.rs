//! S-expressions as xend sent them over XML-RPC: nested arrays, in which numbers are numbers.

use crate::core::op::Outcome;
use crate::core::snapshot::DomainView;
use crate::shape::{self, NestedSink, Node};
use crate::wire::xmlrpc::value::Value;

/// Writes `['domain', ['domid', 1], ...]`.
pub(super) type ValueSink = NestedSink<Value>;

/// xend left this field out: its value was a Python long, which XML-RPC does not have.
const LONG: &str = "vcpu_avail";

/// The record of an outcome, or None.
pub(super) fn of_outcome(outcome: &Outcome) -> Value {
    match outcome {
        Outcome::Domain(view) => of_domain(view, true),
        Outcome::Attached { class, id, domid } => {
            written(|sink| shape::attached(sink, class, *domid, *id))
        }
        // No function asks for them.
        Outcome::Done | Outcome::Verdict(_) | Outcome::Guest(_) => Value::Nil,
    }
}

/// The record that `write` writes.
pub(super) fn written(write: impl FnOnce(&mut ValueSink)) -> Value {
    build(&[LONG], write)
}

/// The record of a domain. xm asks for it without devices to list domains.
pub(super) fn of_domain(view: &DomainView, with_devices: bool) -> Value {
    let without: &[&str] = if with_devices { &[LONG] } else { &[LONG, "device"] };
    build(without, |sink| shape::domain(sink, view))
}

/// The value that `write` writes, without some of its fields.
fn build(without: &[&str], write: impl FnOnce(&mut ValueSink)) -> Value {
    let mut sink = ValueSink::default();
    write(&mut sink);
    let mut record = sink.into_values().pop().unwrap_or(Value::Nil);
    if let Value::Array(fields) = &mut record {
        fields.retain(|field| !has_key(field, without));
    }
    record
}

/// Whether a field `[key, value...]` has one of these keys.
pub(super) fn has_key(field: &Value, keys: &[&str]) -> bool {
    let Value::Array(parts) = field else { return false };
    matches!(parts.first(), Some(Value::Text(key)) if keys.contains(&key.as_str()))
}

impl Node for Value {
    const SHOWS_VNC_LOCATION: bool = true;

    fn text(text: &[u8]) -> Self {
        Self::Text(String::from_utf8_lossy(text).into_owned())
    }
    fn int(n: i64) -> Self {
        Self::Int(n)
    }
    fn uint(n: u128) -> Self {
        i64::try_from(n).map_or_else(|_| Self::Text(n.to_string()), Self::Int)
    }
    fn float(n: f64) -> Self {
        Self::Double(n)
    }
    fn list(nodes: Vec<Self>) -> Self {
        Self::Array(nodes)
    }
    fn digits(text: &[u8]) -> Self {
        let number = std::str::from_utf8(text).ok().and_then(|text| text.parse().ok());
        number.map_or_else(|| <Self as Node>::text(text), Self::Int)
    }
}
