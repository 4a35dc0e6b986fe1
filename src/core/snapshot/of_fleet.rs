//! The domains of another host of the fleet, as far as the fleet tells of them.

use super::{DomainView, KeptTexts, Snapshot};
use crate::core::fleet::DomainSummary;
use crate::core::lifecycle::State;
use crate::core::model::{CompleteConfig, DomainConfig, DomainFacts, HostFigures, RunFlags, Uuid};
use std::sync::Arc;
use std::time::Duration;

impl Snapshot {
    /// These domains alone. What a fleet does not tell is as in a configuration in which it is not
    /// set: no domain has a device.
    pub fn of_fleet<'a>(
        domains: impl IntoIterator<Item = (Uuid, &'a DomainSummary)>,
        figures: HostFigures,
    ) -> Self {
        let mut snapshot = Self { figures, ..Self::empty() };
        for (uuid, summary) in domains {
            if let Some(view) = view(uuid, summary) {
                snapshot.insert(Arc::new(view));
            }
        }
        snapshot
    }
}

/// A domain; `None` for one that cannot be, of which no host tells.
fn view(uuid: Uuid, summary: &DomainSummary) -> Option<DomainView> {
    let memory = summary.memory_mib.clamp(1, DomainConfig::MAX_MEMORY);
    let mut config = DomainConfig::new(summary.name.clone(), memory);
    config.uuid = Some(uuid);
    config.set_vcpus(summary.vcpus);
    let facts = summary.domid.map(|domid| DomainFacts {
        domid,
        uuid,
        name: summary.name.clone(),
        flags: flags(summary.state),
        cpu_time: Duration::ZERO,
        memory_kib: memory * 1024,
        online_vcpus: config.vcpus,
        start_time: summary.started,
        store_mfn: None,
        console_mfn: None,
        console_port: None,
        vnc_port: None,
        notes: Arc::default(),
    });
    Some(DomainView {
        uuid,
        config: Arc::new(CompleteConfig::try_from(config).ok()?),
        facts,
        report: None,
        definition: None,
        suspended: summary.state == State::Suspended,
        progress: None,
        epoch: 0,
        texts: KeptTexts::default(),
    })
}

/// The flags of a domain in this state.
const fn flags(state: State) -> RunFlags {
    RunFlags {
        running: matches!(state, State::Running),
        blocked: false,
        paused: matches!(state, State::Paused),
        shutdown: match state {
            State::Stopped(reason) => Some(reason),
            _ => None,
        },
        dying: matches!(state, State::Dying),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::model::{DomId, DomName, ShutdownReason};

    fn summary(name: &str, state: State, domid: Option<u32>) -> DomainSummary {
        DomainSummary {
            name: DomName::adopted(name),
            domid: domid.map(DomId),
            state,
            memory_mib: 0,
            vcpus: 7,
            started: None,
            apart: Vec::new(),
        }
    }

    #[test]
    fn a_domain_is_in_the_state_that_its_host_has_told() {
        for (state, domid) in [
            (State::Running, Some(1)),
            (State::Paused, Some(1)),
            (State::Dying, Some(1)),
            (State::Stopped(ShutdownReason::Crash), Some(1)),
            (State::Halted, None),
            (State::Suspended, None),
        ] {
            let told = summary("a", state, domid);
            let uuid = Uuid::from_u128(1);
            let snapshot = Snapshot::of_fleet([(uuid, &told)], HostFigures::default());
            let view = snapshot.by_uuid(&uuid).unwrap();
            assert_eq!((view.state(), view.domid()), (state, told.domid));
            assert_eq!((view.config.vcpus, view.config.memory), (7, 1), "no memory is none");
        }
    }
}
