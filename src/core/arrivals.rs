//! Domains that come from other hosts: whether they are ours.
//!
//! The host that sends a domain can lose the connection at any point. Until it hands the domain
//! over, it keeps it. From then on only this table knows whose it is: a migration is *taken* once,
//! and written down, or it is *refused* once, and then nothing can come of it any more.

use super::error::Error;
use super::model::Uuid;
use super::ports::{ArrivalNote, Store, Verdict};
use std::collections::HashMap;
use tokio::sync::Mutex;

/// How many migrations that came to nothing are remembered. One that is forgotten is still answered
/// with "not taken".
const REFUSED: usize = 1024;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Pending,
    Taken,
    Refused,
}

#[derive(Default)]
pub(super) struct Arrivals(Mutex<HashMap<Uuid, Fate>>);

impl Arrivals {
    pub(super) fn new(taken: impl IntoIterator<Item = Uuid>) -> Self {
        Self(Mutex::new(taken.into_iter().map(|id| (id, Fate::Taken)).collect()))
    }

    /// A migration begins.
    pub(super) async fn expect(&self, id: Uuid) -> Result<(), Error> {
        let mut fates = self.0.lock().await;
        if fates.contains_key(&id) {
            return Err(Error::NoSuchMigration(id));
        }
        if fates.values().filter(|fate| **fate == Fate::Refused).count() >= REFUSED {
            fates.retain(|_, fate| *fate != Fate::Refused);
        }
        fates.insert(id, Fate::Pending);
        Ok(())
    }

    /// The domain is ours, unless the migration was refused meanwhile. Written down before anybody
    /// is told.
    pub(super) async fn take(
        &self,
        store: &dyn Store,
        id: Uuid,
        note: ArrivalNote,
    ) -> Result<(), Error> {
        let mut fates = self.0.lock().await;
        if fates.get(&id) != Some(&Fate::Pending) {
            return Err(Error::NoSuchMigration(id));
        }
        store.note_arrival(id, Some(note)).await?;
        fates.insert(id, Fate::Taken);
        Ok(())
    }

    /// What has become of a migration. Whoever asks about one that is not over ends it.
    pub(super) async fn settle(&self, id: Uuid) -> Verdict {
        let mut fates = self.0.lock().await;
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
