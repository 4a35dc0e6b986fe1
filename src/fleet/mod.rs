//! Many hosts on one etcd. `docs/fleet-model.md` has the protocol.

mod kv;

pub use kv::{
    CALL_LIMIT, Committed, Compare, Entry, Kv, KvError, KvEvent, KvStatus, Lease, Listing, Op,
    Revision, Txn, Watched,
};
