//! Receiving.

use super::line::Line;
use crate::core::caller::{Caller, Via};
use crate::core::engine::Engine;
use crate::core::error::Error;
use crate::core::model::{DomainConfig, Invalid, Uuid, parse_uuid};
use crate::core::op::{Arrival, Change, Once, Outcome};
use crate::core::ports::{Incoming, Parcel, Verdict};
use crate::peers::Allowed;
use crate::shape;
use crate::sxp::Sxp;
use async_trait::async_trait;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

/// How many domains can be on their way here at a time. Questions count too, and are over in a
/// moment.
const AT_A_TIME: usize = 32;

/// The relocation port.
pub struct RelocationServer {
    engine: Engine,
    allowed: Allowed,
    patience: Duration,
}

impl RelocationServer {
    /// A server in front of `engine` for hosts that are `allowed`. `patience` is the longest pause
    /// of a connection.
    pub fn new(engine: Engine, allowed: Allowed, patience: Duration) -> Self {
        Self { engine, allowed, patience }
    }

    /// Serves until `stop`. What is on its way then is finished or broken off with the process.
    pub async fn serve(self, listener: TcpListener, stop: CancellationToken) {
        let this = Arc::new(self);
        let slots = Arc::new(Semaphore::new(AT_A_TIME));
        loop {
            let accepted = tokio::select! {
                () = stop.cancelled() => return,
                accepted = listener.accept() => accepted,
            };
            let Ok((stream, peer)) = accepted else {
                // Too many open files, for one: that takes a moment to get better.
                tokio::time::sleep(Duration::from_millis(200)).await;
                continue;
            };
            let (this, slots) = (this.clone(), slots.clone());
            tokio::spawn(async move {
                let Ok(_slot) = slots.try_acquire() else {
                    tracing::warn!(%peer, "Too many migrations at a time: turning one away");
                    return;
                };
                if let Err(error) = this.welcome(stream, peer).await {
                    tracing::info!(%peer, %error, "A relocation connection came to nothing");
                }
            });
        }
    }

    async fn welcome(&self, stream: TcpStream, peer: SocketAddr) -> Result<(), Error> {
        let broken = |error| Error::backend("The connection cannot be used", error);
        let local = stream.local_addr().map_err(broken)?;
        let line = Line::new(stream.into_std().map_err(broken)?, self.patience).map_err(broken)?;
        let allowed = self.allowed.clone();
        let allows =
            tokio::task::spawn_blocking(move || allowed.allows(peer.ip())).await.unwrap_or(false);
        if !allows {
            tracing::warn!(%peer, "A host that is not in xend-relocation-hosts-allow is turned away");
            line.refuse(
                "This host is not allowed to send domains here, see xend-relocation-hosts-allow",
            )
            .await;
            return Ok(());
        }
        let caller = Caller { via: Via::Tcp { peer, local } };
        let answer = self.answer(&caller, &line).await;
        match answer {
            Ok(word) => line.send(&Sxp::list([Sxp::atom(word)])).await,
            Err(error) => {
                line.refuse(&error.to_string()).await;
                Err(error)
            }
        }
    }

    async fn answer(&self, caller: &Caller, line: &Line) -> Result<&'static str, Error> {
        let message = line.receive_long().await?;
        match message.head() {
            Some("verdict") => {
                let outcome = self.engine.execute(caller, Change::Settle(id(&message)?)).await?;
                Ok(if matches!(outcome, Outcome::Verdict(Verdict::Taken)) { "taken" } else { "not-taken" })
            }
            Some("receive") => {
                let parcel = parcel(&message)?;
                let incoming: Box<dyn Incoming> = Box::new(Receiving { line: line.clone() });
                let arrival = Arrival { parcel, link: Once::new(incoming) };
                self.engine.execute(caller, Change::Receive(arrival)).await?;
                Ok("taken")
            }
            _ => Err(Invalid::new(
                "This is no host of the same kind: version 1 of the relocation protocol is expected",
            )
            .into()),
        }
    }
}

fn id(message: &Sxp) -> Result<Uuid, Error> {
    let text = message.value("id").and_then(Sxp::as_str).unwrap_or_default();
    Ok(parse_uuid(text)?)
}

fn parcel(message: &Sxp) -> Result<Parcel, Error> {
    if message.value("version").and_then(Sxp::as_str) != Some("1") {
        return Err(Invalid::new("version: only 1 is known").into());
    }
    let read = |key: &str| -> Result<Option<Arc<DomainConfig>>, Error> {
        let Some(tree) = message.value(key) else { return Ok(None) };
        let config =
            shape::read_stored(tree).map_err(|error| Invalid::new(format!("{key}: {error}")))?;
        Ok(Some(Arc::new(config)))
    };
    let config = read("config")?.ok_or_else(|| Invalid::new("config: missing"))?;
    Ok(Parcel { id: id(message)?, config, definition: read("definition")? })
}

struct Receiving {
    line: Line,
}

#[async_trait]
impl Incoming for Receiving {
    async fn ready(&mut self) -> Result<(), Error> {
        self.line.send(&Sxp::list([Sxp::atom("ready")])).await
    }

    fn stream(&self) -> Result<OwnedFd, Error> {
        self.line.share()
    }

    async fn building(&mut self, stage: &str) -> Result<(), Error> {
        self.line.send(&Sxp::list([Sxp::atom("building"), Sxp::atom(stage)])).await
    }

    async fn arrived(&mut self) -> Result<(), Error> {
        self.line.send(&Sxp::list([Sxp::atom("arrived")])).await?;
        match self.line.receive().await?.head() {
            Some("go") => Ok(()),
            _ => Err(Error::Remote { reason: "it does not hand the domain over".to_owned() }),
        }
    }
}
