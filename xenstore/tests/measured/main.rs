//! What was measured of Debian's xenstored 4.17, which our in-memory server does, too.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by a panic")]

#[path = "../support/xenstored/mod.rs"]
mod xenstored;

mod daemon;
mod domains;
mod in_memory;
mod permissions;
mod quotas;
mod random;
mod raw;
mod requests;
mod transactions;
mod watches;
