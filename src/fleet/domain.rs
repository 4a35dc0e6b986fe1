//! What etcd has of a domain, and the transaction that makes something else of it.
//!
//! ```text
//! own/U           to whom it belongs
//! def/U           its definition
//! home/H/U        that H is the home of the definition
//! orphan/U        that it has no home
//! name/NAME       that U has the name
//! policy/U        what becomes of it when its host dies; it goes with the definition
//! ```
//!
//! The three before the last follow from the first two, and are written in the same transaction: a
//! host finds its definitions without reading all of the fleet, and a name has one domain.

mod definition_record;
mod own_record;

pub(super) use definition_record::{DefinitionRecord, MAX_TEXT};
pub(super) use own_record::OwnRecord;

use super::definition_records::OrphanRecord;
use super::keys::Keys;
use super::kv::{Compare, Entry, Kv, KvError, Op, Txn};
use crate::core::fleet_domain::{FleetDomain, Refusal};
use crate::core::model::{DomName, Uuid};

/// A domain as it was read. Owner and definition are of two moments, which a transaction notices.
#[derive(Debug, Clone)]
pub(super) struct FoundDomain {
    pub(super) uuid: Uuid,
    pub(super) domain: FleetDomain,
    /// The definition's text, with its passwords sealed.
    pub(super) text: Option<String>,
    own: Option<Entry>,
    pub(super) definition: Option<Entry>,
}

/// Why a domain cannot be read or changed.
#[derive(Debug)]
pub(super) enum Trouble {
    Kv(KvError),
    /// A key has a value that this version cannot read. With the reason.
    Strange(String),
    Refused(Refusal),
}

impl From<KvError> for Trouble {
    fn from(error: KvError) -> Self {
        Self::Kv(error)
    }
}

impl FoundDomain {
    /// Reads a domain.
    pub(super) async fn read(kv: &dyn Kv, keys: &Keys, uuid: Uuid) -> Result<Self, Trouble> {
        let strange = |entry: &Entry, reason: &dyn std::fmt::Display| {
            Trouble::Strange(format!("The value of {} in etcd is strange: {reason}", entry.key))
        };
        let own = kv.get(&keys.own(uuid)).await?;
        let definition = kv.get(&keys.definition(uuid)).await?;
        let mut found = Self { uuid, domain: FleetDomain::default(), text: None, own, definition };
        if let Some(entry) = &found.own {
            let read = OwnRecord::decode(&entry.value);
            found.domain.own = Some(read.map_err(|reason| strange(entry, &reason))?);
        }
        if let Some(entry) = &found.definition {
            let read = DefinitionRecord::decode(&entry.value);
            let (defined, text) = read.map_err(|reason| strange(entry, &reason))?;
            found.domain.defined = Some(defined);
            found.text = Some(text);
        }
        Ok(found)
    }

    /// The transaction that makes `after` of the domain. `text` is the definition's; `None` leaves
    /// what is there.
    pub(super) async fn txn(
        &self,
        kv: &dyn Kv,
        keys: &Keys,
        after: &FleetDomain,
        text: Option<&str>,
    ) -> Result<Txn, Trouble> {
        let mut txn = Txn::default();
        let own = keys.own(self.uuid);
        let definition = keys.definition(self.uuid);
        txn.compares.push(unchanged(&own, self.own.as_ref()));
        txn.compares.push(unchanged(&definition, self.definition.as_ref()));
        if after.own != self.domain.own {
            txn.ops.push(match &after.own {
                Some(own_after) => Op::put(own, OwnRecord::encode(own_after)),
                None => Op::Delete { key: own },
            });
        }
        if after.defined != self.domain.defined {
            let text = text.or(self.text.as_deref()).unwrap_or_default();
            txn.ops.push(match &after.defined {
                Some(defined) => Op::put(definition, DefinitionRecord::encode(defined, text)),
                None => Op::Delete { key: definition },
            });
            if after.defined.is_none() {
                txn.ops.push(Op::Delete { key: keys.policy(self.uuid) });
            }
            self.add_home(keys, after, &mut txn);
        }
        self.add_names(kv, keys, after, &mut txn).await?;
        Ok(txn)
    }

    fn add_home(&self, keys: &Keys, after: &FleetDomain, txn: &mut Txn) {
        let key = |domain: &FleetDomain| {
            let defined = domain.defined.as_ref()?;
            Some(match &defined.home {
                Some(home) => keys.home(home, self.uuid),
                None => keys.orphan(self.uuid),
            })
        };
        let (old, new) = (key(&self.domain), key(after));
        if let Some(old) = old.filter(|old| Some(old) != new.as_ref()) {
            txn.ops.push(Op::Delete { key: old });
        }
        if let (Some(new), Some(defined)) = (new, &after.defined) {
            let value = match &defined.home {
                Some(_) => defined.op.hyphenated().to_string().into_bytes(),
                None => OrphanRecord::new(&defined.name, self.domain.host()).encode(),
            };
            txn.ops.push(Op::put(new, value));
        }
    }

    async fn add_names(
        &self,
        kv: &dyn Kv,
        keys: &Keys,
        after: &FleetDomain,
        txn: &mut Txn,
    ) -> Result<(), Trouble> {
        let (old, new) = (self.domain.names(), after.names());
        for name in new.difference(&old) {
            self.take_name(kv, keys, name, txn).await?;
        }
        for name in old.difference(&new) {
            let entry = kv.get(&keys.name(name)).await?;
            if let Some(entry) = entry.filter(|entry| entry.uuid() == Some(self.uuid)) {
                txn.compares.push(Compare::Modified(entry.key.clone(), entry.modified));
                txn.ops.push(Op::Delete { key: entry.key });
            }
        }
        Ok(())
    }

    /// Takes a name, unless another domain has it. What a domain left behind that has it no more is
    /// free.
    async fn take_name(
        &self,
        kv: &dyn Kv,
        keys: &Keys,
        name: &DomName,
        txn: &mut Txn,
    ) -> Result<(), Trouble> {
        let key = keys.name(name);
        let entry = kv.get(&key).await?;
        txn.compares.push(unchanged(&key, entry.as_ref()));
        match entry.as_ref().and_then(Entry::uuid) {
            Some(by) if by == self.uuid => return Ok(()),
            Some(by) => {
                let other = Box::pin(Self::read(kv, keys, by)).await?;
                if other.domain.names().contains(name) {
                    let host = other.domain.host().cloned();
                    let name = name.clone();
                    return Err(Trouble::Refused(Refusal::NameTaken { name, by, host }));
                }
                txn.compares.push(unchanged(&keys.own(by), other.own.as_ref()));
                txn.compares.push(unchanged(&keys.definition(by), other.definition.as_ref()));
            }
            None => {}
        }
        txn.ops.push(Op::put(key, self.uuid.hyphenated().to_string().into_bytes()));
        Ok(())
    }
}

fn unchanged(key: &str, entry: Option<&Entry>) -> Compare {
    match entry {
        Some(entry) => Compare::Modified(key.to_owned(), entry.modified),
        None => Compare::Absent(key.to_owned()),
    }
}
