//! Migration to and from other hosts.

use crate::core::error::Error;
use crate::core::fingerprint::Fingerprint;
use crate::core::fleet::{ClusterName, HostName};
use crate::core::model::{CompleteConfig, Invalid, RelocationDefaults, Uuid};
use async_trait::async_trait;
use std::fmt;
use std::os::fd::OwnedFd;
use std::sync::Arc;

/// The relocation server of another host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Destination {
    /// A name or an address.
    pub host: String,
    pub port: u16,
    /// Whether the connection is encrypted.
    pub encrypted: bool,
    /// The host of the fleet that it is; `None` for a host that was not named as one.
    pub member: Option<DestinationMember>,
}

/// A host of the fleet to which a domain is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DestinationMember {
    pub name: HostName,
    /// The certificate that it has, by which it is known.
    pub certificate: Fingerprint,
}

impl Destination {
    /// A destination whose host is a name or an address. Without a port, or with port 0, which
    /// libvirt sends, it is that of `defaults`, and so is the encryption (`ssl`).
    pub fn new(
        host: &str,
        port: Option<u16>,
        ssl: Option<bool>,
        defaults: &RelocationDefaults,
    ) -> Result<Self, Invalid> {
        let host = Self::host(host)?;
        let encrypted = ssl.unwrap_or(defaults.ssl);
        let port = port.filter(|port| *port != 0).unwrap_or_else(|| defaults.port(encrypted));
        Ok(Self { host, port, encrypted, member: None })
    }

    /// The name or address of a host.
    pub fn host(text: &str) -> Result<String, Invalid> {
        let name = text.trim();
        let allowed = |c: char| c.is_ascii_alphanumeric() || ".-_:".contains(c);
        if name.is_empty() || name.len() > 255 || !name.chars().all(allowed) {
            let shown = text.escape_debug();
            return Err(Invalid::new(format!(
                "Invalid value for destination: '{shown}' is not a host"
            )));
        }
        Ok(name.to_owned())
    }
}

impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(member) = &self.member {
            write!(f, "{} at ", member.name)?;
        }
        // An address of IPv6 has colons itself.
        let (open, close) = if self.host.contains(':') { ("[", "]") } else { ("", "") };
        write!(f, "{open}{}{close}:{}", self.host, self.port)
    }
}

/// A domain that was handed over to another host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Handover {
    /// The migration.
    pub id: Uuid,
    pub to: Destination,
}

/// A domain that is sent to another host.
#[derive(Debug, Clone)]
pub struct MigratedDomain {
    /// The migration.
    pub id: Uuid,
    /// The configuration of the running domain.
    pub config: Arc<CompleteConfig>,
    /// The stored definition; `None` unless the domain is managed.
    pub definition: Option<Arc<CompleteConfig>>,
}

/// The other host's answer about a domain that was handed over to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The other host has the domain.
    Taken,
    /// The other host has refused the domain: it does not have it and never will.
    Refused,
    /// The other host does not have the domain, and knows nothing of the migration.
    Unknown,
}

/// The other host's answer about a domain that was sent to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Built {
    /// The domain is still at this stage.
    NotYet(String),
    /// The domain is built.
    Completely,
}

/// The connection to other hosts.
#[async_trait]
pub trait MigrationTransport: Send + Sync + 'static {
    /// Connects to another host, which says whether it would take the domain.
    async fn open(
        &self,
        to: &Destination,
        migrated: &MigratedDomain,
    ) -> Result<Box<dyn OutgoingMigration>, Error>;

    /// Asks another host whether it has the domain.
    async fn verdict(&self, of: &Handover) -> Result<Verdict, Error>;
}

/// A migration to another host.
#[async_trait]
pub trait OutgoingMigration: Send {
    /// The stream to which the hypervisor writes the domain.
    fn stream(&self) -> Result<OwnedFd, Error>;

    /// The next message of the other host after everything has been sent.
    async fn built(&mut self) -> Result<Built, Error>;

    /// After a failure to write: the other host's reason to refuse the rest, or that the connection
    /// was lost; `None` if neither is so. In that case the other host is told of the failure, and
    /// has a moment to remove its part of the domain.
    async fn reason(&mut self) -> Option<Error>;

    /// Hands the domain over to the other host, and waits until that has it. `fleet` is the one in
    /// which the domain is moving. After a failure only the other host knows which of the two has
    /// the domain.
    async fn hand_over(&mut self, fleet: Option<&ClusterName>) -> Result<(), Error>;
}

/// A migration from another host.
#[async_trait]
pub trait IncomingMigration: Send {
    /// Tells the other host to send the domain.
    async fn ready(&mut self) -> Result<(), Error>;

    /// The stream from which the hypervisor reads the domain.
    fn stream(&self) -> Result<OwnedFd, Error>;

    /// Tells the other host at which stage the domain is.
    async fn building(&mut self, stage: &str) -> Result<(), Error>;

    /// Tells the other host that everything has arrived, and waits until it hands the domain over.
    /// Returns the fleet in which the domain is moving, if the other host names one.
    async fn arrived(&mut self) -> Result<Option<ClusterName>, Error>;
}
