//! What a fleet needs of etcd.

use crate::core::model::Uuid;
use async_trait::async_trait;
use futures_util::stream::BoxStream;
use std::time::Duration;

/// The longest that a call of a [`Kv`] takes.
pub const CALL_LIMIT: Duration = Duration::from_secs(5);

/// A counter of all changes of the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Revision(pub i64);

/// A lease: keys that are written with it go when it is not renewed in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Lease(pub i64);

/// A key with its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub key: String,
    pub value: Vec<u8>,
    /// The revision of the last change.
    pub modified: Revision,
}

impl Entry {
    /// The value, if it is a UUID.
    pub fn uuid(&self) -> Option<Uuid> {
        Uuid::try_parse_ascii(&self.value).ok()
    }
}

/// All keys below a prefix at one revision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listing {
    /// Sorted by key.
    pub entries: Vec<Entry>,
    /// The revision that was listed: a watch that goes on begins after it.
    pub revision: Revision,
}

/// What a transaction compares.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Compare {
    /// The key does not exist.
    Absent(String),
    /// The key exists, and this was its last change.
    Modified(String, Revision),
    /// No key below the prefix was written after this revision. Some may have been deleted.
    NoneNewerBelow(String, Revision),
}

/// What a transaction does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Op {
    Put {
        key: String,
        value: Vec<u8>,
        lease: Option<Lease>,
    },
    /// A key that does not exist is no error.
    Delete {
        key: String,
    },
    /// Deletes all keys below a prefix.
    DeleteBelow {
        prefix: String,
    },
}

impl Op {
    /// Puts a key that stays until it is deleted.
    pub fn put(key: String, value: Vec<u8>) -> Self {
        Self::Put { key, value, lease: None }
    }
}

/// A transaction: all operations, if all comparisons hold, or none. Without operations it only
/// compares.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Txn {
    pub compares: Vec<Compare>,
    /// [`MAX_OPS`](Self::MAX_OPS) at most.
    pub ops: Vec<Op>,
}

impl Txn {
    /// The most operations of a transaction: etcd takes 128.
    pub const MAX_OPS: usize = 100;
}

/// What came of a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Committed {
    /// It was carried out, in this revision.
    Yes(Revision),
    /// A comparison did not hold: nothing has changed.
    No,
}

/// A change that a watch tells of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KvEvent {
    Put(Entry),
    Deleted { key: String, revision: Revision },
}

impl KvEvent {
    /// The key that has changed.
    pub fn key(&self) -> &str {
        match self {
            Self::Put(Entry { key, .. }) | Self::Deleted { key, .. } => key,
        }
    }
}

/// What a watch receives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Watched {
    /// Changes in the order of their revisions.
    Events(Vec<KvEvent>),
    /// Nothing below the prefix has changed up to this revision: etcd is alive.
    Progress(Revision),
}

/// The servers of etcd, for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KvStatus {
    /// Each endpoint with its server, or the reason why it is of no use.
    pub endpoints: Vec<(String, Result<KvServer, String>)>,
}

/// A server of etcd that answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KvServer {
    pub version: String,
    pub alarms: Vec<KvAlarm>,
}

/// What a server of etcd says is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KvAlarm {
    /// The database of a server is full: no server takes a write.
    NoSpace,
    /// The data of a server are not those of the others.
    Corrupt,
}

/// Why etcd did not do it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KvError {
    /// A read did not happen, or a write was never sent.
    #[error("etcd cannot be reached: {0}")]
    Unreachable(String),
    /// A write did not happen, has happened, or happens later.
    #[error("etcd did not answer, so that a change may have happened: {0}")]
    InDoubt(String),
    /// etcd has said no: wrong user, too large, out of space.
    #[error("etcd refuses: {0}")]
    Refused(String),
    /// The revision to watch from is gone: list again.
    #[error("etcd has forgotten the changes since then")]
    Compacted,
    /// The lease is gone, and the keys that were written with it.
    #[error("etcd has no such lease")]
    NoLease,
}

/// A linearizable store of keys with transactions, leases and watches, as etcd is.
///
/// Each call ends within [`CALL_LIMIT`]. None is tried again: whoever writes reads first what came
/// of a write in doubt.
#[async_trait]
pub trait Kv: Send + Sync + 'static {
    /// The value of a key, as it is when the call was sent or later.
    async fn get(&self, key: &str) -> Result<Option<Entry>, KvError>;

    /// All keys below a prefix at one revision, in pages of less than the client's limit (4 MiB).
    async fn list(&self, prefix: &str) -> Result<Listing, KvError>;

    /// Carries out a transaction.
    async fn commit(&self, txn: Txn) -> Result<Committed, KvError>;

    /// A new lease of this time to live, in whole seconds.
    async fn grant(&self, ttl: Duration) -> Result<Lease, KvError>;

    /// Renews a lease for its whole time to live.
    async fn keep_alive(&self, lease: Lease) -> Result<(), KvError>;

    /// Ends a lease, and deletes its keys. A lease that is gone is no error.
    async fn revoke(&self, lease: Lease) -> Result<(), KvError>;

    /// The changes below a prefix from a revision on, which is among them. The stream ends with an
    /// error when etcd does not answer: it tells of its progress at least every ten seconds.
    async fn watch(
        &self,
        prefix: &str,
        from: Revision,
    ) -> Result<BoxStream<'static, Result<Watched, KvError>>, KvError>;

    /// What its servers say of themselves.
    async fn status(&self) -> Result<KvStatus, KvError>;
}
