//! Domains: what there is.

use super::{Function, Work, domain, looked_up, show};
use crate::core::lifecycle::State;
use crate::core::op::{Outcome, Query};
use crate::core::snapshot::DomainView;
use crate::shape;
use crate::wire::xmlrpc::sink::{self, ValueSink};
use crate::wire::xmlrpc::value::Value;

/// What `full` is where it was left out. xend 3.0.2 and 3.0.3 had no such parameter and told the
/// devices, which their clients read; later ones send it where it matters.
const FULL: bool = true;

pub(super) const FUNCTIONS: &[Function] = &[
    Function {
        name: "xend.domain",
        takes: &["dom", "full"],
        needs: 1,
        make: |args, _| {
            let full = args.flag(1, FULL)?;
            Ok(Work::of(Query::Domain(domain(args)?), move |outcome| match outcome {
                Outcome::Domain(view) => told(&view, full),
                other => show(&other),
            }))
        },
    },
    Function {
        name: "xend.domains",
        takes: &["detail", "full"],
        needs: 0,
        make: |args, _| {
            let (detail, full) = (args.flag(0, true)?, args.flag(1, FULL)?);
            Ok(Work::of(Query::Domains, move |outcome| list(&outcome, detail, None, full)))
        },
    },
    Function {
        name: "xend.domains_with_state",
        takes: &["detail", "state", "full"],
        needs: 2,
        make: |args, _| {
            let (detail, state) = (args.flag(0, true)?, args.text(1)?.to_ascii_lowercase());
            let full = args.flag(2, FULL)?;
            Ok(Work::of(Query::Domains, move |outcome| list(&outcome, detail, Some(&state), full)))
        },
    },
    Function {
        name: "xend.domain.getpauseflag",
        takes: &["dom"],
        needs: 1,
        make: |args, _| {
            looked_up(args, |outcome| {
                let paused = |view: &DomainView| view.state() == State::Paused;
                Value::Bool(matches!(outcome, Outcome::Domain(view) if paused(&view)))
            })
        },
    },
    // xm calls it behind each pause and unpause. xend kept it beside the domain's state, which says
    // the same.
    Function {
        name: "xend.domain.setpauseflag",
        takes: &["dom", "flag"],
        needs: 1,
        make: |args, _| looked_up(args, |_| Value::Nil),
    },
    // `xm reboot -w` waits for it to change. It is a string, as XenStore has it.
    Function {
        name: "xend.domain.getRestartCount",
        takes: &["dom"],
        needs: 1,
        make: |args, _| {
            looked_up(args, |outcome| match outcome {
                Outcome::Domain(view) => Value::text(view.config.restarts.to_string()),
                _ => Value::Nil,
            })
        },
    },
    Function {
        name: "xend.domain.getVCPUInfo",
        takes: &["dom"],
        needs: 1,
        make: |args, _| Ok(Work::shown(Query::Vcpus(domain(args)?))),
    },
];

/// A domain, with its devices or without.
fn told(view: &DomainView, full: bool) -> Value {
    let tell = |sink: &mut ValueSink| shape::domain(sink, view);
    if full { sink::written(tell) } else { sink::briefly(tell) }
}

/// Names, or domains.
fn list(outcome: &Outcome, detail: bool, state: Option<&str>, full: bool) -> Value {
    let Outcome::Domains(snapshot) = outcome else { return show(outcome) };
    let views = snapshot.domains().filter(|view| shape::is_in_state(view, state));
    Value::Array(
        views
            .map(|view| if detail { told(view, full) } else { Value::text(view.name().as_str()) })
            .collect(),
    )
}
