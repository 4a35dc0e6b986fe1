//! The host.

use super::function::{Function, Plan};
use super::record;
use crate::core::op::Change;
use crate::core::rights::OpKind;
use crate::shape;
use crate::wire::xmlrpc::value::Value;

/// Fields of the host about the location of its CPUs and memory.
const NUMA: &[&str] = &["cpu_topology", "numa_info"];

pub(super) const FUNCTIONS: &[Function] = &[
    Function {
        name: "xend.node.info",
        params: &["info_numa"],
        required: 0,
        plan: |args, _| {
            let with_numa = args.flag(0, true)?;
            Ok(Plan::read(move |view| async move {
                let (info, figures) = view.host().await?;
                Ok(match record::written(|sink| shape::node(sink, &info, &figures)) {
                    Value::Array(fields) => {
                        let shown = |field: &Value| with_numa || !record::has_key(field, NUMA);
                        Value::Array(fields.into_iter().skip(1).filter(shown).collect())
                    }
                    other => other,
                })
            }))
        },
    },
    // The answer of xend 4.1.6 on a host without devices for guests.
    Function {
        name: "xend.node.pciinfo",
        params: &[],
        required: 0,
        plan: |_, _| Ok(Plan::fixed(Value::Nil)),
    },
    Function {
        name: "xend.node.log",
        params: &[],
        required: 0,
        plan: |_, call| {
            Ok(match call.view.require(OpKind::ReadLog, "the log") {
                Ok(()) => Plan::fixed(Value::text(call.context.log())),
                Err(error) => Plan::failed(error),
            })
        },
    },
    Function {
        name: "xend.node.dmesg.info",
        params: &[],
        required: 0,
        plan: |_, _| Ok(Plan::read(|view| async move { Ok(text(&view.dmesg().await?)) })),
    },
    Function {
        name: "xend.node.send_debug_keys",
        params: &["keys"],
        required: 1,
        plan: |args, _| Ok(Plan::zero(Change::DebugKeys(args.keys(0)?))),
    },
    // It answers the messages that it clears.
    Function {
        name: "xend.node.dmesg.clear",
        params: &[],
        required: 0,
        plan: |_, _| {
            Ok(Plan::new(|engine, view| async move {
                let messages = view.dmesg().await?;
                engine.execute(view.caller(), Change::ClearDmesg).await?;
                Ok(text(&messages))
            }))
        },
    },
];

fn text(messages: &[u8]) -> Value {
    Value::text(String::from_utf8_lossy(messages))
}
