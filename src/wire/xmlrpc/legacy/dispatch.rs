//! Calls of `xend.*`.

use super::function::{CallContext, Refusal};
use super::table;
use crate::core::caller::Caller;
use crate::core::error::Error;
use crate::wire::xmlrpc::args::Args;
use crate::wire::xmlrpc::codec::Call;
use crate::wire::xmlrpc::context::Context;
use crate::wire::xmlrpc::fault::{Answer, Fault, INTERNAL, NO_SUCH_DOMAIN, XEND_ERROR};
use crate::wire::xmlrpc::value::Value;
use std::fmt::Write as _;

/// The answer to a call; `None` if there is no such function.
pub(in crate::wire::xmlrpc) async fn answer(
    context: &Context,
    caller: &Caller,
    call: &Call,
) -> Option<Answer> {
    let function = table::find(&call.method)?;
    let most = function.params.len();
    let given = call.params.len();
    if given < function.required || given > most {
        return Some(Err(Fault::wrong_count(function.name, function.required, most, given)));
    }
    let args = Args { names: function.params, values: &call.params };
    let view = context.engine().view(caller);
    let plan = match (function.plan)(&args, &CallContext { context, view: &view }) {
        Ok(plan) => plan,
        Err(Refusal::BadArgument(bad_argument)) => {
            let text = format!("{}: {bad_argument}", function.name);
            return Some(Err(Fault::new(INTERNAL, text)));
        }
        Err(Refusal::Invalid(invalid)) => {
            return Some(Err(Fault::new(XEND_ERROR, invalid.to_string())));
        }
    };
    Some(match plan.carry_out(context.engine().clone(), view).await {
        Ok(value) => Ok(escape_string(value)),
        Err(Error::NoSuchDomain(name)) => Err(Fault::new(NO_SUCH_DOMAIN, name)),
        Err(error) => Err(Fault::new(XEND_ERROR, error.to_string())),
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
