//! From an accepted connection to one that may be served: who calls, whether its host may connect,
//! encryption, and a place.

use super::client_stream::AdmittedStream;
use super::connection_limit::{ConnectionLimit, ConnectionPermit};
use super::identity::{Identities, Trust};
use super::listen::{Listener, Stream, TcpSecurity};
use crate::core::caller::{Caller, Via};
use crate::peers::{ConnectionCounts, LogLimit, Refusal};
use std::net::IpAddr;
use std::os::fd::AsFd as _;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::timeout;
use tokio_util::either::Either;

/// Time limit of the check of a connection's host, which waits for the name service.
const HOST_CHECK_LIMIT: Duration = Duration::from_secs(5);

/// Time limit of a whole TLS handshake.
const HANDSHAKE_LIMIT: Duration = Duration::from_secs(5);

/// What a listener asks of connections.
#[derive(Debug)]
pub(super) struct Admission {
    /// The listener in messages.
    listener: String,
    security: TcpSecurity,
    trust: Trust,
    identities: Arc<Identities>,
    limit: ConnectionLimit,
    pub(super) counts: Arc<ConnectionCounts>,
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
    /// The conditions of `listener`, which has `connections` places. What becomes of connections is
    /// counted in `counts`.
    pub(super) fn new(
        listener: &Listener,
        identities: Arc<Identities>,
        connections: usize,
        counts: Arc<ConnectionCounts>,
    ) -> Self {
        Self {
            listener: listener.to_string(),
            security: listener.security(),
            trust: listener.trust(),
            identities,
            limit: ConnectionLimit::new(connections),
            counts,
            host_refused: LogLimit::default(),
            all_busy: LogLimit::default(),
        }
    }

    /// Admits a connection; `None` if it is refused or does not do its part in time.
    pub(super) async fn admit(&self, stream: Stream, via: Via) -> Option<Admitted> {
        let address = address_of(&via);
        let check = self.check_host(stream, via);
        let handshake = |(stream, caller)| self.shake_hands(stream, caller);
        let (stream, caller) = match in_turn(check, handshake).await {
            Ok(checked) => checked,
            Err(reason) => {
                self.counts.refused(reason);
                return None;
            }
        };
        let permit = self.limit.acquire(address).await;
        if permit.is_none() {
            self.counts.refused(Refusal::Busy);
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

    /// Who calls, and whether the host may connect.
    async fn check_host(&self, stream: Stream, via: Via) -> Result<(Stream, Caller), Refusal> {
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
                return Err(Refusal::Host);
            }
        }
        Ok((stream, caller))
    }

    async fn shake_hands(
        &self,
        stream: Stream,
        caller: Caller,
    ) -> Result<(AdmittedStream, Caller), Refusal> {
        let Some(tls) = &self.security.tls else { return Ok((Either::Left(stream), caller)) };
        match tls.acceptor().accept(stream).await {
            Ok(stream) => Ok((Either::Right(Box::new(stream)), caller)),
            Err(error) => {
                tracing::debug!("TLS handshake with {caller} failed: {error}");
                Err(Refusal::Tls)
            }
        }
    }
}

/// Both steps of an admission. Each has a limit of its own: a slow name service takes nothing of
/// the client's time.
async fn in_turn<A, B, F>(
    check: impl Future<Output = Result<A, Refusal>>,
    handshake: impl FnOnce(A) -> F,
) -> Result<B, Refusal>
where
    F: Future<Output = Result<B, Refusal>>,
{
    let checked = timeout(HOST_CHECK_LIMIT, check).await.unwrap_or(Err(Refusal::Host))?;
    timeout(HANDSHAKE_LIMIT, handshake(checked)).await.unwrap_or(Err(Refusal::Tls))
}

/// The address of a client; `None` on a unix socket.
pub(super) fn address_of(via: &Via) -> Option<IpAddr> {
    match via {
        Via::Tcp { peer, .. } => Some(peer.ip()),
        Via::Unix { .. } | Via::Peer { .. } | Via::Internal => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::time::sleep;

    #[tokio::test(start_paused = true)]
    async fn a_slow_name_service_leaves_the_handshake_its_time() {
        let admitted = async |check: u64, handshake: u64| {
            let check = async {
                sleep(Duration::from_secs(check)).await;
                Ok(())
            };
            let handshake = |()| async move {
                sleep(Duration::from_secs(handshake)).await;
                Ok(())
            };
            in_turn(check, handshake).await
        };
        assert_eq!(admitted(4, 4).await, Ok(()));
        assert_eq!(admitted(6, 0).await, Err(Refusal::Host));
        assert_eq!(admitted(0, 6).await, Err(Refusal::Tls));
    }
}
