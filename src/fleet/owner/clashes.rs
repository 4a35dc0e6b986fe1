//! What this host and the fleet do not agree about, for the fleet's status.

use super::news::{Dispute, Disputed};
use super::state::Owner;
use crate::core::model::{CompleteConfig, DomName, Uuid};
use crate::fleet::definition_records::{ClashKind, ClashRecord};
use crate::fleet::kv::{Compare, KvError, Op, Txn};
use crate::fleet::membership::{Ended, Membership};
use std::collections::{BTreeMap, BTreeSet};
use tracing::error;

/// The most characters of a name or a reason that are written.
const MAX_SHOWN: usize = 100;

/// What etcd has of it.
pub(super) type Published = BTreeMap<Uuid, Vec<u8>>;

impl Owner {
    /// Notes what is not agreed about a definition. `copy` is what this host has.
    pub(super) fn dispute(&self, domain: Uuid, copy: Option<&CompleteConfig>, dispute: &Dispute) {
        let unknown = || DomName::adopted(&domain.to_string());
        let name = copy.map_or_else(unknown, |copy| copy.name.clone());
        self.dispute_named(domain, &name, dispute);
    }

    /// The same of one that has this name.
    pub(super) fn dispute_named(&self, domain: Uuid, name: &DomName, dispute: &Dispute) {
        let disputed = Disputed { name: name.clone(), dispute: dispute.clone() };
        if self.news_table().dispute(domain, &disputed) {
            error!(
                %domain, %name,
                "A definition is not the same here and in the fleet: {dispute}"
            );
        }
    }

    /// Reads what an earlier run has written.
    pub(super) async fn published_clashes(&self) -> Result<Published, KvError> {
        let listing = self.kv.list(&self.keys.clashes_of(&self.host)).await?;
        let entries = listing.entries.into_iter();
        let one = |(key, value): (String, Vec<u8>)| Some((self.keys.parse_clash(&key)?.1, value));
        Ok(entries.map(|entry| (entry.key, entry.value)).filter_map(one).collect())
    }

    /// Writes what is different from what etcd has.
    pub(super) async fn publish_clashes(
        &self,
        membership: Membership,
        published: &mut Published,
    ) -> Result<(), KvError> {
        let wanted = self.clashes();
        let domains = published.keys().chain(wanted.keys()).copied();
        let changed: BTreeSet<Uuid> =
            domains.filter(|domain| published.get(domain) != wanted.get(domain)).collect();
        let changed: Vec<Uuid> = changed.into_iter().collect();
        for some in changed.chunks(Txn::MAX_OPS) {
            let op = |domain: &Uuid| {
                let key = self.keys.clash(&self.host, *domain);
                match wanted.get(domain).cloned() {
                    Some(value) => Op::put(key, value),
                    None => Op::Delete { key },
                }
            };
            let host = self.keys.host(&self.host);
            let compares = vec![Compare::Modified(host, membership.revision)];
            let ops = some.iter().map(op).collect();
            match self.kv.commit(Txn { compares, ops }).await {
                Err(error @ KvError::InDoubt(_)) => {
                    self.place.end(membership, Ended::InDoubt);
                    return Err(error);
                }
                committed => committed?,
            };
            for domain in some {
                match wanted.get(domain).cloned() {
                    Some(value) => published.insert(*domain, value),
                    None => published.remove(domain),
                };
            }
        }
        Ok(())
    }

    fn clashes(&self) -> Published {
        let mut disputed = self.news_table().disputed.clone();
        for (domain, name, host) in self.locals().nameless() {
            let name = name.unwrap_or_else(|| DomName::adopted(&domain.to_string()));
            disputed.entry(domain).or_insert(Disputed { name, dispute: Dispute::Name(host) });
        }
        disputed
            .into_iter()
            .map(|(domain, disputed)| (domain, record(&disputed).encode()))
            .collect()
    }
}

fn record(disputed: &Disputed) -> ClashRecord {
    let Disputed { name, dispute } = disputed;
    let shown = |text: &str| -> String {
        text.chars().filter(|c| !c.is_control()).take(MAX_SHOWN).collect()
    };
    let kind = match dispute {
        Dispute::Name(_) => ClashKind::Name,
        Dispute::Uuid(_) => ClashKind::Uuid,
        Dispute::Other(_) => ClashKind::Other,
    };
    ClashRecord { name: shown(name.as_str()), kind, reason: shown(&dispute.to_string()) }
}
