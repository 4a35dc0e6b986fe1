//! A taker, as a pure state machine without I/O: it watches for hosts that die, and has their
//! protected domains started elsewhere.
//!
//! `docs/fleet-model.md` has the protocol. What a taker knows is [`Seen`], which is what etcd says;
//! what it remembers is since when it has seen some of it, on a clock that nobody sets.
//!
//! ```text
//!  alive/D is gone         fence declared       fence waited          takeover/U
//!        │                       │                    │                    │
//! ──┬────┼──────────┬────────────┼────────────────────┼────────────────────┼──▶ time
//!   │    │ 15 s     │            │ 40 s               │                    │
//!   │    └ seen     └ suspected  └ seen: the wait     └ its guarded domains  └ a host starts
//!   │      first                   begins               have ended            the domain
//!   └ D is cut off, or dead
//! ```
//!
//! ```text
//! seen      what etcd says
//! assign    which host is to start which domain
//! ```
//!
//! A wait counts from when this taker saw the committed fence, whoever declared it and whenever
//! that was. A taker that dies takes its waits with it: another one has its own, which began when
//! that one saw the fence.

mod assign;
#[cfg(test)]
mod flaw;
mod seen;

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;

use super::fleet::HostName;
use super::guard::TAKER_WAIT;
use super::model::Uuid;
use super::ownership::Boot;
#[cfg(test)]
use flaw::Flaw;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

pub use assign::{Assigned, Candidate, MOST_AT_ONCE, Room};
pub use seen::{Fence, Guarded, Policy, Seen, Takeover};

/// How long a host is silent before it is suspected.
pub const SUSPICION: Duration = Duration::from_secs(15);
/// The longest time between two looks after which a silence goes on. What was between them nobody
/// has seen.
const LONGEST_GAP: Duration = Duration::from_secs(5);
/// The most domains that a look tells are to be assigned.
const MOST_DUE: usize = 64;

/// What a taker wants done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Act {
    /// This boot is to be fenced.
    Declare(Boot),
    /// The wait for this boot is over, if its fence is still the one that this change wrote.
    EndWait(Boot, Uuid),
}

/// More hosts are silent than die at once: it may be this host that sees wrongly.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TooMany {
    pub suspects: Vec<HostName>,
    pub hosts: usize,
}

/// What a look comes to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Verdict {
    pub acts: Vec<Act>,
    /// Nobody is fenced for now.
    pub too_many: Option<TooMany>,
    /// The domains that are to be assigned to a host, in their order.
    pub due: Vec<Uuid>,
    /// The domains that hosts are about to start.
    pub pending: Vec<(Uuid, HostName)>,
    /// The takeovers whose domains are not the ended host's any more.
    pub left_over: Vec<Uuid>,
}

/// A wait.
#[derive(Debug, Clone, Copy)]
struct Wait {
    /// The change that declared the fence: another one is another wait.
    op: Uuid,
    since: Duration,
}

/// The taker of one host.
#[derive(Debug, Default)]
pub struct Taker {
    last_look: Option<Duration>,
    /// Since when each host is silent.
    silent: BTreeMap<HostName, Duration>,
    waits: BTreeMap<Boot, Wait>,
    /// Since when no host fits a domain.
    unplaced: BTreeMap<Uuid, Duration>,
    #[cfg(test)]
    flaw: Option<Flaw>,
}

/// Whether so many of the hosts are suspect that nobody is fenced. One always may be.
pub fn are_too_many(suspects: usize, hosts: usize) -> bool {
    suspects > (hosts / 3).max(1)
}

/// The takeovers that nobody waits for any more. What a host could not start is somebody's to look
/// at.
fn left_over(seen: &Seen) -> Vec<Uuid> {
    let is_over = |uuid: &Uuid, Takeover { from, to, failed }: &Takeover| {
        let has_failed = to.as_ref().is_some_and(|to| failed.contains(to));
        !has_failed && seen.guarded.get(uuid).is_none_or(|domain| domain.by != *from)
    };
    let read =
        seen.takeovers.iter().filter_map(|(uuid, takeover)| Some((uuid, takeover.as_ref()?)));
    let over = read.filter(|(uuid, takeover)| is_over(uuid, takeover));
    over.map(|(uuid, _)| *uuid).take(MOST_DUE).collect()
}

impl Taker {
    /// Looks at what etcd says. `now` is of this host's own clock, which never goes back, and was
    /// read after etcd had said it.
    pub fn look(&mut self, now: Duration, seen: &Seen) -> Verdict {
        self.note_silence(now, seen);
        self.note_fences(now, seen);
        let mut verdict = Verdict::default();
        if seen.is_fenced(&seen.own) {
            return verdict;
        }
        let is_over = |wait: &Wait| now.saturating_sub(wait.since) >= self.wait();
        let over = self.waits.iter().filter(|(_, wait)| is_over(wait));
        verdict.acts.extend(over.map(|(boot, wait)| Act::EndWait(boot.clone(), wait.op)));
        let boots = seen.guarded_boots();
        let suspects = self.suspects(now, seen, &boots);
        let is_unfenced =
            |boot: &&Boot| !seen.fences.contains_key(*boot) && !seen.aways.contains(*boot);
        let of_suspect = |boot: &&Boot| suspects.contains(&boot.host);
        let to_fence: Vec<_> = boots.iter().filter(of_suspect).filter(is_unfenced).collect();
        // One that has not run yet cannot be silent.
        let hosts = seen.hosts.values().filter(|epoch| **epoch > 0).count();
        if !to_fence.is_empty() && are_too_many(suspects.len(), hosts) {
            let suspects = suspects.into_iter().collect();
            verdict.too_many = Some(TooMany { suspects, hosts });
        } else {
            verdict.acts.extend(to_fence.into_iter().cloned().map(Act::Declare));
        }
        if seen.assigns() {
            self.note_due(now, seen, &mut verdict);
        }
        verdict
    }

    /// Notes since when hosts are silent. Those of a gap may have been heard meanwhile.
    fn note_silence(&mut self, now: Duration, seen: &Seen) {
        let last = self.last_look.replace(now).unwrap_or(now);
        if now.saturating_sub(last) > LONGEST_GAP {
            self.silent.clear();
        }
        let is_silent = |host: &HostName| {
            seen.hosts.contains_key(host) && !seen.alive.contains(host) && *host != seen.own.host
        };
        self.silent.retain(|host, _| is_silent(host));
        for host in seen.hosts.keys().filter(|host| is_silent(host)) {
            self.silent.entry(host.clone()).or_insert(now);
        }
    }

    /// Notes since when fences are seen.
    fn note_fences(&mut self, now: Duration, seen: &Seen) {
        let declared = |boot: &Boot| match seen.fences.get(boot) {
            Some(Fence::Declared { op }) => Some(*op),
            Some(Fence::Ended | Fence::Strange) | None => None,
        };
        #[cfg(test)]
        if self.flaw == Some(Flaw::AnyFence) {
            for (boot, wait) in &mut self.waits {
                wait.op = declared(boot).unwrap_or(wait.op);
            }
        }
        self.waits.retain(|boot, wait| declared(boot) == Some(wait.op));
        for boot in seen.fences.keys() {
            let Some(op) = declared(boot) else { continue };
            self.waits.entry(boot.clone()).or_insert(Wait { op, since: now });
        }
    }

    /// The silent hosts of which it is not known yet what has become of them.
    fn suspects(&self, now: Duration, seen: &Seen, boots: &BTreeSet<Boot>) -> BTreeSet<HostName> {
        let is_open = |boot: &Boot| {
            let has_ended = matches!(seen.fences.get(boot), Some(Fence::Ended));
            !has_ended && !seen.aways.contains(boot)
        };
        let silent = self.silent.keys().filter(|host| self.is_long_silent(now, host));
        let open = silent.filter(|host| {
            let of_host = |boot: &&Boot| boot.host == **host;
            let last = seen.last_boot(host);
            last.as_ref().is_some_and(is_open) || boots.iter().filter(of_host).any(is_open)
        });
        open.cloned().collect()
    }

    fn is_long_silent(&self, now: Duration, host: &HostName) -> bool {
        self.silent.get(host).is_some_and(|since| now.saturating_sub(*since) >= SUSPICION)
    }

    #[cfg_attr(not(test), expect(clippy::unused_self, reason = "tests break this rule"))]
    fn wait(&self) -> Duration {
        #[cfg(test)]
        if self.flaw == Some(Flaw::ShortWait) {
            return TAKER_WAIT / 2;
        }
        TAKER_WAIT
    }

    /// Notes which domains of boots that have ended are to be started, and where.
    fn note_due(&mut self, now: Duration, seen: &Seen, verdict: &mut Verdict) {
        let has_ended =
            |domain: &Guarded| matches!(seen.fences.get(&domain.by), Some(Fence::Ended));
        let ended = seen.guarded.iter().filter(|(_, domain)| has_ended(domain));
        let mut due = Vec::new();
        for (uuid, domain) in ended {
            match seen.takeovers.get(uuid) {
                // What makes no sense to this version is another one's.
                Some(None) => {}
                Some(Some(takeover)) if takeover.from == domain.by => match &takeover.to {
                    // Somebody has to look at it.
                    None => {}
                    Some(to) if takeover.failed.contains(to) || !self.is_fit(now, seen, to) => {
                        due.push((uuid, domain));
                    }
                    Some(to) => verdict.pending.push((*uuid, to.clone())),
                },
                Some(Some(_)) | None => due.push((uuid, domain)),
            }
        }
        due.sort_by_key(|(uuid, domain)| {
            (Reverse(seen.policy(**uuid).priority), domain.name.clone(), **uuid)
        });
        verdict.left_over = left_over(seen);
        verdict.due = due.into_iter().map(|(uuid, _)| *uuid).take(MOST_DUE).collect();
        self.unplaced.retain(|uuid, _| verdict.due.contains(uuid));
    }

    /// Whether a host can be waited for that is to start a domain.
    fn is_fit(&self, now: Duration, seen: &Seen, host: &HostName) -> bool {
        let is_barred = seen.last_boot(host).is_none_or(|boot| seen.is_barred(&boot));
        !is_barred && !self.is_long_silent(now, host)
    }
}
