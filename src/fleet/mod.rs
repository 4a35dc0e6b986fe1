//! Many hosts on one etcd. `docs/fleet-model.md` has the protocol.
//!
//! ```text
//! keys, records          the keys of a fleet, and their values
//! seal, key_file         passwords in definitions, and the fleet's key for them
//! settings               what a host is told of its fleet
//! kv                     what is needed of etcd; memory: a store with faults, for tests
//! etcd                   the servers of etcd (feature `fleet`)
//! join, status           making, joining and leaving a fleet, and what an operator is told of it
//! doctor                 the status, and whether etcd is slow and the other hosts answer
//! mark                   what a host remembers of its membership
//! member                 a host's part: its record, its lease, the summaries of its domains
//! domain                 what etcd has of a domain, and one change of it
//! owner                  the domains that belong to this host, and its definitions
//! guard                  the guard of protected domains, a process of its own
//! taker                  fences hosts that die, and has their protected domains started elsewhere
//! followed               prefixes that are listed and watched
//! reader, gathered       all hosts and domains, followed while somebody reads them
//! ```

mod backoff;
mod definition_records;
mod doctor;
mod domain;
#[cfg(feature = "fleet")]
mod etcd;
mod followed;
mod gathered;
pub mod guard;
mod join;
mod key_file;
mod keys;
mod kv;
mod mark;
mod member;
mod membership;
mod memory;
mod noted;
mod own_host;
mod owner;
mod protection_records;
mod reader;
mod records;
mod seal;
mod settings;
mod status;
mod taker;
mod told;

use std::sync::Arc;
use std::time::Duration;

pub use definition_records::{ClashKind, ClashRecord, OrphanRecord};
pub use doctor::{Examination, Way};
#[cfg(feature = "fleet")]
pub use etcd::Etcd;
pub use join::{
    Adopted, Candidate, ConfirmedDead, DomainPolicy, Guarding, JoinError, Joined, Left, SilentHost,
    Upgrade,
};
pub use key_file::KeyFile;
pub use keys::{ClusterName, HostKey, Keys, TokenDigest};
pub use kv::{
    CALL_LIMIT, Committed, Compare, Entry, Kv, KvAlarm, KvError, KvEvent, KvServer, KvStatus,
    Lease, Listing, Op, Revision, Txn, Watched,
};
pub use mark::MemberMark;
pub use member::take_part;
pub use memory::{Backup, Link, Lost, MemoryKv};
pub use own_host::OwnHost;
pub use owner::{Notes, Owner};
pub use protection_records::{
    AwayCause, AwayRecord, FailedTry, FenceRecord, FenceStep, MAX_TRIES, PolicyRecord, Restart,
    TakeoverRecord,
};
pub use reader::FleetReader;
pub use records::{
    AliveRecord, ForgottenRecord, HOST_FORMAT, HostFacts, HostRecord, SCHEMAS, SchemaRecord,
    Schemas, Unreadable, ViewRecord,
};
pub use seal::{FleetKey, SealError};
pub use settings::{
    ClientCertificate, EtcdEndpoint, EtcdLogin, EtcdSettings, FleetSettings, fleet_dir,
    guard_socket,
};
pub use status::{AwayStatus, EtcdStatus, FleetStatus, MemberStatus, Problem};

/// This build has no client for etcd.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("This xend knows no fleets: build it with cargo build --profile dist --features fleet")]
pub struct NoClient;

/// The servers of etcd, of which none is asked yet.
pub fn connect(settings: EtcdSettings) -> Result<Arc<dyn Kv>, NoClient> {
    connect_within(settings, CALL_LIMIT)
}

/// The same, with another limit of a call than [`CALL_LIMIT`].
pub fn connect_within(settings: EtcdSettings, limit: Duration) -> Result<Arc<dyn Kv>, NoClient> {
    #[cfg(feature = "fleet")]
    return Ok(Arc::new(Etcd::within(settings, limit)));
    #[cfg(not(feature = "fleet"))]
    {
        let _ = (settings, limit);
        Err(NoClient)
    }
}
