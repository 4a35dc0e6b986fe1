//! Domains that come from other hosts, and whether this host has taken them.
//!
//! The sending host can lose the connection at any point. It keeps the domain until it hands it
//! over. From then on only this table knows which host has the domain. A migration is either taken,
//! which is stored, or refused for good.

use super::error::Error;
use super::model::Uuid;
use super::ports::{ArrivalRecord, Store, Verdict};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::SystemTime;
use tokio::sync::Mutex;

/// Limit of remembered refusals. A forgotten migration is answered as a refused one.
const MAX_REFUSED: usize = 1024;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ArrivalState {
    Pending,
    Taken,
    Refused,
}

/// Migrations to this host, by their ids.
pub(super) struct Arrivals {
    store: Arc<dyn Store>,
    states: Mutex<HashMap<Uuid, ArrivalState>>,
}

impl Arrivals {
    /// Reads the migrations that were taken in earlier runs of the daemon. `now` is the present
    /// time.
    pub(super) async fn load(store: Arc<dyn Store>, now: SystemTime) -> Result<Self, Error> {
        let taken = store.arrivals(now).await?.into_iter().filter(|(_, record)| record.taken);
        let states = taken.map(|(id, _)| (id, ArrivalState::Taken)).collect();
        Ok(Self { store, states: Mutex::new(states) })
    }

    /// Begins a migration.
    pub(super) async fn begin(&self, id: Uuid) -> Result<(), Error> {
        let mut states = self.states.lock().await;
        if states.contains_key(&id) {
            return Err(Error::NoSuchMigration(id));
        }
        if states.values().filter(|state| **state == ArrivalState::Refused).count() >= MAX_REFUSED {
            states.retain(|_, state| *state != ArrivalState::Refused);
        }
        states.insert(id, ArrivalState::Pending);
        Ok(())
    }

    /// Takes the domain, unless the migration was refused meanwhile, or is not `permitted`. The
    /// decision is stored before anybody learns of it.
    pub(super) async fn take(
        &self,
        id: Uuid,
        record: ArrivalRecord,
        permitted: impl Future<Output = Result<(), Error>>,
    ) -> Result<(), Error> {
        let mut states = self.states.lock().await;
        if states.get(&id) != Some(&ArrivalState::Pending) {
            return Err(Error::NoSuchMigration(id));
        }
        self.store.record_arrival(id, Some(record)).await?;
        if let Err(error) = permitted.await {
            let refused = ArrivalRecord { taken: false, ..record };
            self.store.record_arrival(id, Some(refused)).await?;
            return Err(error);
        }
        states.insert(id, ArrivalState::Taken);
        Ok(())
    }

    /// Ends a migration: one that is not taken yet is refused.
    pub(super) async fn settle(&self, id: Uuid) -> Verdict {
        let mut states = self.states.lock().await;
        match states.get(&id) {
            Some(ArrivalState::Taken) => Verdict::Taken,
            Some(ArrivalState::Pending) => {
                states.insert(id, ArrivalState::Refused);
                Verdict::NotTaken
            }
            Some(ArrivalState::Refused) | None => Verdict::NotTaken,
        }
    }
}
