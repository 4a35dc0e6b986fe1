//! The receiving side.
//!
//! ```text
//! accepted ──▶ pending: who calls, may the host connect, its request ──▶ a place: the migration
//! ```

use super::connection::{Connection, LIMITS, PeerStream, busy, parse};
use super::greeting;
use super::places::RelocationPlaces;
use crate::core::caller::{Caller, Via};
use crate::core::engine::Engine;
use crate::core::error::Error;
use crate::core::model::{CompleteConfig, Invalid, Uuid, parse_uuid};
use crate::core::op::{Arrival, Change, Once, Outcome};
use crate::core::ports::{Identify, IncomingMigration, MigratedDomain, Verdict};
use crate::memory_budget::{MemoryBudget, ReservedBuffer};
use crate::peer_tls::PeerTls;
use crate::peers::{
    AllowedHosts, ConnectionCounts, LogLimit, OpenConnection, PendingConnections, Refusal, Share,
    Shares,
};
use crate::shape;
use crate::sxp::{Sxp, most_values};
use arc_swap::ArcSwap;
use async_trait::async_trait;
use std::net::SocketAddr;
use std::os::fd::{AsFd as _, OwnedFd};
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
    pending: PendingConnections,
    places: Shares,
    counts: Arc<ConnectionCounts>,
    refusals: LogLimit,
    failures: LogLimit,
}

/// A connection that has sent its request, and has a place.
struct Admitted {
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
        let places = Shares::new(RelocationPlaces::ALL.shares());
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
            pending,
            places,
            counts,
            refusals,
            failures,
        }
    }

    /// The same server with these places.
    #[must_use]
    pub fn with_places(self, places: RelocationPlaces) -> Self {
        let pending = PendingConnections::new(places.pending);
        Self { pending, places: Shares::new(places.shares()), ..self }
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
                let Some(admitted) = admitted else { return };
                if let Err(error) = this.migrate(admitted).await {
                    tracing::info!(%peer, %error, "A relocation connection failed");
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
        let mut stream = match greeting::shake_hands(self.tls.as_deref(), stream).await {
            Ok(stream) => stream,
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
        let Ok(place) = self.places.take(Some(peer.ip())) else {
            self.counts.refused(Refusal::Busy);
            self.log_refusal(peer, "too many domains are arriving");
            greeting::refuse(&mut stream, BUSY).await;
            return None;
        };
        let open = self.counts.open();
        Some(Admitted { caller, stream, request, _place: place, _open: open })
    }

    fn log_refusal(&self, peer: SocketAddr, reason: &str) {
        if let Some(left_out) = self.refusals.pass() {
            tracing::warn!(%peer, left_out, "Refused a relocation connection: {reason}");
        }
    }

    /// Does what an admitted connection asks for.
    async fn migrate(&self, admitted: Admitted) -> Result<(), Error> {
        let Admitted { caller, stream, request, _place, _open } = admitted;
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
        Ok(outcome) => connection.send(&Sxp::list([Sxp::atom(answer(&outcome))])).await,
        // The engine has logged it.
        Err(error) => {
            connection.refuse(&error.to_string()).await;
            Ok(())
        }
    }
}

/// The change that a request asks for.
fn change(connection: &Connection, request: &Sxp) -> Result<Change, Error> {
    match request.head() {
        Some("verdict") => Ok(Change::Settle(id_of(request)?)),
        Some("receive") => {
            let migrated = migrated_domain(request)?;
            let incoming: Box<dyn IncomingMigration> =
                Box::new(TcpIncoming { connection: connection.clone() });
            Ok(Change::Receive(Arrival { migrated, link: Once::new(incoming) }))
        }
        _ => Err(Invalid::new(
            "The sender is another kind of host: \
             version 1 of this xend's relocation protocol is expected",
        )
        .into()),
    }
}

/// The answer after a change. A domain that was received is taken.
fn answer(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Verdict(Verdict::NotTaken) => "not-taken",
        _ => "taken",
    }
}

fn id_of(request: &Sxp) -> Result<Uuid, Error> {
    let text = request.value("id").and_then(Sxp::as_str).unwrap_or_default();
    Ok(parse_uuid(text)?)
}

fn migrated_domain(request: &Sxp) -> Result<MigratedDomain, Error> {
    if request.value("version").and_then(Sxp::as_str) != Some("1") {
        return Err(Invalid::new("version: only 1 is supported").into());
    }
    let read = |key: &str| -> Result<Option<Arc<CompleteConfig>>, Error> {
        let Some(tree) = request.value(key) else { return Ok(None) };
        let config =
            shape::read_stored(tree).map_err(|error| Invalid::new(format!("{key}: {error}")))?;
        Ok(Some(Arc::new(CompleteConfig::try_from(config)?)))
    };
    let config = read("config")?.ok_or_else(|| Invalid::new("config: missing"))?;
    Ok(MigratedDomain { id: id_of(request)?, config, definition: read("definition")? })
}

struct TcpIncoming {
    connection: Connection,
}

#[async_trait]
impl IncomingMigration for TcpIncoming {
    async fn ready(&mut self) -> Result<(), Error> {
        self.connection.send(&Sxp::list([Sxp::atom("ready")])).await
    }

    fn stream(&self) -> Result<OwnedFd, Error> {
        self.connection.share()
    }

    async fn building(&mut self, stage: &str) -> Result<(), Error> {
        self.connection.send(&Sxp::list([Sxp::atom("building"), Sxp::atom(stage)])).await
    }

    async fn arrived(&mut self) -> Result<(), Error> {
        self.connection.send(&Sxp::list([Sxp::atom("arrived")])).await?;
        match self.connection.receive().await?.head() {
            Some("go") => Ok(()),
            _ => Err(Error::Remote { reason: "it does not hand the domain over".to_owned() }),
        }
    }
}
