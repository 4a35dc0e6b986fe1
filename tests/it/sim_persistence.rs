//! A simulated host survives its daemon.

use crate::sim_support::{
    TestClock, advance, completed, config, disk, facts, free, name, open, settings, try_open, vif,
    with_args, with_devices,
};
use std::fs;
use std::path::Path;
use std::sync::Arc;
use xend::backend::sim::{SimError, SimSettings};
use xend::core::error::Error;
use xend::core::model::{DomId, SchedParams, ShutdownReason, Uuid};
use xend::core::ports::Hypervisor;
use xend::dir_lock::LockError;
use xend::shape::{read_stored, stored_config};

/// Copies what a killed daemon leaves behind: the directory without the lock.
fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to.join("domains")).unwrap();
    for file in ["host.sxp", "dmesg"] {
        fs::copy(from.join(file), to.join(file)).unwrap();
    }
    for entry in fs::read_dir(from.join("domains")).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), to.join("domains").join(entry.file_name())).unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn domains_run_on_while_the_daemon_is_down() {
    let dir = tempfile::tempdir().unwrap();
    let clock = TestClock::new();
    let sim = open(dir.path(), &clock);
    let devices = [vif(), disk("sda1", "phy:/dev/vg0/it's")];
    let web = completed(&with_devices(config("web", 128), devices));
    let web_id = sim.create(&web, Arc::default()).await.unwrap().domid;
    let idle = sim.create(&completed(&config("still-paused", 256)), Arc::default()).await.unwrap();
    sim.unpause(web_id).await.unwrap();
    sim.set_sched_params(web_id, SchedParams::Credit { weight: 512, cap: 50 }).await.unwrap();
    sim.rename(DomId::ZERO, &name("Zero"), None).await.unwrap();
    advance(5_000).await;
    let before = facts(&sim, web_id).await;
    let dmesg = sim.dmesg().await.unwrap();

    drop(sim);
    let sim = open(dir.path(), &clock);
    assert_eq!(facts(&sim, web_id).await, before);
    assert_eq!(facts(&sim, idle.domid).await, idle);
    assert_eq!(sim.config(web_id).await.unwrap(), read_stored(&stored_config(&web)).unwrap());
    assert_eq!(
        sim.sched_params(web_id).await.unwrap(),
        SchedParams::Credit { weight: 512, cap: 50 }
    );
    assert_eq!(sim.dmesg().await.unwrap(), dmesg);
    assert_eq!(free(&sim).await, 16384 - 64 - 1024 - 128 - 256);
    let names: Vec<_> = sim.domains().await.unwrap().iter().map(|f| f.name.to_string()).collect();
    assert_eq!(names, ["Zero", "web", "still-paused"]);

    drop(sim);
    advance(60_000).await;
    let after = facts(&open(dir.path(), &clock), web_id).await;
    assert!(after.cpu_time > before.cpu_time && after.flags.blocked);
}

#[tokio::test(start_paused = true)]
async fn guests_stop_while_the_daemon_is_down() {
    let dir = tempfile::tempdir().unwrap();
    let clock = TestClock::new();
    let sim = open(dir.path(), &clock);
    let asked = sim.create(&completed(&config("asked", 64)), Arc::default()).await.unwrap().domid;
    let deaf = sim.create(&completed(&config("deaf", 65)), Arc::default()).await.unwrap().domid;
    let crasher = sim
        .create(&completed(&with_args(config("crasher", 66), "ro sim-crash=3")), Arc::default())
        .await
        .unwrap()
        .domid;
    for domid in [asked, deaf, crasher] {
        sim.unpause(domid).await.unwrap();
        sim.shutdown(domid, ShutdownReason::Reboot).await.unwrap();
    }
    assert_eq!(facts(&sim, asked).await.flags.shutdown, None);
    drop(sim);
    advance(10_000).await;

    let sim = open(dir.path(), &clock);
    let mut events = sim.subscribe();
    assert_eq!(facts(&sim, asked).await.flags.shutdown, Some(ShutdownReason::Reboot));
    assert!(facts(&sim, deaf).await.flags.blocked);
    // Its reboot came before its crash.
    assert_eq!(facts(&sim, crasher).await.flags.shutdown, Some(ShutdownReason::Reboot));
    advance(10_000).await;
    assert!(events.try_recv().is_err(), "stops found at the start are not reported");
}

#[tokio::test(start_paused = true)]
async fn a_crash_while_the_daemon_is_down_is_in_the_message_buffer_once() {
    let dir = tempfile::tempdir().unwrap();
    let clock = TestClock::new();
    let sim = open(dir.path(), &clock);
    let domid = sim
        .create(&completed(&with_args(config("a", 64), "sim-crash=1")), Arc::default())
        .await
        .unwrap()
        .domid;
    sim.unpause(domid).await.unwrap();
    drop(sim);
    advance(5_000).await;
    for _ in 0..3 {
        let sim = open(dir.path(), &clock);
        let text = String::from_utf8(sim.dmesg().await.unwrap()).unwrap();
        assert_eq!(text.matches("Domain 1 (vcpu#0) crashed").count(), 1, "{text}");
        advance(100).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_domain_that_was_being_destroyed_is_gone() {
    let dir = tempfile::tempdir().unwrap();
    let clock = TestClock::new();
    let sim = open(dir.path(), &clock);
    let domid = sim.create(&completed(&config("a", 1024)), Arc::default()).await.unwrap().domid;
    let job = tokio::spawn({
        let sim = sim.clone();
        async move { sim.destroy(domid, Arc::default()).await }
    });
    while !facts(&sim, domid).await.flags.dying {
        advance(1).await;
    }
    let left = tempfile::tempdir().unwrap();
    copy(dir.path(), left.path());
    job.await.unwrap().unwrap();

    advance(50).await;
    let sim = open(left.path(), &clock);
    assert!(sim.domain(domid).await.unwrap().is_none());
    assert_eq!(free(&sim).await, 16384 - 64 - 1024);
    assert!(!left.path().join("domains/1.sxp").exists());
}

#[tokio::test(start_paused = true)]
async fn domids_are_never_reused() {
    let dir = tempfile::tempdir().unwrap();
    let clock = TestClock::new();
    for expected in 1..4 {
        let sim = open(dir.path(), &clock);
        let domid = sim.create(&completed(&config("a", 64)), Arc::default()).await.unwrap().domid;
        assert_eq!(domid, DomId(expected));
        sim.destroy(domid, Arc::default()).await.unwrap();
    }
}

/// Whether a directory has a file that was set aside.
fn has_damaged(dir: &Path, name: &str) -> bool {
    let mut names = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name());
    let prefix = format!("{name}.damaged-");
    names.any(|one| one.to_str().unwrap().starts_with(&prefix))
}

#[tokio::test(start_paused = true)]
async fn damaged_files_are_set_aside() {
    let dir = tempfile::tempdir().unwrap();
    let clock = TestClock::new();
    let sim = open(dir.path(), &clock);
    for n in 0..3 {
        sim.create(&completed(&config("a", 64 + n)), Arc::default()).await.unwrap();
    }
    drop(sim);
    let file = |name: &str| dir.path().join(name);
    let text = fs::read(file("domains/2.sxp")).unwrap();
    fs::write(file("domains/2.sxp"), &text[..text.len() / 2]).unwrap();
    fs::write(file("domains/.new-abc"), "half").unwrap();
    fs::write(file("host.sxp"), "(sim-host (boot").unwrap();

    let sim = open(dir.path(), &clock);
    let domids: Vec<_> = sim.domains().await.unwrap().iter().map(|f| f.domid.0).collect();
    assert_eq!(domids, [0, 1, 3]);
    assert!(has_damaged(&file("domains"), "2.sxp") && !file("domains/2.sxp").exists());
    assert!(has_damaged(dir.path(), "host.sxp"));
    assert!(!file("domains/.new-abc").exists());
    assert_eq!(free(&sim).await, 16384 - 64 - 1024 - 64 - 66);
    assert_eq!(
        sim.create(&completed(&config("b", 64)), Arc::default()).await.unwrap().domid,
        DomId(4)
    );
}

#[tokio::test(start_paused = true)]
async fn a_reboot_of_the_machine_ends_all_domains() {
    let dir = tempfile::tempdir().unwrap();
    let clock = TestClock::new();
    let sim = open(dir.path(), &clock);
    sim.create(&completed(&config("a", 64)), Arc::default()).await.unwrap();
    sim.rename(DomId::ZERO, &name("Zero"), None).await.unwrap();
    drop(sim);
    let rebooted =
        SimSettings { boot_id: Some("next-run".into()), dom0_memory_mib: 2048, ..settings() };
    let sim = try_open(dir.path(), &clock, rebooted).unwrap();
    let domains = sim.domains().await.unwrap();
    assert_eq!(domains.len(), 1);
    assert_eq!(
        (domains[0].name.as_str(), domains[0].uuid, domains[0].memory_kib),
        ("Domain-0", Uuid::nil(), 2048 * 1024)
    );
    assert_eq!(
        sim.create(&completed(&config("b", 64)), Arc::default()).await.unwrap().domid,
        DomId(1)
    );
    let text = String::from_utf8(sim.dmesg().await.unwrap()).unwrap();
    assert!(text.starts_with("(XEN) Xen version 4.17.0"), "{text}");
    assert_eq!(text.matches("domain created").count(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_second_daemon_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let clock = TestClock::new();
    let sim = open(dir.path(), &clock);
    let refused = try_open(dir.path(), &clock, settings()).unwrap_err();
    assert!(matches!(refused, SimError::Lock(LockError::Held { pid: Some(_), .. })));
    assert!(refused.to_string().contains("is in use by another running xend (process "));
    let clone = sim.clone();
    drop(sim);
    assert!(try_open(dir.path(), &clock, settings()).is_err());
    drop(clone);
    open(dir.path(), &clock);
}

#[tokio::test(start_paused = true)]
async fn a_change_that_cannot_be_written_does_not_happen() {
    let dir = tempfile::tempdir().unwrap();
    let clock = TestClock::new();
    let sim = open(dir.path(), &clock);
    let domid = sim.create(&completed(&config("a", 64)), Arc::default()).await.unwrap().domid;
    let before = facts(&sim, domid).await;
    fs::rename(dir.path().join("domains"), dir.path().join("elsewhere")).unwrap();
    assert!(matches!(sim.unpause(domid).await, Err(Error::Backend { .. })));
    assert!(matches!(
        sim.create(&completed(&config("b", 64)), Arc::default()).await,
        Err(Error::Backend { .. })
    ));
    assert_eq!(facts(&sim, domid).await, before);
    assert_eq!(sim.domains().await.unwrap().len(), 2);
    assert_eq!(free(&sim).await, 16384 - 64 - 1024 - 64);
    fs::rename(dir.path().join("elsewhere"), dir.path().join("domains")).unwrap();
    sim.unpause(domid).await.unwrap();
}
