//! The host.

use super::{Function, Work, show};
use crate::core::op::{Change, Op, Outcome, Query};
use crate::wire::xmlrpc::value::Value;

pub(super) const FUNCTIONS: &[Function] = &[
    // Whether the topology is to be told, too: it always is.
    Function {
        name: "xend.node.info",
        takes: &["info_numa"],
        needs: 0,
        make: |_, _| {
            Ok(Work::of(Query::Host, |outcome| match show(&outcome) {
                Value::Array(fields) => Value::Array(fields.into_iter().skip(1).collect()),
                other => other,
            }))
        },
    },
    // xend 4.1.6 on a host without devices set aside for guests.
    Function { name: "xend.node.pciinfo", takes: &[], needs: 0, make: |_, _| Ok(Work::said(Value::Nil)) },
    Function {
        name: "xend.node.log",
        takes: &[],
        needs: 0,
        make: |_, wire| Ok(Work::said(Value::text(wire.log()))),
    },
    Function {
        name: "xend.node.dmesg.info",
        takes: &[],
        needs: 0,
        make: |_, _| Ok(Work::of(Query::Dmesg, |outcome| text(&outcome))),
    },
    Function {
        name: "xend.node.send_debug_keys",
        takes: &["keys"],
        needs: 1,
        make: |args, _| Ok(Work::zero(Change::DebugKeys(args.keys(0)?))),
    },
    // It answers what there was.
    Function {
        name: "xend.node.dmesg.clear",
        takes: &[],
        needs: 0,
        make: |_, _| {
            let ops = vec![Op::from(Query::Dmesg), Change::ClearDmesg.into()];
            let tell = |outcomes: Vec<Outcome>| Ok(outcomes.first().map_or(Value::text(""), text));
            Ok(Work { ops, tell: Box::new(tell) })
        },
    },
];

fn text(outcome: &Outcome) -> Value {
    match outcome {
        Outcome::Text(text) => Value::text(String::from_utf8_lossy(text)),
        _ => Value::text(""),
    }
}
