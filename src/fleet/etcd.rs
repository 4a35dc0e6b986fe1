//! A [`Kv`] on servers of etcd.
//!
//! ```text
//! server   which server is asked, and what a connection to it needs
//! pages    lists of any length
//! watch    streams of changes
//! error    what an error of the client means for a call
//! ```
//!
//! One server has all calls until it fails one; then the first that answers has them. The client
//! library would spread calls over all servers, one that hangs among them.

mod error;
mod pages;
mod server;
mod watch;

use self::error::CallKind;
use self::server::{Connection, Servers};
use super::kv::{
    CALL_LIMIT, Committed, Compare, Entry, Kv, KvError, KvStatus, Lease, Listing, Op, Revision,
    Txn, Watched,
};
use super::settings::EtcdSettings;
use async_trait::async_trait;
use etcd_client::{Client, CompareOp, DeleteOptions, PutOptions, TxnOp};
use futures_util::stream::BoxStream;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, timeout_at};

/// The servers of etcd that keep a fleet.
pub struct Etcd {
    servers: Arc<Servers>,
    /// The longest that a call takes.
    limit: Duration,
}

impl Etcd {
    /// Nothing is connected and no file is read before the first call: etcd may be away.
    pub fn new(settings: EtcdSettings) -> Self {
        Self::within(settings, CALL_LIMIT)
    }

    /// The same, with another limit of a call than [`CALL_LIMIT`].
    pub fn within(settings: EtcdSettings, limit: Duration) -> Self {
        Self { servers: Arc::new(Servers::new(settings)), limit }
    }

    /// Makes a call of one server.
    async fn call<T, F>(&self, kind: CallKind, call: impl FnOnce(Client) -> F) -> Result<T, KvError>
    where
        F: Future<Output = Result<T, etcd_client::Error>>,
    {
        let deadline = Instant::now() + self.limit;
        let connection = self.servers.connection(deadline).await?;
        let called = timeout_at(deadline, call(connection.client.clone())).await;
        self.judged(kind, &connection, called.map_err(drop)).await
    }

    /// What came of a call, which is `Err(())` if there was no answer in time. Whoever fails a call
    /// is not asked next time.
    async fn judged<T>(
        &self,
        kind: CallKind,
        connection: &Arc<Connection>,
        called: Result<Result<T, etcd_client::Error>, ()>,
    ) -> Result<T, KvError> {
        let error = match called {
            Ok(Ok(answer)) => return Ok(answer),
            Ok(Err(error)) => error::of_call(&error, kind, &connection.endpoint),
            Err(()) => {
                let limit = self.limit.as_secs_f32();
                kind.unanswered(format!("{} said nothing for {limit} s", connection.endpoint))
            }
        };
        if matches!(error, KvError::Unreachable(_) | KvError::InDoubt(_)) {
            self.servers.forget(connection).await;
        }
        Err(error)
    }
}

#[async_trait]
impl Kv for Etcd {
    async fn get(&self, key: &str) -> Result<Option<Entry>, KvError> {
        let get = |client: Client| async move { client.kv_client().get(key, None).await };
        let mut answer = self.call(CallKind::Read, get).await?;
        Ok(answer.take_kvs().into_iter().next().map(pages::entry))
    }

    async fn list(&self, prefix: &str) -> Result<Listing, KvError> {
        let list = |client: Client| pages::list(client.kv_client(), prefix);
        self.call(CallKind::Read, list).await
    }

    async fn commit(&self, txn: Txn) -> Result<Committed, KvError> {
        let kind = if txn.ops.is_empty() { CallKind::Read } else { CallKind::Write };
        let txn = request(txn);
        let commit = |client: Client| async move { client.kv_client().txn(txn).await };
        let answer = self.call(kind, commit).await?;
        if !answer.succeeded() {
            return Ok(Committed::No);
        }
        let revision = answer.header().map_or(0, etcd_client::ResponseHeader::revision);
        Ok(Committed::Yes(Revision(revision)))
    }

    async fn grant(&self, ttl: Duration) -> Result<Lease, KvError> {
        let ttl = i64::try_from(ttl.as_secs()).unwrap_or(i64::MAX);
        let grant = |client: Client| async move { client.lease_client().grant(ttl, None).await };
        Ok(Lease(self.call(CallKind::Write, grant).await?.id()))
    }

    async fn keep_alive(&self, lease: Lease) -> Result<(), KvError> {
        // A stream for each renewal costs a frame more than one for all, and none is left over that
        // a failure has broken.
        let renew = |client: Client| async move { client.lease_client().keep_alive(lease.0).await };
        self.call(CallKind::Read, renew).await.map(drop)
    }

    async fn revoke(&self, lease: Lease) -> Result<(), KvError> {
        let revoke = |client: Client| async move { client.lease_client().revoke(lease.0).await };
        match self.call(CallKind::Write, revoke).await {
            Ok(_) | Err(KvError::NoLease) => Ok(()),
            Err(error) => Err(error),
        }
    }

    async fn watch(
        &self,
        prefix: &str,
        from: Revision,
    ) -> Result<BoxStream<'static, Result<Watched, KvError>>, KvError> {
        let deadline = Instant::now() + self.limit;
        let connection = self.servers.connection(deadline).await?;
        let began = timeout_at(deadline, watch::begin(&connection.client, prefix, from)).await;
        let stream = self.judged(CallKind::Read, &connection, began.map_err(drop)).await?;
        watch::changes(stream, from, connection, Arc::clone(&self.servers))
    }

    async fn status(&self) -> Result<KvStatus, KvError> {
        Ok(KvStatus { endpoints: self.servers.status().await })
    }
}

fn request(txn: Txn) -> etcd_client::Txn {
    let compares = txn.compares.into_iter().map(|compare| match compare {
        Compare::Absent(key) => etcd_client::Compare::version(key, CompareOp::Equal, 0),
        Compare::Modified(key, revision) => {
            etcd_client::Compare::mod_revision(key, CompareOp::Equal, revision.0)
        }
        Compare::NoneNewerBelow(prefix, revision) => {
            let next = revision.0.saturating_add(1);
            etcd_client::Compare::mod_revision(prefix, CompareOp::Less, next).with_prefix()
        }
    });
    let ops = txn.ops.into_iter().map(|op| match op {
        Op::Put { key, value, lease } => {
            let options = lease.map(|lease| PutOptions::new().with_lease(lease.0));
            TxnOp::put(key, value, options)
        }
        Op::Delete { key } => TxnOp::delete(key, None),
        Op::DeleteBelow { prefix } => {
            TxnOp::delete(prefix, Some(DeleteOptions::new().with_prefix()))
        }
    });
    let compares: Vec<_> = compares.collect();
    let ops: Vec<_> = ops.collect();
    etcd_client::Txn::new().when(compares).and_then(ops)
}
