//! What is in etcd below the root of a fleet.

use super::owners::{Dispute, Owners};
use super::protected::{Protection, last_boots};
use crate::core::fleet::{HostName, Member, Presence};
use crate::fleet::keys::{HostKey, Keys};
use crate::fleet::kv::{Entry, Kv, KvError};
use crate::fleet::records::HostRecord;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use tokio::time::sleep;

/// Longer than a host's summaries of its domains are behind.
pub(super) const SUMMARY_AGE: Duration = Duration::from_secs(3);

/// What is in etcd below the fleet's root.
pub(super) struct Contents {
    pub(super) schema: Option<Entry>,
    pub(super) hosts: Vec<Entry>,
    /// The note that this host was forgotten.
    pub(super) forgotten: Option<Entry>,
    pub(super) alive: BTreeSet<HostName>,
    /// The number of domains of each host.
    pub(super) domains: BTreeMap<HostName, usize>,
    pub(super) owners: Owners,
    /// Which key the fleet has.
    pub(super) key: Option<Vec<u8>>,
    pub(super) homes: Vec<Entry>,
    pub(super) orphans: Vec<Entry>,
    pub(super) clashes: Vec<Entry>,
    pub(super) protection: Protection,
}

impl Contents {
    /// The hosts that are alive and have a certificate.
    pub(super) fn hosts_to_ask(&self, keys: &Keys) -> Vec<(HostName, Member)> {
        let host = |entry: &Entry| {
            let Some(HostKey::Host(name)) = keys.parse(&entry.key) else { return None };
            let member = HostRecord::decode(&entry.value).ok()?.member(Presence::Alive);
            let can_be_asked = self.alive.contains(&name) && member.fingerprint.is_some();
            can_be_asked.then_some((name, member))
        };
        self.hosts.iter().filter_map(host).collect()
    }
}

/// What there is. A domain that has just moved seems to be disputed, and is looked at again.
pub(super) async fn settled_contents(
    kv: &dyn Kv,
    keys: &Keys,
    host: &HostName,
) -> Result<Contents, KvError> {
    let mut first = contents(kv, keys, host).await?;
    if !first.owners.disputes.is_empty() {
        sleep(SUMMARY_AGE).await;
        let again = contents(kv, keys, host).await?;
        first.owners.disputes.retain(|dispute| again.owners.disputes.contains(dispute));
    }
    Ok(first)
}

async fn contents(kv: &dyn Kv, keys: &Keys, host: &HostName) -> Result<Contents, KvError> {
    let schema = kv.get(&keys.schema()).await?;
    let hosts = kv.list(&keys.hosts()).await?.entries;
    let forgotten = kv.get(&keys.forgotten(host)).await?;
    let alive = kv.list(&keys.alives()).await?.entries;
    let alive = alive.iter().filter_map(|entry| match keys.parse(&entry.key) {
        Some(HostKey::Alive(host)) => Some(host),
        _ => None,
    });
    let mut domains = BTreeMap::new();
    let views = kv.list(&keys.views()).await?.entries;
    for entry in &views {
        if let Some(HostKey::View(host, _)) = keys.parse(&entry.key) {
            *domains.entry(host).or_default() += 1;
        }
    }
    let owns = kv.list(&keys.owns()).await?.entries;
    let mut owners = Owners::of(keys, &views, &owns);
    let key = kv.get(&keys.key()).await?.map(|entry| entry.value);
    let homes = kv.list(&keys.homes()).await?.entries;
    let orphans = kv.list(&keys.orphans()).await?.entries;
    let clashes = kv.list(&keys.clashes()).await?.entries;
    let alive: BTreeSet<HostName> = alive.collect();
    let protection = Protection::read(kv, keys, &owns).await?;
    let boots = last_boots(keys, &hosts);
    // What a host has written that has ended is not what it has.
    owners.disputes.retain(|Dispute { runs_on, .. }| {
        let has_ended = boots.get(runs_on).is_some_and(|boot| protection.has_ended(boot));
        alive.contains(runs_on) || !has_ended
    });
    Ok(Contents {
        schema,
        hosts,
        forgotten,
        alive,
        domains,
        owners,
        key,
        homes,
        orphans,
        clashes,
        protection,
    })
}
