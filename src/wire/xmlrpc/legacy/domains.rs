//! Reads of domains.

use super::function::{Function, Plan, domain};
use super::record;
use crate::core::lifecycle::State;
use crate::core::snapshot::{DomainView, Snapshot};
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
            Plan::with_domain(args, move |domain| record::of_domain(domain, full))
        },
    },
    Function {
        name: "xend.domains",
        params: &["detail", "full"],
        required: 0,
        plan: |args, _| {
            let detail = args.flag(0, true)?;
            let full = args.flag(1, FULL)?;
            Ok(Plan::with_domains(move |snapshot| list(snapshot, detail, None, full)))
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
            Ok(Plan::with_domains(move |snapshot| list(snapshot, detail, Some(&state), full)))
        },
    },
    Function {
        name: "xend.domain.getpauseflag",
        params: &["dom"],
        required: 1,
        plan: |args, _| {
            Plan::with_domain(args, |domain| Value::Bool(domain.state() == State::Paused))
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
            Plan::with_domain(args, |domain| Value::text(domain.config.restarts.to_string()))
        },
    },
    Function {
        name: "xend.domain.getVCPUInfo",
        params: &["dom"],
        required: 1,
        plan: |args, _| {
            let domain = domain(args)?;
            Ok(Plan::read(|view| async move {
                let (domain, vcpus) = view.vcpus(&domain).await?;
                Ok(record::written(|sink| shape::vcpus(sink, &domain, &vcpus)))
            }))
        },
    },
];

/// The names or records of the domains in a state.
fn list(snapshot: &Snapshot, detail: bool, state: Option<&str>, full: bool) -> Value {
    let views = snapshot.domains().filter(|view| shape::is_in_state(view, state));
    let item = |view: &Arc<DomainView>| {
        if detail { record::of_domain(view, full) } else { Value::text(view.name().as_str()) }
    };
    Value::Array(views.map(item).collect())
}
