//! Which host of a fleet a domain goes to: pure rules on what is known of the hosts.
//!
//! A domain fits a host that is alive and can be asked, that the domain may be on, that has its
//! storages, that has no domain from which it is to be apart, and that has the memory free. Free is
//! what the domains that are on the host leave of its memory: no host tells others its figures.
//!
//! Of the hosts that fit, a domain gets the one that is least full with it. A host is as full as
//! what it has less of: its memory, or its CPUs, of which four VCPUs each are all. Domains that do
//! not run count as if they did, so that many definitions do not gather on one host. Hosts that are
//! equally full are taken by their names.

mod evacuation;
mod wanted;

use super::fleet::{FleetView, HostName, Member, Presence};
use std::collections::BTreeSet;
use std::fmt;

pub use evacuation::{Leaving, Move, Plan, Stay, evacuate};
pub use wanted::{Wanted, known_tags, tags};

/// The VCPUs a CPU with which a host is full.
const VCPUS_PER_CPU: u64 = 4;
/// The most hosts that a refusal names.
const MOST_NAMED: usize = 20;

/// Whether a host can be given a domain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    Ready,
    /// It is away on purpose: somebody does not want domains on it.
    Away,
    /// It is off, or cut off.
    Silent,
    /// Its daemon has not run as a member, and has not told what the host has.
    New,
    /// It has no encrypted relocation port, over which hosts ask each other.
    Closed,
}

/// A host of the fleet, as far as it matters to a domain that may go there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostRoom {
    pub name: HostName,
    pub standing: Standing,
    /// All of its memory in MiB.
    pub memory_mib: u64,
    /// The memory that the domains on it leave, in MiB.
    pub free_mib: u64,
    /// The memory of all its domains in MiB, as if all of them ran.
    pub given_mib: u64,
    pub cpus: u32,
    /// The VCPUs of all its domains.
    pub vcpus: u64,
    /// The storages that it shares with others.
    pub storages: Vec<String>,
    /// The tags of its domains, which other domains of the tag are apart from.
    pub tags: BTreeSet<String>,
}

impl HostRoom {
    /// The hosts of a fleet, by their names.
    pub fn all(fleet: &FleetView) -> Vec<Self> {
        fleet.members.iter().map(|(name, member)| Self::of(fleet, name, member)).collect()
    }

    fn of(fleet: &FleetView, name: &HostName, member: &Member) -> Self {
        let is_open =
            *name == fleet.own || (member.relocation.is_some() && member.fingerprint.is_some());
        let standing = match member.presence {
            Presence::Silent { .. } => Standing::Silent,
            Presence::Alive if !member.has_run() => Standing::New,
            Presence::Alive if member.is_away => Standing::Away,
            Presence::Alive if !is_open => Standing::Closed,
            Presence::Alive => Standing::Ready,
        };
        let mut room = Self {
            name: name.clone(),
            standing,
            memory_mib: member.memory_mib,
            free_mib: fleet.free_mib(name, member),
            given_mib: 0,
            cpus: member.cpus,
            vcpus: 0,
            storages: member.storages.clone(),
            tags: BTreeSet::new(),
        };
        for (_, domain) in fleet.domains_of(name) {
            room.given_mib = room.given_mib.saturating_add(domain.memory_mib);
            room.vcpus = room.vcpus.saturating_add(domain.vcpus.into());
            room.tags.extend(domain.apart.iter().cloned());
        }
        room
    }

    /// Why a domain does not fit, if it does not.
    fn refuses(&self, wanted: &Wanted) -> Option<Unfit> {
        match self.standing {
            Standing::Ready => {}
            Standing::Away => return Some(Unfit::Away),
            Standing::Silent => return Some(Unfit::Silent),
            Standing::New => return Some(Unfit::New),
            Standing::Closed => return Some(Unfit::Closed),
        }
        let hosts = &wanted.hosts;
        if !hosts.is_empty() && !hosts.iter().any(|host| host == self.name.as_str()) {
            return Some(Unfit::NotAllowed);
        }
        if let Some(storage) = wanted.storages.iter().find(|name| !self.storages.contains(name)) {
            return Some(Unfit::Storage(storage.clone()));
        }
        if let Some(tag) = wanted.apart.iter().find(|tag| self.tags.contains(*tag)) {
            return Some(Unfit::Beside(tag.clone()));
        }
        let (free_mib, wanted_mib) = (self.free_mib, wanted.memory_mib);
        (wanted_mib > free_mib).then_some(Unfit::Memory { free_mib, wanted_mib })
    }

    /// How full it is with the domain, in thousandths.
    fn fullness(&self, wanted: &Wanted) -> u64 {
        let memory = share(self.given_mib.saturating_add(wanted.memory_mib), self.memory_mib);
        let vcpus = self.vcpus.saturating_add(wanted.vcpus.into());
        memory.max(share(vcpus, u64::from(self.cpus) * VCPUS_PER_CPU))
    }

    /// Counts a domain that goes there.
    pub(in crate::core) fn take(&mut self, wanted: &Wanted) {
        self.free_mib = self.free_mib.saturating_sub(wanted.memory_mib);
        self.given_mib = self.given_mib.saturating_add(wanted.memory_mib);
        self.vcpus = self.vcpus.saturating_add(wanted.vcpus.into());
        self.tags.extend(wanted.apart.iter().cloned());
    }
}

/// A part of a whole in thousandths.
fn share(part: u64, whole: u64) -> u64 {
    let thousandths = u128::from(part) * 1000 / u128::from(whole.max(1));
    u64::try_from(thousandths).unwrap_or(u64::MAX)
}

/// Why a domain does not fit a host.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    #[error("is silent")]
    Silent,
    #[error("is away (xend fleet away --end on it)")]
    Away,
    #[error("has not told what it has: its xend has not run in the fleet yet")]
    New,
    #[error("has no encrypted relocation port")]
    Closed,
    #[error("is none of the domain's fleet_hosts")]
    NotAllowed,
    #[error("has no storage {0:?}")]
    Storage(String),
    #[error("has a domain of fleet_apart {0:?}")]
    Beside(String),
    #[error("has {free_mib} MiB of {wanted_mib} MiB free")]
    Memory { free_mib: u64, wanted_mib: u64 },
}

/// No host fits: why none of them does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unplaced {
    /// The first ones by their names.
    pub hosts: Vec<(HostName, Unfit)>,
    /// The number of those that are not named.
    pub more: usize,
}

impl Unplaced {
    /// What these hosts, in the order of their names, say to the domain.
    fn of(wanted: &Wanted, hosts: &[&HostRoom]) -> Self {
        let reason = |host: &&HostRoom| Some((host.name.clone(), host.refuses(wanted)?));
        let named: Vec<_> = hosts.iter().filter_map(reason).take(MOST_NAMED).collect();
        Self { more: hosts.len().saturating_sub(named.len()), hosts: named }
    }
}

impl fmt::Display for Unplaced {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.hosts.is_empty() {
            return f.write_str("there is no other host");
        }
        for (at, (host, reason)) in self.hosts.iter().enumerate() {
            write!(f, "{}{host} {reason}", if at == 0 { "" } else { ", " })?;
        }
        if self.more > 0 {
            write!(f, ", and {} more do not fit either", self.more)?;
        }
        Ok(())
    }
}

impl std::error::Error for Unplaced {}

/// The host that a domain goes to: see the module for how it is chosen. The order of the hosts
/// makes no difference.
pub fn place<'a>(
    wanted: &Wanted,
    hosts: impl IntoIterator<Item = &'a HostRoom>,
) -> Result<&'a HostRoom, Unplaced> {
    let mut by_name: Vec<&HostRoom> = hosts.into_iter().collect();
    by_name.sort_by(|a, b| a.name.cmp(&b.name));
    best(wanted, &by_name, HostRoom::fullness).ok_or_else(|| Unplaced::of(wanted, &by_name))
}

/// Of the hosts that a domain fits, the first with the least cost.
fn best<'a, K: Ord>(
    wanted: &Wanted,
    by_name: &[&'a HostRoom],
    cost: impl Fn(&HostRoom, &Wanted) -> K,
) -> Option<&'a HostRoom> {
    let fitting = by_name.iter().filter(|host| host.refuses(wanted).is_none());
    fitting.copied().min_by_key(|host| cost(host, wanted))
}

#[cfg(test)]
mod tests;
