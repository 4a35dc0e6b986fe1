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
    /// Connects to a host, of which `member` is known: it has that certificate. Fails within a few
    /// seconds with a text that names the host.
    async fn connect(&self, host: &HostName, member: &Member)
    -> Result<Box<dyn HostStream>, Error>;
}

/// What answers the other hosts of the fleet.
#[async_trait]
pub trait PeerRequests: Send + Sync + 'static {
    /// Answers the request that comes over a connection from this host, or tells it why it is not
    /// answered.
    async fn serve(&self, stream: Box<dyn HostStream>, from: Result<HostName, PeerRefusal>);
}

/// Why the request of another host is not answered. The text is for that host.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PeerRefusal {
    /// Its certificate is that of no member.
    #[error("no member of the fleet has its certificate, see xend fleet status")]
    Stranger,
    /// Its certificate is that of several members.
    #[error("several members of the fleet have its certificate, see xend fleet status")]
    Ambiguous,
    /// Nothing is known of the fleet.
    #[error("etcd does not answer there, and the members of the fleet are not known")]
    FleetUnknown,
    /// It may not connect to the relocation port.
    #[error("it is not in xend-relocation-hosts-allow there")]
    NotAllowed,
    /// All places of the relocation port are taken, or all of the host.
    #[error("too many requests and domains arrive there, try again later")]
    Busy,
}
