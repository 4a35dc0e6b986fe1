//! The receiving side.

use super::connection::Connection;
use crate::core::caller::{Caller, Via};
use crate::core::engine::Engine;
use crate::core::error::Error;
use crate::core::model::{CompleteConfig, Invalid, Uuid, parse_uuid};
use crate::core::op::{Arrival, Change, Once, Outcome};
use crate::core::ports::{Identify, IncomingMigration, MigratedDomain, Verdict};
use crate::peers::AllowedHosts;
use crate::shape;
use crate::sxp::Sxp;
use async_trait::async_trait;
use std::net::SocketAddr;
use std::os::fd::{AsFd as _, OwnedFd};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Connections served at a time. Verdict queries count too, and take a moment only.
const MAX_CONNECTIONS: usize = 32;

/// Pause after a failure to accept, such as too many open files.
const ACCEPT_RETRY: Duration = Duration::from_millis(200);

/// Sent to hosts that are not allowed.
const NOT_ALLOWED: &str =
    "This host is not allowed to send domains here, see xend-relocation-hosts-allow";

/// Sent to users of this machine who are no operators.
const NOT_TRUSTED: &str = "This user is not trusted to send domains here, see xend-trusted-users";

/// Serves the relocation port.
pub struct RelocationServer {
    engine: Engine,
    allowed: AllowedHosts,
    callers: Arc<dyn Identify>,
    timeout: Duration,
}

impl RelocationServer {
    /// A server in front of `engine` for hosts that are `allowed`, where `callers` tells the users
    /// of this machine. Connections fail after a pause of `timeout`.
    pub fn new(
        engine: Engine,
        allowed: AllowedHosts,
        callers: Arc<dyn Identify>,
        timeout: Duration,
    ) -> Self {
        Self { engine, allowed, callers, timeout }
    }

    /// Serves until `stop`, then waits for the connections that are open. One that has not sent its
    /// request yet is closed.
    pub async fn serve(self, listener: TcpListener, stop: CancellationToken) {
        let this = Arc::new(self);
        let slots = Arc::new(Semaphore::new(MAX_CONNECTIONS));
        let connections = TaskTracker::new();
        loop {
            let accepted = tokio::select! {
                () = stop.cancelled() => break,
                accepted = listener.accept() => accepted,
            };
            let Ok((stream, peer)) = accepted else {
                tokio::time::sleep(ACCEPT_RETRY).await;
                continue;
            };
            let this = this.clone();
            let slots = slots.clone();
            let stop = stop.clone();
            connections.spawn(async move {
                let Ok(_slot) = slots.try_acquire() else {
                    tracing::warn!(%peer, "Too many migrations at a time: connection refused");
                    return;
                };
                if let Err(error) = this.handle(stream, peer, &stop).await {
                    tracing::info!(%peer, %error, "A relocation connection failed");
                }
            });
        }
        drop(listener);
        connections.close();
        connections.wait().await;
    }

    async fn handle(
        &self,
        stream: TcpStream,
        peer: SocketAddr,
        stop: &CancellationToken,
    ) -> Result<(), Error> {
        let unusable = |error| Error::backend("The connection cannot be used", error);
        let local = stream.local_addr().map_err(unusable)?;
        let via = Via::Tcp { peer, local, encrypted: false };
        let caller = self.callers.caller(via, stream.as_fd()).await;
        let stream = stream.into_std().map_err(unusable)?;
        let connection = Connection::new(stream, self.timeout).map_err(unusable)?;
        let allowed = self.allowed.clone();
        let is_allowed =
            tokio::task::spawn_blocking(move || allowed.allows(peer.ip())).await.unwrap_or(false);
        if !is_allowed {
            tracing::warn!(%peer, "Refused a host that is not in xend-relocation-hosts-allow");
            connection.refuse(NOT_ALLOWED).await;
            return Ok(());
        }
        if !caller.is_operator() {
            connection.refuse(NOT_TRUSTED).await;
            return Ok(());
        }
        let request = tokio::select! {
            () = stop.cancelled() => {
                connection.close();
                return Err(Error::Stopping);
            }
            request = connection.receive_long() => request,
        };
        let answer = match request {
            Ok(request) => self.answer(&caller, &connection, &request).await,
            Err(error) => Err(error),
        };
        match answer {
            Ok(word) => connection.send(&Sxp::list([Sxp::atom(word)])).await,
            Err(error) => {
                connection.refuse(&error.to_string()).await;
                Err(error)
            }
        }
    }

    async fn answer(
        &self,
        caller: &Caller,
        connection: &Connection,
        request: &Sxp,
    ) -> Result<&'static str, Error> {
        match request.head() {
            Some("verdict") => {
                let settle = Change::Settle(id_of(request)?);
                match self.engine.execute(caller, settle).await? {
                    Outcome::Verdict(Verdict::Taken) => Ok("taken"),
                    _ => Ok("not-taken"),
                }
            }
            Some("receive") => {
                let migrated = migrated_domain(request)?;
                let incoming: Box<dyn IncomingMigration> =
                    Box::new(TcpIncoming { connection: connection.clone() });
                let arrival = Arrival { migrated, link: Once::new(incoming) };
                self.engine.execute(caller, Change::Receive(arrival)).await?;
                Ok("taken")
            }
            _ => Err(Invalid::new(
                "The sender is another kind of host: \
                 version 1 of this xend's relocation protocol is expected",
            )
            .into()),
        }
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
