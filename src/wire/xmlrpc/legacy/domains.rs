//! Queries about domains.

use super::function::{Function, Plan, domain};
use super::record;
use crate::core::lifecycle::State;
use crate::core::op::{Outcome, Query};
use crate::core::snapshot::DomainView;
use crate::shape;
use crate::wire::xmlrpc::value::Value;
use std::sync::Arc;

/// The default of `full`, with which a domain's record has its devices. xend 3.0.2 and 3.0.3 had no
/// such parameter, and their clients read the devices; later clients send it where it matters.
const FULL: bool = true;

pub(super) const FUNCTIONS: &[Function] = &[
    Function {
        name: "xend.domain",
        params: &["dom", "full"],
        required: 1,
        plan: |args, _| {
            let full = args.flag(1, FULL)?;
            Ok(Plan::one(Query::Domain(domain(args)?), move |outcome| match outcome {
                Outcome::Domain(view) => record::of_domain(&view, full),
                other => record::of_outcome(&other),
            }))
        },
    },
    Function {
        name: "xend.domains",
        params: &["detail", "full"],
        required: 0,
        plan: |args, _| {
            let detail = args.flag(0, true)?;
            let full = args.flag(1, FULL)?;
            Ok(Plan::one(Query::Domains, move |outcome| list(&outcome, detail, None, full)))
        },
    },
    Function {
        name: "xend.domains_with_state",
        params: &["detail", "state", "full"],
        required: 2,
        plan: |args, _| {
            let detail = args.flag(0, true)?;
            let state = args.text(1)?.to_ascii_lowercase();
            let full = args.flag(2, FULL)?;
            Ok(Plan::one(Query::Domains, move |outcome| list(&outcome, detail, Some(&state), full)))
        },
    },
    Function {
        name: "xend.domain.getpauseflag",
        params: &["dom"],
        required: 1,
        plan: |args, _| {
            Plan::with_domain(args, |outcome| {
                let paused = |view: &DomainView| view.state() == State::Paused;
                Value::Bool(matches!(outcome, Outcome::Domain(view) if paused(&view)))
            })
        },
    },
    // xm calls it after each pause and unpause. xend kept the flag beside the domain's state, which
    // says the same.
    Function {
        name: "xend.domain.setpauseflag",
        params: &["dom", "flag"],
        required: 1,
        plan: |args, _| Plan::with_domain(args, |_| Value::Nil),
    },
    // `xm reboot -w` waits until it changes. It is a string, as in XenStore.
    Function {
        name: "xend.domain.getRestartCount",
        params: &["dom"],
        required: 1,
        plan: |args, _| {
            Plan::with_domain(args, |outcome| match outcome {
                Outcome::Domain(view) => Value::text(view.config.restarts.to_string()),
                _ => Value::Nil,
            })
        },
    },
    Function {
        name: "xend.domain.getVCPUInfo",
        params: &["dom"],
        required: 1,
        plan: |args, _| Ok(Plan::record(Query::Vcpus(domain(args)?))),
    },
];

/// The names or records of the domains in a state.
fn list(outcome: &Outcome, detail: bool, state: Option<&str>, full: bool) -> Value {
    let Outcome::Domains(snapshot) = outcome else { return record::of_outcome(outcome) };
    let views = snapshot.domains().filter(|view| shape::is_in_state(view, state));
    let item = |view: &Arc<DomainView>| {
        if detail { record::of_domain(view, full) } else { Value::text(view.name().as_str()) }
    };
    Value::Array(views.map(item).collect())
}
