//! What a guard has, as its daemon hears of it.

use crate::core::model::Uuid;
use std::collections::BTreeSet;

/// What a guard has.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GuardedHere {
    /// Whether it is ending its domains.
    pub is_ending: bool,
    /// Whether it keeps no timer, since the host is away.
    pub is_away: bool,
    /// The boot of the host under which it guards; `None` while it guards nothing.
    pub epoch: Option<u64>,
    pub domains: BTreeSet<Uuid>,
}

impl GuardedHere {
    /// Whether the guard has ended a domain that it was to guard, or is about to.
    pub(in crate::fleet) fn has_ended(&self, domain: Uuid) -> bool {
        self.is_ending || !self.domains.contains(&domain)
    }
}
