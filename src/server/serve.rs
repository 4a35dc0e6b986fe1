//! Accept loops, and their end.

use super::connection::{self, StopTokens};
use super::connection_limit::{ConnectionLimit, ConnectionPermit};
use super::listen::{Listener, Stream, TcpSecurity};
use crate::config::LiveTunables;
use crate::core::caller::{Caller, Via};
use axum::Router;
use std::future::Future;
use std::io::{self, ErrorKind};
use std::mem;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::spawn_blocking;
use tokio::time::{sleep, timeout};
use tokio_rustls::server::TlsStream;
use tokio_util::either::Either;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Serves any number of listeners, each with its own router.
///
/// ```text
/// attach ──▶ accepting ──stop()──▶ draining ──all answered──▶ done
///                                      └──────abort()───────▶ done
/// ```
#[derive(Debug)]
pub struct Server {
    tunables: LiveTunables,
    max_connections: usize,
    tasks: TaskTracker,
    shutdown: StopTokens,
}

impl Server {
    /// A server without listeners. `max_connections` is the limit of each listener. A connection
    /// has the request timeout that `tunables` have when it is accepted.
    pub fn new(tunables: LiveTunables, max_connections: usize) -> Self {
        let shutdown =
            StopTokens { soft: CancellationToken::new(), hard: CancellationToken::new() };
        Self { tunables, max_connections, tasks: TaskTracker::new(), shutdown }
    }

    /// Starts to serve `app` on `listener`.
    pub fn attach(&self, listener: Listener, app: Router) {
        let accept_loop = AcceptLoop {
            listener,
            app,
            limit: ConnectionLimit::new(self.max_connections),
            tunables: Arc::clone(&self.tunables),
            tasks: self.tasks.clone(),
            shutdown: self.shutdown.clone(),
        };
        self.tasks.spawn(accept_loop.run());
    }

    /// Starts another task of the daemon. [`drained`](Self::drained) waits for it, and
    /// [`abort`](Self::abort) ends it.
    pub fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        spawn_abortable(&self.tasks, &self.shutdown, task);
    }

    /// The token that [`stop`](Self::stop) cancels, for answers that do not end by themselves.
    pub fn stopping(&self) -> CancellationToken {
        self.shutdown.soft.clone()
    }

    /// Stops accepting. Connections finish their current request; idle ones close.
    pub fn stop(&self) {
        self.shutdown.soft.cancel();
        self.tasks.close();
    }

    /// Closes all connections at once.
    pub fn abort(&self) {
        self.stop();
        self.shutdown.hard.cancel();
    }

    /// Waits for the last connection and task to end, after [`stop`](Self::stop).
    pub async fn drained(&self) {
        self.tasks.wait().await;
    }
}

fn spawn_abortable(
    tasks: &TaskTracker,
    shutdown: &StopTokens,
    task: impl Future<Output = ()> + Send + 'static,
) {
    let hard = shutdown.hard.clone();
    tasks.spawn(async move {
        tokio::select! {
            () = task => {}
            () = hard.cancelled() => {}
        }
    });
}

/// The accept loop of a listener.
struct AcceptLoop {
    listener: Listener,
    app: Router,
    limit: ConnectionLimit,
    tunables: LiveTunables,
    tasks: TaskTracker,
    shutdown: StopTokens,
}

impl AcceptLoop {
    /// Accepts until the server stops. Neither a client nor a full table of files ends this loop.
    async fn run(self) {
        let mut backoff = AcceptBackoff::default();
        let mut refusing = false;
        loop {
            let accepted = tokio::select! {
                biased;
                () = self.shutdown.soft.cancelled() => return,
                accepted = self.listener.accept() => accepted,
            };
            let (stream, via) = match accepted {
                Ok(connection) => {
                    backoff.reset(&self.listener);
                    connection
                }
                Err(error) => {
                    backoff.wait(&self.listener, &error).await;
                    continue;
                }
            };
            let permit = tokio::select! {
                biased;
                () = self.shutdown.soft.cancelled() => return,
                permit = self.limit.acquire() => permit,
            };
            if let Some(permit) = permit {
                refusing = false;
                self.spawn_connection(stream, Caller { via }, permit);
            } else if !refusing {
                refusing = true;
                let listener = &self.listener;
                tracing::warn!("All connections of {listener} are busy: refusing new ones");
            }
        }
    }

    fn spawn_connection(&self, stream: Stream, caller: Caller, permit: ConnectionPermit) {
        let timeout = self.tunables.load().request_timeout;
        let app = self.app.clone();
        let shutdown = self.shutdown.clone();
        let security = self.listener.security();
        if security.tls.is_none() && security.hosts.everybody() {
            self.tasks.spawn(connection::serve(stream, caller, app, permit, timeout, shutdown));
            return;
        }
        spawn_abortable(&self.tasks, &self.shutdown, async move {
            if let Some(stream) = admit(&security, stream, &caller, timeout).await {
                connection::serve(stream, caller, app, permit, timeout, shutdown).await;
            }
        });
    }
}

/// Checks the client's host and encrypts the connection; `None` when either fails.
async fn admit(
    security: &TcpSecurity,
    stream: Stream,
    caller: &Caller,
    limit: Duration,
) -> Option<Either<Stream, TlsStream<Stream>>> {
    if let (Via::Tcp { peer, .. }, false) = (&caller.via, security.hosts.everybody()) {
        let hosts = security.hosts.clone();
        let ip = peer.ip();
        // The check can query the name service.
        let allowed = spawn_blocking(move || hosts.allows(ip));
        if !matches!(timeout(limit, allowed).await, Ok(Ok(true))) {
            tracing::warn!("Refused a connection from {caller}: the host is not allowed");
            return None;
        }
    }
    let Some(tls) = &security.tls else { return Some(Either::Left(stream)) };
    match timeout(limit, tls.accept(stream)).await {
        Ok(Ok(stream)) => Some(Either::Right(stream)),
        Ok(Err(error)) => {
            tracing::debug!("TLS handshake with {caller} failed: {error}");
            None
        }
        Err(_) => None,
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
