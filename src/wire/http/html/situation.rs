//! What a domain can do now, and what decides about it.

use crate::core::lifecycle::{State, Transition};
use crate::core::model::{GuestKind, Scheduler, SedfParams};
use crate::core::rights::Access;
use crate::core::snapshot::DomainView;

/// What decides about operations beside the domain itself.
pub(super) struct Situation<'a> {
    pub(super) access: &'a Access,
    /// The domain's SEDF parameters, for the fields' first values.
    pub(super) sedf: Option<&'a SedfParams>,
    /// The domain's scheduler; `None` if it is not known.
    pub(super) scheduler: Option<Scheduler>,
    /// The host's memory in MiB.
    pub(super) host_memory: u64,
}

/// Whether the domain's state allows the operation, and there is something to choose.
pub(super) fn is_possible(op: &str, view: &DomainView, scheduler: Option<Scheduler>) -> bool {
    let state = view.state();
    match op {
        "unpause" => state == State::Paused,
        "destroy" => state.after(Transition::Destroy).is_some(),
        "reset" => view.facts.is_some() && state.after(Transition::Destroy).is_some(),
        "suspend" => view.managed() && state == State::Running,
        "cancel" => view.progress.is_some(),
        "pause" | "shutdown" | "save" | "migrate" | "sysrq" | "send_trigger" | "agent_version"
        | "agent_features" | "set_password" | "inject_file" | "reset_network" => {
            state == State::Running
        }
        // A guest with one VCPU uses it.
        "set_vcpus" => view.facts.is_none() || view.config.vcpus > 1,
        "domain_sched_credit_set" | "domain_sched_credit_get" => {
            scheduler == Some(Scheduler::Credit)
        }
        "domain_sched_credit2_set" | "domain_sched_credit2_get" => {
            scheduler == Some(Scheduler::Credit2)
        }
        "cpu_sedf_set" | "cpu_sedf_get" => scheduler == Some(Scheduler::Sedf),
        _ => true,
    }
}

/// The words of a parameter that make sense for the domain.
pub(super) fn possible_words<'a>(
    op: &str,
    words: &'a [&'a str],
    view: &DomainView,
) -> Vec<&'a str> {
    let is_hvm = view.config.image.as_ref().is_some_and(|image| image.kind == GuestKind::Hvm);
    let fits = |word: &&&str| match (op, **word) {
        ("send_trigger", word) => is_hvm || word == "nmi",
        // `xm save` alone sent it, and waited for the guest.
        ("shutdown", "suspend") => false,
        _ => true,
    };
    words.iter().filter(fits).copied().collect()
}
