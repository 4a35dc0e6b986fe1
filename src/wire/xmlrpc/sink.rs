//! S-expressions as XML-RPC has them: nested arrays, in which numbers are numbers.

use super::value::Value;
use crate::shape::{NestedSink, Node};

/// Writes `['domain', ['domid', 1], ...]`.
pub(super) type ValueSink = NestedSink<Value>;

/// A Python long, which xend left out of its answers: XML-RPC has no such thing.
const LONG: &str = "vcpu_avail";

/// What `tell` writes, which is one value.
pub(super) fn written(tell: impl FnOnce(&mut ValueSink)) -> Value {
    write(&[LONG], tell)
}

/// The same of a domain without its devices, which is what xm asks for if it lists domains.
pub(super) fn briefly(tell: impl FnOnce(&mut ValueSink)) -> Value {
    write(&[LONG, "device"], tell)
}

/// A record without some of its fields.
fn write(without: &[&str], tell: impl FnOnce(&mut ValueSink)) -> Value {
    let mut sink = ValueSink::default();
    tell(&mut sink);
    let mut written = sink.into_values().pop().unwrap_or(Value::Nil);
    if let Value::Array(fields) = &mut written {
        fields.retain(|field| !matches!(field, Value::Array(field) if is_one_of(without, field)));
    }
    written
}

fn is_one_of(keys: &[&str], field: &[Value]) -> bool {
    matches!(field.first(), Some(Value::Text(key)) if keys.contains(&key.as_str()))
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
