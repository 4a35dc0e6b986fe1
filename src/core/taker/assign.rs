//! Which host is to start which domain.

use super::Taker;
use crate::core::fleet::HostName;
use crate::core::model::Uuid;
use crate::core::placement::{HostRoom, Unplaced, Wanted, place};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// The most domains that a host is to start at a time.
pub const MOST_AT_ONCE: usize = 4;
/// How long no host fits a domain before somebody has to look at it.
const PATIENCE: Duration = Duration::from_secs(60);

/// A domain that is to be started.
#[derive(Debug, Clone)]
pub struct Candidate {
    pub domain: Uuid,
    /// What it needs, or why that is not known.
    pub wanted: Result<Wanted, String>,
    /// On how many hosts it is tried.
    pub tries: usize,
    /// The hosts that could not.
    pub failed: Vec<HostName>,
}

/// What there is for domains that are to be started.
#[derive(Debug, Clone)]
pub struct Room {
    /// This host.
    pub own: HostName,
    pub hosts: Vec<HostRoom>,
    /// Those of them that are to be given no domain.
    pub barred: BTreeSet<HostName>,
    /// What hosts are about to start, and what that needs.
    pub pending: Vec<(HostName, Wanted)>,
}

/// What becomes of a domain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Assigned {
    /// This host is to start it.
    To(HostName),
    /// A host may have room for it in a moment.
    Later,
    /// Somebody has to look at it. With the hosts that do not fit, and why.
    Nowhere(Vec<(HostName, String)>),
}

impl Taker {
    /// Assigns these domains, in their order. A host has [`MOST_AT_ONCE`] at a time.
    pub fn assign(
        &mut self,
        now: Duration,
        candidates: &[Candidate],
        room: Room,
    ) -> Vec<(Uuid, Assigned)> {
        let Room { own, mut hosts, barred, pending } = room;
        hosts.retain(|host| !barred.contains(&host.name));
        let mut starting: BTreeMap<HostName, usize> = BTreeMap::new();
        for (host, wanted) in pending {
            *starting.entry(host.clone()).or_default() += 1;
            hosts.iter_mut().filter(|room| room.name == host).for_each(|room| room.take(&wanted));
        }
        let mut assigned = Vec::new();
        for candidate in candidates {
            let found = match &candidate.wanted {
                _ if candidate.failed.len() >= candidate.tries => Assigned::Nowhere(Vec::new()),
                Err(reason) => Assigned::Nowhere(vec![(own.clone(), reason.clone())]),
                Ok(wanted) => match choose(candidate, wanted, &hosts, &starting) {
                    Ok(Some(host)) => {
                        *starting.entry(host.clone()).or_default() += 1;
                        let chosen = hosts.iter_mut().filter(|room| room.name == host);
                        chosen.for_each(|room| room.take(wanted));
                        Assigned::To(host)
                    }
                    Ok(None) => Assigned::Later,
                    Err(unplaced) => self.unplaced(now, candidate.domain, unplaced),
                },
            };
            if !matches!(found, Assigned::Later) {
                self.unplaced.remove(&candidate.domain);
            }
            assigned.push((candidate.domain, found));
        }
        assigned
    }

    /// No host fits. For a moment, such as after all leases have ended, that is no reason to give
    /// up.
    fn unplaced(&mut self, now: Duration, domain: Uuid, unplaced: Unplaced) -> Assigned {
        let since = *self.unplaced.entry(domain).or_insert(now);
        if now.saturating_sub(since) < PATIENCE {
            return Assigned::Later;
        }
        let reasons = unplaced.hosts.into_iter();
        Assigned::Nowhere(reasons.map(|(host, unfit)| (host, unfit.to_string())).collect())
    }
}

/// The host for a domain; `None` while those that fit are busy.
fn choose(
    candidate: &Candidate,
    wanted: &Wanted,
    hosts: &[HostRoom],
    starting: &BTreeMap<HostName, usize>,
) -> Result<Option<HostName>, Unplaced> {
    let is_untried = |room: &&HostRoom| !candidate.failed.contains(&room.name);
    let is_idle =
        |room: &&HostRoom| starting.get(&room.name).is_none_or(|starting| *starting < MOST_AT_ONCE);
    let untried = || hosts.iter().filter(is_untried);
    place(wanted, untried())?;
    Ok(place(wanted, untried().filter(is_idle)).ok().map(|room| room.name.clone()))
}
