//! Figures for those who watch the daemon.

use super::View;
use crate::core::device_io::DeviceRound;
use crate::core::error::Error;
use crate::core::metrics::{HypervisorCall, Measurement};
use crate::core::model::HostInfo;
use crate::core::rights::OpKind;
use crate::core::snapshot::Snapshot;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// The figures of the engine and its domains at one moment.
#[derive(Debug, Clone)]
pub struct HostMetrics {
    /// When the engine was started.
    pub started: SystemTime,
    /// The changes that callers asked for.
    pub operations: Vec<(OpKind, Measurement)>,
    /// The calls of the hypervisor.
    pub calls: Vec<(HypervisorCall, Measurement)>,
    /// Operations on domains that are going on.
    pub operations_running: usize,
    /// Requests that wait for an operation on the same domain.
    pub operations_waiting: usize,
    /// Requests that wait for agents in guests.
    pub guest_requests: usize,
    /// The number of events since the start.
    pub events: u64,
    /// Those that the journal keeps.
    pub events_kept: usize,
    pub host: Arc<HostInfo>,
    /// All domains. A sweep reads their figures every few seconds.
    pub snapshot: Arc<Snapshot>,
    /// The age of these figures; `None` before the first sweep.
    pub figures_age: Option<Duration>,
    /// What devices have moved. It is read in the background while metrics are read.
    pub devices: Arc<DeviceRound>,
    /// Whether the hypervisor answers.
    pub hypervisor_answers: bool,
    /// Whether the store can be written; `None` before the first check, which is made in the
    /// background.
    pub store_is_writable: Option<bool>,
}

impl View {
    /// Figures at this moment. Waits for nothing, neither for an operation nor for the hypervisor.
    pub fn metrics(&self) -> Result<HostMetrics, Error> {
        self.require(OpKind::ReadMetrics, "metrics")?;
        let core = &self.core;
        let snapshot = core.snapshot();
        let (operations_running, operations_waiting) = core.registry.queued();
        let (events_kept, events) = core.publisher.journal.kept();
        core.check_store();
        Ok(HostMetrics {
            started: core.started,
            operations: core.counters.operations(),
            calls: core.counters.calls(),
            operations_running,
            operations_waiting,
            guest_requests: core.turns.waiting(),
            events,
            events_kept,
            host: core.info.clone(),
            figures_age: snapshot.swept().map(|swept| swept.elapsed()),
            snapshot,
            devices: core.device_io.latest(),
            hypervisor_answers: core.hypervisor_error().is_none(),
            store_is_writable: core.health.store_is_writable(),
        })
    }

    /// Why the host cannot serve now, in words; nothing if it can. Waits for a check of the store
    /// for a moment.
    pub async fn reasons_against_service(&self) -> Result<Vec<String>, Error> {
        self.require(OpKind::ReadMetrics, "health")?;
        Ok(self.core.reasons_against_service().await)
    }
}
