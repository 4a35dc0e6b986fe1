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
#[derive(Clone)]
pub struct Http {
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
        Self { inner: Arc::new(inner), budgets, calls: lazily(CallReference::default) }
    }

    /// The same interface, whose bodies are received and sent within these budgets.
    #[must_use]
    pub fn with_budgets(self, budgets: MemoryBudgets) -> Self {
        Self { budgets, ..self }
    }

    /// The same interface, whose reference has these calls as well.
    #[must_use]
    pub fn with_calls(self, make: impl FnOnce() -> CallReference + Send + Sync + 'static) -> Self {
        Self { calls: lazily(make), ..self }
    }

    /// The calls that the reference has beside the pages.
    pub(super) fn calls(&self) -> &CallReference {
        &self.calls
    }

    pub(super) fn engine(&self) -> &Engine {
        &self.inner.engine
    }

    /// The engine as `caller` may read it.
    pub(super) fn view(&self, caller: &Caller) -> View {
        self.inner.engine.view(caller)
    }

    /// The size limit of bodies in bytes.
    pub(super) fn max_body(&self) -> usize {
        (self.inner.max_body)()
    }

    /// The memory for bodies of requests.
    pub(super) fn budget(&self) -> &MemoryBudget {
        &self.budgets.requests
    }

    /// The memory for answers.
    pub(super) fn answer_budget(&self) -> &MemoryBudget {
        &self.budgets.answers
    }

    /// The end of the daemon's log.
    pub(super) fn log(&self) -> String {
        (self.inner.log)()
    }

    /// The printed lists of domains.
    pub(super) fn domain_lists(&self) -> &DomainListCache {
        &self.inner.domain_lists
    }

    pub(super) fn event_permits(&self) -> &StreamPermits {
        &self.inner.event_permits
    }

    pub(super) fn console_permits(&self) -> &StreamPermits {
        &self.inner.console_permits
    }

    pub(super) fn screen_permits(&self) -> &StreamPermits {
        &self.inner.screen_permits
    }

    pub(super) fn upload_permits(&self) -> &StreamPermits {
        &self.inner.upload_permits
    }

    pub(super) fn event_ids(&self) -> &EventIds {
        &self.inner.event_ids
    }

    pub(super) fn sessions(&self) -> &Sessions {
        &self.inner.sessions
    }

    /// The number of the tasks that are under way, and of those that have ended and are kept.
    pub fn task_counts(&self) -> (usize, usize) {
        self.inner.tasks.counts()
    }

    /// The operations that clients do not wait for.
    pub(super) fn tasks(&self) -> &Tasks {
        &self.inner.tasks
    }

    /// Domains that are being created from the form.
    pub(super) fn creations(&self) -> &Creations {
        &self.inner.creations
    }

    /// The OpenAPI document, once it was asked for.
    pub(super) fn openapi(&self) -> &OnceLock<TaggedJson> {
        &self.inner.openapi
    }

    pub(super) fn stopping(&self) -> CancellationToken {
        self.inner.stopping.clone()
    }
}

fn lazily(
    make: impl FnOnce() -> CallReference + Send + Sync + 'static,
) -> Arc<LazyLock<CallReference, MakeCalls>> {
    Arc::new(LazyLock::new(Box::new(make)))
}
