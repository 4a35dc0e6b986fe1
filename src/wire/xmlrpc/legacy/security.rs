//! Security labels. The answers are those of xend without a loaded security module.

use super::function::{Function, Plan};
use crate::wire::xmlrpc::value::Value;

const NO_MODULE: &str = "No security module with labels is loaded";

pub(super) const FUNCTIONS: &[Function] = &[
    Function {
        name: "xend.security.get_domain_label",
        params: &["dom"],
        required: 1,
        plan: |args, _| Plan::with_domain(args, |_| Value::text("")),
    },
    Function {
        name: "xend.security.list_labels",
        params: &["policy", "type"],
        required: 0,
        plan: |_, _| Ok(Plan::fixed(Value::Array(vec![]))),
    },
    Function {
        name: "xend.security.get_xstype",
        params: &[],
        required: 0,
        plan: |_, _| Ok(Plan::fixed(Value::Int(0))),
    },
    Function {
        name: "xend.security.get_policy",
        params: &[],
        required: 0,
        plan: |_, _| Ok(Plan::fixed(Value::Array(vec![Value::text(""), Value::Int(0)]))),
    },
    Function {
        name: "xend.security.get_labeled_resources",
        params: &[],
        required: 0,
        plan: |_, _| Ok(Plan::fixed(Value::Struct(vec![]))),
    },
    Function {
        name: "xend.security.get_resource_label",
        params: &["resource"],
        required: 1,
        plan: |_, _| Ok(Plan::fixed(Value::text(""))),
    },
    Function {
        name: "xend.security.set_resource_label",
        params: &["resource", "policytype", "policyref", "reslabel", "oreslabel"],
        required: 4,
        plan: |_, _| Ok(Plan::unsupported(NO_MODULE)),
    },
    Function {
        name: "xend.security.set_policy",
        params: &["xs_type", "xml", "flags", "overwrite"],
        required: 4,
        plan: |_, _| Ok(Plan::unsupported(NO_MODULE)),
    },
    Function {
        name: "xend.security.reset_policy",
        params: &[],
        required: 0,
        plan: |_, _| Ok(Plan::unsupported(NO_MODULE)),
    },
    Function {
        name: "xend.security.activate_policy",
        params: &[],
        required: 0,
        plan: |_, _| Ok(Plan::unsupported(NO_MODULE)),
    },
    Function {
        name: "xend.security.rm_bootpolicy",
        params: &[],
        required: 0,
        plan: |_, _| Ok(Plan::unsupported(NO_MODULE)),
    },
    Function {
        name: "xend.security.set_domain_label",
        params: &[],
        required: 0,
        plan: |_, _| Ok(Plan::unsupported(NO_MODULE)),
    },
];
