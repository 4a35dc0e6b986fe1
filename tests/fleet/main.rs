//! The fleet on a real etcd, which the tests start, and on the one in memory.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by a panic"
)]

mod absence;
mod commands;
mod cut;
mod demo;
mod docs;
mod etcd_faults;
mod etcd_login;
mod etcd_server;
mod etcd_sizes;
mod evacuation;
mod failures;
#[path = "../fleet_faults/checker.rs"]
mod fault_checker;
mod fault_checker_tests;
#[path = "../fleet_faults/definitions.rs"]
mod fault_definitions;
mod fault_definitions_tests;
mod guard;
mod kv_suite;
mod moving;
#[path = "../support/page.rs"]
mod page;
#[path = "../support/ports.rs"]
mod ports;
#[path = "../support/process.rs"]
mod process;
mod protection;
mod two_daemons;
mod xen_api;

use std::time::Duration;

/// Time limit that nothing reaches unless it fails, even on a busy machine.
pub(crate) const GENEROUS: Duration = Duration::from_secs(120);
