//! A domain under test: bringing it into a state, and what must hold afterwards.

use crate::backend::{Backend, Host};
use crate::expected::{Expected, Stage, expected};
use crate::queries::QUERIES;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;
use xend::core::caller::Caller;
use xend::core::error::{Error, ErrorKind};
use xend::core::lifecycle::State;
use xend::core::model::{CompleteConfig, DomName, DomainConfig, DomainRef, ShutdownReason};
use xend::core::op::{Change, DomainOp, Outcome};
use xend::core::snapshot::DomainView;
use xend::core::view::View;
use xend::os::OsEntropy;

/// A domain under test, and its host.
pub(crate) struct Trial<'a, B> {
    pub(crate) backend: &'a B,
    pub(crate) host: &'a Host,
    pub(crate) config: DomainConfig,
    domain: DomainRef,
}

impl<'a, B: Backend> Trial<'a, B> {
    pub(crate) fn new(backend: &'a B, host: &'a Host, stage: Stage) -> Self {
        let config = backend.guest("contract");
        let domain = match stage {
            Stage::Dom0 => DomainRef::new("0"),
            _ => DomainRef::new(config.uuid.unwrap().to_string()),
        };
        Self { backend, host, config, domain }
    }

    /// The configuration as the engine completes it.
    pub(crate) fn completed(&self) -> Arc<CompleteConfig> {
        Arc::new(CompleteConfig::for_definition(self.config.clone(), &OsEntropy).unwrap())
    }

    /// The host as the engine shows it.
    pub(crate) fn reader(&self) -> View {
        self.host.engine.view(&Caller::internal())
    }

    pub(crate) async fn execute(&self, change: Change) -> Result<Outcome, Error> {
        self.host.engine.execute(&Caller::internal(), change).await
    }

    pub(crate) async fn change(&self, op: DomainOp) -> Result<Outcome, Error> {
        self.execute(Change::Domain(self.domain.clone(), op)).await
    }

    pub(crate) async fn succeed(&self, op: DomainOp) {
        let what = format!("{op:?}");
        self.change(op).await.unwrap_or_else(|error| panic!("{what}: {error}"));
    }

    pub(crate) async fn view(&self) -> Option<Arc<DomainView>> {
        match self.reader().domain(&self.domain).await {
            Ok(view) => Some(view),
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::NotFound);
                None
            }
        }
    }

    /// Waits until the domain is in a state.
    pub(crate) async fn wait_for(&self, stage: Stage, case: &str) {
        let started = Instant::now();
        loop {
            let seen = self.view().await.map(|view| view.state());
            if seen == stage.state() {
                return;
            }
            assert!(
                started.elapsed() < self.backend.patience(),
                "{case}: the domain is {seen:?}, not {stage:?}"
            );
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Defines the domain and brings it into a state.
    pub(crate) async fn bring_to(&self, stage: Stage) {
        if matches!(stage, Stage::Absent | Stage::Dom0) {
            return;
        }
        self.execute(Change::Define(Box::new(self.config.clone()))).await.unwrap();
        if stage != Stage::Halted {
            self.succeed(DomainOp::Start { paused: stage == Stage::Paused }).await;
        }
        match stage {
            Stage::Suspended => self.succeed(DomainOp::Suspend).await,
            Stage::Crashed => self.succeed(DomainOp::Shutdown(ShutdownReason::Crash)).await,
            Stage::Off => self.succeed(DomainOp::Shutdown(ShutdownReason::Poweroff)).await,
            Stage::Absent | Stage::Halted | Stage::Paused | Stage::Running | Stage::Dom0 => {}
        }
        self.wait_for(stage, "setting up").await;
    }

    /// Brings the domain back into a state by pause or unpause, if that suffices. Returns whether
    /// it is in the state.
    pub(crate) async fn return_to(&self, stage: Stage) -> bool {
        let seen = self.view().await.map(|view| view.state());
        match (seen, stage) {
            (Some(State::Paused), Stage::Running) => self.succeed(DomainOp::Unpause).await,
            (Some(State::Running), Stage::Paused) => self.succeed(DomainOp::Pause).await,
            _ => return seen == stage.state(),
        }
        true
    }

    pub(crate) async fn perform(&self, op: DomainOp, stage: Stage, case: &str) {
        let before = self.view().await;
        let wanted = expected(&op, stage);
        let renames = matches!(op, DomainOp::Rename(_));
        match (self.change(op).await, wanted) {
            (Ok(_), Expected::Then(then)) => self.wait_for(then, case).await,
            (Err(error), Expected::Refused(kind)) => {
                assert_eq!(error.kind(), kind, "{case}: {error}");
                let after = self.view().await;
                let seen = |view: &Option<Arc<DomainView>>| {
                    view.as_ref().map(|view| {
                        (view.state(), view.config.clone(), view.domid(), view.managed())
                    })
                };
                assert_eq!(seen(&before), seen(&after), "{case}: a refusal changes nothing");
            }
            (outcome, wanted) => panic!("{case}: {outcome:?}, not {wanted:?}"),
        }
        self.check_consistency(case).await;
        if renames && stage != Stage::Absent {
            let name = if stage == Stage::Dom0 { "Domain-0" } else { self.config.name.as_str() };
            self.succeed(DomainOp::Rename(DomName::adopted(name))).await;
        }
    }

    /// The domain is found by its name, its domid and its UUID, and is listed once.
    pub(crate) async fn check_consistency(&self, case: &str) {
        let all = self.reader().domains().await.unwrap();
        let Some(view) = self.view().await else {
            assert!(all.by_uuid(&self.config.uuid.unwrap()).is_none(), "{case}");
            return;
        };
        let name = DomainRef::new(view.name().as_str());
        assert_eq!(all.find(&name).map(|found| found.uuid), Some(view.uuid), "{case}");
        if let Some(domid) = view.domid() {
            assert_eq!(all.by_domid(domid).map(|found| found.uuid), Some(view.uuid), "{case}");
        }
        assert_eq!(all.domains().filter(|other| other.uuid == view.uuid).count(), 1, "{case}");
        assert_eq!(all.domains().count(), all.len(), "{case}");
    }

    /// Asks each query.
    pub(crate) async fn check_queries(&self, stage: Stage) {
        for query in QUERIES {
            let got = query.ask(&self.reader(), &self.domain).await;
            let kind = got.as_ref().copied().map_err(Error::kind);
            assert_eq!(kind, query.answered(stage), "{query:?} {stage:?}: {got:?}");
        }
    }

    /// Removes the domain from the host and the store.
    pub(crate) async fn remove(&self) {
        if self.domain.as_str() == "0" {
            return;
        }
        let Some(view) = self.view().await else { return };
        if view.state() != State::Halted {
            self.succeed(DomainOp::Destroy).await;
        }
        self.succeed(DomainOp::Delete).await;
        assert!(self.view().await.is_none());
    }
}
