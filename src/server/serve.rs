//! Accept loops, and the end of them.

use std::io::{self, ErrorKind};
use std::time::Duration;

use axum::Router;
use tokio_rustls::server::TlsStream;
use tokio_util::either::Either;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::conn::{self, Shutdown};
use super::listen::{Gate, Listener, Stream};
use super::slots::Slots;
use crate::config::Live;
use crate::core::caller::{Caller, Via};

/// Everything that serves connections: any number of listeners, each with the router it leads to.
///
/// ```text
/// attach ──▶ accepting ──stop()──▶ draining ──all answered──▶ done
///                                      └──────abort()───────▶ done
/// ```
#[derive(Debug)]
pub struct Server {
    tunables: Live,
    max_connections: usize,
    tasks: TaskTracker,
    shutdown: Shutdown,
}

impl Server {
    /// A server without listeners. Each listener will serve `max_connections` at a time; a
    /// connection has the request timeout that `tunables` hold when it is accepted.
    pub fn new(tunables: Live, max_connections: usize) -> Self {
        let shutdown = Shutdown { soft: CancellationToken::new(), hard: CancellationToken::new() };
        Self { tunables, max_connections, tasks: TaskTracker::new(), shutdown }
    }

    /// Starts to serve `app` on `listener`.
    pub fn attach(&self, listener: Listener, app: Router) {
        let door = Door {
            listener,
            app,
            slots: Slots::new(self.max_connections),
            tunables: Live::clone(&self.tunables),
            tasks: self.tasks.clone(),
            shutdown: self.shutdown.clone(),
        };
        self.tasks.spawn(door.keep());
    }

    /// Cancelled when the server is stopped: answers that do not end by themselves end then.
    pub fn stopping(&self) -> CancellationToken {
        self.shutdown.soft.clone()
    }

    /// Stops accepting; connections finish the request they are in, idle ones close.
    pub fn stop(&self) {
        self.shutdown.soft.cancel();
        self.tasks.close();
    }

    /// Closes all connections at once.
    pub fn abort(&self) {
        self.stop();
        self.shutdown.hard.cancel();
    }

    /// Waits until the last connection is closed, after [`stop`](Self::stop).
    pub async fn drained(&self) {
        self.tasks.wait().await;
    }
}

/// A listener with all that its connections need.
struct Door {
    listener: Listener,
    app: Router,
    slots: Slots,
    tunables: Live,
    tasks: TaskTracker,
    shutdown: Shutdown,
}

impl Door {
    /// Accepts until told to stop. Nothing that a client or a full table of files does ends this
    /// loop.
    async fn keep(self) {
        let mut trouble = Trouble::default();
        let mut crowded = false;
        loop {
            let accepted = tokio::select! {
                biased;
                () = self.shutdown.soft.cancelled() => return,
                accepted = self.listener.accept() => accepted,
            };
            let (stream, via) = match accepted {
                Ok(connection) => {
                    trouble.over(&self.listener);
                    connection
                }
                Err(error) => {
                    trouble.wait(&self.listener, &error).await;
                    continue;
                }
            };
            let slot = tokio::select! {
                biased;
                () = self.shutdown.soft.cancelled() => return,
                slot = self.slots.take() => slot,
            };
            if let Some(slot) = slot {
                crowded = false;
                self.welcome(stream, via, slot);
            } else if !crowded {
                crowded = true;
                tracing::warn!(
                    "All connections of {} are busy: turning clients away",
                    self.listener
                );
            }
        }
    }

    fn welcome(&self, stream: Stream, via: Via, slot: super::slots::Slot) {
        let patience = self.tunables.load().request_timeout;
        let caller = Caller { via };
        let (app, shutdown) = (self.app.clone(), self.shutdown.clone());
        let gate = self.listener.gate();
        if gate.tls.is_none() && gate.hosts.everybody() {
            self.tasks.spawn(conn::serve(stream, caller, app, slot, patience, shutdown));
            return;
        }
        let serving = async move {
            let Some(stream) = pass(&gate, stream, &caller, patience).await else { return };
            conn::serve(stream, caller, app, slot, patience, shutdown).await;
        };
        let hard = self.shutdown.hard.clone();
        self.tasks.spawn(async move {
            tokio::select! {
                () = serving => {}
                () = hard.cancelled() => {}
            }
        });
    }
}

/// Whether a host may connect, and the encrypted connection if it is to be one.
async fn pass(
    gate: &Gate,
    stream: Stream,
    caller: &Caller,
    patience: Duration,
) -> Option<Either<Stream, TlsStream<Stream>>> {
    if let (Via::Tcp { peer, .. }, false) = (&caller.via, gate.hosts.everybody()) {
        let (hosts, ip) = (gate.hosts.clone(), peer.ip());
        // It can ask the name service.
        let looked = tokio::task::spawn_blocking(move || hosts.allows(ip));
        if !matches!(tokio::time::timeout(patience, looked).await, Ok(Ok(true))) {
            tracing::warn!("{caller} may not connect");
            return None;
        }
    }
    let Some(tls) = &gate.tls else { return Some(Either::Left(stream)) };
    match tokio::time::timeout(patience, tls.accept(stream)).await {
        Ok(Ok(stream)) => Some(Either::Right(stream)),
        Ok(Err(error)) => {
            tracing::debug!("No handshake with {caller}: {error}");
            None
        }
        Err(_) => None,
    }
}

/// Errors of `accept`, in a row.
#[derive(Default)]
struct Trouble {
    pause: Duration,
}

impl Trouble {
    const SHORTEST: Duration = Duration::from_millis(50);
    const LONGEST: Duration = Duration::from_secs(1);

    /// Waits for things to get better, longer each time. The log has the first of a row only.
    async fn wait(&mut self, listener: &Listener, error: &io::Error) {
        use ErrorKind::{ConnectionAborted, ConnectionReset, Interrupted};
        if matches!(error.kind(), ConnectionAborted | ConnectionReset | Interrupted) {
            // About that one connection, which is gone.
            return;
        }
        if self.pause.is_zero() {
            tracing::error!("Cannot accept on {listener}: {error}");
        }
        self.pause = (self.pause * 2).clamp(Self::SHORTEST, Self::LONGEST);
        tokio::time::sleep(self.pause).await;
    }

    fn over(&mut self, listener: &Listener) {
        if !std::mem::take(&mut self.pause).is_zero() {
            tracing::info!("Accepting on {listener} again");
        }
    }
}
