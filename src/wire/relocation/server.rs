//! The receiving side.
//!
//! ```text
//! accepted ──▶ pending: who calls, may the host connect, its request ──▶ a place: the migration
//!                       or its name and certificate                    ──▶ a place: HTTP
//! ```

mod members;

use super::connection::{Connection, LIMITS, PeerStream, busy, parse};
use super::greeting::{self, Greeted};
use super::incoming::{answer, change};
use super::places::RelocationPlaces;
use crate::core::caller::{Caller, Via};
use crate::core::engine::Engine;
use crate::core::error::Error;
use crate::core::fleet::HostName;
use crate::core::ports::{HostStream, Identify, PeerRequests};
use crate::memory_budget::{MemoryBudget, ReservedBuffer};
use crate::peer_tls::PeerTls;
use crate::peers::{
    AllowedHosts, ConnectionCounts, LogLimit, OpenConnection, PendingConnections, Refusal, Share,
    Shares,
};
use crate::sxp::most_values;
use arc_swap::ArcSwap;
use std::net::SocketAddr;
use std::os::fd::AsFd as _;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Pause after a failure to accept, such as too many open files.
const ACCEPT_RETRY: Duration = Duration::from_millis(200);

/// Sent to hosts that are not allowed.
const NOT_ALLOWED: &str =
    "This host is not allowed to send domains here, see xend-relocation-hosts-allow";

/// Sent to users of this machine who are no operators.
const NOT_TRUSTED: &str = "This user is not trusted to send domains here, see xend-trusted-users";

/// Sent when all places are taken, or all of the host.
const BUSY: &str = "Busy: too many domains are arriving, try again later";

/// Serves the relocation port.
pub struct RelocationServer {
    engine: Engine,
    allowed: Arc<ArcSwap<AllowedHosts>>,
    callers: Arc<dyn Identify>,
    timeout: Duration,
    budget: MemoryBudget,
    /// `None` for a plain port.
    tls: Option<Arc<PeerTls>>,
    /// What answers other hosts of the fleet; `None` on a host in no fleet.
    requests: Option<Arc<dyn PeerRequests>>,
    pending: PendingConnections,
    arrivals: Shares,
    request_places: Shares,
    counts: Arc<ConnectionCounts>,
    refusals: LogLimit,
    failures: LogLimit,
}

/// A connection that may go on.
enum Admitted {
    Migration(Migration),
    Request(PeerRequest),
}

/// A host of the fleet that may send its request, and has a place.
struct PeerRequest {
    requests: Arc<dyn PeerRequests>,
    stream: Box<dyn HostStream>,
    from: HostName,
    _place: Share,
    _open: OpenConnection,
}

/// A connection that has sent its request, and has a place.
struct Migration {
    caller: Caller,
    stream: PeerStream,
    /// The text of its request.
    request: ReservedBuffer,
    _place: Share,
    _open: OpenConnection,
}

impl RelocationServer {
    /// A server in front of `engine` for hosts that are `allowed` at the time of a connection,
    /// where `callers` tells the users of this machine. Connections fail after a pause of
    /// `timeout`.
    pub fn new(
        engine: Engine,
        allowed: Arc<ArcSwap<AllowedHosts>>,
        callers: Arc<dyn Identify>,
        timeout: Duration,
    ) -> Self {
        let budget = MemoryBudget::default();
        let pending = PendingConnections::new(RelocationPlaces::ALL.pending);
        let arrivals = Shares::new(RelocationPlaces::ALL.arrival_shares());
        let request_places = Shares::new(RelocationPlaces::ALL.request_shares());
        let counts = Arc::default();
        let refusals = LogLimit::default();
        let failures = LogLimit::default();
        Self {
            engine,
            allowed,
            callers,
            timeout,
            budget,
            tls: None,
            requests: None,
            pending,
            arrivals,
            request_places,
            counts,
            refusals,
            failures,
        }
    }

    /// The same server with these places.
    #[must_use]
    pub fn with_places(self, places: RelocationPlaces) -> Self {
        let pending = PendingConnections::new(places.pending);
        let arrivals = Shares::new(places.arrival_shares());
        let request_places = Shares::new(places.request_shares());
        Self { pending, arrivals, request_places, ..self }
    }

    /// The same server, whose connections are counted here.
    #[must_use]
    pub fn with_counts(self, counts: Arc<ConnectionCounts>) -> Self {
        Self { counts, ..self }
    }

    /// The same server on an encrypted port; `None` for a plain one.
    #[must_use]
    pub fn with_tls(self, tls: Option<Arc<PeerTls>>) -> Self {
        Self { tls, ..self }
    }

    /// The same server, which on an encrypted port has these requests of other hosts of the fleet
    /// answered.
    #[must_use]
    pub fn with_requests(self, requests: Option<Arc<dyn PeerRequests>>) -> Self {
        Self { requests, ..self }
    }

    /// The same server, whose messages are received within this budget.
    #[must_use]
    pub fn with_budget(self, budget: MemoryBudget) -> Self {
        Self { budget, ..self }
    }

    /// Serves until `stop`, then waits for the migrations that are going on. A connection that has
    /// not sent its request yet is closed.
    pub async fn serve(self, listener: TcpListener, stop: CancellationToken) {
        let this = Arc::new(self);
        let connections = TaskTracker::new();
        loop {
            let accepted = tokio::select! {
                biased;
                () = stop.cancelled() => break,
                accepted = listener.accept() => accepted,
            };
            let (stream, peer) = match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    if let Some(left_out) = this.failures.pass() {
                        tracing::error!(left_out, %error, "Cannot accept relocation connections");
                    }
                    tokio::time::sleep(ACCEPT_RETRY).await;
                    continue;
                }
            };
            this.counts.accepted();
            let place = tokio::select! {
                biased;
                () = stop.cancelled() => break,
                place = this.pending.add(Some(peer.ip())) => place,
            };
            let Some(place) = place else {
                this.counts.refused(Refusal::Pending);
                this.log_refusal(peer, "it has too many new connections");
                continue;
            };
            let this = Arc::clone(&this);
            let stop = stop.clone();
            connections.spawn(async move {
                let admitted = tokio::select! {
                    biased;
                    () = stop.cancelled() => return,
                    () = place.evicted() => {
                        this.counts.refused(Refusal::Pending);
                        return;
                    }
                    admitted = this.admit(stream, peer) => admitted,
                };
                drop(place);
                match admitted {
                    None => {}
                    Some(Admitted::Request(request)) => {
                        let PeerRequest { requests, stream, from, _place, _open } = request;
                        requests.serve(stream, from).await;
                    }
                    Some(Admitted::Migration(migration)) => {
                        if let Err(error) = this.migrate(migration).await {
                            tracing::info!(%peer, %error, "A relocation connection failed");
                        }
                    }
                }
            });
        }
        drop(listener);
        connections.close();
        connections.wait().await;
    }

    /// Receives the request of a host that may send one. The others are told why not.
    async fn admit(&self, stream: TcpStream, peer: SocketAddr) -> Option<Admitted> {
        let local = stream.local_addr().ok()?;
        let via = Via::Tcp { peer, local, encrypted: self.tls.is_some() };
        // First of all, while the other host is there to be asked for.
        let caller = self.callers.caller(via, stream.as_fd()).await;
        let allowed = self.allowed.load_full();
        let refusal = if !allowed.allows(peer.ip()).await {
            self.log_refusal(peer, "it is not in xend-relocation-hosts-allow");
            Some((Refusal::Host, NOT_ALLOWED))
        } else if !caller.is_operator() {
            Some((Refusal::User, NOT_TRUSTED))
        } else {
            None
        };
        let tls = self.tls.as_deref();
        let greeted = greeting::shake_hands(tls, self.requests.is_some(), stream).await;
        // The certificate of a host of the fleet tells who it is: no user of this machine matters.
        let is_allowed = !matches!(refusal, Some((Refusal::Host, _)));
        let (mut stream, caller, refusal) = match greeted {
            Ok(Greeted::Migration(stream)) => (stream, caller, refusal),
            Ok(Greeted::OfMember(stream, certificate)) => {
                let (stream, caller) =
                    self.admit_sender(stream, certificate, is_allowed, peer).await?;
                (stream, caller, None)
            }
            Ok(Greeted::Request(stream, certificate)) => {
                let request = self.admit_request(stream, certificate, is_allowed, peer).await;
                return request.map(Admitted::Request);
            }
            Err(error) => {
                self.counts.refused(Refusal::Tls);
                self.log_refusal(peer, &format!("no TLS handshake: {error}"));
                return None;
            }
        };
        if let Some((kind, reason)) = refusal {
            self.counts.refused(kind);
            greeting::refuse(&mut stream, reason).await;
            return None;
        }
        let request = match greeting::receive(&mut stream, &self.budget).await {
            Ok(request) => request,
            Err(error) => {
                self.counts.refused(Refusal::Greeting);
                self.log_refusal(peer, &error.to_string());
                greeting::refuse(&mut stream, &error.to_string()).await;
                return None;
            }
        };
        let Ok(place) = self.arrivals.take(Some(peer.ip())) else {
            self.counts.refused(Refusal::Busy);
            self.log_refusal(peer, "too many domains are arriving");
            greeting::refuse(&mut stream, BUSY).await;
            return None;
        };
        let open = self.counts.open();
        let migration = Migration { caller, stream, request, _place: place, _open: open };
        Some(Admitted::Migration(migration))
    }

    fn log_refusal(&self, peer: SocketAddr, reason: &str) {
        if let Some(left_out) = self.refusals.pass() {
            tracing::warn!(%peer, left_out, "Refused a relocation connection: {reason}");
        }
    }

    /// Does what an admitted connection asks for.
    async fn migrate(&self, migration: Migration) -> Result<(), Error> {
        let Migration { caller, stream, request, _place, _open } = migration;
        let unusable = |error| Error::backend("The connection cannot be used", error);
        let connection = Connection::new(stream, self.timeout).map_err(unusable)?;
        let size = request.len();
        let engine = self.engine.clone();
        let budget = self.budget.clone();
        let answered =
            Box::pin(answer_request(engine, budget, caller, connection.clone(), request));
        let result = self.engine.offload(size, answered).await;
        connection.sent().await;
        result
    }
}

/// Answers a request.
async fn answer_request(
    engine: Engine,
    budget: MemoryBudget,
    caller: Caller,
    connection: Connection,
    request: ReservedBuffer,
) -> Result<(), Error> {
    let mut memory = budget.reservation();
    let most = LIMITS.most_memory(request.len(), most_values(request.as_slice()));
    let read = memory.grow(most).map_err(busy).and_then(|()| parse(request.as_slice()));
    let change = read.and_then(|request| change(&connection, &request));
    // The model is smaller, and the migration may take long.
    drop((request, memory));
    let change = match change {
        Ok(change) => change,
        Err(error) => {
            connection.refuse(&error.to_string()).await;
            return Err(error);
        }
    };
    match engine.execute(&caller, change).await {
        Ok(outcome) => connection.send(&answer(&outcome)).await,
        // The engine has logged it.
        Err(error) => {
            connection.refuse(&error.to_string()).await;
            Ok(())
        }
    }
}
