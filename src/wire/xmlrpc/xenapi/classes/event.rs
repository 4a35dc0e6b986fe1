//! Events, which are answered once and have no references.

use crate::wire::xmlrpc::value::Value;
use crate::wire::xmlrpc::xenapi::events::{MAX_CLASSES, Registration};
use crate::wire::xmlrpc::xenapi::failure::Failure;
use crate::wire::xmlrpc::xenapi::host_view::HostView;
use crate::wire::xmlrpc::xenapi::schema::{Action, Class, ClassCall, Field};

/// The longest name of a class, in bytes.
const MAX_NAME: usize = 64;

/// The names of classes, in lower case.
fn class_names(values: &[Value]) -> Result<Vec<String>, Failure> {
    let reason = format!("an array of at most {MAX_CLASSES} names of classes is expected");
    let wrong = || Failure::value("classes", &reason);
    let Some(Value::Array(names)) = values.get(1) else { return Err(wrong()) };
    let name = |value: &Value| match value {
        Value::Text(name) if name.len() <= MAX_NAME => Some(name.to_ascii_lowercase()),
        _ => None,
    };
    if names.len() > MAX_CLASSES {
        return Err(wrong());
    }
    names.iter().map(name).collect::<Option<_>>().ok_or_else(wrong)
}

fn change_registration(
    host: &HostView,
    change: impl FnOnce(&mut Option<Registration>),
) -> Result<Action, Failure> {
    host.state.sessions.with_registration(&host.session.reference, change)?;
    Ok(Action::Answer(Value::Nil))
}

pub(super) static EVENT: Class = Class {
    name: "event",
    fields: &[Field::read("uuid", |_, uuid| Err(Failure::no_object("event", &uuid)))],
    calls: &[
        // An empty list stands for all classes.
        ClassCall::on_class("register", &["session", "classes"], |host, _, args| {
            let classes = class_names(args.values)?;
            change_registration(host, |registration| match registration {
                Some(registration) => registration.add_classes(classes),
                None => *registration = Some(Registration::new(classes, host.moment())),
            })
        }),
        ClassCall::on_class("unregister", &["session", "classes"], |host, _, args| {
            let classes = class_names(args.values)?;
            change_registration(host, |registration| {
                let is_left = |one: &mut Registration| one.remove_classes(&classes);
                if !registration.as_mut().is_some_and(is_left) {
                    *registration = None;
                }
            })
        }),
        ClassCall::on_class("next", &["session"], |_, _, _| Ok(Action::NextEvent)),
    ],
    ..Class::EMPTY
};
