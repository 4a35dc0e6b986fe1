//! The two timers of the hypervisor's watchdog.
//!
//! Setting a timer is no single instant: a guard that is stopped between reading its clock and
//! setting the timer sets it to an end that is too late. So one timer at a time is touched, and the
//! clock is read afterwards: only when that timer was set in time, the other one is touched next.
//! Of the two, one has an end that is not too late, at any time.

use std::time::Duration;

/// How long after s the hypervisor reboots the machine.
pub const WATCHDOG_LIMIT: Duration = Duration::from_secs(30);
/// How long it may take to set a timer.
pub(super) const SET_LIMIT: Duration = Duration::from_secs(1);
/// When it is tried again to set or to unset a timer, which the hypervisor has refused.
const RETRY: Duration = Duration::from_secs(1);

/// One of the two timers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Timer {
    #[default]
    First,
    Second,
}

impl Timer {
    fn other(self) -> Self {
        match self {
            Self::First => Self::Second,
            Self::Second => Self::First,
        }
    }
}

/// A call of the hypervisor that has not ended.
#[derive(Debug)]
enum Call {
    /// A timer is set to an end counted from `from`. The clock was read at `began`.
    Set {
        from: Duration,
        began: Duration,
    },
    Disarm,
}

/// The timers of a guard.
#[derive(Debug, Default)]
pub(super) struct Timers {
    /// Which one is touched next.
    next: Timer,
    call: Option<Call>,
    /// Whether one may be set, in time or not.
    may_be_set: bool,
    /// From when the end of the other one is counted, which was set in time; `None` if it was not.
    set_from: Option<Duration>,
    /// Nothing is tried before.
    not_before: Duration,
}

impl Timers {
    /// The timer to set now, and its seconds: it ends so long after `from`. None is set if one has
    /// that end or a later one.
    pub(super) fn begin(&mut self, from: Duration, now: Duration) -> Option<(Timer, u32)> {
        if self.call.is_some() || self.set_from >= Some(from) || now < self.not_before {
            return None;
        }
        let left = (from + WATCHDOG_LIMIT).saturating_sub(now);
        // A timer of 0 would be unset: the one that is set must end.
        let seconds = u32::try_from(left.as_secs()).ok().filter(|seconds| *seconds > 0)?;
        self.call = Some(Call::Set { from, began: now });
        self.may_be_set = true;
        Some((self.next, seconds))
    }

    /// The call that sets a timer has ended. `limit` is how long it may have taken.
    pub(super) fn set(&mut self, now: Duration, done: bool, limit: Duration) {
        let Some(Call::Set { from, began }) = self.call else { return };
        self.call = None;
        if !done {
            self.not_before = now + RETRY;
        } else if now.saturating_sub(began) <= limit {
            self.set_from = Some(from);
            self.next = self.next.other();
        }
    }

    /// Whether both are to be unset now: not if none is set.
    pub(super) fn disarm(&mut self, now: Duration) -> bool {
        if !self.may_be_set || self.call.is_some() || now < self.not_before {
            return false;
        }
        // From now on neither counts: nobody knows which one the call unsets first.
        self.set_from = None;
        self.call = Some(Call::Disarm);
        true
    }

    /// The call that unsets both has ended.
    pub(super) fn disarmed(&mut self, now: Duration, done: bool) {
        if !matches!(self.call, Some(Call::Disarm)) {
            return;
        }
        self.call = None;
        if done {
            self.may_be_set = false;
        } else {
            self.not_before = now + RETRY;
        }
    }

    /// Whether one may be set, in time or not.
    pub(super) fn may_be_set(&self) -> bool {
        self.may_be_set
    }

    /// From when the end of the timer is counted that was set in time.
    pub(super) fn set_from(&self) -> Option<Duration> {
        self.set_from
    }
}
