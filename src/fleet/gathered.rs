//! The hosts of a fleet and their domains, put together from keys, one change at a time.
//!
//! A domain takes about 250 bytes: its row in the tree, which views share, its summary and its
//! name.

use super::keys::{HostKey, Keys};
use super::kv::{Entry, KvEvent};
use super::records::{HostRecord, Unreadable, ViewRecord};
use crate::core::fleet::{DomainSummary, FleetView, HostName, Member, Presence};
use crate::core::model::Uuid;
use rpds::RedBlackTreeMapSync;
use std::collections::BTreeSet;
use std::sync::Arc;
use tokio::time::Instant;
use tracing::{debug, warn};

/// The most hosts that are shown, five times those of a large fleet: each may have a record of 80
/// KiB.
const MAX_MEMBERS: usize = 5_000;
/// The most domains that are shown.
const MAX_DOMAINS: usize = 1_000_000;
/// The most strange keys that the log has.
const MAX_STRANGE: usize = 100;

type Members = RedBlackTreeMapSync<HostName, Member>;
type Rows = RedBlackTreeMapSync<(HostName, Uuid), Arc<DomainSummary>>;

/// What is known of a fleet.
#[derive(Debug)]
pub(super) struct Gathered {
    keys: Keys,
    members: Members,
    alive: BTreeSet<HostName>,
    /// The epochs in which hosts are away on purpose.
    aways: BTreeSet<(HostName, u64)>,
    domains: Rows,
    /// Domains of hosts without a record: one that joins after its domains were seen, or one whose
    /// record a person has removed.
    strays: Rows,
    strange: Strange,
}

/// What makes no sense: the log has each key once.
#[derive(Debug, Default)]
struct Strange(BTreeSet<String>);

impl Gathered {
    pub(super) fn new(keys: Keys) -> Self {
        Self {
            keys,
            members: Members::new_sync(),
            alive: BTreeSet::new(),
            aways: BTreeSet::new(),
            domains: Rows::new_sync(),
            strays: Rows::new_sync(),
            strange: Strange::default(),
        }
    }

    /// The fleet as it is listed anew, without its domains: a host that was alive and is not any
    /// more is silent since now.
    pub(super) fn listed_anew(self, [hosts, alives, aways]: [&[Entry]; 3], now: Instant) -> Self {
        let mut listed = Self { strange: self.strange, ..Self::new(self.keys) };
        listed.put_all(hosts);
        listed.put_all(alives);
        listed.put_all(aways);
        for (host, before) in &self.members {
            if !listed.alive.contains(host) {
                listed.set_presence(host, silent_after(before.presence, now));
            }
        }
        listed
    }

    /// Takes in what is listed.
    pub(super) fn put_all(&mut self, entries: &[Entry]) {
        for entry in entries {
            self.put(entry);
        }
    }

    /// Takes in a change.
    pub(super) fn apply(&mut self, event: KvEvent, now: Instant) {
        match event {
            KvEvent::Put(entry) => self.put(&entry),
            KvEvent::Deleted { key, .. } => self.delete(&key, now),
        }
    }

    fn put(&mut self, entry: &Entry) {
        if let Some(away) = self.keys.parse_away(&entry.key) {
            if self.aways.len() < MAX_MEMBERS {
                let host = away.0.clone();
                self.aways.insert(away);
                self.note_absence(&host);
            }
            return;
        }
        let Some(key) = self.parse(&entry.key) else { return };
        match key {
            HostKey::Host(host) => match HostRecord::decode(&entry.value) {
                Ok(record) => self.put_host(&host, &record),
                Err(reason) => self.strange.value(&entry.key, &reason),
            },
            HostKey::Alive(host) => {
                self.set_presence(&host, Presence::Alive);
                // It may be one whose record is not seen yet.
                if self.alive.len() < MAX_MEMBERS || self.members.contains_key(&host) {
                    self.alive.insert(host);
                }
            }
            HostKey::View(host, uuid) => match ViewRecord::decode(&entry.value) {
                Ok(domain) => self.put_domain(host, uuid, domain),
                Err(reason) => {
                    // What it was before is not what it is now.
                    self.remove_domain(host, uuid);
                    self.strange.value(&entry.key, &reason);
                }
            },
        }
    }

    fn delete(&mut self, key: &str, now: Instant) {
        if let Some(away) = self.keys.parse_away(key) {
            self.aways.remove(&away);
            self.note_absence(&away.0);
            return;
        }
        match self.parse(key) {
            Some(HostKey::Host(host)) => {
                self.members.remove_mut(&host);
                move_rows(&host, &mut self.domains, &mut self.strays);
            }
            Some(HostKey::Alive(host)) => {
                self.alive.remove(&host);
                if let Some(member) = self.members.get(&host) {
                    self.set_presence(&host, silent_after(member.presence, now));
                }
            }
            Some(HostKey::View(host, uuid)) => self.remove_domain(host, uuid),
            None => {}
        }
    }

    fn parse(&mut self, key: &str) -> Option<HostKey> {
        let parsed = self.keys.parse(key);
        if parsed.is_none() {
            self.strange.key(key);
        }
        parsed
    }

    fn put_host(&mut self, host: &HostName, record: &HostRecord) {
        let presence = match self.members.get(host) {
            _ if self.alive.contains(host) => Presence::Alive,
            Some(member) => member.presence,
            None => Presence::Silent { since: None },
        };
        if !self.members.contains_key(host) {
            if self.members.size() >= MAX_MEMBERS {
                return self.strange.too_many("hosts", MAX_MEMBERS);
            }
            move_rows(host, &mut self.strays, &mut self.domains);
        }
        self.members.insert_mut(host.clone(), record.member(presence));
        self.note_absence(host);
    }

    fn note_absence(&mut self, host: &HostName) {
        if let Some(member) = self.members.get_mut(host) {
            member.is_away = self.aways.contains(&(host.clone(), member.epoch));
        }
    }

    fn set_presence(&mut self, host: &HostName, presence: Presence) {
        if let Some(member) = self.members.get_mut(host) {
            member.presence = presence;
        }
    }

    fn put_domain(&mut self, host: HostName, uuid: Uuid, domain: DomainSummary) {
        // The rows of a host share its name.
        let (host, rows) = match self.members.get_key_value(&host) {
            Some((member, _)) => (member.clone(), &mut self.domains),
            None => (host, &mut self.strays),
        };
        let key = (host, uuid);
        let has_room = rows.size() < MAX_DOMAINS || rows.contains_key(&key);
        if has_room {
            rows.insert_mut(key, Arc::new(domain));
        } else {
            self.strange.too_many("domains", MAX_DOMAINS);
        }
    }

    fn remove_domain(&mut self, host: HostName, uuid: Uuid) {
        let key = (host, uuid);
        self.domains.remove_mut(&key);
        self.strays.remove_mut(&key);
    }

    /// What is shown. It shares hosts and domains, of which nothing is copied.
    pub(super) fn view(&self, own: &HostName, heard: Instant) -> FleetView {
        FleetView {
            name: self.keys.cluster().shared(),
            own: own.clone(),
            members: self.members.clone(),
            domains: self.domains.clone(),
            heard,
        }
    }
}

/// The presence of a host without a lease, which had this presence before.
fn silent_after(before: Presence, now: Instant) -> Presence {
    match before {
        Presence::Alive => Presence::Silent { since: Some(now) },
        silent @ Presence::Silent { .. } => silent,
    }
}

fn move_rows(host: &HostName, from: &mut Rows, to: &mut Rows) {
    let begin = (host.clone(), Uuid::nil());
    let of_host = from.range(begin..).take_while(|((of, _), _)| of == host);
    let rows: Vec<_> = of_host.map(|(key, domain)| (key.clone(), domain.clone())).collect();
    for (key, domain) in rows {
        from.remove_mut(&key);
        to.insert_mut((host.clone(), key.1), domain);
    }
}

impl Strange {
    /// Whether the log has nothing of this key yet, and has it now.
    fn is_new(&mut self, key: &str) -> bool {
        self.0.len() < MAX_STRANGE && self.0.insert(key.to_owned())
    }

    fn key(&mut self, key: &str) {
        if self.is_new(key) {
            debug!(key, "A strange key of the fleet is left out");
        }
    }

    fn value(&mut self, key: &str, reason: &Unreadable) {
        if self.is_new(key) {
            warn!(key, %reason, "A strange value of the fleet is left out");
        }
    }

    fn too_many(&mut self, what: &str, most: usize) {
        if self.is_new(what) {
            warn!("The fleet has more than {most} {what}: the others are left out");
        }
    }
}

#[cfg(test)]
mod tests;
