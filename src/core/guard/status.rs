//! What a guard tells of itself.

use super::state::{Absence, Guard, Guarded};
use super::timers::WATCHDOG_LIMIT;
use crate::core::model::Uuid;
use std::time::Duration;

/// How a guard is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GuardStatus {
    /// `idle`, `guarding`, `away` or `destroying`
    pub state: &'static str,
    /// The boot of the host under which domains are guarded.
    pub epoch: Option<u64>,
    /// How long ago the last read was sent that found no fence.
    pub age: Option<Duration>,
    /// When the hypervisor reboots the machine, unless the guard goes on.
    pub left: Option<Duration>,
    pub domains: Vec<GuardedDomain>,
}

/// A domain of a guard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GuardedDomain {
    pub domain: Uuid,
    /// `registering`, `building` or `built`
    pub state: &'static str,
}

impl Guard {
    /// How the guard is, at this time.
    pub fn status(&self, now: Duration) -> GuardStatus {
        let now = self.now.max(now);
        let state = if self.ending.is_some() {
            "destroying"
        } else if self.absence != Absence::None {
            "away"
        } else if self.domains.is_empty() {
            "idle"
        } else {
            "guarding"
        };
        let end = self.timers.set_from().map(|from| from + WATCHDOG_LIMIT);
        let domains = self.domains.iter();
        GuardStatus {
            state,
            epoch: self.epoch,
            age: self.reads.age(now),
            left: end.map(|end| end.saturating_sub(now)),
            domains: domains
                .map(|(domain, guarded)| GuardedDomain { domain: *domain, state: word(guarded) })
                .collect(),
        }
    }
}

fn word(guarded: &Guarded) -> &'static str {
    match guarded {
        Guarded { waiting: Some(_), .. } => "registering",
        Guarded { is_built: false, .. } => "building",
        Guarded { is_built: true, .. } => "built",
    }
}
