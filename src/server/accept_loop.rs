//! The accept loop of a listener.

use super::admission::{Admission, Admitted, address_of};
use super::client_stream::ClientStream;
use super::connection::{self, StopTokens};
use super::listen::{Listener, Stream};
use crate::config::LiveTunables;
use crate::core::caller::{Caller, Via};
use crate::peers::{LogLimit, PendingConnections, PendingPlace, Refusal};
use axum::Router;
use std::future::{Future, pending};
use std::io::{self, ErrorKind};
use std::mem;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy, sink};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// How long a client may take for the message that all places are busy.
const REFUSAL_LIMIT: Duration = Duration::from_secs(2);

/// How much of what a refused client sends is read, in bytes. A connection that is closed with
/// unread bytes is reset, and the client would lose the message.
const MAX_DRAINED: u64 = 64 << 10;

/// Serves one connection of a protocol other than HTTP.
pub(super) type Handler =
    Arc<dyn Fn(ClientStream, Caller, CancellationToken) -> PinnedFuture + Send + Sync>;

type PinnedFuture = Pin<Box<dyn Future<Output = ()> + Send>>;

/// What is served on the connections of a listener.
#[derive(Clone)]
pub(super) enum Service {
    Http(Router),
    Connections {
        serve: Handler,
        /// What a client is told when all places are busy.
        busy: &'static str,
    },
}

/// The accept loop of a listener. Each connection has a task of its own from the beginning, so that
/// no client keeps others waiting.
pub(super) struct AcceptLoop {
    pub(super) listener: Listener,
    pub(super) service: Service,
    pub(super) admission: Arc<Admission>,
    pub(super) pending: PendingConnections,
    pub(super) tunables: LiveTunables,
    pub(super) tasks: TaskTracker,
    pub(super) shutdown: StopTokens,
}

impl AcceptLoop {
    /// Accepts until the server stops. Neither a client nor a full table of files ends this loop.
    pub(super) async fn run(self) {
        let mut backoff = AcceptBackoff::default();
        let refused = LogLimit::default();
        loop {
            let accepted = tokio::select! {
                biased;
                () = self.shutdown.soft.cancelled() => return,
                accepted = self.listener.accept() => accepted,
            };
            let (stream, via) = match accepted {
                Ok(connection) => {
                    backoff.reset(&self.listener);
                    self.admission.counts.accepted();
                    connection
                }
                Err(error) => {
                    tokio::select! {
                        () = self.shutdown.soft.cancelled() => return,
                        () = backoff.wait(&self.listener, &error) => {}
                    }
                    continue;
                }
            };
            let place = tokio::select! {
                biased;
                () = self.shutdown.soft.cancelled() => return,
                place = self.pending.add(address_of(&via)) => place,
            };
            if let Some(place) = place {
                self.spawn_connection(stream, via, place);
                continue;
            }
            self.admission.counts.refused(Refusal::Pending);
            if let Some(left_out) = refused.pass() {
                let listener = &self.listener;
                tracing::warn!(left_out, "Too many new connections to {listener}: refused {via}");
            }
        }
    }

    fn spawn_connection(&self, stream: Stream, via: Via, place: PendingPlace) {
        let admission = Arc::clone(&self.admission);
        let service = self.service.clone();
        let timeout = self.tunables.load().request_timeout;
        let shutdown = self.shutdown.clone();
        self.tasks.spawn(async move {
            let admitted = tokio::select! {
                biased;
                () = shutdown.soft.cancelled() => return,
                () = place.evicted() => {
                    admission.counts.refused(Refusal::Pending);
                    return;
                }
                admitted = admission.admit(stream, via) => admitted,
            };
            drop(place);
            let has_place = admitted.as_ref().is_some_and(|admitted| admitted.permit.is_some());
            let _open = has_place.then(|| admission.counts.open());
            match (admitted, service) {
                (Some(admitted), Service::Http(app)) => {
                    serve_http(admitted, app, timeout, shutdown).await;
                }
                (Some(admitted), Service::Connections { serve, busy }) => tokio::select! {
                    () = shutdown.hard.cancelled() => {}
                    () = serve_connection(admitted, serve, busy, &shutdown) => {}
                },
                (None, _) => {}
            }
        });
    }
}

/// Without a place, a client of HTTP finds its connection closed.
async fn serve_http(admitted: Admitted, app: Router, timeout: Duration, shutdown: StopTokens) {
    let Admitted { stream, caller, permit } = admitted;
    if let Some(permit) = permit {
        connection::serve(stream, caller, app, permit, timeout, shutdown).await;
    }
}

async fn serve_connection(
    admitted: Admitted,
    serve: Handler,
    busy: &'static str,
    shutdown: &StopTokens,
) {
    let Admitted { mut stream, caller, permit } = admitted;
    let Some(permit) = permit else {
        let refusal = async {
            stream.write_all(busy.as_bytes()).await?;
            stream.shutdown().await?;
            copy(&mut stream.take(MAX_DRAINED), &mut sink()).await
        };
        // The client may have gone.
        timeout(REFUSAL_LIMIT, refusal).await.ok();
        return;
    };
    let stopping = shutdown.soft.child_token();
    let stream = ClientStream::new(stream, Arc::clone(&permit.activity));
    let evict = async {
        permit.evicted.cancelled().await;
        stopping.cancel();
        pending::<()>().await;
    };
    tokio::select! {
        () = serve(stream, caller, stopping.clone()) => {}
        () = evict => {}
    }
}

/// The pause after errors of `accept`.
#[derive(Default)]
struct AcceptBackoff {
    pause: Duration,
}

impl AcceptBackoff {
    const MIN: Duration = Duration::from_millis(50);
    const MAX: Duration = Duration::from_secs(1);

    /// Waits after an error, longer each time. Only the first error of a series is logged.
    async fn wait(&mut self, listener: &Listener, error: &io::Error) {
        use ErrorKind::{ConnectionAborted, ConnectionReset, Interrupted};
        if matches!(error.kind(), ConnectionAborted | ConnectionReset | Interrupted) {
            // The error is about one connection, which is closed.
            return;
        }
        if self.pause.is_zero() {
            tracing::error!("Cannot accept on {listener}: {error}");
        }
        self.pause = (self.pause * 2).clamp(Self::MIN, Self::MAX);
        sleep(self.pause).await;
    }

    fn reset(&mut self, listener: &Listener) {
        if !mem::take(&mut self.pause).is_zero() {
            tracing::info!("Accepting on {listener} again");
        }
    }
}
