//! What the log says of etcd: one line when it stops answering, one when it answers again.

use super::keys::ClusterName;
use super::kv::{Committed, Entry, Kv, KvError, KvStatus, Lease, Listing, Revision, Txn, Watched};
use async_trait::async_trait;
use futures_util::stream::BoxStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tracing::{info, warn};

/// A store whose silence is logged.
pub(super) struct Noted {
    kv: Arc<dyn Kv>,
    cluster: ClusterName,
    is_silent: AtomicBool,
}

impl Noted {
    pub(super) fn new(kv: Arc<dyn Kv>, cluster: ClusterName) -> Self {
        Self { kv, cluster, is_silent: AtomicBool::new(false) }
    }

    fn note<T>(&self, result: Result<T, KvError>) -> Result<T, KvError> {
        let fleet = &self.cluster;
        match &result {
            Err(error @ (KvError::Unreachable(_) | KvError::InDoubt(_))) => {
                if !self.is_silent.swap(true, Ordering::Relaxed) {
                    warn!(%fleet, %error, "The fleet's etcd does not answer");
                }
            }
            Ok(_) | Err(KvError::Refused(_) | KvError::Compacted | KvError::NoLease) => {
                if self.is_silent.swap(false, Ordering::Relaxed) {
                    info!(%fleet, "The fleet's etcd answers again");
                }
            }
        }
        result
    }
}

#[async_trait]
impl Kv for Noted {
    async fn get(&self, key: &str) -> Result<Option<Entry>, KvError> {
        self.note(self.kv.get(key).await)
    }

    async fn list(&self, prefix: &str) -> Result<Listing, KvError> {
        self.note(self.kv.list(prefix).await)
    }

    async fn commit(&self, txn: Txn) -> Result<Committed, KvError> {
        self.note(self.kv.commit(txn).await)
    }

    async fn grant(&self, ttl: Duration) -> Result<Lease, KvError> {
        self.note(self.kv.grant(ttl).await)
    }

    async fn keep_alive(&self, lease: Lease) -> Result<(), KvError> {
        self.note(self.kv.keep_alive(lease).await)
    }

    async fn revoke(&self, lease: Lease) -> Result<(), KvError> {
        self.note(self.kv.revoke(lease).await)
    }

    async fn watch(
        &self,
        prefix: &str,
        from: Revision,
    ) -> Result<BoxStream<'static, Result<Watched, KvError>>, KvError> {
        self.note(self.kv.watch(prefix, from).await)
    }

    async fn status(&self) -> Result<KvStatus, KvError> {
        self.note(self.kv.status().await)
    }
}
