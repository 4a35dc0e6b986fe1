//! Clocks of a guard's world.

use std::time::Duration;

/// A clock that is wrong by its rate alone, in thousandths.
#[derive(Debug, Clone, Copy)]
pub(in crate::core::guard) struct Rate(pub(in crate::core::guard) u64);

impl Rate {
    /// What the clock shows.
    pub(super) fn of(self, milliseconds: u64) -> Duration {
        Duration::from_micros(milliseconds * self.0)
    }

    /// When the clock shows a time.
    pub(super) fn reaches(self, time: Duration) -> u64 {
        u64::try_from(time.as_micros()).unwrap().div_ceil(self.0)
    }
}

/// The rates of the guard's clock, the hypervisor's and the taker's.
#[derive(Debug, Clone, Copy)]
pub(in crate::core::guard) struct Rates {
    pub(in crate::core::guard) guard: Rate,
    pub(in crate::core::guard) watchdog: Rate,
    pub(in crate::core::guard) taker: Rate,
}

impl Rates {
    pub(in crate::core::guard) const TRUE: Self = Self::all(1000);

    const fn all(rate: u64) -> Self {
        Self { guard: Rate(rate), watchdog: Rate(rate), taker: Rate(rate) }
    }
}
