//! Accept loops, and their end.

use super::client_stream::{AdmittedStream, ClientStream};
use super::connection::{self, StopTokens};
use super::connection_limit::{ConnectionLimit, ConnectionPermit};
use super::identity::Identities;
use super::listen::{Listener, Stream, TcpSecurity};
use crate::config::LiveTunables;
use crate::core::caller::{Caller, Via};
use crate::core::rights::Accounts;
use axum::Router;
use std::future::{Future, pending};
use std::io::{self, ErrorKind};
use std::mem;
use std::os::fd::AsFd as _;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::spawn_blocking;
use tokio::time::{sleep, timeout};
use tokio_util::either::Either;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Serves any number of listeners, each with its own service.
///
/// ```text
/// attach ──▶ accepting ──stop()──▶ draining ──all answered──▶ done
///                                      └──────abort()───────▶ done
/// ```
#[derive(Debug)]
pub struct Server {
    tunables: LiveTunables,
    identities: Arc<Identities>,
    max_connections: usize,
    tasks: TaskTracker,
    shutdown: StopTokens,
}

impl Server {
    /// A server without listeners, and without accounts. `max_connections` is the limit of each
    /// listener. A connection has the request timeout that `tunables` have when it is accepted.
    pub fn new(tunables: LiveTunables, max_connections: usize) -> Self {
        let shutdown =
            StopTokens { soft: CancellationToken::new(), hard: CancellationToken::new() };
        let identities = Arc::new(Identities::new(Arc::default(), Arc::clone(&tunables)));
        Self { tunables, identities, max_connections, tasks: TaskTracker::new(), shutdown }
    }

    /// The same server, which knows users of this machine by their accounts.
    #[must_use]
    pub fn with_accounts(self, accounts: Arc<Accounts>) -> Self {
        let identities = Arc::new(Identities::new(accounts, Arc::clone(&self.tunables)));
        Self { identities, ..self }
    }

    /// Tells who callers are, for listeners that are not the server's.
    pub fn identities(&self) -> Arc<Identities> {
        Arc::clone(&self.identities)
    }

    /// Starts to serve `app` on `listener`.
    pub fn attach(&self, listener: Listener, app: Router) {
        self.accept_on(listener, Service::Http(app));
    }

    /// Starts to serve a protocol other than HTTP on `listener`: `serve` is called with each
    /// connection, and a token that is cancelled when the server stops or needs the connection for
    /// another client. It then finishes what it does for the client, and returns.
    ///
    /// The connection counts as idle while `serve` waits for bytes of the client. There is no time
    /// limit for that.
    pub fn attach_connections<F>(
        &self,
        listener: Listener,
        serve: impl Fn(ClientStream, Caller, CancellationToken) -> F + Send + Sync + 'static,
    ) where
        F: Future<Output = ()> + Send + 'static,
    {
        let serve: Handler =
            Arc::new(move |stream, caller, stopping| Box::pin(serve(stream, caller, stopping)));
        self.accept_on(listener, Service::Connections(serve));
    }

    fn accept_on(&self, listener: Listener, service: Service) {
        let accept_loop = AcceptLoop {
            listener,
            service,
            limit: ConnectionLimit::new(self.max_connections),
            identities: Arc::clone(&self.identities),
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

/// Serves one connection of a protocol other than HTTP.
type Handler = Arc<dyn Fn(ClientStream, Caller, CancellationToken) -> PinnedFuture + Send + Sync>;

type PinnedFuture = Pin<Box<dyn Future<Output = ()> + Send>>;

/// What is served on the connections of a listener.
#[derive(Clone)]
enum Service {
    Http(Router),
    Connections(Handler),
}

/// The accept loop of a listener.
struct AcceptLoop {
    listener: Listener,
    service: Service,
    limit: ConnectionLimit,
    identities: Arc<Identities>,
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
            // At once, while the client is there to be asked for.
            let caller = self.identify(&stream, via).await;
            let permit = tokio::select! {
                biased;
                () = self.shutdown.soft.cancelled() => return,
                permit = self.limit.acquire() => permit,
            };
            if let Some(permit) = permit {
                refusing = false;
                self.spawn_connection(stream, caller, permit);
            } else if !refusing {
                refusing = true;
                let listener = &self.listener;
                tracing::warn!("All connections of {listener} are busy: refusing new ones");
            }
        }
    }

    async fn identify(&self, stream: &Stream, via: Via) -> Caller {
        let connection = match stream {
            Either::Left(stream) => stream.as_fd(),
            Either::Right(stream) => stream.as_fd(),
        };
        self.identities.identify(via, connection, self.listener.trust()).await
    }

    fn spawn_connection(&self, stream: Stream, caller: Caller, permit: ConnectionPermit) {
        let timeout = self.tunables.load().request_timeout;
        let shutdown = self.shutdown.clone();
        let security = self.listener.security();
        let is_admitted = security.tls.is_none() && security.hosts.everybody();
        match self.service.clone() {
            Service::Http(app) if is_admitted => {
                self.tasks.spawn(connection::serve(stream, caller, app, permit, timeout, shutdown));
            }
            Service::Http(app) => spawn_abortable(&self.tasks, &self.shutdown, async move {
                if let Some(stream) = admit(&security, stream, &caller, timeout).await {
                    connection::serve(stream, caller, app, permit, timeout, shutdown).await;
                }
            }),
            Service::Connections(serve) => {
                spawn_abortable(&self.tasks, &self.shutdown, async move {
                    if let Some(stream) = admit(&security, stream, &caller, timeout).await {
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
                });
            }
        }
    }
}

/// Checks the client's host and encrypts the connection; `None` when either fails.
async fn admit(
    security: &TcpSecurity,
    stream: Stream,
    caller: &Caller,
    limit: Duration,
) -> Option<AdmittedStream> {
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
    match timeout(limit, tls.acceptor().accept(stream)).await {
        Ok(Ok(stream)) => Some(Either::Right(Box::new(stream))),
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
