//! Domains and snapshots for tests.

use super::{DomainView, Snapshot};
use crate::core::model::{DomId, DomName, DomainConfig, DomainFacts, RunFlags, Uuid};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// A running domain's facts; `number` is its domid and its UUID.
pub(crate) fn facts(number: u32, cpu_time: Duration) -> DomainFacts {
    DomainFacts {
        domid: DomId(number),
        uuid: Uuid::from_u128(number.into()),
        name: DomName::adopted(&format!("d{number}")),
        flags: RunFlags::default(),
        cpu_time,
        memory_kib: 65_536,
        online_vcpus: 1,
        start_time: None,
        store_mfn: None,
        console_mfn: None,
        console_port: None,
        vnc_port: None,
        notes: Arc::new([]),
    }
}

/// These domains, just swept.
pub(crate) fn snapshot(domains: &[DomainFacts]) -> Snapshot {
    let mut snapshot = Snapshot::empty();
    for facts in domains {
        let config = DomainConfig::new(facts.name.clone(), 64);
        let mut view = DomainView::defined(facts.uuid, config);
        view.facts = Some(facts.clone());
        snapshot.insert(Arc::new(view));
    }
    snapshot.swept = Some(Instant::now());
    snapshot
}

/// A running domain with this configuration; `number` is its domid and its UUID.
pub(crate) fn running(number: u32, config: DomainConfig) -> Arc<DomainView> {
    let facts = Some(facts(number, Duration::ZERO));
    let view = DomainView::defined(Uuid::from_u128(number.into()), config);
    Arc::new(DomainView { facts, ..view })
}

/// The domain with other facts, as a sweep makes it.
pub(crate) fn with_figures(view: &DomainView, facts: DomainFacts) -> DomainView {
    view.with_facts(facts, view.epoch)
}

/// `base` with these domains added or replaced.
pub(crate) fn with_domains(
    mut base: Snapshot,
    views: impl IntoIterator<Item = Arc<DomainView>>,
) -> Snapshot {
    for view in views {
        base.insert(view);
    }
    base
}
