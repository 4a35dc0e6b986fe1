//! Keys, leases and the history of changes, as etcd has them. It knows neither time nor clients.

use crate::fleet::kv::{
    Committed, Compare, Entry, KvError, KvEvent, Lease, Listing, Op, Revision, Txn,
};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::time::Duration;
use tokio::time::Instant;

/// The most bytes of a transaction, as of etcd.
const MAX_REQUEST: usize = 3 << 19;
/// The most changes that a watch receives at once.
const MAX_EVENTS: usize = 1000;

#[derive(Debug, Default, Clone)]
pub(super) struct Store {
    revision: i64,
    /// Changes up to this revision are forgotten.
    compacted: i64,
    keys: BTreeMap<String, Stored>,
    history: BTreeMap<i64, Vec<KvEvent>>,
    leases: BTreeMap<i64, Granted>,
    last_lease: i64,
    /// Whether nothing can be written.
    pub(super) is_full: bool,
}

#[derive(Debug, Clone)]
struct Stored {
    value: Vec<u8>,
    modified: Revision,
    lease: Option<Lease>,
}

#[derive(Debug, Clone)]
struct Granted {
    ttl: Duration,
    expires: Instant,
}

impl Store {
    pub(super) fn revision(&self) -> Revision {
        Revision(self.revision)
    }

    pub(super) fn get(&self, key: &str) -> Option<Entry> {
        self.keys.get(key).map(|stored| stored.entry(key))
    }

    pub(super) fn list(&self, prefix: &str) -> Listing {
        let entries = self.below(prefix).map(|(key, stored)| stored.entry(key)).collect();
        Listing { entries, revision: self.revision() }
    }

    fn below<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = (&'a String, &'a Stored)> {
        let from = (Bound::Included(prefix), Bound::Unbounded);
        self.keys.range::<str, _>(from).take_while(move |(key, _)| key.starts_with(prefix))
    }

    pub(super) fn commit(&mut self, txn: &Txn) -> Result<Committed, KvError> {
        self.check(txn)?;
        let holds = |compare: &Compare| match compare {
            Compare::Absent(key) => !self.keys.contains_key(key),
            Compare::Modified(key, revision) => {
                self.keys.get(key).is_some_and(|stored| stored.modified == *revision)
            }
            Compare::NoneNewerBelow(prefix, revision) => {
                self.below(prefix).all(|(_, stored)| stored.modified <= *revision)
            }
        };
        if !txn.compares.iter().all(holds) {
            return Ok(Committed::No);
        }
        let revision = Revision(self.revision + 1);
        let mut events = Vec::new();
        for op in &txn.ops {
            match op {
                Op::Put { key, value, lease } => {
                    let stored = Stored { value: value.clone(), modified: revision, lease: *lease };
                    events.push(KvEvent::Put(stored.entry(key)));
                    self.keys.insert(key.clone(), stored);
                }
                Op::Delete { key } => self.delete(key, revision, &mut events),
                Op::DeleteBelow { prefix } => {
                    let keys: Vec<String> =
                        self.below(prefix).map(|(key, _)| key.clone()).collect();
                    for key in keys {
                        self.delete(&key, revision, &mut events);
                    }
                }
            }
        }
        self.record(events);
        Ok(Committed::Yes(self.revision()))
    }

    /// Refuses what etcd refuses.
    fn check(&self, txn: &Txn) -> Result<(), KvError> {
        if txn.ops.len() > Txn::MAX_OPS {
            return Err(KvError::Refused("too many operations in txn request".to_owned()));
        }
        if self.is_full && !txn.ops.is_empty() {
            return Err(KvError::Refused("database space exceeded".to_owned()));
        }
        let mut written = BTreeSet::new();
        let mut bytes = 0;
        for op in &txn.ops {
            match op {
                Op::Put { key, value, lease } => {
                    if lease.is_some_and(|lease| !self.leases.contains_key(&lease.0)) {
                        return Err(KvError::NoLease);
                    }
                    if !written.insert(key) {
                        let reason = "duplicate key given in txn request";
                        return Err(KvError::Refused(reason.to_owned()));
                    }
                    bytes += key.len() + value.len();
                }
                Op::Delete { key } | Op::DeleteBelow { prefix: key } => bytes += key.len(),
            }
        }
        if bytes > MAX_REQUEST {
            return Err(KvError::Refused("request is too large".to_owned()));
        }
        Ok(())
    }

    fn delete(&mut self, key: &str, revision: Revision, events: &mut Vec<KvEvent>) {
        if self.keys.remove(key).is_some() {
            events.push(KvEvent::Deleted { key: key.to_owned(), revision });
        }
    }

    /// Changes of one revision. Nothing is one if nothing has changed.
    fn record(&mut self, events: Vec<KvEvent>) {
        if !events.is_empty() {
            self.revision += 1;
            self.history.insert(self.revision, events);
        }
    }

    pub(super) fn grant(&mut self, ttl: Duration, now: Instant) -> Lease {
        self.last_lease += 1;
        self.leases.insert(self.last_lease, Granted { ttl, expires: now + ttl });
        Lease(self.last_lease)
    }

    pub(super) fn keep_alive(&mut self, lease: Lease, now: Instant) -> Result<(), KvError> {
        let granted = self.leases.get_mut(&lease.0).ok_or(KvError::NoLease)?;
        granted.expires = now + granted.ttl;
        Ok(())
    }

    /// Ends a lease, and deletes its keys.
    pub(super) fn end_lease(&mut self, lease: Lease) {
        self.leases.remove(&lease.0);
        let of_lease = |(_, stored): &(&String, &Stored)| stored.lease == Some(lease);
        let keys: Vec<String> =
            self.keys.iter().filter(of_lease).map(|(key, _)| key.clone()).collect();
        let revision = Revision(self.revision + 1);
        let mut events = Vec::new();
        for key in keys {
            self.delete(&key, revision, &mut events);
        }
        self.record(events);
    }

    pub(super) fn end_all_leases(&mut self) {
        for lease in self.leases.keys().copied().collect::<Vec<_>>() {
            self.end_lease(Lease(lease));
        }
    }

    /// Ends the leases that were not renewed in time.
    pub(super) fn expire(&mut self, now: Instant) {
        let is_over = |granted: &Granted| granted.expires <= now;
        let over: Vec<i64> = (self.leases.iter())
            .filter_map(|(lease, granted)| is_over(granted).then_some(*lease))
            .collect();
        for lease in over {
            self.end_lease(Lease(lease));
        }
    }

    /// When the next lease ends, unless it is renewed.
    pub(super) fn next_expiry(&self) -> Option<Instant> {
        self.leases.values().map(|granted| granted.expires).min()
    }

    /// Becomes what it was, with the whole time of each lease ahead.
    pub(super) fn restore(&mut self, backup: Self, now: Instant) {
        *self = backup;
        for granted in self.leases.values_mut() {
            granted.expires = now + granted.ttl;
        }
    }

    /// Forgets all changes up to now.
    pub(super) fn compact(&mut self) {
        self.compacted = self.revision;
        self.history.clear();
    }

    /// The changes below a prefix from a revision on, and the revision after them.
    pub(super) fn changes(
        &self,
        prefix: &str,
        from: Revision,
    ) -> Result<(Vec<KvEvent>, Revision), KvError> {
        if from.0 <= self.compacted {
            return Err(KvError::Compacted);
        }
        let mut events = Vec::new();
        for (revision, changes) in self.history.range(from.0..) {
            let is_below = |event: &&KvEvent| event.key().starts_with(prefix);
            events.extend(changes.iter().filter(is_below).cloned());
            if events.len() >= MAX_EVENTS {
                return Ok((events, Revision(revision + 1)));
            }
        }
        Ok((events, Revision(self.revision + 1).max(from)))
    }
}

impl Stored {
    fn entry(&self, key: &str) -> Entry {
        Entry { key: key.to_owned(), value: self.value.clone(), modified: self.modified }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(key: &str) -> Op {
        Op::Put { key: key.to_owned(), value: b"1".to_vec(), lease: None }
    }

    fn commit(store: &mut Store, ops: Vec<Op>) -> Result<Committed, KvError> {
        store.commit(&Txn { compares: vec![], ops })
    }

    #[test]
    fn a_transaction_is_one_revision() {
        let mut store = Store::default();
        let first = commit(&mut store, vec![put("/a/1"), put("/a/2"), put("/b")]);
        assert_eq!(first, Ok(Committed::Yes(Revision(1))));
        assert_eq!(store.list("/a/").entries.len(), 2);
        let compares = vec![Compare::Modified("/b".to_owned(), Revision(2))];
        let refused = store.commit(&Txn { compares, ops: vec![put("/c")] });
        assert_eq!((refused, store.get("/c")), (Ok(Committed::No), None));
        let nothing = commit(&mut store, vec![Op::Delete { key: "/c".to_owned() }]);
        assert_eq!(nothing, Ok(Committed::Yes(Revision(1))));
        let compares =
            vec![Compare::Modified("/b".to_owned(), Revision(1)), Compare::Absent("/c".to_owned())];
        let ops = vec![Op::DeleteBelow { prefix: "/a/".to_owned() }];
        assert_eq!(store.commit(&Txn { compares, ops }), Ok(Committed::Yes(Revision(2))));
        let (events, next) = store.changes("/a/", Revision(2)).unwrap();
        let keys: Vec<&str> = events.iter().map(KvEvent::key).collect();
        assert_eq!((keys, next), (vec!["/a/1", "/a/2"], Revision(3)));
        store.compact();
        assert_eq!(store.changes("/a/", Revision(2)), Err(KvError::Compacted));
        assert_eq!(store.changes("/a/", Revision(3)), Ok((vec![], Revision(3))));
    }

    #[test]
    fn what_etcd_refuses_is_refused() {
        let mut store = Store::default();
        let refused = |outcome| matches!(outcome, Err(KvError::Refused(_)));
        assert!(refused(commit(&mut store, vec![put("/a"), put("/a")])));
        let many = (0..=Txn::MAX_OPS).map(|n| put(&format!("/{n}"))).collect();
        assert!(refused(commit(&mut store, many)));
        let value = vec![0; MAX_REQUEST];
        let large = Op::Put { key: "/a".to_owned(), value, lease: None };
        assert!(refused(commit(&mut store, vec![large])));
        let lease = Some(Lease(1));
        let unleased = Op::Put { key: "/a".to_owned(), value: vec![], lease };
        assert_eq!(commit(&mut store, vec![unleased]), Err(KvError::NoLease));
        assert_eq!(store.revision(), Revision(0));
    }

    #[test]
    fn the_keys_of_a_lease_go_with_it() {
        let mut store = Store::default();
        let now = Instant::now();
        let lease = store.grant(Duration::from_secs(15), now);
        let leased = |key: &str| Op::Put { key: key.to_owned(), value: vec![], lease: Some(lease) };
        commit(&mut store, vec![leased("/a"), leased("/b"), put("/c")]).unwrap();
        // A key that is written without it has it no more.
        commit(&mut store, vec![put("/b")]).unwrap();
        store.keep_alive(lease, now + Duration::from_secs(10)).unwrap();
        store.expire(now + Duration::from_secs(24));
        assert_eq!(store.list("/").entries.len(), 3);
        assert_eq!(store.next_expiry(), Some(now + Duration::from_secs(25)));
        store.expire(now + Duration::from_secs(25));
        let (events, _) = store.changes("/", Revision(3)).unwrap();
        assert_eq!(events, [KvEvent::Deleted { key: "/a".to_owned(), revision: Revision(3) }]);
        assert_eq!(store.keep_alive(lease, now), Err(KvError::NoLease));
    }
}
