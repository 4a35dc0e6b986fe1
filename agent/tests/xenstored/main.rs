//! The built agent in a guest of Debian's xenstored, and a host that writes and reads as
//! OpenStack's plug-in does. Without xenstored the tests say so and are skipped.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by a panic"
)]

#[path = "../support/machine.rs"]
mod machine;
#[path = "../../../guest-protocol/tests/it/xenstore_tools.rs"]
mod xenstore_tools;
#[path = "../../../xenstore/tests/support/xenstored/mod.rs"]
mod xenstored;

mod commands;
mod guest;
mod hosts;
mod killed;
mod lost;
mod mangling;
mod namespace;
mod network;
mod quotas;
mod random;
mod reports;
mod requests;
