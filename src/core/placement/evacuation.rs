//! An order in which all domains leave a host.

use super::{HostRoom, Unplaced, Wanted, best};
use crate::core::fleet::HostName;
use crate::core::model::{DomName, DomainConfig, Invalid, Uuid};
use std::cmp::Reverse;

/// A domain that leaves its host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leaving {
    pub uuid: Uuid,
    pub name: DomName,
    pub wanted: Wanted,
}

impl Leaving {
    /// A domain with this configuration.
    pub fn of(config: &DomainConfig) -> Result<Self, Invalid> {
        let wanted = Wanted::of(config)?;
        let uuid = config.uuid.ok_or_else(|| Invalid::new("it has no UUID"))?;
        Ok(Self { uuid, name: config.name.clone(), wanted })
    }
}

/// A domain with the host that it goes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Move {
    pub domain: Leaving,
    pub to: HostName,
}

/// A domain that fits nowhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stay {
    pub domain: Leaving,
    /// What the hosts say to it when all others have moved.
    pub reason: Unplaced,
}

/// Where the domains of a host go.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plan {
    /// In their order: each domain fits after those before it.
    pub moves: Vec<Move>,
    pub staying: Vec<Stay>,
}

/// How hosts are chosen.
#[derive(Clone, Copy)]
enum Choice {
    /// As for a single domain.
    LeastFull,
    /// Those with the least memory free, which leaves large gaps for others.
    LeastRoom,
    /// The first one that fits, by name.
    First,
}

/// Where these domains go when all of them leave their host, which is none of `hosts`. The largest
/// go first, and each goes where a single domain would. If some fit nowhere then, it is tried to
/// fill one host after the other, by the room that they have or by their names; the plan is the one
/// with which the fewest stay. The order of domains and hosts makes no difference.
pub fn evacuate(domains: &[Leaving], hosts: &[HostRoom]) -> Plan {
    let mut domains: Vec<&Leaving> = domains.iter().collect();
    domains.sort_by_key(|domain| {
        let Wanted { memory_mib, vcpus, .. } = domain.wanted;
        (Reverse((memory_mib, vcpus)), domain.name.clone(), domain.uuid)
    });
    let mut hosts: Vec<HostRoom> = hosts.to_vec();
    hosts.sort_by(|a, b| a.name.cmp(&b.name));
    let mut found = plan(&domains, hosts.clone(), Choice::LeastFull);
    for choice in [Choice::LeastRoom, Choice::First] {
        if found.staying.is_empty() {
            break;
        }
        let other = plan(&domains, hosts.clone(), choice);
        if other.staying.len() < found.staying.len() {
            found = other;
        }
    }
    found
}

fn plan(domains: &[&Leaving], mut hosts: Vec<HostRoom>, choice: Choice) -> Plan {
    let mut plan = Plan::default();
    let mut staying = Vec::new();
    for domain in domains {
        let by_name: Vec<&HostRoom> = hosts.iter().collect();
        let cost = |host: &HostRoom, wanted: &Wanted| match choice {
            Choice::LeastFull => host.fullness(wanted),
            Choice::LeastRoom => host.free_mib,
            Choice::First => 0,
        };
        let Some(to) = best(&domain.wanted, &by_name, cost).map(|host| host.name.clone()) else {
            staying.push(*domain);
            continue;
        };
        for host in hosts.iter_mut().filter(|host| host.name == to) {
            host.take(&domain.wanted);
        }
        plan.moves.push(Move { domain: Leaving::clone(domain), to });
    }
    let by_name: Vec<&HostRoom> = hosts.iter().collect();
    let stay = |domain: &Leaving| {
        let reason = Unplaced::of(&domain.wanted, &by_name);
        Stay { domain: domain.clone(), reason }
    };
    plan.staying = staying.into_iter().map(stay).collect();
    plan
}
