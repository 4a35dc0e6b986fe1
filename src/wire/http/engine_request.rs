//! Requests of operations to the engine, and its answers.

use crate::core::caller::Caller;
use crate::core::engine::Engine;
use crate::core::error::Error;
use crate::core::model::{DomainRef, SchedParams, Scheduler, SedfParams, VcpuFacts};
use crate::core::op::{Change, Outcome};
use crate::core::snapshot::DomainView;
use crate::core::view::{DomainDevices, View};
use std::sync::Arc;

/// The request to the engine that an operation makes.
#[derive(Debug, Clone)]
pub(super) enum EngineRequest {
    Change(Change),
    Query(Query),
    /// List the domains. The list has parameters and formats of its own.
    ListDomains,
}

impl From<Change> for EngineRequest {
    fn from(change: Change) -> Self {
        Self::Change(change)
    }
}

impl From<Query> for EngineRequest {
    fn from(query: Query) -> Self {
        Self::Query(query)
    }
}

impl EngineRequest {
    /// Asks the engine. The list of domains has no answer: each format reads it in its own way.
    pub(super) async fn ask(self, engine: &Engine, caller: &Caller) -> Result<EngineAnswer, Error> {
        match self {
            Self::Change(change) => engine.execute(caller, change).await.map(EngineAnswer::Changed),
            Self::Query(query) => query.ask(&engine.view(caller)).await,
            Self::ListDomains => Err(Error::Unsupported("The list has no answer".to_owned())),
        }
    }
}

/// A query about a domain.
#[derive(Debug, Clone)]
pub(super) enum Query {
    Vcpus(DomainRef),
    /// The devices of one class.
    Devices(DomainRef, String),
    Sedf(DomainRef),
    /// The parameters in this scheduler; an error if the host has another one.
    Sched(DomainRef, Scheduler),
    /// Wait until the devices are connected.
    DevicesConnected(DomainRef),
}

impl Query {
    pub(super) async fn ask(&self, view: &View) -> Result<EngineAnswer, Error> {
        Ok(match self {
            Self::Vcpus(domain) => {
                let (domain, vcpus) = view.vcpus(domain).await?;
                EngineAnswer::Vcpus(domain, vcpus)
            }
            Self::Devices(domain, class) => {
                EngineAnswer::Devices(view.devices(domain, class).await?)
            }
            Self::Sedf(domain) => {
                let (domain, params) = view.sedf(domain).await?;
                EngineAnswer::Sedf(domain, params)
            }
            Self::Sched(domain, scheduler) => {
                let (domain, params) = view.sched(domain, *scheduler).await?;
                EngineAnswer::Sched(domain, params)
            }
            Self::DevicesConnected(domain) => {
                view.wait_for_devices(domain).await?;
                EngineAnswer::DevicesConnected
            }
        })
    }
}

/// The answer to a change or a query.
#[derive(Debug, Clone)]
pub(super) enum EngineAnswer {
    Changed(Outcome),
    Vcpus(Arc<DomainView>, Vec<VcpuFacts>),
    Devices(DomainDevices),
    Sedf(Arc<DomainView>, SedfParams),
    Sched(Arc<DomainView>, SchedParams),
    DevicesConnected,
}
