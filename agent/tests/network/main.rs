//! `resetnetwork`: what is written for each distribution, whether the distribution's own tools
//! understand it, and that a network that does not work is taken back.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by a panic"
)]

mod applied;
mod choice;
mod files;
mod golden;
mod guest;
mod interrupted;
mod refused;
mod rollback;
mod tools;
mod vm_data;
