//! The built agent over an in-memory XenStore, a directory, and standard input and output.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by a panic"
)]

#[path = "../support/machine.rs"]
mod machine;

mod commands;
mod directory;
mod files;
mod guest;
mod killed;
mod life;
mod packaging;
mod passwords;
mod plugins;
mod responses;
mod stdio;
