//! Forgetting a host that is gone for good, and so cannot leave.

use super::{Attempts, Candidate, JoinError, Left, TRIES, belongs_to};
use crate::core::fleet::HostName;
use crate::core::fleet_domain::FleetDomain;
use crate::core::model::Uuid;
use crate::fleet::kv::{Committed, Compare, Entry, KvError, Op, Revision, Txn};
use crate::fleet::records::{ForgottenRecord, HostRecord};
use std::time::SystemTime;

/// A host that does not renew its lease, as it was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SilentHost {
    pub name: HostName,
    /// The number of its domains, as it has written them.
    pub domains: usize,
    /// The number of its definitions, which stay in the fleet.
    pub definitions: usize,
    /// `None` if it was forgotten before, and not all of its domains.
    pub(super) record: Option<Found>,
}

/// The record of a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) revision: Revision,
    /// `None` if this version cannot read the record.
    uuid: Option<Uuid>,
    /// 0 if the host has not run yet, or this version cannot read the record.
    pub(super) epoch: u64,
}

impl Candidate<'_> {
    /// Finds a host to forget. One that is alive, and the one that asks, can leave.
    pub async fn silent_host(&self, name: &HostName) -> Result<SilentHost, JoinError> {
        let attempts = Attempts::default();
        let found = self.found(&attempts).await?;
        self.schema(found.schema)?;
        let record = self.record_of(name, &attempts).await?;
        self.check_silent(name, &attempts).await?;
        let views = self.kv.list(&self.keys.views_of(name)).await.map_err(JoinError::Kv)?;
        let owned = self.kv.list(&self.keys.owns()).await.map_err(JoinError::Kv)?;
        let owned = owned.entries.iter().filter(|entry| belongs_to(entry, name)).count();
        // Those that run have both.
        let domains = views.entries.len().max(owned);
        let homes = self.kv.list(&self.keys.homes_of(name)).await.map_err(JoinError::Kv)?;
        let definitions = homes.entries.len();
        if record.is_none() && domains == 0 && definitions == 0 {
            return Err(JoinError::NoSuchHost(name.clone()));
        }
        Ok(SilentHost { name: name.clone(), domains, definitions, record })
    }

    /// Removes the keys of a host that is what it was when it was found. If it was the last one,
    /// the fleet goes with it.
    ///
    /// Its record goes first, which ends all that the host can write. Its domains follow in pieces.
    pub async fn forget(&self, host: &SilentHost, now: SystemTime) -> Result<Left, JoinError> {
        let left = match host.record {
            Some(found) => self.remove_record(&host.name, found, now).await?,
            None => Left::Fleet,
        };
        let left_over = |error| JoinError::LeftOver { host: host.name.clone(), error };
        let gone = Compare::Absent(self.keys.host(&host.name));
        self.give_up(&host.name, &gone, |_| true).await.map_err(left_over)?;
        self.remove_clashes(&host.name).await.map_err(left_over)?;
        self.remove_views(&host.name, &gone).await.map_err(left_over)?;
        Ok(left)
    }

    async fn remove_record(
        &self,
        name: &HostName,
        was: Found,
        now: SystemTime,
    ) -> Result<Left, JoinError> {
        let mut attempts = Attempts::default();
        let mut left = Left::Fleet;
        let key = self.keys.host(name);
        for _ in 0..TRIES {
            match self.record_of(name, &attempts).await? {
                None if attempts.doubt.is_some() => return Ok(left),
                None => return Err(JoinError::NoSuchHost(name.clone())),
                Some(found) if found != was => return Err(JoinError::NotSilent(name.clone())),
                Some(_) => self.check_silent(name, &attempts).await?,
            }
            let schema = self.schema(self.found(&attempts).await?.schema)?;
            let compares = vec![
                Compare::Modified(schema.key.clone(), schema.modified),
                Compare::Modified(key.clone(), was.revision),
                Compare::Absent(self.keys.alive(name)),
            ];
            let mut ops = vec![Op::Delete { key: key.clone() }];
            if self.is_last(&key, &attempts).await? {
                left = Left::LastOfFleet;
                ops.extend(self.end_of_fleet());
            } else {
                left = Left::Fleet;
                ops.push(self.put_schema(schema.value));
                ops.extend(self.end_of_duties(name));
                if let Some(uuid) = was.uuid {
                    let record = ForgottenRecord::new(uuid, self.host, now);
                    ops.push(Op::put(self.keys.forgotten(name), record.encode()));
                }
            }
            if attempts.commit(self.kv, Txn { compares, ops }).await? {
                return Ok(left);
            }
        }
        Err(attempts.exhausted())
    }

    /// Lets others have the domains of a host that are `wanted`, and its definitions, as long as
    /// this condition holds. A domain that another host has received meanwhile is not its own any
    /// more.
    pub(super) async fn give_up(
        &self,
        name: &HostName,
        condition: &Compare,
        wanted: impl Fn(&FleetDomain) -> bool,
    ) -> Result<(), KvError> {
        let owned = self.kv.list(&self.keys.owns()).await?;
        for entry in owned.entries.into_iter().filter(|entry| belongs_to(entry, name)) {
            let Some(domain) = self.keys.parse_own(&entry.key) else { continue };
            let is_its = |domain: &FleetDomain| {
                domain.own.as_ref().is_some_and(|own| own.by.host == *name) && wanted(domain)
            };
            let halt = |domain: &mut FleetDomain| domain.own = None;
            self.change_domain(condition, domain, is_its, halt).await?;
        }
        let orphan = |domain: &mut FleetDomain| {
            if let Some(defined) = &mut domain.defined {
                defined.home = None;
            }
        };
        self.change_definitions(name, condition, wanted, orphan).await
    }

    /// Removes what a host has written of its domains, as long as this condition holds.
    pub(super) async fn remove_views(
        &self,
        name: &HostName,
        condition: &Compare,
    ) -> Result<(), KvError> {
        let prefix = self.keys.views_of(name);
        let views = self.kv.list(&prefix).await?;
        let delete = |entry: &Entry| Op::Delete { key: entry.key.clone() };
        let pieces = views.entries.chunks(Txn::MAX_OPS);
        let mut pieces: Vec<Vec<Op>> =
            pieces.map(|some| some.iter().map(delete).collect()).collect();
        // Keys that are no text are none of those that were listed.
        pieces.push(vec![Op::DeleteBelow { prefix }]);
        for ops in pieces {
            let compares = vec![condition.clone()];
            match self.kv.commit(Txn { compares, ops }).await? {
                Committed::Yes(_) => {}
                Committed::No => return Ok(()),
            }
        }
        Ok(())
    }

    /// The record of a host that is not the one that asks.
    pub(super) async fn record_of(
        &self,
        name: &HostName,
        attempts: &Attempts,
    ) -> Result<Option<Found>, JoinError> {
        let Some(entry) = attempts.read(self.kv.get(&self.keys.host(name)).await)? else {
            return Ok(None);
        };
        let record = HostRecord::decode(&entry.value).ok();
        let uuid = record.as_ref().map(|record| record.uuid);
        let epoch = record.map_or(0, |record| record.epoch);
        // A machine that was installed anew has another UUID, and may forget what it was.
        if name == self.host && uuid.is_none_or(|uuid| uuid == self.uuid) {
            return Err(JoinError::ThisHost(name.clone()));
        }
        Ok(Some(Found { revision: entry.modified, uuid, epoch }))
    }

    pub(super) async fn check_silent(
        &self,
        name: &HostName,
        attempts: &Attempts,
    ) -> Result<(), JoinError> {
        match attempts.read(self.kv.get(&self.keys.alive(name)).await)? {
            Some(_) => Err(JoinError::NotSilent(name.clone())),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests;
