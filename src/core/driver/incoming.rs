//! A domain that is neither here nor there.

use crate::core::fleet::ClusterName;
use crate::core::model::{CompleteConfig, Uuid};
use crate::core::ports::{ArrivalRecord, ArrivalStage, Arrived};
use std::sync::Arc;

/// A domain that another host has handed over, and that this host has not taken.
#[derive(Debug, Clone)]
pub(in crate::core) struct Incoming {
    /// The migration.
    pub(in crate::core) id: Uuid,
    /// The definition that was sent together with the domain.
    pub(in crate::core) definition: Option<Arc<CompleteConfig>>,
    /// The fleet in which the domain is moving.
    pub(in crate::core) fleet: Option<ClusterName>,
    /// Whether it was refused, and is still to be destroyed.
    pub(in crate::core) is_refused: bool,
}

impl Incoming {
    /// What is stored of it.
    pub(in crate::core) fn record(&self, domain: Uuid, stage: ArrivalStage) -> ArrivalRecord {
        ArrivalRecord { domain, stage, defined: self.definition.is_some() }
    }

    /// What the fleet is asked about it.
    pub(super) fn arrived(&self, domain: Uuid) -> Arrived<'_> {
        Arrived {
            domain,
            id: self.id,
            fleet: self.fleet.as_ref(),
            brings_definition: self.definition.is_some(),
        }
    }
}
