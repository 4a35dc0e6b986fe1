//! `system.*`: the introspection functions of Python's XML-RPC servers, which xend offered on every
//! listener. Their answers have no status, unlike those of the Xen-API.

use super::codec::Call;
use super::fault::{Answer, Fault, INTERNAL};
use super::value::Value;
use super::xenapi::XenApiHosts;
use super::{legacy, xenapi};

const LIST_METHODS: &str = "system.listMethods";
const METHOD_HELP: &str = "system.methodHelp";
const METHOD_SIGNATURE: &str = "system.methodSignature";

/// The answer of Python's servers for every function.
const NO_SIGNATURES: &str = "signatures not supported";

/// The tables of functions that a listener offers a caller.
#[derive(Debug, Clone, Copy)]
pub(super) struct Offered {
    pub(super) legacy: bool,
    /// The hosts that the Xen-API shows, if it is offered.
    pub(super) xenapi: Option<XenApiHosts>,
}

impl Offered {
    /// All functions, sorted by name.
    pub(super) fn methods(self) -> Vec<String> {
        let mut names: Vec<String> =
            [LIST_METHODS, METHOD_HELP, METHOD_SIGNATURE].map(str::to_owned).into_iter().collect();
        if self.legacy {
            names.extend(legacy::methods().map(str::to_owned));
        }
        if let Some(hosts) = self.xenapi {
            names.extend(xenapi::methods(hosts));
        }
        names.sort_unstable();
        names
    }

    /// A function and its parameters, optional ones in brackets: `xend.domain.pause(dom, [state])`.
    /// Empty for an unknown function, as in Python.
    pub(super) fn help(self, method: &str) -> String {
        let found = (self.legacy.then(|| legacy::parameters(method)).flatten())
            .or_else(|| self.xenapi.and_then(|hosts| xenapi::parameters(method, hosts)));
        found.map_or_else(String::new, |(names, required)| signature(method, names, required))
    }
}

/// A function with its parameters, optional ones in brackets.
fn signature(method: &str, names: &[&str], required: usize) -> String {
    let shown = names
        .iter()
        .enumerate()
        .map(|(at, name)| if at < required { (*name).to_owned() } else { format!("[{name}]") });
    format!("{method}({})", shown.collect::<Vec<_>>().join(", "))
}

/// The names of the parameters of one of these functions; `None` for another one.
pub(super) fn own_parameters(method: &str) -> Option<&'static [&'static str]> {
    match method {
        LIST_METHODS => Some(&[]),
        METHOD_HELP | METHOD_SIGNATURE => Some(&["method"]),
        _ => None,
    }
}

/// The answer to one of these functions; `None` for another one.
pub(super) fn answer(offered: Offered, call: &Call) -> Option<Answer> {
    let method = call.method.as_str();
    let expected = match method {
        LIST_METHODS => 0,
        METHOD_HELP | METHOD_SIGNATURE => 1,
        _ => return None,
    };
    if call.params.len() != expected {
        return Some(Err(Fault::wrong_count(method, expected, expected, call.params.len())));
    }
    let value = match (method, call.params.first()) {
        (METHOD_HELP, Some(Value::Text(name))) => Value::text(offered.help(name)),
        (METHOD_SIGNATURE, Some(Value::Text(_))) => Value::text(NO_SIGNATURES),
        (_, None) => Value::Array(offered.methods().into_iter().map(Value::Text).collect()),
        (_, Some(_)) => {
            let text = format!("{method}: method: a string is expected");
            return Some(Err(Fault::new(INTERNAL, text)));
        }
    };
    Some(Ok(value))
}
