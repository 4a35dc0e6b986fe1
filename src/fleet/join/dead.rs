//! A person says that a silent host is dead: none of its domains runs.

use super::forget::{Found, SilentHost};
use super::{Attempts, Candidate, JoinError, TRIES};
use crate::core::fleet::HostName;
use crate::core::fleet_domain::FleetDomain;
use crate::core::ports::Entropy;
use crate::fleet::domain::OwnRecord;
use crate::fleet::kv::{Compare, Op, Txn};
use crate::fleet::protection_records::{FenceRecord, FenceStep};
use std::collections::BTreeSet;
use std::time::SystemTime;

/// The most epochs of a transaction, each of which has a comparison and two operations.
const MAX_EPOCHS: usize = 30;

/// A host that counts as dead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConfirmedDead {
    /// The number of its guarded domains, which takers have started elsewhere.
    pub guarded: usize,
    /// The number of its definitions that wait for another host.
    pub definitions: usize,
}

impl Candidate<'_> {
    /// Fences all boots of a host that is what it was when it was found, and lets others have its
    /// domains, but for the guarded ones, which are the takers'. It stays a member.
    pub async fn confirm_dead(
        &self,
        host: &SilentHost,
        now: SystemTime,
        entropy: &dyn Entropy,
    ) -> Result<ConfirmedDead, JoinError> {
        let name = &host.name;
        let was = host.record.ok_or_else(|| JoinError::NoSuchHost(name.clone()))?;
        let fence = || FenceRecord::new(self.host, FenceStep::Confirmed, now, entropy.uuid());
        self.confirm_fences(name, was, fence).await?;
        // A boot of the host changes its record.
        let same_boot = Compare::Modified(self.keys.host(name), was.revision);
        let is_left = |domain: &FleetDomain| !is_guarded_by(domain, name);
        let half_dead = |error| JoinError::HalfDead { host: name.clone(), error };
        self.give_up(name, &same_boot, is_left).await.map_err(half_dead)?;
        self.remove_views(name, &same_boot).await.map_err(half_dead)?;
        let attempts = Attempts::default();
        if self.record_of(name, &attempts).await? != Some(was) {
            return Err(JoinError::NotSilent(name.clone()));
        }
        let (guarded, _) = self.owned_by(name, &attempts).await?;
        let homes = attempts.read(self.kv.list(&self.keys.homes_of(name)).await)?.entries.len();
        let definitions = host.definitions.saturating_sub(homes);
        Ok(ConfirmedDead { guarded, definitions })
    }

    /// Fences the boots of a host that have domains, and its last one.
    async fn confirm_fences(
        &self,
        name: &HostName,
        was: Found,
        fence: impl Fn() -> FenceRecord,
    ) -> Result<(), JoinError> {
        let mut attempts = Attempts::default();
        let mut left = TRIES;
        loop {
            let found = self.found(&attempts).await?;
            let own = self.member(found.own)?;
            match self.record_of(name, &attempts).await? {
                Some(found) if found == was => self.check_silent(name, &attempts).await?,
                Some(_) => return Err(JoinError::NotSilent(name.clone())),
                None => return Err(JoinError::NoSuchHost(name.clone())),
            }
            let (_, mut epochs) = self.owned_by(name, &attempts).await?;
            epochs.extend((was.epoch > 0).then_some(was.epoch));
            let mut txn = Txn {
                compares: vec![
                    Compare::Modified(own.key, own.modified),
                    Compare::Modified(self.keys.host(name), was.revision),
                    Compare::Absent(self.keys.alive(name)),
                ],
                ops: Vec::new(),
            };
            let mut open = 0;
            for epoch in epochs {
                let key = self.keys.fence(name, epoch);
                let before = attempts.read(self.kv.get(&key).await)?;
                let step = before.as_ref().and_then(|entry| FenceRecord::decode(&entry.value).ok());
                if step.is_some_and(|fence| fence.step == FenceStep::Confirmed) {
                    continue;
                }
                open += 1;
                if open <= MAX_EPOCHS {
                    txn.compares.push(match before {
                        Some(before) => Compare::Modified(before.key, before.modified),
                        None => Compare::Absent(key.clone()),
                    });
                    txn.ops.push(Op::put(key, fence().encode()));
                    txn.ops.push(Op::Delete { key: self.keys.away(name, epoch) });
                }
            }
            if open == 0 {
                return Ok(());
            }
            // What was carried out is found so.
            if !attempts.commit(self.kv, txn).await? {
                left -= 1;
                if left == 0 {
                    return Err(attempts.exhausted());
                }
            }
        }
    }

    /// The number of guarded domains of a host, and the epochs in which it owns some.
    async fn owned_by(
        &self,
        name: &HostName,
        attempts: &Attempts,
    ) -> Result<(usize, BTreeSet<u64>), JoinError> {
        let owned = attempts.read(self.kv.list(&self.keys.owns()).await)?;
        let read = owned.entries.iter().filter_map(|entry| OwnRecord::decode(&entry.value).ok());
        let its: Vec<_> = read.filter(|own| own.by.host == *name).collect();
        let guarded = its.iter().filter(|own| own.guarded).count();
        Ok((guarded, its.iter().map(|own| own.by.epoch).collect()))
    }
}

fn is_guarded_by(domain: &FleetDomain, host: &HostName) -> bool {
    domain.own.as_ref().is_some_and(|own| own.guarded && own.by.host == *host)
}
