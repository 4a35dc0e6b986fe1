//! What a guard knows.

#[cfg(test)]
use super::flaw::Flaw;
use super::messages::{Attempt, Ticket};
use super::reads::Reads;
use super::timers::{SET_LIMIT, Timers};
use crate::core::model::Uuid;
use std::collections::BTreeMap;
use std::time::Duration;

/// A domain.
#[derive(Debug)]
pub(super) struct Guarded {
    /// Whether its build is over. Before that nobody knows whether it is gone.
    pub(super) is_built: bool,
    pub(super) waiting: Option<Waiting>,
    /// The last attempt to destroy it that began after its build.
    pub(super) attempt: Option<Attempt>,
}

/// A registration that was not answered.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) ticket: Ticket,
    pub(super) since: Duration,
    /// Of a domain that was guarded already: whether its build was over. It stays guarded if this
    /// registration is refused.
    pub(super) before: Option<bool>,
}

/// Why all domains are destroyed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    Silent,
    Fenced,
}

/// A planned absence. No taker fences a host that is away, so no timer is set meanwhile.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Absence {
    #[default]
    None,
    /// The timers are being unset.
    Begins(Ticket),
    Away,
    /// A timer is being set.
    Ends {
        ticket: Ticket,
        since: Duration,
    },
}

/// The guard of one host.
#[derive(Debug, Default)]
pub struct Guard {
    pub(super) now: Duration,
    pub(super) domains: BTreeMap<Uuid, Guarded>,
    /// Under which all of them are guarded; `None` until it was found.
    pub(super) epoch: Option<u64>,
    pub(super) reads: Reads,
    pub(super) timers: Timers,
    pub(super) ending: Option<Ending>,
    pub(super) absence: Absence,
    /// The attempt under way.
    pub(super) attempt: Option<Attempt>,
    /// The number of the next attempt, and when it may begin.
    pub(super) next_attempt: (u64, Duration),
    #[cfg(test)]
    pub(super) flaw: Option<Flaw>,
}

impl Guard {
    /// Whether a timer has to be set.
    pub(super) fn is_needed(&self) -> bool {
        let is_away = matches!(self.absence, Absence::Begins(_) | Absence::Away);
        !self.domains.is_empty() && !is_away
    }

    /// Whether the fence was seen.
    pub(super) fn is_fenced(&self) -> bool {
        self.ending == Some(Ending::Fenced)
    }

    /// From when the answer to a read counts: what it says was true then, and may not be any more
    /// when it comes.
    #[cfg_attr(not(test), expect(clippy::unused_self, reason = "tests break this rule"))]
    pub(super) fn counted_from(&self, sent: Duration) -> Duration {
        #[cfg(test)]
        if self.flaw == Some(Flaw::FromAnswer) {
            return self.now;
        }
        sent
    }

    /// How long it may take to set a timer.
    #[cfg_attr(not(test), expect(clippy::unused_self, reason = "tests break this rule"))]
    pub(super) fn set_limit(&self) -> Duration {
        #[cfg(test)]
        if self.flaw == Some(Flaw::LateTimer) {
            return Duration::MAX;
        }
        SET_LIMIT
    }

    /// Whether it can be told that a domain is gone. Before it is built, it may come yet.
    #[cfg_attr(not(test), expect(clippy::unused_self, reason = "tests break this rule"))]
    pub(super) fn can_be_gone(&self, guarded: &Guarded) -> bool {
        #[cfg(test)]
        if self.flaw == Some(Flaw::LetGoInBuild) {
            return true;
        }
        guarded.is_built
    }
}
