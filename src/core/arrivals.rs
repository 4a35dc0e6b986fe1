//! Domains that come from other hosts: whether they are ours.
//!
//! The sending host can lose the connection at any point. It keeps the domain until it hands it
//! over. From then on only this table knows who has the domain: a migration is either taken once,
//! which is stored, or refused once, and then nothing can come of it any more.

use super::error::Error;
use super::model::Uuid;
use super::ports::{ArrivalRecord, Store, Verdict};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::SystemTime;
use tokio::sync::Mutex;

/// Refused migrations that are remembered. The answer about a forgotten one is the same.
const MAX_REFUSED: usize = 1024;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Pending,
    Taken,
    Refused,
}

/// Migrations to this host, by their ids.
pub(super) struct Arrivals {
    store: Arc<dyn Store>,
    fates: Mutex<HashMap<Uuid, Fate>>,
}

impl Arrivals {
    /// Reads the migrations that were taken in earlier runs of the daemon. `now` is the time.
    pub(super) async fn load(store: Arc<dyn Store>, now: SystemTime) -> Result<Self, Error> {
        let taken = store.arrivals(now).await?.into_iter().filter(|(_, record)| record.taken);
        let fates = taken.map(|(id, _)| (id, Fate::Taken)).collect();
        Ok(Self { store, fates: Mutex::new(fates) })
    }

    /// Begins a migration.
    pub(super) async fn begin(&self, id: Uuid) -> Result<(), Error> {
        let mut fates = self.fates.lock().await;
        if fates.contains_key(&id) {
            return Err(Error::NoSuchMigration(id));
        }
        if fates.values().filter(|fate| **fate == Fate::Refused).count() >= MAX_REFUSED {
            fates.retain(|_, fate| *fate != Fate::Refused);
        }
        fates.insert(id, Fate::Pending);
        Ok(())
    }

    /// Takes the domain, unless the migration was refused meanwhile. The decision is stored before
    /// anybody learns of it.
    pub(super) async fn take(&self, id: Uuid, record: ArrivalRecord) -> Result<(), Error> {
        let mut fates = self.fates.lock().await;
        if fates.get(&id) != Some(&Fate::Pending) {
            return Err(Error::NoSuchMigration(id));
        }
        self.store.record_arrival(id, Some(record)).await?;
        fates.insert(id, Fate::Taken);
        Ok(())
    }

    /// Ends a migration: one that is not taken yet is refused.
    pub(super) async fn settle(&self, id: Uuid) -> Verdict {
        let mut fates = self.fates.lock().await;
        match fates.get(&id) {
            Some(Fate::Taken) => Verdict::Taken,
            Some(Fate::Pending) => {
                fates.insert(id, Fate::Refused);
                Verdict::NotTaken
            }
            Some(Fate::Refused) | None => Verdict::NotTaken,
        }
    }
}
