//! Security modules, of which none is loaded.

use crate::wire::xmlrpc::value::Value;
use crate::wire::xmlrpc::xenapi::failure::Failure;
use crate::wire::xmlrpc::xenapi::schema::{Action, Class, ClassCall, Field};
use crate::wire::xmlrpc::xenapi::values::map;

/// The parameters of a call that labels an object.
pub(super) const LABEL_PARAMS: &[&str] = &["session", "self", "label", "old_label"];

/// The failure of calls that need a security module. `-1` is what xend returned without one: the
/// number of "operation not supported".
pub(super) fn no_module() -> Failure {
    Failure::new("SECURITY_ERROR", ["-1", "No security module is loaded"])
}

/// A call that needs a security module.
macro_rules! needs_module {
    ($name:literal, $($param:literal),*) => {
        ClassCall::on_class($name, &["session", $($param),*], |_, _, _| Err(no_module()))
    };
}

/// A call that answers nothing about a policy.
macro_rules! no_policy {
    ($name:literal) => {
        ClassCall::on_object($name, &["session", "self"], |_, _, _| Ok(Action::Answer(Value::Nil)))
    };
}

/// The answer about the policy that is in force.
fn empty_policy() -> Value {
    let empty = ["xs_ref", "repr", "version"].map(|key| (key, String::new()));
    let zero = ["type", "flags", "xserr"].map(|key| (key, "0".to_owned()));
    map(empty.into_iter().chain(zero))
}

pub(super) static XSPOLICY: Class = Class {
    name: "XSPolicy",
    fields: &[Field::read("uuid", |_, uuid| Err(Failure::no_object("XSPolicy", &uuid)))],
    calls: &[
        ClassCall::on_class("get_xstype", &["session"], |_, _, _| {
            Ok(Action::Answer(Value::text("0")))
        }),
        ClassCall::on_class("get_xspolicy", &["session"], |_, _, _| {
            Ok(Action::Answer(empty_policy()))
        }),
        needs_module!("set_xspolicy", "type", "repr", "flags", "overwrite"),
        needs_module!("reset_xspolicy", "type"),
        needs_module!("activate_xspolicy", "xspolicy", "flags"),
        needs_module!("rm_xsbootpolicy",),
        ClassCall::on_class("get_labeled_resources", &["session"], |_, _, _| {
            Ok(Action::Answer(map([])))
        }),
        needs_module!("set_resource_label", "resource", "label", "old_label"),
        ClassCall::on_class("get_resource_label", &["session", "resource"], |_, _, args| {
            args.text(1)?;
            Ok(Action::Answer(Value::text("")))
        }),
        needs_module!("can_run", "label"),
        needs_module!("getenforce",),
        needs_module!("setenforce", "mode"),
    ],
    ..Class::EMPTY
};

pub(super) static ACMPOLICY: Class = Class {
    name: "ACMPolicy",
    fields: &[Field::read("uuid", |_, uuid| Err(Failure::no_object("ACMPolicy", &uuid)))],
    calls: &[
        no_policy!("get_header"),
        no_policy!("get_xml"),
        no_policy!("get_map"),
        no_policy!("get_binary"),
        needs_module!("get_enforced_binary",),
        needs_module!("get_VM_ssidref", "vm"),
    ],
    ..Class::EMPTY
};
