//! What becomes of a domain when its host dies.

use super::takers::takers_in;
use super::{Attempts, Candidate, JoinError, TRIES};
use crate::core::fleet::HostName;
use crate::core::model::{DomName, Uuid};
use crate::core::ownership::Phase;
use crate::fleet::domain::{DefinitionRecord, OwnRecord};
use crate::fleet::kv::{Compare, Entry, Op, Txn};
use crate::fleet::protection_records::{PolicyRecord, TakeoverRecord};
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// How many hosts have to watch before a domain is protected: one of them may be the one that dies.
const FEWEST_TAKERS: usize = 2;
/// How often it is looked whether a domain is guarded.
const LOOKING: Duration = Duration::from_millis(500);

/// The policy of a domain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DomainPolicy {
    pub domain: Uuid,
    pub name: DomName,
    /// `None` if it is not protected.
    pub policy: Option<PolicyRecord>,
}

/// Whether a domain is guarded as its policy says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Guarding {
    /// It runs nowhere.
    Halted,
    AsWanted {
        host: HostName,
    },
    /// The host has not done it yet.
    NotYet {
        host: HostName,
    },
}

impl Candidate<'_> {
    /// All domains that have a policy, in the order of their UUIDs.
    pub async fn policies(&self) -> Result<Vec<DomainPolicy>, JoinError> {
        let attempts = Attempts::default();
        self.schema(self.found(&attempts).await?.schema)?;
        let listed = attempts.read(self.kv.list(&self.keys.policies()).await)?;
        let mut policies = Vec::new();
        for entry in listed.entries {
            let Some(domain) = self.keys.parse_policy(&entry.key) else { continue };
            let Some((_, name)) = self.defined(domain, &attempts).await? else { continue };
            policies.push(DomainPolicy { domain, name, policy: Some(policy_in(&entry)?) });
        }
        Ok(policies)
    }

    /// The policy of a domain, by its name or its UUID.
    pub async fn policy(&self, domain: &str) -> Result<DomainPolicy, JoinError> {
        let attempts = Attempts::default();
        self.schema(self.found(&attempts).await?.schema)?;
        let (uuid, _, name) = self.defined_as(domain, &attempts).await?;
        let found = attempts.read(self.kv.get(&self.keys.policy(uuid)).await)?;
        let policy = found.as_ref().map(policy_in).transpose()?;
        Ok(DomainPolicy { domain: uuid, name, policy })
    }

    /// Sets the policy of a domain that is defined in the fleet, or removes it. The host that runs
    /// the domain follows it.
    pub async fn set_policy(
        &self,
        domain: &str,
        policy: Option<PolicyRecord>,
    ) -> Result<DomainPolicy, JoinError> {
        let mut attempts = Attempts::default();
        for _ in 0..TRIES {
            let found = self.found(&attempts).await?;
            self.schema(found.schema)?;
            let own = self.member(found.own)?;
            let (uuid, definition, name) = self.defined_as(domain, &attempts).await?;
            let key = self.keys.policy(uuid);
            let found = attempts.read(self.kv.get(&key).await)?;
            let before = found.as_ref().and_then(|entry| policy_in(entry).ok());
            let done = DomainPolicy { domain: uuid, name, policy };
            if before == policy && found.is_some() == policy.is_some() {
                return Ok(done);
            }
            let mut compares = vec![
                Compare::Modified(own.key, own.modified),
                // The policy goes with the definition.
                Compare::Modified(definition.key, definition.modified),
                match found {
                    Some(found) => Compare::Modified(found.key, found.modified),
                    None => Compare::Absent(key.clone()),
                },
            ];
            if policy.is_some() {
                compares.extend(self.check_takers(&attempts).await?);
            }
            let ops = vec![match policy {
                Some(policy) => Op::put(key, policy.encode()),
                None => Op::Delete { key },
            }];
            if attempts.commit(self.kv, Txn { compares, ops }).await? {
                return Ok(done);
            }
        }
        Err(attempts.exhausted())
    }

    /// Waits for some time until a domain that runs is guarded as wanted.
    pub async fn until_guarded(
        &self,
        domain: Uuid,
        wanted: bool,
        limit: Duration,
    ) -> Result<Guarding, JoinError> {
        let deadline = Instant::now() + limit;
        loop {
            let own = self.kv.get(&self.keys.own(domain)).await.map_err(JoinError::Kv)?;
            let own = own.and_then(|entry| OwnRecord::decode(&entry.value).ok());
            let Some(own) = own else { return Ok(Guarding::Halted) };
            let host = own.by.host;
            if own.guarded == wanted && own.phase == Phase::Running {
                return Ok(Guarding::AsWanted { host });
            }
            if Instant::now() >= deadline {
                return Ok(Guarding::NotYet { host });
            }
            sleep(LOOKING).await;
        }
    }

    /// Lets the takers try again to have a domain started that they have given up.
    pub async fn retry(&self, domain: &str) -> Result<DomainPolicy, JoinError> {
        let not_stuck = || JoinError::NotStuck(domain.to_owned());
        let mut attempts = Attempts::default();
        for _ in 0..TRIES {
            let found = self.found(&attempts).await?;
            self.schema(found.schema)?;
            let own = self.member(found.own)?;
            let uuid = self.domain_called(domain, &attempts).await?.ok_or_else(not_stuck)?;
            let found = attempts.read(self.kv.get(&self.keys.takeover(uuid)).await)?;
            let record = found.as_ref().and_then(|found| TakeoverRecord::decode(&found.value).ok());
            let name = record.as_ref().map_or(domain, |record| &record.name);
            let done = DomainPolicy { domain: uuid, name: DomName::adopted(name), policy: None };
            let found = match found {
                Some(found) if record.is_none_or(|record| record.to.is_none()) => found,
                None if attempts.doubt.is_some() => return Ok(done),
                Some(_) | None => return Err(not_stuck()),
            };
            let compares = vec![
                Compare::Modified(own.key, own.modified),
                Compare::Modified(found.key.clone(), found.modified),
            ];
            let ops = vec![Op::Delete { key: found.key }];
            if attempts.commit(self.kv, Txn { compares, ops }).await? {
                return Ok(done);
            }
        }
        Err(attempts.exhausted())
    }

    /// Compares that there are enough takers.
    async fn check_takers(&self, attempts: &Attempts) -> Result<Vec<Compare>, JoinError> {
        let listed = self.list_takers(attempts).await?;
        let takers = takers_in(self.keys, &listed.entries);
        if takers.len() < FEWEST_TAKERS {
            return Err(JoinError::TooFewTakers { takers: takers.len() });
        }
        let is_taker = |entry: &&Entry| self.keys.parse_taker(&entry.key).is_some();
        let counted = listed.entries.iter().filter(is_taker).take(FEWEST_TAKERS);
        Ok(counted.map(|entry| Compare::Modified(entry.key.clone(), entry.modified)).collect())
    }

    /// A domain that is defined, by its name or its UUID, with its definition.
    async fn defined_as(
        &self,
        domain: &str,
        attempts: &Attempts,
    ) -> Result<(Uuid, Entry, DomName), JoinError> {
        let undefined = || JoinError::Undefined(domain.to_owned());
        let uuid = self.domain_called(domain, attempts).await?.ok_or_else(undefined)?;
        let (definition, name) = self.defined(uuid, attempts).await?.ok_or_else(undefined)?;
        Ok((uuid, definition, name))
    }

    /// The definition of a domain, with the name in it.
    async fn defined(
        &self,
        domain: Uuid,
        attempts: &Attempts,
    ) -> Result<Option<(Entry, DomName)>, JoinError> {
        let found = attempts.read(self.kv.get(&self.keys.definition(domain)).await)?;
        let Some(entry) = found else { return Ok(None) };
        match DefinitionRecord::decode(&entry.value) {
            Ok((defined, _)) => Ok(Some((entry, defined.name))),
            Err(_) => Err(JoinError::Unreadable { key: entry.key }),
        }
    }
}

fn policy_in(entry: &Entry) -> Result<PolicyRecord, JoinError> {
    let unreadable = |_| JoinError::Unreadable { key: entry.key.clone() };
    PolicyRecord::decode(&entry.value).map_err(unreadable)
}
