//! The summaries of the host's domains: what is different from etcd is written.

use super::seat::{Seat, Unwritten};
use crate::core::caller::Caller;
use crate::core::engine::Engine;
use crate::core::model::Uuid;
use crate::core::snapshot::Snapshot;
use crate::core::view::View;
use crate::fleet::backoff::Backoff;
use crate::fleet::keys::HostKey;
use crate::fleet::kv::{Kv, KvError, Op, Txn};
use crate::fleet::membership::{Ended, Membership};
use crate::fleet::records::ViewRecord;
use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::future::pending;
use std::time::Duration;
use tokio::time::sleep;
use tracing::warn;

/// How long changes are gathered.
const GATHERING: Duration = Duration::from_secs(1);

/// Publishes the host's domains, as long as the membership lasts.
pub(super) async fn publish(seat: &Seat, engine: &Engine, membership: Membership) -> Ended {
    let mut publisher = Publisher {
        seat,
        membership,
        view: engine.view(&Caller::internal()),
        published: BTreeMap::new(),
        backoff: Backoff::default(),
        is_refused: false,
    };
    loop {
        let error = match publisher.follow().await {
            Ok(never) => match never {},
            Err(Unwritten::Ended(ended)) => return ended,
            Err(Unwritten::Failed(error)) => error,
        };
        if matches!(error, KvError::Refused(_)) && !publisher.is_refused {
            publisher.is_refused = true;
            warn!(%error, "This host cannot publish its domains to the fleet");
        }
        publisher.backoff.wait().await;
    }
}

struct Publisher<'a> {
    seat: &'a Seat,
    membership: Membership,
    view: View,
    /// What etcd has of the host's domains.
    published: BTreeMap<Uuid, Vec<u8>>,
    backoff: Backoff,
    is_refused: bool,
}

impl Publisher<'_> {
    async fn follow(&mut self) -> Result<Infallible, Unwritten> {
        let mut news = self.view.domain_changes();
        self.read().await?;
        let mut seen = None;
        loop {
            let snapshot = self.view.snapshot();
            let domains: BTreeSet<Uuid> =
                if let Some(changed) = seen.and_then(|number| snapshot.changes.since(number)) {
                    changed.collect()
                } else {
                    let present = snapshot.domains().map(|domain| domain.uuid);
                    self.published.keys().copied().chain(present).collect()
                };
            seen = Some(snapshot.changes.number());
            let differences = self.differences(&snapshot, &domains);
            // Who keeps a snapshot keeps all that it shows in memory.
            drop(snapshot);
            self.write(differences).await?;
            if news.changed().await.is_err() {
                // The engine has ended, and soon the daemon.
                pending::<()>().await;
            }
            sleep(GATHERING).await;
            news.mark_unchanged();
        }
    }

    /// Reads what etcd has.
    async fn read(&mut self) -> Result<(), KvError> {
        let prefix = self.seat.keys.views_of(&self.seat.own.name);
        let listing = self.seat.kv.list(&prefix).await?;
        let entries = listing.entries.into_iter();
        self.published = entries
            .filter_map(|entry| match self.seat.keys.parse(&entry.key)? {
                HostKey::View(_, uuid) => Some((uuid, entry.value)),
                HostKey::Host(_) | HostKey::Alive(_) => None,
            })
            .collect();
        Ok(())
    }

    /// What must be written of these domains: a value, or nothing of a domain that has gone.
    fn differences(
        &self,
        snapshot: &Snapshot,
        domains: &BTreeSet<Uuid>,
    ) -> Vec<(Uuid, Option<Vec<u8>>)> {
        let value = |uuid| snapshot.by_uuid(uuid).map(|domain| ViewRecord::of(domain).encode());
        let current = domains.iter().map(|uuid| (*uuid, value(uuid)));
        current.filter(|(uuid, value)| self.published.get(uuid) != value.as_ref()).collect()
    }

    /// Writes differences.
    async fn write(&mut self, differences: Vec<(Uuid, Option<Vec<u8>>)>) -> Result<(), Unwritten> {
        for batch in differences.chunks(Txn::MAX_OPS) {
            let op = |(uuid, value): &(Uuid, Option<Vec<u8>>)| {
                let key = self.seat.keys.view(&self.seat.own.name, *uuid);
                match value.clone() {
                    Some(value) => Op::put(key, value),
                    None => Op::Delete { key },
                }
            };
            self.seat.write(self.membership, batch.iter().map(op).collect()).await?;
            for (uuid, value) in batch {
                match value.clone() {
                    Some(value) => self.published.insert(*uuid, value),
                    None => self.published.remove(uuid),
                };
            }
        }
        self.backoff.reset();
        self.is_refused = false;
        Ok(())
    }
}
