//! The state that all handlers share.

use super::event_ids::EventIds;
use super::event_permits::EventPermits;
use super::list_cache::DomainListCache;
use super::sessions::Sessions;
use crate::core::caller::Caller;
use crate::core::engine::Engine;
use crate::core::offload::Offload;
use crate::core::view::View;
use crate::memory_budget::MemoryBudget;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// How many times faster bytes are printed than read and checked.
const PRINTING_SPEED: usize = 8;

/// xend's HTTP interface to an engine.
#[derive(Clone)]
pub struct Http {
    inner: Arc<Inner>,
    budget: MemoryBudget,
}

struct Inner {
    engine: Engine,
    max_body: Box<dyn Fn() -> usize + Send + Sync>,
    log: Box<dyn Fn() -> String + Send + Sync>,
    domain_lists: DomainListCache,
    answers: Offload,
    event_permits: EventPermits,
    event_ids: EventIds,
    sessions: Sessions,
    stopping: CancellationToken,
}

impl Http {
    /// The HTTP interface to `engine`. `max_body` gives the size limit of bodies in bytes, `log`
    /// the text of `/xend/node/log`. Streams of events end when `stopping` is cancelled.
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
            answers: Offload::default(),
            event_permits: EventPermits::default(),
            event_ids: EventIds::default(),
            sessions: Sessions::default(),
            stopping,
        };
        Self { inner: Arc::new(inner), budget: MemoryBudget::default() }
    }

    /// The same interface, whose bodies are received within this budget.
    #[must_use]
    pub fn with_budget(self, budget: MemoryBudget) -> Self {
        Self { budget, ..self }
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

    /// The memory for bodies.
    pub(super) fn budget(&self) -> &MemoryBudget {
        &self.budget
    }

    /// The end of the daemon's log.
    pub(super) fn log(&self) -> String {
        (self.inner.log)()
    }

    /// Prints an answer to a read of about this many bytes, beside the threads that serve others if
    /// these are many. Reads do not wait for changes, which have places of their own.
    pub(super) async fn print<T>(&self, bytes: usize, print: impl FnOnce() -> T) -> T {
        self.inner.answers.run(bytes / PRINTING_SPEED, async { print() }).await
    }

    pub(super) fn domain_lists(&self) -> &DomainListCache {
        &self.inner.domain_lists
    }

    pub(super) fn event_permits(&self) -> &EventPermits {
        &self.inner.event_permits
    }

    pub(super) fn event_ids(&self) -> &EventIds {
        &self.inner.event_ids
    }

    pub(super) fn sessions(&self) -> &Sessions {
        &self.inner.sessions
    }

    pub(super) fn stopping(&self) -> CancellationToken {
        self.inner.stopping.clone()
    }
}
