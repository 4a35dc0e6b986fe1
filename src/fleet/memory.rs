//! A store of keys in memory, for tests: linearizable as etcd is, with its leases, watches and
//! compaction, and with the faults that etcd and the way to it have.

mod store;

use super::kv::{
    CALL_LIMIT, Committed, Entry, Kv, KvError, KvServer, KvStatus, Lease, Listing, Revision, Txn,
    Watched,
};
use async_trait::async_trait;
use futures_util::stream::{self, BoxStream, StreamExt};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use store::Store;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until, timeout_at};

/// How often a watch tells that nothing has changed.
const PROGRESS: Duration = Duration::from_secs(5);
/// How long a watch waits for a store that does not answer.
const WATCH_LIMIT: Duration = Duration::from_secs(10);

/// How a client reaches the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Link {
    /// The store answers.
    Up,
    /// Connections are refused: calls and watches fail at once.
    Refused,
    /// The store answers that it refuses all calls and watches, as etcd does to a wrong user.
    Forbidden,
    /// Nothing arrives: calls fail after [`CALL_LIMIT`], watches after ten seconds.
    Silent,
}

/// What becomes of a transaction whose answer is lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lost {
    /// It has happened.
    Happened,
    /// It never happens.
    Never,
    /// It happens when [`MemoryKv::deliver`] is called.
    Later,
}

/// A client of a store in memory.
#[derive(Debug)]
pub struct MemoryKv {
    shared: Arc<Shared>,
    client: Arc<Mutex<Client>>,
}

/// The contents of a store at some time.
#[derive(Debug, Clone)]
pub struct Backup(Store);

#[derive(Debug)]
struct Shared {
    store: Mutex<Store>,
    /// Counts changes of the store and of its clients: what watches wait for.
    changes: watch::Sender<u64>,
}

#[derive(Debug)]
struct Client {
    link: Link,
    /// What becomes of the next transactions.
    losses: VecDeque<Lost>,
    late: Vec<Txn>,
    /// Watches of an earlier number have ended.
    watches: u64,
}

impl Default for MemoryKv {
    fn default() -> Self {
        let store = Mutex::default();
        Self::of(Arc::new(Shared { store, changes: watch::Sender::new(0) }))
    }
}

impl MemoryKv {
    fn of(shared: Arc<Shared>) -> Self {
        let client = Client { link: Link::Up, losses: VecDeque::new(), late: vec![], watches: 0 };
        Self { shared, client: Arc::new(Mutex::new(client)) }
    }

    /// Another client of the same store, with faults of its own.
    #[must_use]
    pub fn another_client(&self) -> Self {
        Self::of(self.shared.clone())
    }

    /// How this client reaches the store from now on.
    pub fn set_link(&self, link: Link) {
        lock(&self.client).link = link;
        self.shared.wake();
    }

    /// The answer to the next transaction of this client is lost, or the one after those whose
    /// answers are lost already.
    pub fn lose_answer(&self, lost: Lost) {
        lock(&self.client).losses.push_back(lost);
    }

    /// Carries out the transactions that were to happen later.
    pub fn deliver(&self) {
        let late = std::mem::take(&mut lock(&self.client).late);
        let mut store = self.shared.store();
        for txn in late {
            // Nobody waits for what comes of it.
            store.commit(&txn).ok();
        }
        drop(store);
        self.shared.wake();
    }

    /// This client's watches end, as when a connection is lost.
    pub fn end_watches(&self) {
        lock(&self.client).watches += 1;
        self.shared.wake();
    }

    /// Whether the store is full: it refuses all writes.
    pub fn set_full(&self, is_full: bool) {
        self.shared.store().is_full = is_full;
    }

    /// All leases vanish, as when etcd's leader was stopped for a while.
    pub fn lose_leases(&self) {
        self.shared.store().end_all_leases();
        self.shared.wake();
    }

    /// A backup of the store.
    pub fn backup(&self) -> Backup {
        Backup(self.shared.store().clone())
    }

    /// The store is what it was at the time of a backup, its revision among it. Watches go on,
    /// those of etcd would have ended.
    pub fn restore(&self, backup: Backup) {
        lock(&self.shared.store).restore(backup.0, Instant::now());
        self.shared.wake();
    }

    /// Forgets all changes up to now: a watch that has not received them yet fails.
    pub fn compact(&self) {
        self.shared.store().compact();
    }

    /// The revision of the last change.
    pub fn revision(&self) -> Revision {
        self.shared.store().revision()
    }

    /// How many watches of all clients are open.
    pub fn watches(&self) -> usize {
        self.shared.changes.receiver_count()
    }

    /// Waits as long as the way to the store takes, and says why there is none. A call that did not
    /// arrive has `failed`.
    async fn reach(&self, failed: fn(String) -> KvError) -> Result<(), KvError> {
        // The lock is not held while it waits.
        let link = lock(&self.client).link;
        match link {
            Link::Up => Ok(()),
            Link::Refused => Err(failed("connection refused".to_owned())),
            Link::Forbidden => Err(forbidden()),
            Link::Silent => {
                sleep(CALL_LIMIT).await;
                Err(failed(format!("no answer within {} s", CALL_LIMIT.as_secs())))
            }
        }
    }

    async fn read<T>(&self, read: impl FnOnce(&mut Store) -> T + Send) -> Result<T, KvError> {
        self.reach(KvError::Unreachable).await?;
        Ok(read(&mut self.shared.store()))
    }

    async fn write<T>(
        &self,
        write: impl FnOnce(&mut Store) -> Result<T, KvError> + Send,
    ) -> Result<T, KvError> {
        self.reach(KvError::InDoubt).await?;
        let done = write(&mut self.shared.store());
        self.shared.wake();
        done
    }
}

impl Shared {
    /// The store as it is now, without the leases that have ended meanwhile.
    fn store(&self) -> MutexGuard<'_, Store> {
        let mut store = lock(&self.store);
        store.expire(Instant::now());
        store
    }

    fn wake(&self) {
        self.changes.send_modify(|changes| *changes += 1);
    }
}

fn forbidden() -> KvError {
    KvError::Refused("permission denied".to_owned())
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[async_trait]
impl Kv for MemoryKv {
    async fn get(&self, key: &str) -> Result<Option<Entry>, KvError> {
        self.read(|store| store.get(key)).await
    }

    async fn list(&self, prefix: &str) -> Result<Listing, KvError> {
        self.read(|store| store.list(prefix)).await
    }

    async fn commit(&self, txn: Txn) -> Result<Committed, KvError> {
        let lost = lock(&self.client).losses.pop_front();
        let in_doubt = Err(KvError::InDoubt("the answer is lost".to_owned()));
        match lost {
            None => self.write(|store| store.commit(&txn)).await,
            Some(Lost::Happened) => {
                self.write(|store| store.commit(&txn)).await?;
                in_doubt
            }
            Some(Lost::Never) => in_doubt,
            Some(Lost::Later) => {
                lock(&self.client).late.push(txn);
                in_doubt
            }
        }
    }

    async fn grant(&self, ttl: Duration) -> Result<Lease, KvError> {
        self.write(|store| Ok(store.grant(ttl, Instant::now()))).await
    }

    async fn keep_alive(&self, lease: Lease) -> Result<(), KvError> {
        self.write(|store| store.keep_alive(lease, Instant::now())).await
    }

    async fn revoke(&self, lease: Lease) -> Result<(), KvError> {
        self.write(|store| {
            store.end_lease(lease);
            Ok(())
        })
        .await
    }

    async fn watch(
        &self,
        prefix: &str,
        from: Revision,
    ) -> Result<BoxStream<'static, Result<Watched, KvError>>, KvError> {
        self.reach(KvError::Unreachable).await?;
        let watch = Watch {
            shared: self.shared.clone(),
            client: self.client.clone(),
            number: lock(&self.client).watches,
            changes: self.shared.changes.subscribe(),
            prefix: prefix.to_owned(),
            next: from,
        };
        Ok(stream::unfold(Some(watch), |watch| async {
            let mut watch = watch?;
            match watch.next().await {
                Ok(watched) => Some((Ok(watched), Some(watch))),
                Err(error) => Some((Err(error), None)),
            }
        })
        .boxed())
    }

    async fn status(&self) -> Result<KvStatus, KvError> {
        self.reach(KvError::Unreachable).await?;
        let server = KvServer { version: "3.5.16".to_owned(), alarms: Vec::new() };
        let endpoints = vec![("memory".to_owned(), Ok(server))];
        Ok(KvStatus { endpoints })
    }
}

/// A watch of one client.
struct Watch {
    shared: Arc<Shared>,
    client: Arc<Mutex<Client>>,
    number: u64,
    changes: watch::Receiver<u64>,
    prefix: String,
    next: Revision,
}

impl Watch {
    async fn next(&mut self) -> Result<Watched, KvError> {
        let progress = Instant::now() + PROGRESS;
        loop {
            self.changes.mark_unchanged();
            let link = self.link()?;
            if link == Link::Silent {
                self.wait_for_link().await?;
                continue;
            }
            let expiry = {
                let store = self.shared.store();
                let (events, next) = store.changes(&self.prefix, self.next)?;
                self.next = next;
                if !events.is_empty() {
                    return Ok(Watched::Events(events));
                }
                store.next_expiry()
            };
            if progress <= Instant::now() {
                return Ok(Watched::Progress(Revision(self.next.0 - 1)));
            }
            tokio::select! {
                _ = self.changes.changed() => {}
                // Whoever looks first ends the leases that are over.
                () = sleep_until(expiry.map_or(progress, |expiry| expiry.min(progress))) => {}
            }
        }
    }

    /// How the store is reached, unless this watch has ended.
    fn link(&self) -> Result<Link, KvError> {
        let client = lock(&self.client);
        if client.link == Link::Forbidden {
            return Err(forbidden());
        }
        if client.watches != self.number || client.link == Link::Refused {
            return Err(KvError::Unreachable("the connection is lost".to_owned()));
        }
        Ok(client.link)
    }

    async fn wait_for_link(&mut self) -> Result<(), KvError> {
        let deadline = Instant::now() + WATCH_LIMIT;
        while self.link()? == Link::Silent {
            if timeout_at(deadline, self.changes.changed()).await.is_err() {
                let seconds = WATCH_LIMIT.as_secs();
                return Err(KvError::Unreachable(format!("nothing was heard for {seconds} s")));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
