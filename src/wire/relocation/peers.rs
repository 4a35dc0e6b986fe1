//! Connections to other hosts of the fleet, over their encrypted relocation ports.

use super::introduction::introduce;
use crate::core::error::Error;
use crate::core::fleet::{HostName, Member};
use crate::core::ports::{HostStream, Peers};
use crate::peer_tls::PeerTls;
use async_trait::async_trait;
use socket2::{SockRef, TcpKeepalive};
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::rustls::{self, pki_types::ServerName};

/// How long connecting and the handshake may take together.
const CONNECT_LIMIT: Duration = Duration::from_secs(5);

/// How soon a host that has gone is noticed while it works on a long request.
const KEEPALIVE: Duration = Duration::from_secs(10);

/// The way to other hosts of the fleet, with the certificate of this host.
#[derive(Debug, Clone)]
pub struct TlsPeers {
    /// The name of this host.
    own: HostName,
    /// The reason against it if there is no certificate.
    tls: Result<Arc<PeerTls>, String>,
}

impl TlsPeers {
    /// For the host of this name with this certificate, or the reason why there is none.
    pub fn new(own: HostName, tls: Result<Arc<PeerTls>, String>) -> Self {
        Self { own, tls }
    }
}

#[async_trait]
impl Peers for TlsPeers {
    async fn connect(
        &self,
        host: &HostName,
        member: &Member,
    ) -> Result<Box<dyn HostStream>, Error> {
        let unreachable = |message: String| Error::Unreachable { message, source: None };
        let tls = self.tls.as_ref().map_err(|reason| {
            unreachable(format!("{host} cannot be asked: this host has no certificate: {reason}"))
        })?;
        let (Some(address), Some(pin)) = (member.relocation.as_deref(), member.fingerprint) else {
            return Err(unreachable(format!(
                "{host} cannot be asked: it has no encrypted relocation port, see \
                 xend-relocation-ssl-server there"
            )));
        };
        let connect = async {
            let connector = tls.peer_connector(pin).map_err(io::Error::other)?;
            let stream = TcpStream::connect(address).await?;
            stream.set_nodelay(true)?;
            let keepalive = TcpKeepalive::new().with_time(KEEPALIVE).with_interval(KEEPALIVE);
            SockRef::from(&stream).set_tcp_keepalive(&keepalive)?;
            // No name is sent: the certificate tells the host.
            let name = ServerName::from(stream.peer_addr()?.ip());
            connector.connect(name, stream).await
        };
        let late = || io::Error::from(io::ErrorKind::TimedOut);
        let connected = timeout(CONNECT_LIMIT, connect).await.unwrap_or_else(|_| Err(late()));
        let mut stream = connected.map_err(|error| unreachable(reason(host, address, &error)))?;
        if stream.get_ref().1.alpn_protocol().is_none() {
            return Err(unreachable(format!(
                "{host} cannot be asked at {address}: its xend is in no fleet, or is older than \
                 this one"
            )));
        }
        let welcome = introduce(&mut stream, &self.own).await;
        welcome.map_err(|error| {
            unreachable(format!("{host} cannot be asked at {address}: {error}"))
        })?;
        Ok(Box::new(stream))
    }
}

/// Why a host cannot be reached at this address, for an operator.
fn reason(host: &HostName, address: &str, error: &io::Error) -> String {
    let tls = error.get_ref().and_then(|error| error.downcast_ref());
    let reason = match (tls, error.kind()) {
        (Some(rustls::Error::InvalidCertificate(_)), _) => {
            return format!(
                "The certificate of {host} at {address} is not the one that the fleet knows: \
                 compare xend fleet status there, and restart xend on {host} if it has another one"
            );
        }
        (Some(rustls::Error::InvalidMessage(_)), _) => {
            "it speaks no TLS, see xend-relocation-ssl-server there".to_owned()
        }
        (Some(error), _) => error.to_string(),
        (None, io::ErrorKind::ConnectionRefused) => {
            "nothing listens there, see xend-relocation-ssl-server there".to_owned()
        }
        (None, io::ErrorKind::TimedOut) => {
            format!("it does not answer within {} s", CONNECT_LIMIT.as_secs())
        }
        (None, io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable) => {
            "there is no route to it".to_owned()
        }
        (None, _) => error.to_string(),
    };
    format!("{host} cannot be reached at {address}: {reason}")
}
