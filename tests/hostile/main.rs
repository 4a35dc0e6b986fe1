//! Attacks from outside on the daemon as a process.
//!
//! Each attack prints its figures: the daemon's memory and descriptors before, at the peak and
//! after, and how long an operator's reads took before and meanwhile. What is asserted are bounds
//! and that no read was lost, no times.
//!
//! ```text
//! victim     a daemon under attack, with an operator who reads all the time
//! figures    what is measured of it
//! clients    connections of attackers
//! http, silence, memory, work, waiting    the attacks
//! long_run   mixed load for as long as XEND_LONG_RUN says, in seconds
//! ```
//!
//! `XEND_HOSTILE=full` makes the attacks as big as those that once did harm, for a release build:
//! `XEND_HOSTILE=full cargo test --release --test hostile -- --test-threads 1 --nocapture`.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by a panic"
)]

mod clients;
mod figures;
mod http;
mod long_run;
mod memory;
#[path = "../support/ports.rs"]
mod ports;
#[path = "../support/process.rs"]
mod process;
mod silence;
#[path = "../it/tls_support.rs"]
mod tls_support;
mod victim;
mod waiting;
mod work;
