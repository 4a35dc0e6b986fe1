//! What the fleet's protocol promises, checked in every state of bounded worlds; and what each
//! broken rule leads to.

#![allow(clippy::panic, reason = "a test fails by a panic")]

mod flaws;
mod happens;
mod holds;
mod worlds;

/// More states than any of these models has.
const LIMIT: usize = 3_000_000;
