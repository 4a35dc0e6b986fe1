//! One contract for every backend: each operation in each state of a domain's life, and what comes
//! of it.
//!
//! A backend says how to get a fresh host with an engine on it, what its guests are made of, and
//! how long it may take. The simulator passes it here; real Xen is another [`Backend`].
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by a panic"
)]

mod backend;
mod expected;
mod suite;

use backend::Simulator;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_question_and_operation_in_every_state() {
    suite::operations(&Simulator).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_change_of_the_host() {
    suite::host(&Simulator).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn domains_are_destroyed_while_others_are_looked_at() {
    suite::destroys(&Simulator, 40).await;
}

/// All of it on real Xen, one after the other: there is one host.
#[cfg(feature = "xen")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_real_xen() {
    let Some(xen) = backend::RealXen::here() else {
        println!("Skipped: XEND_GUEST is not set, see tests/xen");
        return;
    };
    suite::host(&xen).await;
    println!("\nok every change of the host");
    for tens in 1..=3 {
        suite::destroys(&xen, 10).await;
        println!("ok domains are destroyed while others are looked at, {tens} times ten");
    }
    suite::operations(&xen).await;
}
