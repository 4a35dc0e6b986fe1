//! What etcd has about domains that are started elsewhere when their host dies.

use crate::core::fleet::HostName;
use crate::core::model::Uuid;
use crate::core::ownership::{Boot, Own};
use crate::fleet::domain::OwnRecord;
use crate::fleet::keys::Keys;
use crate::fleet::kv::{Entry, Kv, KvError};
use crate::fleet::protection_records::{
    AwayRecord, FenceRecord, FenceStep, PolicyRecord, TakeoverRecord,
};
use crate::fleet::records::HostRecord;
use std::collections::{BTreeMap, BTreeSet};

/// What there is.
pub(super) struct Protection {
    pub(super) takers: BTreeSet<HostName>,
    /// The domains that have a policy.
    pub(super) protected: BTreeSet<Uuid>,
    /// What hosts have of the domains that belong to them.
    pub(super) owners: BTreeMap<Uuid, Own>,
    pub(super) takeovers: BTreeMap<Uuid, TakeoverRecord>,
    pub(super) fences: BTreeMap<Boot, Option<FenceRecord>>,
    /// `None` has a value that makes no sense to this version.
    pub(super) aways: BTreeMap<Boot, Option<AwayRecord>>,
}

impl Protection {
    /// Reads it. `owns` are the owners of all domains.
    pub(super) async fn read(kv: &dyn Kv, keys: &Keys, owns: &[Entry]) -> Result<Self, KvError> {
        let boot = |(host, epoch)| Boot { host, epoch };
        let takers = kv.list(&keys.takers()).await?.entries;
        let policies = kv.list(&keys.policies()).await?.entries;
        let takeovers = kv.list(&keys.takeovers()).await?.entries;
        let fences = kv.list(&keys.fences()).await?.entries;
        let aways = kv.list(&keys.aways()).await?.entries;
        let protected = policies.iter().filter(|entry| PolicyRecord::decode(&entry.value).is_ok());
        let own = |entry: &Entry| {
            Some((keys.parse_own(&entry.key)?, OwnRecord::decode(&entry.value).ok()?))
        };
        let takeover = |entry: &Entry| {
            Some((keys.parse_takeover(&entry.key)?, TakeoverRecord::decode(&entry.value).ok()?))
        };
        let fence = |entry: &Entry| {
            Some((boot(keys.parse_fence(&entry.key)?), FenceRecord::decode(&entry.value).ok()))
        };
        let away = |entry: &Entry| {
            Some((boot(keys.parse_away(&entry.key)?), AwayRecord::decode(&entry.value).ok()))
        };
        Ok(Self {
            takers: takers.iter().filter_map(|entry| keys.parse_taker(&entry.key)).collect(),
            protected: protected.filter_map(|entry| keys.parse_policy(&entry.key)).collect(),
            owners: owns.iter().filter_map(own).collect(),
            takeovers: takeovers.iter().filter_map(takeover).collect(),
            fences: fences.iter().filter_map(fence).collect(),
            aways: aways.iter().filter_map(away).collect(),
        })
    }

    /// Whether all domains of a boot that are protected have ended.
    pub(super) fn has_ended(&self, boot: &Boot) -> bool {
        let step = self.fences.get(boot).and_then(|fence| fence.as_ref()).map(|fence| fence.step);
        step.is_some_and(|step| step >= FenceStep::Waited)
    }

    pub(super) fn guarded(&self) -> impl Iterator<Item = &Own> {
        self.owners.values().filter(|own| own.guarded)
    }
}

/// The last boot of each host that has run.
pub(super) fn last_boots(keys: &Keys, hosts: &[Entry]) -> BTreeMap<HostName, Boot> {
    let boot = |entry: &Entry| {
        let host: HostName = entry.key.strip_prefix(&keys.hosts())?.parse().ok()?;
        let epoch = HostRecord::decode(&entry.value).ok()?.epoch;
        (epoch > 0).then(|| (host.clone(), Boot { host, epoch }))
    };
    hosts.iter().filter_map(boot).collect()
}
