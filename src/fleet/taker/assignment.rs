//! Which host is to start a domain of a boot that has ended.

use super::Watch;
use super::known::takeover;
use crate::core::fleet::{FleetView, HostName};
use crate::core::model::Uuid;
use crate::core::placement::{HostRoom, Standing, Wanted};
use crate::core::ports::Fleet as _;
use crate::core::taker::{Assigned, Candidate, Guarded, Room, Seen};
use crate::fleet::domain::{DefinitionRecord, OwnRecord};
use crate::fleet::kv::{Committed, Compare, Kv, KvError, Op, Txn};
use crate::fleet::member::Unwritten;
use crate::fleet::protection_records::{FailedTry, TakeoverRecord};
use crate::fleet::records::short_text;
use crate::shape;
use crate::sxp::{Limits, read_one};
use std::time::Duration;
use tokio::task::spawn_blocking;
use tracing::{error, warn};

impl Watch<'_> {
    /// Assigns domains to hosts. What changes meanwhile is looked at again.
    pub(super) async fn assign(
        &mut self,
        now: Duration,
        seen: &Seen,
        due: &[Uuid],
        pending: &[(Uuid, HostName)],
    ) -> Result<(), Unwritten> {
        let Ok(view) = self.task.reader.view().await else { return Ok(()) };
        if view.heard.elapsed() > FleetView::FRESH_FOR {
            return Ok(());
        }
        // All domains of the fleet are counted.
        let Ok(hosts) = spawn_blocking(move || rooms(&view)).await else { return Ok(()) };
        let mut room =
            Room { own: self.own.host.clone(), hosts, barred: seen.barred(), pending: Vec::new() };
        for (domain, host) in pending {
            let wanted = self.wanted(*domain).await?.unwrap_or_default();
            room.pending.push((host.clone(), wanted));
        }
        let mut candidates = Vec::new();
        for domain in due {
            let Some(guarded) = seen.guarded.get(domain) else { continue };
            let before = seen.takeovers.get(domain).and_then(Option::as_ref);
            let before = before.filter(|before| before.from == guarded.by);
            candidates.push(Candidate {
                domain: *domain,
                wanted: self.wanted(*domain).await?,
                tries: seen.policy(*domain).tries,
                failed: before.map(|before| before.failed.clone()).unwrap_or_default(),
            });
        }
        for (domain, assigned) in self.task.taker.assign(now, &candidates, room) {
            let Some(guarded) = seen.guarded.get(&domain) else { continue };
            match assigned {
                Assigned::To(host) => {
                    self.write_takeover(seen, domain, guarded, Some(host), Vec::new()).await?;
                }
                Assigned::Nowhere(reasons) => {
                    self.write_takeover(seen, domain, guarded, None, reasons).await?;
                }
                Assigned::Later => {}
            }
        }
        Ok(())
    }

    /// Says which host is to start a domain, if it is still the ended host's, and nothing has come
    /// of it since it was looked at.
    async fn write_takeover(
        &self,
        seen: &Seen,
        domain: Uuid,
        Guarded { by, name }: &Guarded,
        to: Option<HostName>,
        reasons: Vec<(HostName, String)>,
    ) -> Result<(), Unwritten> {
        let Some(own) = self.seat.kv.get(&self.keys().own(domain)).await? else { return Ok(()) };
        let is_its = OwnRecord::decode(&own.value).is_ok_and(|own| own.guarded && own.by == *by);
        let key = self.keys().takeover(domain);
        let found = self.seat.kv.get(&key).await?;
        let as_seen = found.as_ref().map(|entry| takeover(&entry.value));
        if !is_its || as_seen.as_ref() != seen.takeovers.get(&domain) {
            return Ok(());
        }
        let before = found.as_ref().and_then(|entry| TakeoverRecord::decode(&entry.value).ok());
        let before = before.filter(|before| before.from().as_ref() == Some(by));
        let mut failed = before.map(|before| before.failed).unwrap_or_default();
        failed.extend(reasons.into_iter().map(|(host, reason)| FailedTry {
            host: host.to_string(),
            reason: short_text(&reason),
        }));
        let shown = name.as_ref().map_or_else(|| domain.to_string(), ToString::to_string);
        let record = TakeoverRecord {
            from: by.host.to_string(),
            epoch: by.epoch,
            name: short_text(&shown),
            to: to.as_ref().map(ToString::to_string),
            failed,
            op: self.engine.new_uuid(),
        };
        let mut compares = self.compares();
        compares.push(Compare::Modified(own.key, own.modified));
        compares.push(match found {
            Some(found) => Compare::Modified(found.key, found.modified),
            None => Compare::Absent(key.clone()),
        });
        let ops = vec![Op::put(key, record.encode())];
        if let Committed::Yes(_) = self.seat.commit(Txn { compares, ops }).await? {
            let (name, from) = (&record.name, &by.host);
            if let Some(to) = to {
                warn!(name, %domain, %from, %to, "A domain is to be started elsewhere");
            } else {
                error!(
                    name, %domain, %from,
                    "A protected domain could not be started elsewhere: see xend fleet status"
                );
            }
        }
        Ok(())
    }

    /// Removes what is left of a takeover when its domain is another host's, or nobody's.
    pub(super) async fn remove_left_over(&self, domain: Uuid) -> Result<(), Unwritten> {
        let key = self.keys().takeover(domain);
        let own_key = self.keys().own(domain);
        let own = self.seat.kv.get(&own_key).await?;
        let Some(found) = self.seat.kv.get(&key).await? else { return Ok(()) };
        let Some(record) = takeover(&found.value) else { return Ok(()) };
        let mut compares = self.compares();
        match own {
            None => compares.push(Compare::Absent(own_key)),
            Some(own) => {
                // The host that has just taken it removes this itself, or goes on with it.
                let is_anothers = OwnRecord::decode(&own.value).is_ok_and(|own| {
                    own.by != record.from && Some(&own.by.host) != record.to.as_ref()
                });
                if !is_anothers {
                    return Ok(());
                }
                compares.push(Compare::Modified(own.key, own.modified));
            }
        }
        compares.push(Compare::Modified(key.clone(), found.modified));
        let ops = vec![Op::Delete { key }];
        self.seat.commit(Txn { compares, ops }).await.map(drop)
    }

    /// What a domain needs; the inner error says why that is not known.
    async fn wanted(&mut self, domain: Uuid) -> Result<Result<Wanted, String>, KvError> {
        if let Some(wanted) = self.task.wanted.get(&domain) {
            return Ok(wanted.clone());
        }
        let wanted = match self.seat.kv.get(&self.keys().definition(domain)).await? {
            Some(entry) => wanted_of(&entry.value),
            None => Err("it has no definition in the fleet".to_owned()),
        };
        self.task.wanted.insert(domain, wanted.clone());
        Ok(wanted)
    }
}

/// What hosts have. Nothing is sent to them, so they need no port.
fn rooms(view: &FleetView) -> Vec<HostRoom> {
    let mut rooms = HostRoom::all(view);
    for room in rooms.iter_mut().filter(|room| room.standing == Standing::Closed) {
        room.standing = Standing::Ready;
    }
    rooms
}

/// What a domain with this value of `def/U` needs.
fn wanted_of(value: &[u8]) -> Result<Wanted, String> {
    let strange =
        |reason: &dyn std::fmt::Display| format!("its definition makes no sense: {reason}");
    let (_, text) = DefinitionRecord::decode(value).map_err(|reason| strange(&reason))?;
    let tree = read_one(text.as_bytes(), &Limits::STORED).map_err(|reason| strange(&reason))?;
    let config = shape::read_stored(&tree).map_err(|reason| strange(&reason))?;
    Wanted::of(&config).map_err(|reason| strange(&reason))
}
