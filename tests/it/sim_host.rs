//! Domains on a simulated host.

use crate::sim_support::{
    advance, completed, config, disk, facts, free, host, settings, vif, with_args, with_devices,
};
use std::fs;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::time::Instant;
use xend::backend::sim::Sim;
use xend::core::error::Error;
use xend::core::model::{DomId, GuestKind, Scheduler, ShutdownReason};
use xend::core::ports::{Clock, DomainChanged, Hypervisor};
use xend::os::OsEntropy;

#[tokio::test(start_paused = true)]
async fn a_fresh_host_has_domain_0() {
    let (_dir, sim) = host(settings());
    let info = sim.info().await.unwrap();
    assert_eq!(
        (info.topology.cpus, info.total_memory, info.scheduler),
        (4, 16384, Scheduler::Credit)
    );
    assert!(info.commandline.starts_with("dom0_mem=1024M") && !info.uname[2].is_empty());
    assert_eq!(free(&sim).await, 15296);
    let domains = sim.domains().await.unwrap();
    let [zero] = domains.as_slice() else { panic!("{domains:?}") };
    assert_eq!((zero.domid, zero.name.as_str(), zero.online_vcpus), (DomId::ZERO, "Domain-0", 2));
    assert!(zero.flags.running);
    let config = sim.config(DomId::ZERO).await.unwrap();
    assert_eq!((config.memory, config.maxmem, config.vcpus), (1024, 16_777_215, 2));

    let refusal = |error: Result<(), Error>| error.unwrap_err().to_string();
    assert_eq!(
        refusal(sim.destroy(DomId::ZERO, Arc::default()).await),
        "Cannot destroy privileged domain 0"
    );
    assert_eq!(refusal(sim.pause(DomId::ZERO).await), "Cannot pause privileged domain 0");
    assert_eq!(
        refusal(sim.shutdown(DomId::ZERO, ShutdownReason::Crash).await),
        "Domain 0 cannot be shutdown"
    );
    sim.wait_for_devices(DomId::ZERO).await.unwrap();
    sim.store_config(DomId::ZERO, &completed(&config)).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_guest_is_created_paused_stopped_and_destroyed() {
    let (_dir, sim) = host(settings());
    let mut events = sim.subscribe();
    let mut web = with_devices(config("web", 128), [disk("sda1", "phy:/dev/vg0/web"), vif()]);
    web.set_vcpus(2);
    let built = sim.create(&completed(&web), Arc::default()).await.unwrap();
    let domid = built.domid;
    assert!(built.flags.paused && !built.flags.blocked && built.cpu_time.is_zero());
    assert_eq!(
        (built.online_vcpus, built.store_mfn, built.console_mfn),
        (1, Some(1_000_010), Some(1_000_011))
    );
    assert_eq!(built.notes.len(), 12);

    let start = Instant::now();
    sim.wait_for_devices(domid).await.unwrap();
    let waited = start.elapsed();
    assert!(
        (Duration::from_millis(150)..Duration::from_millis(160)).contains(&waited),
        "{waited:?}"
    );
    sim.wait_for_devices(domid).await.unwrap();
    assert!(start.elapsed() < waited + Duration::from_millis(5));

    sim.unpause(domid).await.unwrap();
    sim.unpause(domid).await.unwrap();
    sim.shutdown(domid, ShutdownReason::Poweroff).await.unwrap();
    advance(500).await;
    let booted = facts(&sim, domid).await;
    assert!(booted.flags.blocked && booted.flags.shutdown.is_none() && booted.online_vcpus == 2);
    sim.pause(domid).await.unwrap();
    sim.pause(domid).await.unwrap();
    let paused = facts(&sim, domid).await;
    advance(10_000).await;
    assert_eq!(facts(&sim, domid).await, paused);
    assert!(paused.flags.paused && !paused.flags.blocked);
    sim.unpause(domid).await.unwrap();
    assert!(events.try_recv().is_err());
    assert_eq!(events.recv().await, Some(DomainChanged(domid)));
    let stopped = facts(&sim, domid).await;
    assert_eq!(stopped.flags.shutdown, Some(ShutdownReason::Poweroff));
    sim.shutdown(domid, ShutdownReason::Crash).await.unwrap();
    sim.pause(domid).await.unwrap();
    advance(1_000).await;
    let still = facts(&sim, domid).await;
    assert_eq!(
        (still.flags.shutdown, still.cpu_time),
        (Some(ShutdownReason::Poweroff), stopped.cpu_time)
    );
    assert_eq!(free(&sim).await, 15296 - 128);

    sim.destroy(domid, Arc::default()).await.unwrap();
    assert_eq!(free(&sim).await, 15296);
    assert!(sim.domain(domid).await.unwrap().is_none());
    assert!(
        matches!(sim.destroy(domid, Arc::default()).await, Err(Error::NoSuchDomain(id)) if id == "1")
    );
    assert!(matches!(sim.vcpus(domid).await, Err(Error::NoSuchDomain(_))));
}

#[tokio::test(start_paused = true)]
async fn a_crash_is_immediate_and_reported() {
    let (_dir, sim) = host(settings());
    let mut events = sim.subscribe();
    let domid = sim.create(&completed(&config("deaf", 64)), Arc::default()).await.unwrap().domid;
    sim.unpause(domid).await.unwrap();
    sim.shutdown(domid, ShutdownReason::Halt).await.unwrap();
    advance(60_000).await;
    assert!(facts(&sim, domid).await.flags.blocked);
    sim.shutdown(domid, ShutdownReason::Crash).await.unwrap();
    assert!(facts(&sim, domid).await.flags.crashed());
    assert_eq!(events.recv().await, Some(DomainChanged(domid)));
    let text = String::from_utf8(sim.dmesg().await.unwrap()).unwrap();
    assert_eq!(text.matches("Domain 1 (vcpu#0) crashed on cpu#1:").count(), 1, "{text}");
    sim.clear_dmesg().await.unwrap();
    advance(100).await;
    assert_eq!(sim.dmesg().await.unwrap(), b"");
}

#[tokio::test(start_paused = true)]
async fn a_guest_that_crashes_by_itself_is_reported_at_that_moment() {
    let (_dir, sim) = host(settings());
    let mut events = sim.subscribe();
    let start = Instant::now();
    for args in ["sim-reboot=2", "sim-crash"] {
        let domid = sim
            .create(&completed(&with_args(config("a", 64), args)), Arc::default())
            .await
            .unwrap()
            .domid;
        sim.unpause(domid).await.unwrap();
    }
    assert_eq!(events.recv().await, Some(DomainChanged(DomId(2))));
    assert!((400..420).contains(&start.elapsed().as_millis()), "{:?}", start.elapsed());
    assert_eq!(events.recv().await, Some(DomainChanged(DomId(1))));
    assert!((2400..2420).contains(&start.elapsed().as_millis()), "{:?}", start.elapsed());
    assert_eq!(facts(&sim, DomId(1)).await.flags.shutdown, Some(ShutdownReason::Reboot));
    assert!(
        String::from_utf8(sim.dmesg().await.unwrap())
            .unwrap()
            .contains("Domain 2 (vcpu#0) crashed")
    );
}

#[tokio::test(start_paused = true)]
async fn an_hvm_guest_has_a_device_model_and_no_console_ring() {
    let (_dir, sim) = host(settings());
    let mut hvm = config("hvm1", 256);
    hvm.set_vcpus(2);
    hvm.image.as_mut().unwrap().kind = GuestKind::Hvm;
    let built = sim.create(&completed(&hvm), Arc::default()).await.unwrap();
    assert_eq!((built.online_vcpus, built.console_mfn, built.notes.len()), (2, None, 1));
    let start = Instant::now();
    sim.wait_for_devices(built.domid).await.unwrap();
    assert!(start.elapsed() >= Duration::from_millis(200), "its device model takes a moment");
}

#[tokio::test(start_paused = true)]
async fn a_core_dump_is_a_file() {
    let (dir, sim) = host(settings());
    let domid = sim.create(&completed(&config("a", 64)), Arc::default()).await.unwrap().domid;
    let path = dir.path().join("core");
    sim.dump_core(domid, &path, Arc::default()).await.unwrap();
    assert!(fs::metadata(&path).unwrap().len() >= 64 << 20);
    sim.dump_core(domid, &path, Arc::default()).await.unwrap();
    assert!(sim.dump_core(domid, dir.path(), Arc::default()).await.is_err());
    assert!(sim.dump_core(DomId::ZERO, &path, Arc::default()).await.is_err());
}

#[tokio::test]
async fn nothing_waits_for_a_clock_that_stands_still() {
    struct Stopped;
    impl Clock for Stopped {
        fn now(&self) -> SystemTime {
            SystemTime::UNIX_EPOCH
        }
        fn monotonic(&self) -> Duration {
            Duration::ZERO
        }
    }
    let dir = tempfile::tempdir().unwrap();
    let sim = Sim::open(dir.path(), settings(), Arc::new(Stopped), Arc::new(OsEntropy)).unwrap();
    let domid = sim
        .create(&completed(&with_devices(config("a", 64), [vif()])), Arc::default())
        .await
        .unwrap()
        .domid;
    sim.wait_for_devices(domid).await.unwrap();
    sim.destroy(domid, Arc::default()).await.unwrap();
    assert!(sim.domain(domid).await.unwrap().is_none());
}
