//! Tests of what the crate offers, in one binary.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by a panic"
)]

mod mangling;
mod network;
mod texts;
mod xenstore_tools;
