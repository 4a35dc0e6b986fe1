//! Taking a definition that has no host any more.

use super::{Attempts, Candidate, JoinError, TRIES};
use crate::core::fleet_domain::{Act, DefinitionStep, Refusal};
use crate::core::model::{DomName, Uuid, parse_uuid};
use crate::core::ownership::Boot;
use crate::core::ports::Entropy;
use crate::fleet::domain::Trouble;
use crate::fleet::kv::Compare;
use crate::fleet::records::HostRecord;

/// A definition that this host has now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Adopted {
    pub domain: Uuid,
    pub name: DomName,
}

impl Candidate<'_> {
    /// Takes a definition that has no host. `domain` is its name or its UUID. The daemon of this
    /// host shows it as soon as it sees that.
    pub async fn adopt(&self, domain: &str, entropy: &dyn Entropy) -> Result<Adopted, JoinError> {
        let unknown = || JoinError::NoSuchDefinition(domain.to_owned());
        let op = entropy.uuid();
        let mut attempts = Attempts::default();
        for _ in 0..TRIES {
            let found = self.found(&attempts).await?;
            self.schema(found.schema)?;
            let own = self.member(found.own)?;
            let epoch = HostRecord::decode(&own.value).map_or(0, |record| record.epoch);
            let uuid = self.domain_called(domain, &attempts).await?.ok_or_else(unknown)?;
            let found = self.read_domain(uuid, &attempts).await?;
            let name = found.domain.defined.as_ref().map(|defined| defined.name.clone());
            let adopted = Adopted { domain: uuid, name: name.ok_or_else(unknown)? };
            if found.domain.is_of(op) {
                return Ok(adopted);
            }
            let by = Boot { host: self.host.clone(), epoch };
            let act = Act::definition(DefinitionStep::Adopt);
            let after = found.domain.after(&act, &by, op, false);
            let after = after.map_err(|refusal| self.refused(domain, refusal))?;
            let txn = found.txn(self.kv, self.keys, &after, None).await;
            let mut txn = match txn {
                Ok(txn) => txn,
                Err(Trouble::Kv(error)) => return attempts.read(Err(error)),
                Err(Trouble::Refused(refusal)) => return Err(self.refused(domain, refusal)),
                Err(Trouble::Strange(_)) => {
                    return Err(JoinError::Unreadable { key: self.keys.definition(uuid) });
                }
            };
            txn.compares.push(Compare::Modified(own.key, own.modified));
            if attempts.commit(self.kv, txn).await? {
                return Ok(adopted);
            }
        }
        Err(attempts.exhausted())
    }

    fn refused(&self, domain: &str, refusal: Refusal) -> JoinError {
        let domain = domain.to_owned();
        match refusal {
            Refusal::NotOurs(not_ours) => {
                let host = not_ours.owner.unwrap_or_else(|| self.host.clone());
                JoinError::Runs { domain, host }
            }
            Refusal::DefinedAt { home: Some(host), .. } => JoinError::HasHome { domain, host },
            Refusal::DefinedAt { home: None, .. }
            | Refusal::NameTaken { .. }
            | Refusal::Undefined => JoinError::NoSuchDefinition(domain),
        }
    }

    pub(super) async fn domain_called(
        &self,
        domain: &str,
        attempts: &Attempts,
    ) -> Result<Option<Uuid>, JoinError> {
        if let Ok(uuid) = parse_uuid(domain) {
            return Ok(Some(uuid));
        }
        let key = self.keys.name(&DomName::adopted(domain));
        let entry = attempts.read(self.kv.get(&key).await)?;
        Ok(entry.and_then(|entry| entry.uuid()))
    }
}
