//! Calls to try a client with.

use crate::core::model::Uuid;
use crate::wire::xmlrpc::value::Value;
use crate::wire::xmlrpc::xenapi::failure::Failure;
use crate::wire::xmlrpc::xenapi::host_view::HostView;
use crate::wire::xmlrpc::xenapi::schema::{Action, Class, ClassCall, Field};
use crate::wire::xmlrpc::xenapi::values::text;
use std::time::Duration;

/// The longest wait, in seconds.
const MAX_WAIT: u64 = 3600;

fn check(host: &HostView, uuid: Uuid) -> Result<(), Failure> {
    if host.state.debug_objects.contains(uuid, &host.caller) {
        return Ok(());
    }
    Err(Failure::no_object("debug", &uuid))
}

pub(super) static DEBUG: Class = Class {
    name: "debug",
    all: |host| Ok(host.state.debug_objects.all(&host.caller)),
    check,
    fields: &[Field::read("uuid", |host, uuid| check(host, uuid).map(|()| text(&uuid)))],
    calls: &[
        ClassCall::on_class("create", &["session"], |host, _, _| {
            let uuid = host.state.new_uuid();
            if !host.state.debug_objects.add(uuid, host.caller.principal.clone()) {
                return Err(Failure::not_allowed("There are too many of them, destroy some"));
            }
            Ok(Action::Answer(text(&uuid)))
        }),
        ClassCall::on_object("destroy", &["session", "self"], |host, uuid, _| {
            host.state.debug_objects.remove(uuid);
            Ok(Action::Answer(Value::Nil))
        }),
        ClassCall::on_class("return_failure", &["session"], |_, _, _| {
            Err(Failure::new("DEBUG_FAIL", ["session", "This is asked for"]))
        }),
        ClassCall::on_class("wait", &["session", "seconds"], |_, _, args| {
            let seconds = args.number::<u64>(1)?;
            if seconds > MAX_WAIT {
                return Err(Failure::value("seconds", "3600 at most is expected"));
            }
            Ok(Action::Wait(Duration::from_secs(seconds)))
        }),
    ],
    ..Class::EMPTY
};
