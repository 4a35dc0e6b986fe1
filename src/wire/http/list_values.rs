//! The values of a domain that the list shows, sorts and filters by.

use crate::core::lifecycle::State;
use crate::core::model::{DomId, GuestKind, Uuid};
use crate::core::samples::SampleRound;
use crate::core::snapshot::DomainView;
use crate::shape;
use std::borrow::Cow;
use std::time::SystemTime;

/// A domain of a list. What is not known of it is compared with nothing.
pub(super) trait Listed {
    fn name(&self) -> &str;
    fn uuid(&self) -> Uuid;
    /// `None` if it is not on its host.
    fn domid(&self) -> Option<DomId>;
    fn state(&self) -> State;
    /// The state as the list shows it: `running`, or what is being done: `saving`.
    fn shown_state(&self) -> Cow<'static, str>;
    /// `PV`, `PVH` or `HVM`; `None` if it is unknown.
    fn type_word(&self) -> Option<&'static str>;
    fn memory_mib(&self) -> u64;
    fn vcpus(&self) -> u32;
    /// `None` if it is not on its host, and for Domain-0.
    fn started(&self) -> Option<SystemTime>;
    /// Whether an address that its guest reports is the one.
    fn has_address(&self, is_it: &dyn Fn(&str) -> bool) -> bool;
    /// Whether the class of one of its devices is the one.
    fn has_device(&self, is_it: &dyn Fn(&str) -> bool) -> bool;
}

impl Listed for DomainView {
    fn name(&self) -> &str {
        Self::name(self).as_str()
    }

    fn uuid(&self) -> Uuid {
        self.uuid
    }

    fn domid(&self) -> Option<DomId> {
        Self::domid(self)
    }

    fn state(&self) -> State {
        Self::state(self)
    }

    fn shown_state(&self) -> Cow<'static, str> {
        shown_state(self)
    }

    fn type_word(&self) -> Option<&'static str> {
        Some(type_word(self))
    }

    fn memory_mib(&self) -> u64 {
        memory_mib(self)
    }

    fn vcpus(&self) -> u32 {
        vcpu_count(self)
    }

    fn started(&self) -> Option<SystemTime> {
        self.facts.as_ref()?.start_time
    }

    fn has_address(&self, is_it: &dyn Fn(&str) -> bool) -> bool {
        let addresses = self.report.iter().flat_map(|report| report.reachable());
        addresses.into_iter().any(|address| is_it(&address.to_string()))
    }

    fn has_device(&self, is_it: &dyn Fn(&str) -> bool) -> bool {
        self.config.devices.iter().any(|device| is_it(device.class()))
    }
}

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
