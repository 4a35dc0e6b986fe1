//! All calls with examples, for the reference. They are made from the tables that answer them.

use super::codec;
use super::examples::{self, Example, variable};
use super::introspection::{Offered, own_parameters};
use super::value::Value;
use super::{legacy, xenapi};
use crate::call_reference::{CallExample, CallGroup};

/// The calls `xend.*` and `system.*`.
pub fn legacy_calls() -> Vec<CallGroup> {
    let offered = Offered { legacy: true, xenapi: false };
    let mut groups: Vec<CallGroup> = Vec::new();
    for name in offered.methods() {
        let parameters = own_parameters(&name)
            .or_else(|| legacy::parameters(&name).map(|(names, required)| &names[..required]));
        let values = parameters.unwrap_or_default().iter();
        let body = body(&name, values.map(|parameter| examples::of_legacy(&name, parameter)));
        let signature = match own_parameters(&name) {
            Some(names) => format!("{name}({})", names.join(", ")),
            None => offered.help(&name),
        };
        let group = name.rsplit_once('.').map_or("", |(group, _)| group).to_owned();
        let call = CallExample { name, signature, body };
        match groups.iter_mut().find(|known| known.name == group) {
            Some(known) => known.calls.push(call),
            None => groups.push(CallGroup { name: group, object: None, calls: vec![call] }),
        }
    }
    groups
}

/// The calls of the Xen-API, class by class.
pub fn xen_api_calls() -> Vec<CallGroup> {
    let offered = Offered { legacy: false, xenapi: true };
    let groups = xenapi::classes().map(|(class, methods)| {
        let call = |name: String| {
            let (names, required) = xenapi::parameters(&name).unwrap_or((&[], 0));
            let values =
                names[..required].iter().map(|parameter| examples::of_xen_api(&name, parameter));
            CallExample { signature: offered.help(&name), body: body(&name, values), name }
        };
        let all = format!("{class}.get_all");
        let object = methods
            .contains(&all)
            .then(|| (variable(class), body(&all, [Example::Text("$SESSION")].into_iter())));
        CallGroup { name: class.to_owned(), object, calls: methods.into_iter().map(call).collect() }
    });
    groups.collect()
}

/// A call on one line.
fn body(name: &str, values: impl Iterator<Item = Example>) -> String {
    let values: Vec<Value> = values.map(Value::from).collect();
    codec::call(name, &values).replace('\n', "")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::xmlrpc::codec::{XmlLimits, read_call};

    fn all() -> impl Iterator<Item = CallExample> {
        legacy_calls().into_iter().chain(xen_api_calls()).flat_map(|group| group.calls)
    }

    #[test]
    fn every_call_has_its_required_parameters() {
        let mut count = 0;
        for CallExample { name, signature, body } in all() {
            let call = read_call(body.as_bytes(), &XmlLimits::default()).unwrap();
            assert_eq!(call.method, name);
            let (_, parameters) = signature.strip_suffix(')').unwrap().split_once('(').unwrap();
            let names = parameters.split(", ").filter(|name| !name.is_empty());
            let required = names.filter(|name| !name.starts_with('[')).count();
            assert_eq!(call.params.len(), required, "{signature}: {body}");
            count += 1;
        }
        assert!(count > 700, "{count}");
    }

    /// The examples stand in double quotes, in which a shell replaces some characters.
    #[test]
    fn examples_are_the_same_in_double_quotes() {
        for CallExample { body, .. } in all() {
            assert!(!body.contains(['"', '\\', '`', '!', '\n']), "{body}");
            let variables = body.split('$').skip(1);
            assert!(variables.into_iter().all(|rest| rest.starts_with(char::is_uppercase)));
        }
    }
}
