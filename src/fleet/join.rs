//! Making, joining and leaving a fleet, and forgetting a host that cannot leave.
//!
//! Each is one transaction, and each writes `schema` again: its revision is that of the set of
//! members, so that of two changes at a time one is done again with what the other has left.
//! Whoever does not know whether a transaction was carried out reads, and finds it done or does it
//! again.

mod adopt;
mod clash;
mod dead;
mod error;
mod forget;
mod key;
mod leave;
mod policy;
mod takers;
mod upgrade;

pub use adopt::Adopted;
pub use dead::ConfirmedDead;
pub use error::JoinError;
pub use forget::SilentHost;
pub use policy::{DomainPolicy, Guarding};
pub use upgrade::Upgrade;

use super::domain::OwnRecord;
use super::key_file::KeyFile;
use super::keys::{Keys, TokenDigest};
use super::kv::{Committed, Compare, Entry, Kv, KvError, Op, Txn};
use super::records::{HostRecord, SCHEMAS, SchemaRecord};
use crate::core::fingerprint::Fingerprint;
use crate::core::fleet::HostName;
use crate::core::model::{DomName, Uuid};
use crate::core::ports::Entropy;
use base64ct::{Base64UrlUnpadded, Encoding as _};
use std::time::{Duration, SystemTime};

/// How often a change is tried that others get in the way of.
const TRIES: usize = 5;

/// The random bytes of a token.
const TOKEN_BYTES: usize = 32;

/// What came of joining.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Joined {
    Now,
    /// The host was a member before.
    Before,
}

/// What came of leaving.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Left {
    /// Others are in the fleet.
    Fleet,
    /// There is no fleet any more.
    LastOfFleet,
}

/// A host that makes, joins or leaves a fleet.
pub struct Candidate<'a> {
    pub kv: &'a dyn Kv,
    pub keys: &'a Keys,
    pub host: &'a HostName,
    /// The host's own UUID.
    pub uuid: Uuid,
    /// The certificate that it shows to other hosts; `None` without one.
    pub certificate: Option<Fingerprint>,
    /// The file of the fleet's key on this host.
    pub key_file: &'a KeyFile,
}

/// What a transaction is made from.
struct Found {
    /// `schema`
    schema: Option<Entry>,
    /// `host/H` of this host.
    own: Option<Entry>,
}

/// A change under way: what is known of its transactions so far.
#[derive(Default)]
struct Attempts {
    /// Why it is not known whether the last one was carried out.
    doubt: Option<String>,
}

impl Attempts {
    /// An answer to a read, before which a transaction may have been carried out.
    fn read<T>(&self, answer: Result<T, KvError>) -> Result<T, JoinError> {
        answer.map_err(|error| match &self.doubt {
            Some(_) => JoinError::InDoubt(error.to_string()),
            None => JoinError::Kv(error),
        })
    }

    /// Tells whether a transaction was certainly carried out. If not, what there is tells more.
    async fn commit(&mut self, kv: &dyn Kv, txn: Txn) -> Result<bool, JoinError> {
        match kv.commit(txn).await {
            Ok(Committed::Yes(_)) => Ok(true),
            Ok(Committed::No) => Ok(false),
            Err(KvError::InDoubt(reason)) => {
                self.doubt = Some(reason);
                Ok(false)
            }
            Err(error) => self.read(Err(error)),
        }
    }

    fn exhausted(self) -> JoinError {
        self.doubt.map_or(JoinError::Busy, JoinError::InDoubt)
    }
}

impl Candidate<'_> {
    /// Makes the fleet, with this host as its first member.
    pub async fn init(&self, now: SystemTime, entropy: &dyn Entropy) -> Result<(), JoinError> {
        let own = self.joining(now).encode();
        let mut attempts = Attempts::default();
        for _ in 0..TRIES {
            let found = self.found(&attempts).await?;
            if found.schema.is_some() {
                // Only a transaction of this host writes this value.
                let is_own = found.own.is_some_and(|entry| entry.value == own);
                let is_ours = attempts.doubt.is_some() && is_own;
                let exists = || JoinError::Exists(self.keys.cluster().to_string());
                return if is_ours { Ok(()) } else { Err(exists()) };
            }
            let key = self.own_key(entropy).await?;
            let txn = Txn {
                compares: vec![Compare::Absent(self.keys.schema())],
                ops: vec![
                    self.put_schema(SchemaRecord { schema: SCHEMAS.max }.encode()),
                    Op::put(self.keys.key(), key.id().into_bytes()),
                    Op::put(self.keys.host(self.host), own.clone()),
                ],
            };
            if attempts.commit(self.kv, txn).await? {
                return Ok(());
            }
        }
        Err(attempts.exhausted())
    }

    /// A new token, by which one host may join within the time. It is in etcd by its digest alone,
    /// with the fleet's key, which it opens.
    pub async fn token(&self, valid: Duration, entropy: &dyn Entropy) -> Result<String, JoinError> {
        let mut bytes = [0; TOKEN_BYTES];
        entropy.fill(&mut bytes);
        // On a command line, what begins with a hyphen is an option.
        bytes[0] &= 0x7f;
        let token = Base64UrlUnpadded::encode_string(&bytes);
        let key = self.keys.token(&TokenDigest::of(&token));
        let lease = self.kv.grant(valid).await.map_err(JoinError::Kv)?;
        let mut attempts = Attempts::default();
        for _ in 0..TRIES {
            let found = self.found(&attempts).await?;
            let schema = self.schema(found.schema)?;
            self.member(found.own)?;
            if attempts.read(self.kv.get(&key).await)?.is_some() {
                return Ok(token);
            }
            let mut txn =
                Txn { compares: vec![Compare::Modified(schema.key, schema.modified)], ops: vec![] };
            let fleet_key = self.key_for_token(entropy, &attempts, &mut txn).await?;
            let value = self.token_record(&token, &fleet_key, entropy)?;
            txn.ops.push(Op::Put { key: key.clone(), value, lease: Some(lease) });
            if attempts.commit(self.kv, txn).await? {
                return Ok(token);
            }
        }
        Err(attempts.exhausted())
    }

    /// Joins the fleet, and uses up the token. `defined` are the domains that are defined here.
    pub async fn join(
        &self,
        token: &str,
        defined: &[(Uuid, DomName)],
        now: SystemTime,
    ) -> Result<Joined, JoinError> {
        let text = token.trim();
        let token = self.keys.token(&TokenDigest::of(text));
        let mut own = Vec::new();
        let mut attempts = Attempts::default();
        for _ in 0..TRIES {
            let found = self.found(&attempts).await?;
            let schema = self.schema(found.schema)?;
            if let Some(entry) = found.own {
                let is_new = attempts.doubt.is_some() && entry.value == own;
                self.member(Some(entry))?;
                return Ok(if is_new { Joined::Now } else { Joined::Before });
            }
            self.check_uuid(&attempts).await?;
            let token = attempts.read(self.kv.get(&token).await)?.ok_or(JoinError::BadToken)?;
            self.check_clashes(defined, &attempts).await?;
            self.keep_key(text, &token, &attempts).await?;
            let epoch = self.last_epoch(&attempts).await?;
            own = HostRecord { epoch, ..self.joining(now) }.encode();
            let host = self.keys.host(self.host);
            let txn = Txn {
                compares: vec![
                    Compare::Modified(token.key.clone(), token.modified),
                    Compare::Modified(schema.key, schema.modified),
                    Compare::Absent(host.clone()),
                ],
                ops: vec![
                    Op::Delete { key: token.key },
                    Op::Delete { key: self.keys.forgotten(self.host) },
                    self.put_schema(schema.value),
                    Op::put(host, own.clone()),
                ],
            };
            if attempts.commit(self.kv, txn).await? {
                return Ok(Joined::Now);
            }
        }
        Err(attempts.exhausted())
    }

    /// The record of the host when it joins.
    fn joining(&self, now: SystemTime) -> HostRecord {
        let mut record = HostRecord::joining(self.uuid, now);
        record.facts.fingerprint = self.certificate.map(|fingerprint| fingerprint.to_string());
        record
    }

    /// The last epoch that an earlier membership of a host of this name may have left something
    /// about. No fence of it is one of this membership. While the host is no member, no taker
    /// writes any.
    async fn last_epoch(&self, attempts: &Attempts) -> Result<u64, JoinError> {
        let fences = attempts.read(self.kv.list(&self.keys.fences_of(self.host)).await)?.entries;
        let aways = attempts.read(self.kv.list(&self.keys.aways_of(self.host)).await)?.entries;
        let fences = fences.iter().filter_map(|entry| self.keys.parse_fence(&entry.key));
        let aways = aways.iter().filter_map(|entry| self.keys.parse_away(&entry.key));
        Ok(fences.chain(aways).map(|(_, epoch)| epoch).max().unwrap_or(0))
    }

    async fn found(&self, attempts: &Attempts) -> Result<Found, JoinError> {
        let schema = attempts.read(self.kv.get(&self.keys.schema()).await)?;
        let own = attempts.read(self.kv.get(&self.keys.host(self.host)).await)?;
        Ok(Found { schema, own })
    }

    /// The schema of a fleet that there is, and that this version speaks.
    fn schema(&self, schema: Option<Entry>) -> Result<Entry, JoinError> {
        let no_fleet = || JoinError::NoFleet(self.keys.cluster().to_string());
        let schema = schema.ok_or_else(no_fleet)?;
        match SchemaRecord::decode(&schema.value) {
            Ok(record) if SCHEMAS.contains(record.schema) => Ok(schema),
            Ok(record) => Err(JoinError::Schema { needs: record.schema }),
            Err(_) => Err(JoinError::Unreadable { key: schema.key }),
        }
    }

    /// The record of this host, which is there and is no other host's.
    fn member(&self, own: Option<Entry>) -> Result<Entry, JoinError> {
        let own = own.ok_or_else(|| JoinError::NoMember(self.host.clone()))?;
        match HostRecord::decode(&own.value) {
            Ok(record) if record.uuid == self.uuid => Ok(own),
            Ok(record) => Err(JoinError::NameTaken { host: self.host.clone(), uuid: record.uuid }),
            Err(_) => Err(JoinError::Unreadable { key: own.key }),
        }
    }

    /// Fails if a host of another name has this host's UUID.
    async fn check_uuid(&self, attempts: &Attempts) -> Result<(), JoinError> {
        let prefix = self.keys.hosts();
        let hosts = attempts.read(self.kv.list(&prefix).await)?;
        let namesake = hosts.entries.iter().find_map(|entry| {
            let record = HostRecord::decode(&entry.value).ok()?;
            let name = entry.key.strip_prefix(&prefix)?.parse().ok()?;
            (record.uuid == self.uuid).then_some(name)
        });
        match namesake {
            Some(host) => Err(JoinError::UuidTaken { host, uuid: self.uuid }),
            None => Ok(()),
        }
    }

    fn put_schema(&self, value: Vec<u8>) -> Op {
        Op::put(self.keys.schema(), value)
    }
}

/// Whether this is the owner of a domain, and this host is it.
fn belongs_to(entry: &Entry, host: &HostName) -> bool {
    OwnRecord::decode(&entry.value).is_ok_and(|own| own.by.host == *host)
}

#[cfg(test)]
mod tests;
