//! What a domain can do now, and what decides about it.

use crate::core::model::{GuestKind, Scheduler, SedfParams};
use crate::core::rights::Access;
use crate::core::snapshot::DomainView;
use crate::wire::http::obstacles::{can_be_detached, obstacle};

/// What decides about operations beside the domain itself.
pub(super) struct Situation<'a> {
    pub(super) access: &'a Access,
    /// The domain's SEDF parameters, for the fields' first values.
    pub(super) sedf: Option<&'a SedfParams>,
    /// The domain's scheduler; `None` if it is not known.
    pub(super) scheduler: Option<Scheduler>,
    /// The host's memory in MiB.
    pub(super) host_memory: u64,
    /// The hosts of the fleet to which the caller may send the domain; `None` on a host in none.
    pub(super) destinations: Option<&'a [String]>,
}

/// Whether the domain can do it now, and there is something to choose.
pub(super) fn is_possible(op: &str, view: &DomainView, scheduler: Option<Scheduler>) -> bool {
    let has_choice = match op {
        // A guest with one VCPU uses it.
        "set_vcpus" => view.facts.is_none() || view.config.vcpus > 1,
        "domain_sched_credit_set" | "domain_sched_credit_get" => {
            scheduler == Some(Scheduler::Credit)
        }
        "domain_sched_credit2_set" | "domain_sched_credit2_get" => {
            scheduler == Some(Scheduler::Credit2)
        }
        "cpu_sedf_set" | "cpu_sedf_get" => scheduler == Some(Scheduler::Sedf),
        "devices" => !view.config.devices.is_empty(),
        _ => true,
    };
    has_choice && obstacle(op, view).is_none()
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
        ("device_destroy", class) => {
            view.config.devices.iter().any(|one| can_be_detached(one) && one.class() == class)
        }
        ("devices", class) => view.config.devices.iter().any(|one| one.class() == class),
        _ => true,
    };
    words.iter().filter(fits).copied().collect()
}
