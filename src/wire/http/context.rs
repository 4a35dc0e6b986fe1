//! The state that all handlers share.

use super::list_cache::DomainListCache;
use crate::core::caller::Caller;
use crate::core::engine::Engine;
use crate::core::view::View;
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;

/// The most streams of `/xend/events` at a time.
pub(super) const MAX_EVENT_STREAMS: usize = 200;

/// xend's HTTP interface to an engine.
#[derive(Clone)]
pub struct Http(Arc<Inner>);

struct Inner {
    engine: Engine,
    max_body: Box<dyn Fn() -> usize + Send + Sync>,
    log: Box<dyn Fn() -> String + Send + Sync>,
    domain_lists: DomainListCache,
    event_streams: Arc<Semaphore>,
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
            event_streams: Arc::new(Semaphore::new(MAX_EVENT_STREAMS)),
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

    /// A permit for one more stream of events; `None` if there are [`MAX_EVENT_STREAMS`].
    pub(super) fn event_stream_permit(&self) -> Option<OwnedSemaphorePermit> {
        self.0.event_streams.clone().try_acquire_owned().ok()
    }

    pub(super) fn stopping(&self) -> CancellationToken {
        self.0.stopping.clone()
    }
}
