//! The values of a domain that the list shows, sorts and filters by.

use crate::core::model::GuestKind;
use crate::core::samples::SampleRound;
use crate::core::snapshot::DomainView;
use crate::shape;
use std::borrow::Cow;

/// The state as the list shows it: `running`, or what is being done: `saving`.
pub(super) fn shown_state(view: &DomainView) -> Cow<'static, str> {
    // While it is saved, a guest has suspended itself.
    match view.progress {
        Some(progress) => progress.what.to_ascii_lowercase().into(),
        None => shape::state_word(view).into(),
    }
}

/// The current memory in MiB; for a domain that is not on the host, the configured one.
pub(super) fn memory_mib(view: &DomainView) -> u64 {
    view.facts.as_ref().map_or(view.config.memory, |facts| facts.memory_kib / 1024)
}

/// The type of a guest: `PV`, `PVH` or `HVM`. A boot loader chooses the kernel of a PV guest.
pub(super) fn type_word(view: &DomainView) -> &'static str {
    match view.config.image.as_ref().map(|image| image.kind) {
        Some(GuestKind::Hvm) => "HVM",
        Some(GuestKind::Pvh) => "PVH",
        Some(GuestKind::Pv) | None => "PV",
    }
}

/// A domain's CPU use in percent of one CPU. `None` if there is no sample of it.
pub(super) fn cpu_percent(round: &SampleRound, view: &DomainView) -> Option<f64> {
    round.domains.get(&view.uuid).map(|sample| f64::from(sample.cpu))
}

/// The number of online VCPUs; for a domain that is not on the host, of configured ones.
pub(super) fn vcpu_count(view: &DomainView) -> u32 {
    view.facts.as_ref().map_or(view.config.vcpus, |facts| facts.online_vcpus)
}
