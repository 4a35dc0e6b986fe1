//! Many hosts on one etcd. `docs/fleet-model.md` has the protocol.

mod keys;
mod kv;
mod records;

pub use keys::{ClusterName, HostKey, Keys, TokenDigest};
pub use kv::{
    CALL_LIMIT, Committed, Compare, Entry, Kv, KvError, KvEvent, KvStatus, Lease, Listing, Op,
    Revision, Txn, Watched,
};
pub use records::{
    AliveRecord, HOST_FORMAT, HostFacts, HostRecord, SCHEMAS, SchemaRecord, Schemas, Unreadable,
    ViewRecord,
};
