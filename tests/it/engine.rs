//! The engine's rules for guests that stop, for names and for memory. The clock is the tests' own.

use crate::engine_support::TestHost;
use crate::sim_support::{config, name};
use std::time::Duration;
use xend::core::error::Error;
use xend::core::lifecycle::State;
use xend::core::model::{ActionOnShutdown, ShutdownReason};
use xend::core::op::{DomainOp, Outcome};
use xend::core::ports::Hypervisor;

#[tokio::test(start_paused = true)]
async fn a_rebooting_guest_gets_a_new_domid_and_runs() {
    let host = TestHost::new().await;
    let before = host.old_guest(|_| ()).await;
    host.change("a", DomainOp::Shutdown(ShutdownReason::Reboot)).await.unwrap();
    tokio::time::sleep(Duration::from_secs(2)).await;
    let after = host.find("a").await.unwrap();
    assert_eq!((after.uuid, after.state()), (before.uuid, State::Running));
    assert!(after.domid() > before.domid());
    // A second reboot within a minute is taken for a loop.
    host.change("a", DomainOp::Shutdown(ShutdownReason::Reboot)).await.unwrap();
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert!(host.find("a").await.is_none());
}

#[tokio::test(start_paused = true)]
async fn rename_restart_keeps_the_crashed_guest_under_another_name() {
    let host = TestHost::new().await;
    let before = host.old_guest(|config| config.on_crash = ActionOnShutdown::RenameRestart).await;
    host.change("a", DomainOp::Shutdown(ShutdownReason::Crash)).await.unwrap();
    tokio::time::sleep(Duration::from_secs(2)).await;
    let new = host.find("a").await.unwrap();
    let kept = host.find("a-1").await.unwrap();
    assert_eq!((new.uuid, new.state()), (before.uuid, State::Running));
    assert_eq!(
        (kept.domid(), kept.state()),
        (before.domid(), State::Stopped(ShutdownReason::Crash))
    );
    assert_ne!(kept.uuid, before.uuid);
    host.change("a-1", DomainOp::Destroy).await.unwrap();
    assert!(host.find("a-1").await.is_none() && host.find("a").await.is_some());
}

#[tokio::test(start_paused = true)]
async fn coredump_restart_writes_a_core_file() {
    let host = TestHost::new().await;
    let before = host.old_guest(|config| config.on_crash = ActionOnShutdown::CoredumpRestart).await;
    host.change("a", DomainOp::Shutdown(ShutdownReason::Crash)).await.unwrap();
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(host.core_files(), 1);
    assert!(host.find("a").await.unwrap().domid() > before.domid());
}

#[tokio::test(start_paused = true)]
async fn names_and_uuids_are_unique() {
    let host = TestHost::new().await;
    let first = host.old_guest(|_| ()).await;
    let message = |result: Result<Outcome, Error>| result.unwrap_err().to_string();
    let mut same_name = config("a", 64);
    same_name.uuid = None;
    assert_eq!(message(host.create(same_name).await), "Domain \"a\" already exists with ID 1");
    let mut same_uuid = config("b", 64);
    same_uuid.uuid = Some(first.uuid);
    let taken = format!("A domain with UUID {} already exists: \"a\" with ID 1", first.uuid);
    assert_eq!(message(host.create(same_uuid).await), taken);
    let rename = host.change("a", DomainOp::Rename(name("Domain-0"))).await;
    assert_eq!(message(rename), "VM name \"Domain-0\" already exists as domain 0");
    // The name of a create that failed is free.
    let mut too_large = config("c", 1 << 30);
    too_large.uuid = None;
    assert!(message(host.create(too_large.clone()).await).starts_with("Not enough free memory"));
    (too_large.memory, too_large.maxmem) = (64, 64);
    host.create(too_large).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn free_memory_is_counted_while_a_guest_balloons() {
    let host = TestHost::new().await;
    let free = || async { host.hypervisor.figures().await.unwrap().free_memory };
    let before = free().await;
    host.old_guest(|config| config.maxmem = 2048).await;
    assert_eq!(free().await, before - 64);
    host.change("a", DomainOp::SetMemory(1088)).await.unwrap();
    assert_eq!(free().await, before - 1088, "memory promised to a guest is not free");
    let now = host.find("a").await.unwrap();
    assert_eq!(now.config.memory, 1088);
    assert!(now.facts.as_ref().unwrap().memory_kib < 1088 * 1024, "ballooning takes a while");
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(host.find("a").await.unwrap().facts.as_ref().unwrap().memory_kib, 1088 * 1024);
    host.change("a", DomainOp::SetMemory(64)).await.unwrap();
    assert_eq!(free().await, before - 1088, "memory not given back yet is not free");
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(free().await, before - 64);
    let message = |result: Result<Outcome, Error>| result.unwrap_err().to_string();
    assert_eq!(
        message(host.change("a", DomainOp::SetMemory(4096)).await),
        "target: 4096 MiB is out of range, 1 to 2048 MiB"
    );
    assert!(
        message(host.change("0", DomainOp::SetMemory(100)).await)
            .starts_with("target: 100 MiB is out of range, 196 to")
    );
    assert!(
        message(host.change("0", DomainOp::SetMemory(1 << 20)).await)
            .starts_with("Not enough free memory")
    );
    host.change("a", DomainOp::SetMaxMemory(32)).await.unwrap_err();
}
