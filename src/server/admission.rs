//! From an accepted connection to one that may be served: who calls, whether its host may connect,
//! encryption, and a place.

use super::client_stream::AdmittedStream;
use super::connection_limit::{ConnectionLimit, ConnectionPermit};
use super::identity::{Identities, Trust};
use super::listen::{Listener, Stream, TcpSecurity};
use crate::core::caller::{Caller, Via};
use crate::peers::LogLimit;
use std::net::IpAddr;
use std::os::fd::AsFd as _;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::timeout;
use tokio_util::either::Either;

/// Time limit of everything before a connection has its place: the check of its host, and the whole
/// TLS handshake.
const ADMISSION_LIMIT: Duration = Duration::from_secs(5);

/// What a listener asks of connections.
#[derive(Debug)]
pub(super) struct Admission {
    /// The listener in messages.
    listener: String,
    security: TcpSecurity,
    trust: Trust,
    identities: Arc<Identities>,
    limit: ConnectionLimit,
    host_refused: LogLimit,
    all_busy: LogLimit,
}

/// A connection that was admitted as far as possible.
#[derive(Debug)]
pub(super) struct Admitted {
    pub(super) stream: AdmittedStream,
    pub(super) caller: Caller,
    /// `None` if all places are busy.
    pub(super) permit: Option<ConnectionPermit>,
}

impl Admission {
    /// The conditions of `listener`, which has `connections` places.
    pub(super) fn new(
        listener: &Listener,
        identities: Arc<Identities>,
        connections: usize,
    ) -> Self {
        Self {
            listener: listener.to_string(),
            security: listener.security(),
            trust: listener.trust(),
            identities,
            limit: ConnectionLimit::new(connections),
            host_refused: LogLimit::default(),
            all_busy: LogLimit::default(),
        }
    }

    /// Admits a connection; `None` if it is refused or does not do its part in time.
    pub(super) async fn admit(&self, stream: Stream, via: Via) -> Option<Admitted> {
        let address = address_of(&via);
        let checked = timeout(ADMISSION_LIMIT, self.check(stream, via)).await;
        let (stream, caller) = checked.ok().flatten()?;
        let permit = self.limit.acquire(address).await;
        if permit.is_none() {
            if let Some(left_out) = self.all_busy.pass() {
                let listener = &self.listener;
                tracing::warn!(
                    left_out,
                    "All connections of {listener} are busy: refused {caller}"
                );
            }
        }
        Some(Admitted { stream, caller, permit })
    }

    async fn check(&self, stream: Stream, via: Via) -> Option<(AdmittedStream, Caller)> {
        let connection = match &stream {
            Either::Left(stream) => stream.as_fd(),
            Either::Right(stream) => stream.as_fd(),
        };
        let address = address_of(&via);
        // First of all, while the client is there to be asked for.
        let caller = self.identities.identify(via, connection, self.trust).await;
        if let Some(address) = address {
            if !self.security.hosts.allows(address).await {
                if let Some(left_out) = self.host_refused.pass() {
                    let listener = &self.listener;
                    tracing::warn!(
                        left_out,
                        "Refused a connection to {listener} from {caller}: the host is not allowed"
                    );
                }
                return None;
            }
        }
        let Some(tls) = &self.security.tls else { return Some((Either::Left(stream), caller)) };
        match tls.acceptor().accept(stream).await {
            Ok(stream) => Some((Either::Right(Box::new(stream)), caller)),
            Err(error) => {
                tracing::debug!("TLS handshake with {caller} failed: {error}");
                None
            }
        }
    }
}

/// The address of a client; `None` on a unix socket.
pub(super) fn address_of(via: &Via) -> Option<IpAddr> {
    match via {
        Via::Tcp { peer, .. } => Some(peer.ip()),
        Via::Unix { .. } | Via::Internal => None,
    }
}
