//! The state that all handlers share.

use super::event_ids::EventIds;
use super::event_permits::EventPermits;
use super::list_cache::DomainListCache;
use super::sessions::Sessions;
use crate::core::caller::Caller;
use crate::core::engine::Engine;
use crate::core::view::View;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// xend's HTTP interface to an engine.
#[derive(Clone)]
pub struct Http(Arc<Inner>);

struct Inner {
    engine: Engine,
    max_body: Box<dyn Fn() -> usize + Send + Sync>,
    log: Box<dyn Fn() -> String + Send + Sync>,
    domain_lists: DomainListCache,
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
        Self(Arc::new(Inner {
            engine,
            max_body: Box::new(max_body),
            log: Box::new(log),
            domain_lists: DomainListCache::default(),
            event_permits: EventPermits::default(),
            event_ids: EventIds::default(),
            sessions: Sessions::default(),
            stopping,
        }))
    }

    pub(super) fn engine(&self) -> &Engine {
        &self.0.engine
    }

    /// The engine as `caller` may read it.
    pub(super) fn view(&self, caller: &Caller) -> View {
        self.0.engine.view(caller)
    }

    /// The size limit of bodies in bytes.
    pub(super) fn max_body(&self) -> usize {
        (self.0.max_body)()
    }

    /// The end of the daemon's log.
    pub(super) fn log(&self) -> String {
        (self.0.log)()
    }

    pub(super) fn domain_lists(&self) -> &DomainListCache {
        &self.0.domain_lists
    }

    pub(super) fn event_permits(&self) -> &EventPermits {
        &self.0.event_permits
    }

    pub(super) fn event_ids(&self) -> &EventIds {
        &self.0.event_ids
    }

    pub(super) fn sessions(&self) -> &Sessions {
        &self.0.sessions
    }

    pub(super) fn stopping(&self) -> CancellationToken {
        self.0.stopping.clone()
    }
}
