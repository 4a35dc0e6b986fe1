//! Raising the schema of a fleet when all of its hosts speak another one.

use super::{Attempts, Candidate, JoinError, TRIES};
use crate::core::fleet::HostName;
use crate::fleet::keys::HostKey;
use crate::fleet::kv::{Compare, Entry, Txn};
use crate::fleet::records::{HostRecord, SCHEMAS, SchemaRecord, Schemas};

/// What came of an upgrade.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upgrade {
    pub from: u32,
    /// The same if nothing was raised.
    pub to: u32,
    /// The hosts that keep it from being higher, sorted: they have an older xend, or have not run.
    pub held_by: Vec<HostName>,
}

impl Candidate<'_> {
    /// Raises the schema to the highest that all hosts speak, this one among them.
    pub async fn upgrade(&self) -> Result<Upgrade, JoinError> {
        self.upgrade_to(SCHEMAS).await
    }

    pub(super) async fn upgrade_to(&self, own: Schemas) -> Result<Upgrade, JoinError> {
        let mut attempts = Attempts::default();
        let mut first = None;
        for _ in 0..TRIES {
            let found = self.found(&attempts).await?;
            let found_schema = self.schema_of(found.schema)?;
            self.member(found.own)?;
            let hosts = attempts.read(self.kv.list(&self.keys.hosts()).await)?;
            let (entry, schema) = found_schema;
            let hosts_speak = hosts.entries.iter().filter_map(|entry| self.schemas_in(entry));
            let mut upgrade = judge(own, schema, hosts_speak.collect());
            // What an earlier try has raised.
            upgrade.from = *first.get_or_insert(schema);
            if upgrade.to == schema {
                return Ok(upgrade);
            }
            let compares = vec![
                Compare::Modified(entry.key, entry.modified),
                Compare::NoneNewerBelow(self.keys.hosts(), hosts.revision),
            ];
            let value = SchemaRecord { schema: upgrade.to }.encode();
            let txn = Txn { compares, ops: vec![self.put_schema(value)] };
            if attempts.commit(self.kv, txn).await? {
                return Ok(upgrade);
            }
        }
        Err(attempts.exhausted())
    }

    /// The schema of the fleet, whatever this version speaks.
    fn schema_of(&self, schema: Option<Entry>) -> Result<(Entry, u32), JoinError> {
        let entry = schema.ok_or_else(|| JoinError::NoFleet(self.keys.cluster().to_string()))?;
        match SchemaRecord::decode(&entry.value) {
            Ok(record) => Ok((entry, record.schema)),
            Err(_) => Err(JoinError::Unreadable { key: entry.key }),
        }
    }

    /// A host with what it speaks, if it says so.
    fn schemas_in(&self, entry: &Entry) -> Option<(HostName, Option<Schemas>)> {
        let Some(HostKey::Host(name)) = self.keys.parse(&entry.key) else { return None };
        Some((name, HostRecord::decode(&entry.value).ok().and_then(|record| record.facts.schemas)))
    }
}

/// To which schema a fleet can be raised.
fn judge(own: Schemas, schema: u32, hosts: Vec<(HostName, Option<Schemas>)>) -> Upgrade {
    let most = |speaks: &Option<Schemas>| speaks.map_or(schema, |speaks| speaks.max);
    let all = hosts.iter().map(|(_, speaks)| most(speaks)).min().unwrap_or(schema).min(own.max);
    let to = all.max(schema);
    let holds = |(_, speaks): &(HostName, Option<Schemas>)| most(speaks) <= to && to < own.max;
    let held_by = hosts.into_iter().filter(holds).map(|(name, _)| name).collect();
    Upgrade { from: schema, to, held_by }
}
