//! `on_xend_start` and `on_xend_stop` of the domains.

use crate::core::context::Core;
use crate::core::error::Error;
use crate::core::lifecycle::State;
use crate::core::model::{OnXendStart, OnXendStop, ShutdownReason, Uuid};
use crate::core::op::DomainOp;
use crate::core::snapshot::DomainView;
use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tracing::{error, info, warn};

/// Domains that are started or stopped at a time.
const CONCURRENCY: usize = 4;

/// How long guests may take to shut down when xend stops.
const SHUTDOWN_LIMIT: Duration = Duration::from_secs(30);

/// How long a domain waits that could not start because the fleet did not answer.
const FLEET_INTERVAL: Duration = Duration::from_secs(5);

/// Poll interval while guests shut down.
const POLL_INTERVAL: Duration = Duration::from_millis(50);

impl Core {
    /// Starts the managed domains whose `on_xend_start` says so.
    pub(super) async fn start_with_xend(self: Arc<Self>) {
        let snapshot = self.snapshot();
        let starts = snapshot.domains().filter(|view| start_op(view).is_some());
        let starts: HashSet<Uuid> = starts.map(|view| view.uuid).collect();
        drop(snapshot);
        // In a fleet, etcd may come up later than this host. What was halted by somebody meanwhile
        // stays halted.
        self.settings.ownership.ready().await;
        self.for_each_domain(
            move |view| {
                if starts.contains(&view.uuid) { start_op(view) } else { None }
            },
        )
        .await;
    }

    /// Carries out `on_xend_stop` of the running domains. Guests that are to shut down get some
    /// time, in which their drivers carry out `on_poweroff`.
    pub(super) async fn stop_with_xend(self: &Arc<Self>) {
        self.for_each_domain(stop_op).await;
        let any_left = || self.snapshot().domains().any(|view| stop_op(view).is_some());
        let all_down = async {
            while any_left() {
                tokio::time::sleep(POLL_INTERVAL).await;
            }
        };
        if tokio::time::timeout(SHUTDOWN_LIMIT, all_down).await.is_err() {
            warn!("Some guests have not shut down yet, xend does not wait for them");
        }
    }

    /// Carries out an operation on each domain for which `op` returns one.
    async fn for_each_domain(
        self: &Arc<Self>,
        op: impl Fn(&DomainView) -> Option<DomainOp> + Send + Sync + 'static,
    ) {
        let permits = Arc::new(Semaphore::new(CONCURRENCY));
        let op = Arc::new(op);
        let mut tasks = JoinSet::new();
        for view in self.snapshot().domains().filter(|view| op(view).is_some()) {
            let core = self.clone();
            let permits = permits.clone();
            let op = op.clone();
            let uuid = view.uuid;
            tasks.spawn(async move {
                while core.try_on(uuid, &*op, &permits).await == Done::FleetIsAway {
                    tokio::time::sleep(FLEET_INTERVAL).await;
                    core.settings.ownership.ready().await;
                }
            });
        }
        while tasks.join_next().await.is_some() {}
    }

    /// Carries out the operation on a domain that `op` returns now.
    async fn try_on(
        &self,
        uuid: Uuid,
        op: &(impl Fn(&DomainView) -> Option<DomainOp> + Sync),
        permits: &Semaphore,
    ) -> Done {
        let _permit = permits.acquire().await;
        let Some(view) = self.snapshot().by_uuid(&uuid).cloned() else { return Done::Once };
        let Some(op) = op(&view) else { return Done::Once };
        let domain = view.name();
        let name = op.name();
        match self.request(&view, op).await {
            Ok(_) => info!(%domain, op = name, "Done as xend starts or stops"),
            Err(
                error @ (Error::FleetUnavailable { .. }
                | Error::Undecided { .. }
                | Error::InDoubt { .. }),
            ) => {
                warn!(%domain, op = name, %error, "The domain waits for the fleet");
                return Done::FleetIsAway;
            }
            Err(error) => error!(%domain, op = name, %error, "Failed as xend starts or stops"),
        }
        Done::Once
    }
}

/// What came of an operation.
#[derive(PartialEq, Eq)]
enum Done {
    /// It was carried out, has failed, or is not asked for any more.
    Once,
    /// The fleet could not be asked for the domain, which is tried again.
    FleetIsAway,
}

/// The operation that a domain's `on_xend_start` asks for.
fn start_op(view: &DomainView) -> Option<DomainOp> {
    let starts =
        view.managed() && view.facts.is_none() && view.config.on_xend_start == OnXendStart::Start;
    let paused = false;
    let op = if view.suspended { DomainOp::Resume { paused } } else { DomainOp::Start { paused } };
    starts.then_some(op)
}

/// The operation that a domain's `on_xend_stop` asks for.
fn stop_op(view: &DomainView) -> Option<DomainOp> {
    if view.state() != State::Running || view.is_privileged() {
        return None;
    }
    match view.config.on_xend_stop {
        OnXendStop::Ignore => None,
        OnXendStop::Suspend if view.managed() => Some(DomainOp::Suspend),
        // A domain that is not managed cannot be suspended.
        OnXendStop::Suspend | OnXendStop::Shutdown => {
            Some(DomainOp::Shutdown(ShutdownReason::Poweroff))
        }
    }
}
