//! Calls of `xend.*`.

use super::function::Refusal;
use super::table;
use crate::core::caller::Caller;
use crate::core::error::Error;
use crate::wire::xmlrpc::args::Args;
use crate::wire::xmlrpc::codec::{self, Call};
use crate::wire::xmlrpc::context::Context;
use crate::wire::xmlrpc::fault::{INTERNAL, NO_SUCH_DOMAIN, XEND_ERROR, wrong_count};
use crate::wire::xmlrpc::value::Value;
use std::fmt::Write as _;

/// The answer to a call; `None` if there is no such function.
pub(in crate::wire::xmlrpc) async fn answer(
    context: &Context,
    caller: &Caller,
    call: &Call,
) -> Option<String> {
    let function = table::find(&call.method)?;
    let most = function.params.len();
    let given = call.params.len();
    if given < function.required || given > most {
        return Some(wrong_count(function.name, function.required, most, given));
    }
    let args = Args { names: function.params, values: &call.params };
    let plan = match (function.plan)(&args, context) {
        Ok(plan) => plan,
        Err(Refusal::BadArgument(bad_argument)) => {
            return Some(codec::fault(INTERNAL, &format!("{}: {bad_argument}", function.name)));
        }
        Err(Refusal::Invalid(invalid)) => {
            return Some(codec::fault(XEND_ERROR, &invalid.to_string()));
        }
    };
    let mut outcomes = Vec::with_capacity(plan.ops.len());
    for op in plan.ops {
        match context.engine().execute(caller, op).await {
            Ok(outcome) => outcomes.push(outcome),
            Err(Error::NoSuchDomain(name)) => return Some(codec::fault(NO_SUCH_DOMAIN, &name)),
            Err(error) => return Some(codec::fault(XEND_ERROR, &error.to_string())),
        }
    }
    Some(match (plan.answer)(outcomes) {
        Ok(value) => codec::answer(&escape_string(value)),
        Err(error) => codec::fault(XEND_ERROR, &error.to_string()),
    })
}

/// Escapes an answer that is a string alone. xend sent it as Python's `repr` prints it between its
/// quotes, and xm evaluates it. xend never escaped the quotes.
fn escape_string(value: Value) -> Value {
    let Value::Text(text) = value else { return value };
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'\\' => out.push_str("\\\\"),
            b'\n' => out.push_str("\\n"),
            b'\r' => out.push_str("\\r"),
            b'\t' => out.push_str("\\t"),
            b' '..=b'~' => out.push(char::from(byte)),
            // Writing to a string never fails.
            _ => drop(write!(out, "\\x{byte:02x}")),
        }
    }
    Value::Text(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_are_escaped_as_in_python() {
        let text = escape_string(Value::text("a\\b\n\u{7}'\"ü"));
        assert_eq!(text, Value::text(r#"a\\b\n\x07'"\xc3\xbc"#));
        let nested = Value::Array(vec![Value::text("a\n")]);
        assert_eq!(escape_string(nested.clone()), nested);
    }
}
