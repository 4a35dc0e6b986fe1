//! The host.

use super::{Function, Work, show};
use crate::core::op::{Change, Op, Outcome, Query};
use crate::wire::xmlrpc::value::Value;

pub(super) const FUNCTIONS: &[Function] = &[
    Function {
        name: "xend.node.info",
        takes: &["info_numa"],
        needs: 0,
        make: |args, _| {
            let with_numa = args.flag(0, true)?;
            Ok(Work::of(Query::Host, move |outcome| match show(&outcome) {
                Value::Array(fields) => {
                    let told = |field: &Value| with_numa || !is_numa(field);
                    Value::Array(fields.into_iter().skip(1).filter(told).collect())
                }
                other => other,
            }))
        },
    },
    // xend 4.1.6 on a host without devices set aside for guests.
    Function {
        name: "xend.node.pciinfo",
        takes: &[],
        needs: 0,
        make: |_, _| Ok(Work::said(Value::Nil)),
    },
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

/// Whether a field of the host's is about where its CPUs and memory are.
fn is_numa(field: &Value) -> bool {
    let Value::Array(field) = field else { return false };
    matches!(field.first(), Some(Value::Text(key)) if ["cpu_topology", "numa_info"].contains(&key.as_str()))
}

fn text(outcome: &Outcome) -> Value {
    match outcome {
        Outcome::Text(text) => Value::text(String::from_utf8_lossy(text)),
        _ => Value::text(""),
    }
}
