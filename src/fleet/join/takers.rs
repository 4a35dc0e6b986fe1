//! The hosts that watch for others that die.

use super::{Attempts, Candidate, JoinError, TRIES};
use crate::core::fleet::HostName;
use crate::fleet::keys::Keys;
use crate::fleet::kv::{Compare, Entry, Listing, Op, Txn};
use std::collections::BTreeSet;

/// The value of `taker/H`: a later version may say something in it.
const TAKER: &[u8] = b"{}";

impl Candidate<'_> {
    /// The hosts that watch for others that die, sorted.
    pub async fn takers(&self) -> Result<Vec<HostName>, JoinError> {
        let attempts = Attempts::default();
        self.schema(self.found(&attempts).await?.schema)?;
        let listed = self.list_takers(&attempts).await?;
        Ok(takers_in(self.keys, &listed.entries).into_iter().collect())
    }

    /// Lets these hosts watch, and no others. Each of them is a member.
    pub async fn set_takers(&self, hosts: &[HostName]) -> Result<Vec<HostName>, JoinError> {
        let wanted: BTreeSet<HostName> = hosts.iter().cloned().collect();
        let mut attempts = Attempts::default();
        for _ in 0..TRIES {
            let found = self.found(&attempts).await?;
            let schema = self.schema(found.schema)?;
            let own = self.member(found.own)?;
            let listed = self.list_takers(&attempts).await?;
            let before = takers_in(self.keys, &listed.entries);
            if before == wanted {
                return Ok(wanted.into_iter().collect());
            }
            for host in &wanted {
                let record = attempts.read(self.kv.get(&self.keys.host(host)).await)?;
                record.ok_or_else(|| JoinError::NoSuchHost(host.clone()))?;
            }
            let mut compares = vec![
                // The members are those that were looked at.
                Compare::Modified(schema.key, schema.modified),
                Compare::Modified(own.key, own.modified),
                Compare::NoneNewerBelow(self.keys.takers(), listed.revision),
            ];
            let as_read = |entry: &Entry| Compare::Modified(entry.key.clone(), entry.modified);
            let known = before.iter().map(|host| self.keys.taker(host)).collect::<BTreeSet<_>>();
            let known = listed.entries.iter().filter(|entry| known.contains(&entry.key));
            compares.extend(known.map(as_read));
            let put = |host| Op::put(self.keys.taker(host), TAKER.to_vec());
            let delete = |host| Op::Delete { key: self.keys.taker(host) };
            let mut ops: Vec<Op> = wanted.difference(&before).map(put).collect();
            ops.extend(before.difference(&wanted).map(delete));
            if attempts.commit(self.kv, Txn { compares, ops }).await? {
                return Ok(wanted.into_iter().collect());
            }
        }
        Err(attempts.exhausted())
    }

    pub(super) async fn list_takers(&self, attempts: &Attempts) -> Result<Listing, JoinError> {
        attempts.read(self.kv.list(&self.keys.takers()).await)
    }
}

/// The takers among these keys.
pub(in crate::fleet) fn takers_in(keys: &Keys, entries: &[Entry]) -> BTreeSet<HostName> {
    entries.iter().filter_map(|entry| keys.parse_taker(&entry.key)).collect()
}
