//! The hosts of a fleet and their domains, as this host knows them.

use super::fingerprint::Fingerprint;
use super::lifecycle::State;
use super::model::{DomId, DomName, Invalid, Uuid};
use rpds::RedBlackTreeMapSync;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::time::Instant;

/// A host's name in its fleet, of which there is one host. It is a segment of paths and keys.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HostName(Arc<str>);

impl HostName {
    /// The longest name in bytes, as of a host in DNS.
    pub const MAX_LEN: usize = 253;

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for HostName {
    type Err = Invalid;

    fn from_str(name: &str) -> Result<Self, Invalid> {
        segment(name, "host", Self::MAX_LEN).map(Self)
    }
}

impl fmt::Display for HostName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The name of a fleet. It is a segment of keys.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ClusterName(Arc<str>);

impl ClusterName {
    /// The longest name in bytes.
    pub const MAX_LEN: usize = 63;

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The same text, shared.
    pub fn shared(&self) -> Arc<str> {
        self.0.clone()
    }
}

impl FromStr for ClusterName {
    type Err = Invalid;

    fn from_str(name: &str) -> Result<Self, Invalid> {
        segment(name, "fleet", Self::MAX_LEN).map(Self)
    }
}

impl fmt::Display for ClusterName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The name of a `what`, of `most` bytes at most. It can be a segment of a path and of a key, and
/// needs no quotes in a shell.
fn segment(name: &str, what: &str, most: usize) -> Result<Arc<str>, Invalid> {
    let is_allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_');
    let begins_well = name.starts_with(|c: char| c.is_ascii_alphanumeric());
    if name.len() <= most && begins_well && name.chars().all(is_allowed) {
        return Ok(name.into());
    }
    Err(Invalid::new(format!(
        "{name:?} is no name of a {what}: it has letters, digits and - . _, begins with a letter \
         or a digit, and has {most} bytes at most"
    )))
}

/// Whether a host is heard of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presence {
    /// It renews its lease.
    Alive,
    /// Its lease is gone: it is off, or cut off, or etcd has lost the lease. Its domains may run.
    Silent {
        /// When this host noticed; `None` if it was so when this host looked first.
        since: Option<Instant>,
    },
}

/// A host that has joined the fleet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// The host's own UUID, which never changes.
    pub uuid: Uuid,
    /// `HOST:PORT` of the listener for domains from other hosts; `None` if there is none.
    pub relocation: Option<String>,
    /// The certificate that it shows to other hosts; `None` if it has none.
    pub fingerprint: Option<Fingerprint>,
    /// The version of its xend.
    pub version: String,
    /// The word for its hypervisor, `xen` or `sim`.
    pub hypervisor: String,
    pub cpus: u32,
    /// Its memory in MiB.
    pub memory_mib: u64,
    /// The names of the storages that it shares with other hosts, sorted.
    pub storages: Vec<String>,
    /// Grows when the machine boots; 0 until its daemon has run as a member.
    pub epoch: u64,
    /// Whether it is away on purpose.
    pub is_away: bool,
    pub presence: Presence,
}

impl Member {
    /// Whether its daemon has run as a member. Until then it has not told what it is.
    pub const fn has_run(&self) -> bool {
        self.epoch > 0
    }
}

/// What a fleet shows of a domain. Figures are at the host that has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DomainSummary {
    pub name: DomName,
    /// `None` while the domain is not on its host.
    pub domid: Option<DomId>,
    pub state: State,
    /// Memory of the configuration in MiB.
    pub memory_mib: u64,
    pub vcpus: u32,
    /// When it was built; `None` if it is not on its host, and for Domain-0.
    pub started: Option<SystemTime>,
    /// The tags of its configuration: a host gets one domain of a tag.
    pub apart: Vec<String>,
}

/// All hosts of a fleet and their domains at one moment, this host and its own domains among them.
/// A copy shares both with the original.
#[derive(Debug, Clone)]
pub struct FleetView {
    /// The fleet's name.
    pub name: Arc<str>,
    /// This host.
    pub own: HostName,
    pub members: RedBlackTreeMapSync<HostName, Member>,
    /// The domains by host and UUID, as their hosts have written them.
    pub domains: RedBlackTreeMapSync<(HostName, Uuid), Arc<DomainSummary>>,
    /// When etcd was last heard of: what is shown is as old as that at least.
    pub heard: Instant,
}

impl FleetView {
    /// What is shown is stale when etcd was heard of longer ago: as long as the lease of a host.
    pub const FRESH_FOR: Duration = Duration::from_secs(15);

    /// The domains of a host, in the order of their UUIDs.
    pub fn domains_of(&self, host: &HostName) -> impl Iterator<Item = (Uuid, &Arc<DomainSummary>)> {
        let begin = (host.clone(), Uuid::nil());
        self.domains
            .range(begin..)
            .take_while(move |((of, _), _)| of == host)
            .map(|((_, uuid), domain)| (*uuid, domain))
    }

    /// The memory in MiB that the domains on a host leave, as far as they are shown.
    pub fn free_mib(&self, host: &HostName, member: &Member) -> u64 {
        let on_host = self.domains_of(host).filter(|(_, domain)| domain.domid.is_some());
        on_host.fold(member.memory_mib, |free, (_, domain)| free.saturating_sub(domain.memory_mib))
    }

    /// Whether etcd was heard of too long ago to rely on what is shown.
    pub fn is_stale(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.heard) > Self::FRESH_FOR
    }

    /// The age of what is shown of a host. A silent one has told nothing since; `None` if nobody
    /// knows when that began.
    pub fn age_of(&self, member: &Member, now: Instant) -> Option<Duration> {
        let age = now.saturating_duration_since(self.heard);
        match member.presence {
            Presence::Alive => Some(age),
            Presence::Silent { since } => {
                since.map(|since| now.saturating_duration_since(since).max(age))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_has_a_name_that_is_a_segment_of_a_path() {
        for name in ["xen1", "xen1.example.org", "r2-d2_x", &"a".repeat(253)] {
            assert_eq!(name.parse::<HostName>().unwrap().as_str(), name);
        }
        for name in ["", ".", "..", "-a", "a/b", "a b", "é", "a%2f", &"a".repeat(254)] {
            let error = name.parse::<HostName>().unwrap_err().to_string();
            assert!(error.contains("name of a host"), "{error}");
        }
    }
}
