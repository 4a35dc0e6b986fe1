//! Domains that come from other hosts, and whether this host has taken them.
//!
//! The sending host can lose the connection at any point. It keeps the domain until it hands it
//! over. From then on only this table knows which host has the domain. What is answered was stored
//! before: a migration is either taken or refused, for good.

mod table;

use super::error::Error;
use super::model::Uuid;
use super::ports::{ArrivalRecord, ArrivalStage, Store, Verdict};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};
use table::{Stage, Table};
use tokio::sync::watch;
use tokio::time::timeout;

/// How long a question waits for the answer to an undecided migration.
const ANSWER_WAIT: Duration = Duration::from_secs(20);

/// Migrations to this host, by their ids.
pub(super) struct Arrivals {
    store: Arc<dyn Store>,
    /// Held for no longer than it is read or changed.
    table: Mutex<Table>,
    /// Tells of decisions.
    decided: watch::Sender<()>,
}

impl Arrivals {
    /// Reads the migrations of earlier runs of the daemon. `now` is the present time.
    pub(super) async fn load(store: Arc<dyn Store>, now: SystemTime) -> Result<Self, Error> {
        let mut table = Table::default();
        for (id, record) in store.arrivals(now).await? {
            let stage = match record.stage {
                // It is destroyed before anybody can ask.
                ArrivalStage::Arriving => Stage::Refused,
                ArrivalStage::HandedOver { .. } => Stage::Undecided,
                ArrivalStage::Taken => Stage::Taken,
            };
            table.load(id, record.domain, stage);
        }
        Ok(Self { store, table: Mutex::new(table), decided: watch::Sender::new(()) })
    }

    /// Begins a migration.
    pub(super) async fn begin(&self, id: Uuid, record: ArrivalRecord) -> Result<(), Error> {
        if !self.table().begin(id, record.domain) {
            return Err(Error::NoSuchMigration(id));
        }
        let stored = self.store.record_arrival(id, Some(record)).await;
        stored.inspect_err(|_| self.table().end(id))
    }

    /// Ends a migration that is not handed over.
    pub(super) fn end(&self, id: Uuid) {
        self.table().end(id);
    }

    /// The sender hands the domain over, unless the migration was refused meanwhile. Whatever comes
    /// of storing that, it is undecided from then on.
    pub(super) async fn hand_over(&self, id: Uuid, record: ArrivalRecord) -> Result<(), Error> {
        if !self.table().hand_over(id) {
            return Err(Error::NoSuchMigration(id));
        }
        self.store.record_arrival(id, Some(record)).await
    }

    /// This host has the domain.
    pub(super) async fn take(&self, id: Uuid, record: ArrivalRecord) -> Result<(), Error> {
        self.store.record_arrival(id, Some(record)).await?;
        self.table().take(id);
        self.decided.send_replace(());
        Ok(())
    }

    /// This host never has the domain. `record` is what is still to be removed of it, if it is not
    /// removed yet.
    pub(super) async fn refuse(
        &self,
        id: Uuid,
        record: Option<ArrivalRecord>,
    ) -> Result<(), Error> {
        self.store.record_arrival(id, record).await?;
        self.table().refuse(id);
        self.decided.send_replace(());
        Ok(())
    }

    /// Answers the sender. A migration that is not handed over is refused; one that is undecided is
    /// waited for.
    pub(super) async fn settle(&self, id: Uuid) -> Result<Verdict, Error> {
        let mut decisions = self.decided.subscribe();
        let answered = async {
            loop {
                if let Some(verdict) = self.table().ask(id) {
                    return verdict;
                }
                // The sender is this one's own.
                decisions.changed().await.ok();
            }
        };
        let undecided = |_| Error::Undecided { what: format!("migration {id}") };
        timeout(ANSWER_WAIT, answered).await.map_err(undecided)
    }

    /// Fails while it is undecided to which host a domain belongs.
    pub(super) fn check_decided(&self, domain: Uuid) -> Result<(), Error> {
        if self.table().is_undecided(domain) {
            return Err(Error::Undecided { what: format!("domain {domain}") });
        }
        Ok(())
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
