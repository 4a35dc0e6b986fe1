//! The state that all handlers share.

use super::etag::TaggedJson;
use super::event_ids::EventIds;
use super::list_cache::DomainListCache;
use super::new_domain::creation::Creations;
use super::sessions::Sessions;
use super::stream_permits::{StreamLimits, StreamPermits};
use super::tasks::Tasks;
use crate::call_reference::CallReference;
use crate::core::caller::Caller;
use crate::core::engine::Engine;
use crate::core::view::View;
use crate::memory_budget::{MemoryBudget, MemoryBudgets};
use std::sync::{Arc, LazyLock, OnceLock};
use tokio_util::sync::CancellationToken;

/// xend's HTTP interface to an engine.
// One pointer, since each layer of the router copies it for each request.
#[derive(Clone)]
pub struct Http(Arc<Parts>);

#[derive(Clone)]
struct Parts {
    inner: Arc<Inner>,
    budgets: MemoryBudgets,
    calls: Arc<LazyLock<CallReference, MakeCalls>>,
}

/// Makes the reference of calls when it is first asked for.
type MakeCalls = Box<dyn FnOnce() -> CallReference + Send + Sync>;

struct Inner {
    engine: Engine,
    max_body: Box<dyn Fn() -> usize + Send + Sync>,
    log: Box<dyn Fn() -> String + Send + Sync>,
    domain_lists: DomainListCache,
    event_permits: StreamPermits,
    console_permits: StreamPermits,
    screen_permits: StreamPermits,
    upload_permits: StreamPermits,
    event_ids: EventIds,
    sessions: Sessions,
    tasks: Tasks,
    creations: Creations,
    openapi: OnceLock<TaggedJson>,
    stopping: CancellationToken,
}

impl Http {
    /// The HTTP interface to `engine`. `max_body` gives the size limit of bodies in bytes, `log`
    /// the text of `/xend/node/log`. Streams of events, consoles and screens end when
    /// `stopping` is cancelled.
    pub fn new(
        engine: Engine,
        max_body: impl Fn() -> usize + Send + Sync + 'static,
        log: impl Fn() -> String + Send + Sync + 'static,
        stopping: CancellationToken,
    ) -> Self {
        let inner = Inner {
            engine,
            max_body: Box::new(max_body),
            log: Box::new(log),
            domain_lists: DomainListCache::default(),
            event_permits: StreamPermits::new(StreamLimits::EVENTS),
            console_permits: StreamPermits::new(StreamLimits::CONSOLES),
            screen_permits: StreamPermits::new(StreamLimits::SCREENS),
            upload_permits: StreamPermits::new(StreamLimits::UPLOADS),
            event_ids: EventIds::default(),
            sessions: Sessions::default(),
            tasks: Tasks::default(),
            creations: Creations::default(),
            openapi: OnceLock::new(),
            stopping,
        };
        let budgets = MemoryBudgets::default();
        let calls = lazily(CallReference::default);
        Self(Arc::new(Parts { inner: Arc::new(inner), budgets, calls }))
    }

    /// The same interface, whose bodies are received and sent within these budgets.
    #[must_use]
    pub fn with_budgets(self, budgets: MemoryBudgets) -> Self {
        Self(Arc::new(Parts { budgets, ..Parts::clone(&self.0) }))
    }

    /// The same interface, whose reference has these calls as well.
    #[must_use]
    pub fn with_calls(self, make: impl FnOnce() -> CallReference + Send + Sync + 'static) -> Self {
        Self(Arc::new(Parts { calls: lazily(make), ..Parts::clone(&self.0) }))
    }

    /// The calls that the reference has beside the pages.
    pub(super) fn calls(&self) -> &CallReference {
        &self.0.calls
    }

    pub(super) fn engine(&self) -> &Engine {
        &self.0.inner.engine
    }

    /// The engine as `caller` may read it.
    pub(super) fn view(&self, caller: &Caller) -> View {
        self.0.inner.engine.view(caller)
    }

    /// The size limit of bodies in bytes.
    pub(super) fn max_body(&self) -> usize {
        (self.0.inner.max_body)()
    }

    /// The memory for bodies of requests.
    pub(super) fn budget(&self) -> &MemoryBudget {
        &self.0.budgets.requests
    }

    /// The memory for answers.
    pub(super) fn answer_budget(&self) -> &MemoryBudget {
        &self.0.budgets.answers
    }

    /// The end of the daemon's log.
    pub(super) fn log(&self) -> String {
        (self.0.inner.log)()
    }

    /// The printed lists of domains.
    pub(super) fn domain_lists(&self) -> &DomainListCache {
        &self.0.inner.domain_lists
    }

    pub(super) fn event_permits(&self) -> &StreamPermits {
        &self.0.inner.event_permits
    }

    pub(super) fn console_permits(&self) -> &StreamPermits {
        &self.0.inner.console_permits
    }

    pub(super) fn screen_permits(&self) -> &StreamPermits {
        &self.0.inner.screen_permits
    }

    pub(super) fn upload_permits(&self) -> &StreamPermits {
        &self.0.inner.upload_permits
    }

    pub(super) fn event_ids(&self) -> &EventIds {
        &self.0.inner.event_ids
    }

    pub(super) fn sessions(&self) -> &Sessions {
        &self.0.inner.sessions
    }

    /// The number of the tasks that are under way, and of those that have ended and are kept.
    pub fn task_counts(&self) -> (usize, usize) {
        self.0.inner.tasks.counts()
    }

    /// The operations that clients do not wait for.
    pub(super) fn tasks(&self) -> &Tasks {
        &self.0.inner.tasks
    }

    /// Domains that are being created from the form.
    pub(super) fn creations(&self) -> &Creations {
        &self.0.inner.creations
    }

    /// The OpenAPI document, once it was asked for.
    pub(super) fn openapi(&self) -> &OnceLock<TaggedJson> {
        &self.0.inner.openapi
    }

    pub(super) fn stopping(&self) -> CancellationToken {
        self.0.inner.stopping.clone()
    }
}

fn lazily(
    make: impl FnOnce() -> CallReference + Send + Sync + 'static,
) -> Arc<LazyLock<CallReference, MakeCalls>> {
    Arc::new(LazyLock::new(Box::new(make)))
}
