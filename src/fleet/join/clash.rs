//! Domains of a host that joins whose name or UUID the fleet has already.

use super::{Attempts, Candidate, JoinError};
use crate::core::model::{DomName, Uuid};
use crate::fleet::domain::{FoundDomain, Trouble};

/// The most clashes that are told one by one.
const MAX_TOLD: usize = 20;

impl Candidate<'_> {
    /// Fails if a domain that is defined here clashes with one of the fleet.
    pub(super) async fn check_clashes(
        &self,
        defined: &[(Uuid, DomName)],
        attempts: &Attempts,
    ) -> Result<(), JoinError> {
        let mut clashes = Vec::new();
        let mut more = 0;
        for (domain, name) in defined {
            let Some(clash) = self.clash(*domain, name, attempts).await? else { continue };
            if clashes.len() < MAX_TOLD { clashes.push(clash) } else { more += 1 }
        }
        if more > 0 {
            clashes.push(format!("and {more} more"));
        }
        if clashes.is_empty() { Ok(()) } else { Err(JoinError::Clashes(clashes)) }
    }

    /// How a domain clashes with one of another host, in words.
    async fn clash(
        &self,
        domain: Uuid,
        name: &DomName,
        attempts: &Attempts,
    ) -> Result<Option<String>, JoinError> {
        let there = self.read_domain(domain, attempts).await?.domain;
        if let Some(host) = there.host().filter(|host| *host != self.host) {
            return Ok(Some(format!("{name} ({domain}): {host} has a domain of this UUID")));
        }
        let named = attempts.read(self.kv.get(&self.keys.name(name)).await)?;
        let other = named.and_then(|entry| entry.uuid());
        let Some(other) = other.filter(|other| *other != domain) else { return Ok(None) };
        let there = self.read_domain(other, attempts).await?.domain;
        if !there.names().contains(name) {
            return Ok(None);
        }
        let host = there.host().map_or("no host".to_owned(), ToString::to_string);
        Ok(Some(format!("{name} ({domain}): a domain of this name is on {host} ({other})")))
    }

    pub(super) async fn read_domain(
        &self,
        domain: Uuid,
        attempts: &Attempts,
    ) -> Result<FoundDomain, JoinError> {
        match FoundDomain::read(self.kv, self.keys, domain).await {
            Ok(found) => Ok(found),
            Err(Trouble::Kv(error)) => attempts.read(Err(error)),
            Err(Trouble::Strange(_) | Trouble::Refused(_)) => {
                Err(JoinError::Unreadable { key: self.keys.definition(domain) })
            }
        }
    }
}
