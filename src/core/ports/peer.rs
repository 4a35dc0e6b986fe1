//! Connections between the hosts of a fleet.

use crate::core::error::Error;
use crate::core::fleet::{HostName, Member};
use async_trait::async_trait;
use std::fmt;
use tokio::io::{AsyncRead, AsyncWrite};

/// An encrypted connection between two hosts of which each knows who the other one is.
pub trait HostStream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> HostStream for T {}

/// The way to the other hosts of the fleet.
#[async_trait]
pub trait Peers: fmt::Debug + Send + Sync + 'static {
    /// Connects to a host, of which `member` is known: it has that certificate, and knows this host
    /// as a member. Fails within a few seconds with a text that names the host.
    async fn connect(&self, host: &HostName, member: &Member)
    -> Result<Box<dyn HostStream>, Error>;
}

/// What answers the other hosts of the fleet.
#[async_trait]
pub trait PeerRequests: Send + Sync + 'static {
    /// Answers the request that comes over a connection from this host, which is a member.
    async fn serve(&self, stream: Box<dyn HostStream>, from: HostName);
}

/// Why another host of the fleet is not let in. The text is for that host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PeerRefusal {
    /// It has not said its name.
    #[error("it does not say its name, update xend on both hosts")]
    Nameless,
    /// The fleet has no host of its name with its certificate.
    #[error("no member of the fleet has its name and its certificate, see xend fleet status")]
    Stranger,
    /// Nobody can say whether it is a member.
    #[error("etcd does not tell there whether it is a member now, see xend fleet status there")]
    FleetUnknown,
    /// It may not connect to the relocation port.
    #[error("it is not in xend-relocation-hosts-allow there")]
    NotAllowed,
    /// All places for requests are taken, or all of the host.
    #[error("too many requests arrive there, try again later")]
    Busy,
}
