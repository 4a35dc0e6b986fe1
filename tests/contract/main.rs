//! The contract of every backend: the result of each operation in each state of a domain.
//!
//! A [`Backend`](backend::Backend) makes hosts with an engine and configurations of guests. The
//! simulator passes the contract here, real Xen in `tests/xen`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by a panic"
)]

mod backend;
mod expected;
mod failing_sender;
mod guest_store;
mod host;
mod operations;
mod queries;
mod trial;

use backend::Simulator;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_query_and_operation_in_every_state() {
    operations::operations(&Simulator).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_change_of_the_host() {
    host::host(&Simulator).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn xenstore_of_a_domain() {
    guest_store::guest_store(&Simulator).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn domains_are_destroyed_while_queries_run() {
    operations::destroys_during_queries(&Simulator, 40).await;
}

/// The whole contract on real Xen, one part after the other on the one host.
#[cfg(feature = "xen")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_real_xen() {
    let Some(xen) = backend::RealXen::here() else {
        println!("Skipped: XEND_GUEST is not set, see tests/xen");
        return;
    };
    host::host(&xen).await;
    println!("\nok every change of the host");
    guest_store::guest_store(&xen).await;
    println!("ok XenStore of a domain");
    for tens in 1..=3 {
        operations::destroys_during_queries(&xen, 10).await;
        println!("ok domains are destroyed while queries run, {tens} times ten");
    }
    operations::operations(&xen).await;
}
