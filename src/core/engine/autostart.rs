//! `on_xend_start` and `on_xend_stop` of the domains.

use crate::core::context::Core;
use crate::core::lifecycle::State;
use crate::core::model::{OnXendStart, OnXendStop, ShutdownReason};
use crate::core::op::DomainOp;
use crate::core::snapshot::DomainView;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tracing::{error, info, warn};

/// Domains that are started or stopped at a time.
const CONCURRENCY: usize = 4;

/// How long guests may take to shut down when xend stops.
const SHUTDOWN_LIMIT: Duration = Duration::from_secs(30);

/// Poll interval while guests shut down.
const POLL_INTERVAL: Duration = Duration::from_millis(50);

impl Core {
    /// Starts the managed domains whose `on_xend_start` says so.
    pub(super) async fn start_with_xend(self: Arc<Self>) {
        // In a fleet, etcd may come up later than this host.
        self.settings.ownership.ready().await;
        let paused = false;
        self.for_each_domain(|view| {
            let starts = view.managed()
                && view.facts.is_none()
                && view.config.on_xend_start == OnXendStart::Start;
            let op = if view.suspended {
                DomainOp::Resume { paused }
            } else {
                DomainOp::Start { paused }
            };
            starts.then_some(op)
        })
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
    async fn for_each_domain(self: &Arc<Self>, op: impl Fn(&DomainView) -> Option<DomainOp>) {
        let permits = Arc::new(Semaphore::new(CONCURRENCY));
        let mut tasks = JoinSet::new();
        for view in self.snapshot().domains() {
            let Some(op) = op(view) else { continue };
            let core = self.clone();
            let permits = permits.clone();
            let view = view.clone();
            tasks.spawn(async move {
                let _permit = permits.acquire().await;
                let name = op.name();
                match core.request(&view, op).await {
                    Ok(_) => info!(
                        domain = %view.name(), op = name,
                        "Done as xend starts or stops"
                    ),
                    Err(error) => {
                        error!(
                            domain = %view.name(), op = name, %error,
                            "Failed as xend starts or stops"
                        );
                    }
                }
            });
        }
        while tasks.join_next().await.is_some() {}
    }
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
