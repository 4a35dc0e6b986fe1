//! The hosts of a fleet and their domains.

use crate::shape::STATE_NAMES;
use schemars::JsonSchema;
use serde::Serialize;

/// A part of the hosts of the fleet.
#[derive(Serialize, JsonSchema)]
pub(crate) struct FleetHosts {
    /// Name of the fleet.
    pub(crate) fleet: String,
    /// Time since etcd was last heard of.
    pub(crate) age_seconds: u64,
    /// Whether that is longer than a host's lease.
    pub(crate) is_stale: bool,
    /// Number of all hosts that match.
    pub(crate) total: usize,
    pub(crate) hosts: Vec<FleetHost>,
}

/// A host of the fleet.
#[derive(Serialize, JsonSchema)]
pub(crate) struct FleetHost {
    pub(crate) name: String,
    pub(crate) uuid: String,
    /// Whether it is the host that answers.
    pub(crate) is_own: bool,
    /// A silent host does not renew its lease: it is off, or cut off, and its domains may run.
    #[schemars(extend("enum" = ["alive", "silent"]))]
    pub(crate) state: &'static str,
    /// For how long it has been silent; null if it is alive, or was silent from the first.
    pub(crate) silent_seconds: Option<u64>,
    /// Version of its xend; null until that has run as a member.
    pub(crate) version: Option<String>,
    /// `xen`, `sim`; null until its xend has run as a member.
    pub(crate) hypervisor: Option<String>,
    /// Null until its xend has run as a member.
    pub(crate) cpus: Option<u32>,
    /// Null until its xend has run as a member.
    pub(crate) memory_mib: Option<u64>,
    /// `HOST:PORT` for domains from other hosts; null if it takes none.
    pub(crate) relocation: Option<String>,
    /// SHA-256 of the certificate that it shows to other hosts; null if it has none.
    pub(crate) fingerprint: Option<String>,
    /// Names of the storages that it shares with other hosts.
    pub(crate) storages: Vec<String>,
    /// Number of its domains that the caller sees.
    pub(crate) domain_count: usize,
}

/// A host of the fleet with a part of its domains.
#[derive(Serialize, JsonSchema)]
pub(crate) struct FleetHostDomains {
    #[serde(flatten)]
    pub(crate) host: FleetHost,
    /// Age of what is known of the host; null if it was silent from the first.
    pub(crate) age_seconds: Option<u64>,
    /// Whether the host is silent, or etcd has not been heard of for as long as a lease.
    pub(crate) is_stale: bool,
    /// Number of all domains that match.
    pub(crate) total: usize,
    pub(crate) domains: Vec<FleetDomain>,
}

/// A domain of a host of the fleet.
#[derive(Serialize, JsonSchema)]
pub(crate) struct FleetDomain {
    pub(crate) name: String,
    pub(crate) uuid: String,
    /// Name of its host.
    pub(crate) host: String,
    /// Number on its host; null while it is not there.
    pub(crate) domid: Option<u32>,
    #[schemars(extend("enum" = STATE_NAMES))]
    pub(crate) state: &'static str,
    /// Memory of the configuration.
    pub(crate) memory_mib: u64,
    pub(crate) vcpus: u32,
    /// Time of the start (RFC 3339); null while it is not on its host, and for Domain-0.
    pub(crate) started_at: Option<String>,
    /// Age of what is known of its host; null if that was silent from the first.
    pub(crate) age_seconds: Option<u64>,
    /// Whether the host is silent, or etcd has not been heard of for as long as a lease.
    pub(crate) is_stale: bool,
}
