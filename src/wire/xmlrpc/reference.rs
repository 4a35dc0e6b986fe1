//! All calls with examples, for the reference. They are made from the tables that answer them.

use super::codec;
use super::examples::{self, Example, ObjectSource, variable};
use super::introspection::{Offered, own_parameters};
use super::value::Value;
use super::xenapi::XenApiHosts;
use super::{legacy, xenapi};
use crate::call_reference::{CallExample, CallGroup, ExampleObject};

/// The calls `xend.*` and `system.*`.
pub fn legacy_calls() -> Vec<CallGroup> {
    let offered = Offered { legacy: true, xenapi: None };
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

/// The calls of the Xen-API that shows these hosts, class by class.
pub fn xen_api_calls(hosts: XenApiHosts) -> Vec<CallGroup> {
    let offered = Offered { legacy: false, xenapi: Some(hosts) };
    let groups = xenapi::classes(hosts).map(|(class, methods)| {
        let call = |name: String| {
            let (names, required) = xenapi::parameters(&name, hosts).unwrap_or((&[], 0));
            let values =
                names[..required].iter().map(|parameter| examples::of_xen_api(&name, parameter));
            CallExample { signature: offered.help(&name), body: body(&name, values), name }
        };
        let has_objects = methods.contains(&format!("{class}.get_all"));
        let source = examples::source(class).filter(|_| has_objects);
        let object = source.map(|ObjectSource { method, parameters, about }| ExampleObject {
            variable: variable(class),
            about,
            body: body(&method, parameters.into_iter()),
        });
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
        legacy_calls()
            .into_iter()
            .chain(xen_api_calls(XenApiHosts::Fleet))
            .flat_map(|group| group.calls)
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

    /// What destroys or changes the first VM of a host would do it to Domain-0.
    #[test]
    fn no_object_is_that_of_a_vm_that_nobody_named() {
        let groups = xen_api_calls(XenApiHosts::Fleet);
        let object =
            |class: &str| groups.iter().find(|group| group.name == class).unwrap().object.as_ref();
        let vm = object("VM").unwrap();
        assert!(vm.body.contains("VM.get_by_name_label") && vm.body.contains("web1"), "{vm:?}");
        assert!(vm.about.contains("the VM with the name web1"), "{vm:?}");
        assert_eq!(object("session"), None, "the login sets $SESSION");
        for class in ["VIF", "VBD", "VTPM", "console", "DPCI", "DSCSI", "DSCSI_HBA", "VM_metrics"] {
            let object = object(class).unwrap();
            assert!(object.body.contains(">$VM<"), "{object:?}");
        }
        let methods: Vec<&str> =
            groups.iter().flat_map(|group| &group.calls).map(|call| call.name.as_str()).collect();
        for object in groups.iter().filter_map(|group| group.object.as_ref()) {
            let call = read_call(object.body.as_bytes(), &XmlLimits::default()).unwrap();
            assert!(methods.contains(&call.method.as_str()), "{object:?}");
        }
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
