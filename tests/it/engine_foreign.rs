//! Domains that another toolstack creates, renames and destroys.

use crate::engine_support::TestHost;
use crate::sim_support::{completed, config, name, vif, with_devices};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use xend::core::model::Device;
use xend::core::op::DomainOp;
use xend::core::ports::Hypervisor;

#[tokio::test(start_paused = true)]
async fn a_domain_of_another_toolstack_is_shown_and_can_be_controlled() {
    let host = TestHost::new().await;
    let facts = host
        .hypervisor
        .sim
        .create(&completed(&config("stranger", 64)), Arc::default())
        .await
        .unwrap();
    host.find("stranger").await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(host.find("stranger").await.unwrap().domid(), Some(facts.domid));
    host.change("stranger", DomainOp::Unpause).await.unwrap();
    host.hypervisor.sim.destroy(facts.domid, Arc::default()).await.unwrap();
    host.find("stranger").await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(host.find("stranger").await.is_none());
    host.create(config("stranger", 64)).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn what_is_left_of_a_domain_that_was_destroyed_without_a_toolstack_is_cleared_away() {
    let host = TestHost::new().await;
    let domid = host.old_guest(|_| ()).await.domid().unwrap();
    host.hypervisor.guests_are_dying.store(true, Ordering::Relaxed);
    host.find("a").await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(host.hypervisor.sim.domain(domid).await.unwrap().is_none());
    assert!(host.find("a").await.is_none());
    host.hypervisor.guests_are_dying.store(false, Ordering::Relaxed);
    host.create(config("a", 64)).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn the_configuration_of_a_domain_of_another_toolstack_is_completed() {
    let host = TestHost::new().await;
    host.hypervisor.configs_are_bare.store(true, Ordering::Relaxed);
    let stranger = completed(&with_devices(config("stranger", 64), [vif(), vif()]));
    let facts = host.hypervisor.sim.create(&stranger, Arc::default()).await.unwrap();
    host.find("stranger").await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let view = host.find("stranger").await.unwrap();
    assert_eq!((view.uuid, view.config.uuid()), (facts.uuid, facts.uuid));
    let numbers: Vec<_> = view.config.devices.iter().map(Device::id).collect();
    assert_eq!(numbers, [Some(0), Some(1)]);
    assert!(view.config.devices.iter().all(|device| device.uuid().is_some()));
}

#[tokio::test(start_paused = true)]
async fn a_domain_that_another_toolstack_renames_has_the_new_name() {
    let host = TestHost::new().await;
    let view = host.old_guest(|_| ()).await;
    host.hypervisor.sim.rename(view.domid().unwrap(), &name("b"), None).await.unwrap();
    host.find("a").await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(host.find("a").await.is_none());
    assert_eq!(host.find("b").await.unwrap().uuid, view.uuid);
    host.create(config("a", 65)).await.unwrap();
    host.change("b", DomainOp::Pause).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_domain_whose_name_is_taken_is_shown_under_another_until_the_name_is_free() {
    let host = TestHost::new().await;
    let ours = host.old_guest(|_| ()).await;
    let theirs = host
        .hypervisor
        .sim
        .create(&completed(&config("stranger", 64)), Arc::default())
        .await
        .unwrap();
    host.hypervisor.sim.rename(theirs.domid, &name("a"), None).await.unwrap();
    host.find("a").await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let shown = format!("a-{}", theirs.domid);
    assert_eq!(host.find(&shown).await.unwrap().domid(), Some(theirs.domid));
    assert_eq!(host.find("a").await.unwrap().domid(), ours.domid());
    host.change("a", DomainOp::Destroy).await.unwrap();
    host.change(&shown, DomainOp::Unpause).await.unwrap();
    assert_eq!(host.find("a").await.unwrap().domid(), Some(theirs.domid));
    assert!(host.find(&shown).await.is_none());
}
