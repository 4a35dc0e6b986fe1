//! Hosts of the fleet that connect: each says its name, by which its certificate is compared.

use super::{PeerRequest, RelocationServer};
use crate::core::caller::{Caller, OnBehalf};
use crate::core::fingerprint::Fingerprint;
use crate::core::fleet::HostName;
use crate::core::ports::PeerRefusal;
use crate::peers::Refusal;
use crate::wire::relocation::connection::PeerStream;
use crate::wire::relocation::{greeting, introduction};
use std::net::SocketAddr;
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;
use tokio_util::either::Either;

impl RelocationServer {
    /// Lets a host of the fleet send its request. The others are told why not.
    pub(super) async fn admit_request(
        &self,
        mut stream: Box<TlsStream<TcpStream>>,
        certificate: Option<Fingerprint>,
        is_allowed: bool,
        peer: SocketAddr,
    ) -> Option<PeerRequest> {
        let requests = self.requests.clone()?;
        let host = self.host_with(&mut stream, certificate, is_allowed).await;
        let admitted = host.and_then(|host| {
            let place = self.request_places.take(Some(peer.ip()));
            Ok((host, place.map_err(|_| PeerRefusal::Busy)?))
        });
        match admitted {
            Ok((from, place)) => {
                introduction::welcome(&mut stream).await.ok()?;
                let open = self.counts.open();
                Some(PeerRequest { requests, stream, from, _place: place, _open: open })
            }
            Err(refusal) => {
                self.turn_away(&mut stream, refusal, peer).await;
                None
            }
        }
    }

    /// Lets a host of the fleet send a domain, or ask about one. The others are told why not.
    pub(super) async fn admit_sender(
        &self,
        mut stream: Box<TlsStream<TcpStream>>,
        certificate: Option<Fingerprint>,
        is_allowed: bool,
        peer: SocketAddr,
    ) -> Option<(PeerStream, Caller)> {
        match self.host_with(&mut stream, certificate, is_allowed).await {
            Ok(host) => {
                introduction::welcome(&mut stream).await.ok()?;
                let on_behalf = OnBehalf { from: peer.to_string(), account: None };
                Some((Either::Right(stream), self.engine.peer_caller(&host, on_behalf)))
            }
            Err(refusal) => {
                self.turn_away(&mut stream, refusal, peer).await;
                None
            }
        }
    }

    /// The host of the fleet that has this certificate, as it says itself.
    async fn host_with(
        &self,
        stream: &mut TlsStream<TcpStream>,
        certificate: Option<Fingerprint>,
        is_allowed: bool,
    ) -> Result<HostName, PeerRefusal> {
        if !is_allowed {
            return Err(PeerRefusal::NotAllowed);
        }
        let certificate = certificate.ok_or(PeerRefusal::Stranger)?;
        let name = introduction::name_of(stream).await.map_err(|_| PeerRefusal::Nameless)?;
        let view = self.engine.view(&Caller::internal());
        view.check_peer(&name, &certificate).await?;
        Ok(name)
    }

    /// Tells a host why it is not welcome.
    async fn turn_away(
        &self,
        stream: &mut TlsStream<TcpStream>,
        refusal: PeerRefusal,
        peer: SocketAddr,
    ) {
        self.counts.refused(match refusal {
            PeerRefusal::Nameless => Refusal::Greeting,
            PeerRefusal::Stranger => Refusal::Tls,
            PeerRefusal::NotAllowed | PeerRefusal::FleetUnknown => Refusal::Host,
            PeerRefusal::Busy => Refusal::Busy,
        });
        let reason = refusal.to_string();
        self.log_refusal(peer, &reason);
        greeting::refuse(stream, &reason).await;
    }
}
