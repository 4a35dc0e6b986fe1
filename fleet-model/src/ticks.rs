//! Time in the models.
//!
//! A tick is 7.9 s. Every bound is rounded outwards, the earliest down and the latest up, with a
//! clock's rate wrong by 1 %, so that the models do all that the real figures allow, and more. All
//! bounds are closed, so whole ticks reach what real time reaches (Henzinger, Manna and Pnueli:
//! What good are digital clocks?).

/// What a counterexample says of a tick.
pub(crate) const TICK: &str = "8 s pass";

/// The latest end of the 30 s of the hypervisor's watchdog, with 1 s for setting it: 31.4 s.
pub(crate) const WATCHDOG: u8 = 4;

/// The earliest end of the 40 s that a taker waits: 39.6 s.
pub(crate) const WAIT: u8 = 5;
