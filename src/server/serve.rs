//! The server: its listeners, its tasks, and their end.

use super::accept_loop::{AcceptLoop, Handler, Service};
use super::admission::Admission;
use super::client_stream::ClientStream;
use super::connection::StopTokens;
use super::identity::Identities;
use super::listen::Listener;
use super::places::Places;
use crate::config::LiveTunables;
use crate::core::caller::Caller;
use crate::core::rights::Accounts;
use crate::peers::{ListenerCounts, PendingConnections};
use axum::Router;
use std::future::Future;
use std::sync::Arc;
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
    places: Places,
    counts: ListenerCounts,
    tasks: TaskTracker,
    shutdown: StopTokens,
}

impl Server {
    /// A server without listeners, and without accounts. `max_connections` is the limit of each
    /// listener; see [`with_places`](Self::with_places). A connection has the request timeout that
    /// `tunables` have when it is accepted.
    pub fn new(tunables: LiveTunables, max_connections: usize) -> Self {
        let shutdown =
            StopTokens { soft: CancellationToken::new(), hard: CancellationToken::new() };
        let identities = Arc::new(Identities::new(Arc::default(), Arc::clone(&tunables)));
        let places = Places::for_connections(max_connections);
        let counts = ListenerCounts::default();
        Self { tunables, identities, places, counts, tasks: TaskTracker::new(), shutdown }
    }

    /// The same server, whose listeners have these places each.
    #[must_use]
    pub fn with_places(self, places: Places) -> Self {
        Self { places, ..self }
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

    /// What listeners did with connections. Listeners that are not the server's may be added.
    pub fn listener_counts(&self) -> ListenerCounts {
        self.counts.clone()
    }

    /// Starts to serve `app` on `listener`.
    pub fn attach(&self, listener: Listener, app: Router) {
        // A router that was given no state makes the service of its fallback anew for each request.
        self.accept_on(listener, Service::Http(app.with_state(())));
    }

    /// Starts to serve a protocol other than HTTP on `listener`: `serve` is called with each
    /// connection, and a token that is cancelled when the server stops or needs the connection for
    /// another client. It then finishes what it does for the client, and returns.
    ///
    /// The connection counts as idle while `serve` waits for bytes of the client, from the last
    /// bytes that it was sent. There is no time limit for that. A client that finds all places busy
    /// is sent `busy`.
    pub fn attach_connections<F>(
        &self,
        listener: Listener,
        busy: &'static str,
        serve: impl Fn(ClientStream, Caller, CancellationToken) -> F + Send + Sync + 'static,
    ) where
        F: Future<Output = ()> + Send + 'static,
    {
        let serve: Handler =
            Arc::new(move |stream, caller, stopping| Box::pin(serve(stream, caller, stopping)));
        self.accept_on(listener, Service::Connections { serve, busy });
    }

    fn accept_on(&self, listener: Listener, service: Service) {
        let identities = Arc::clone(&self.identities);
        let counts = self.counts.add(listener.to_string());
        let admission = Admission::new(&listener, identities, self.places.connections, counts);
        let accept_loop = AcceptLoop {
            listener,
            service,
            admission: Arc::new(admission),
            pending: PendingConnections::new(self.places.pending),
            tunables: Arc::clone(&self.tunables),
            tasks: self.tasks.clone(),
            shutdown: self.shutdown.clone(),
        };
        self.tasks.spawn(accept_loop.run());
    }

    /// Starts another task of the daemon. [`drained`](Self::drained) waits for it, and
    /// [`abort`](Self::abort) ends it.
    pub fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let hard = self.shutdown.hard.clone();
        self.tasks.spawn(async move {
            tokio::select! {
                () = task => {}
                () = hard.cancelled() => {}
            }
        });
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
