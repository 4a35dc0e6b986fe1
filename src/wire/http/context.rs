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

/// Settings of the HTTP interface, which can change while the daemon runs.
#[derive(Debug, Clone, Copy)]
pub struct HttpSettings {
    /// The largest body in bytes.
    pub max_body: usize,
    /// Whether a caller may shut the host down.
    pub node_shutdown: bool,
    /// The default port of other hosts for migration.
    pub relocation_port: u16,
}

/// xend's HTTP interface to an engine.
#[derive(Clone)]
pub struct Http(Arc<Inner>);

struct Inner {
    engine: Engine,
    settings: Box<dyn Fn() -> HttpSettings + Send + Sync>,
    log: Box<dyn Fn() -> String + Send + Sync>,
    domain_lists: DomainListCache,
    event_streams: Arc<Semaphore>,
    stopping: CancellationToken,
}

impl Http {
    /// The HTTP interface to `engine`. `settings` is called for each request that needs them, `log`
    /// for the text of `/xend/node/log`. Streams of events end when `stopping` is cancelled.
    pub fn new(
        engine: Engine,
        settings: impl Fn() -> HttpSettings + Send + Sync + 'static,
        log: impl Fn() -> String + Send + Sync + 'static,
        stopping: CancellationToken,
    ) -> Self {
        Self(Arc::new(Inner {
            engine,
            settings: Box::new(settings),
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

    pub(super) fn settings(&self) -> HttpSettings {
        (self.0.settings)()
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
