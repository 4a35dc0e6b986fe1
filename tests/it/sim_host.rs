//! A simulated host behaves like one.

use crate::sim_support::*;
use proptest::prelude::*;
use std::fs;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;
use xend::backend::sim::{Sim, SimSettings};
use xend::core::error::Error;
use xend::core::model::{
    Device, DomId, GuestKind, Password, Property, Rtds, SchedParams, Scheduler, SedfParams,
    ShutdownReason, Vfb,
};
use xend::core::ports::{DomainChanged, Hypervisor};

/// A host of its own in a directory of its own.
fn host(settings: SimSettings) -> (tempfile::TempDir, Sim) {
    let dir = tempfile::tempdir().unwrap();
    let sim = try_open(dir.path(), &TestClock::new(), settings).unwrap();
    (dir, sim)
}

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
    sim.store_config(DomId::ZERO, &config).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_life() {
    let (_dir, sim) = host(settings());
    let mut events = sim.subscribe();
    let mut web = with_devices(config("web", 128), [disk("sda1", "phy:/dev/vg0/web"), vif()]);
    web.set_vcpus(2);
    let built = sim.create(&web, Arc::default()).await.unwrap();
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
    pass(500).await;
    let booted = facts(&sim, domid).await;
    assert!(booted.flags.blocked && booted.flags.shutdown.is_none() && booted.online_vcpus == 2);
    sim.pause(domid).await.unwrap();
    sim.pause(domid).await.unwrap();
    let paused = facts(&sim, domid).await;
    pass(10_000).await;
    assert_eq!(facts(&sim, domid).await, paused);
    assert!(paused.flags.paused && !paused.flags.blocked);
    sim.unpause(domid).await.unwrap();
    assert!(events.try_recv().is_err());
    assert_eq!(events.recv().await, Some(DomainChanged(domid)));
    let stopped = facts(&sim, domid).await;
    assert_eq!(stopped.flags.shutdown, Some(ShutdownReason::Poweroff));
    sim.shutdown(domid, ShutdownReason::Crash).await.unwrap();
    sim.pause(domid).await.unwrap();
    pass(1_000).await;
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
async fn a_crash_is_at_once_and_heard_of() {
    let (_dir, sim) = host(settings());
    let mut events = sim.subscribe();
    let domid = sim.create(&config("deaf", 64), Arc::default()).await.unwrap().domid;
    sim.unpause(domid).await.unwrap();
    sim.shutdown(domid, ShutdownReason::Halt).await.unwrap();
    pass(60_000).await;
    assert!(facts(&sim, domid).await.flags.blocked);
    sim.shutdown(domid, ShutdownReason::Crash).await.unwrap();
    assert!(facts(&sim, domid).await.flags.crashed());
    assert_eq!(events.recv().await, Some(DomainChanged(domid)));
    let text = String::from_utf8(sim.dmesg().await.unwrap()).unwrap();
    assert_eq!(text.matches("Domain 1 (vcpu#0) crashed on cpu#1:").count(), 1, "{text}");
    sim.clear_dmesg().await.unwrap();
    pass(100).await;
    assert_eq!(sim.dmesg().await.unwrap(), b"");
}

#[tokio::test(start_paused = true)]
async fn a_guest_that_crashes_by_itself_is_reported_when_it_does() {
    let (_dir, sim) = host(settings());
    let mut events = sim.subscribe();
    let start = Instant::now();
    for args in ["sim-reboot=2", "sim-crash"] {
        let domid =
            sim.create(&with_args(config("a", 64), args), Arc::default()).await.unwrap().domid;
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
async fn devices_fail_by_name() {
    let (_dir, sim) = host(settings());
    for (path, number, reason, waits) in [
        ("phy:/dev/hotplugerror", 2064, "/dev/hotplugerror does not exist.", 100),
        ("tap:aio:/hotplugbusy.img", 2064, "Device /hotplugbusy.img is mounted", 100),
        ("phy:/dev/hotpluglost", 2064, "Hotplug scripts not working.", 10_000),
    ] {
        let devices = [vif(), disk("sda", "phy:/dev/good"), disk("sdb", path)];
        let domid = sim
            .create(&with_devices(config("a", 64), devices), Arc::default())
            .await
            .unwrap()
            .domid;
        let start = Instant::now();
        let error = sim.wait_for_devices(domid).await.unwrap_err();
        let Error::Device { device, class, reason: said } = &error else { panic!("{error}") };
        assert_eq!((*device, class.as_str()), (number, "vbd"));
        assert!(said.starts_with(reason), "{said}");
        assert!(start.elapsed() >= Duration::from_millis(waits), "{:?}", start.elapsed());
    }
}

#[tokio::test(start_paused = true)]
async fn waiting_for_devices_ends_with_the_domain() {
    let (_dir, sim) = host(settings());
    let lost = with_devices(config("a", 64), [disk("sda", "phy:/dev/hotpluglost")]);
    let domid = sim.create(&lost, Arc::default()).await.unwrap().domid;
    let waiting = tokio::spawn({
        let sim = sim.clone();
        async move { sim.wait_for_devices(domid).await }
    });
    pass(1_000).await;
    let start = Instant::now();
    sim.destroy(domid, Arc::default()).await.unwrap();
    assert!(matches!(waiting.await.unwrap(), Err(Error::Gone(id)) if id == domid.to_string()));
    assert!(start.elapsed() < Duration::from_millis(30));
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_built_is_refused_and_costs_nothing() {
    let (_dir, sim) = host(settings());
    let mut pool = config("a", 64);
    pool.pool_name = "nosuch".into();
    let mut pinned = config("a", 64);
    pinned.cpus[0] = "2-4".parse().unwrap();
    let mut kernel = config("a", 64);
    kernel.image.as_mut().unwrap().kernel = "/boot/nosuch".into();
    let mut ramdisk = config("a", 64);
    ramdisk.image.as_mut().unwrap().ramdisk = Some("/boot/nosuch".into());
    for (config, message) in [
        (pool, "unknown pool nosuch"),
        (pinned, "cpus: CPU 4 is not there, this host has 0 to 3"),
        (kernel, "Kernel image does not exist: /boot/nosuch"),
        (ramdisk, "Initial RAM disk does not exist: /boot/nosuch"),
        (
            with_devices(config("a", 64), [disk_from("nosuch")]),
            "Cannot configure device for unknown backend nosuch",
        ),
        (
            with_devices(config("a", 64), [disk_from("7")]),
            "Cannot configure device for unknown backend 7",
        ),
        (
            config("a", 99_999_999),
            "Not enough free memory: 102399998976 KiB are needed and 15663104 KiB are free",
        ),
        (
            config("a", u64::MAX),
            "Not enough free memory: 18446744073709551615 KiB are needed and 15663104 KiB are free",
        ),
    ] {
        assert_eq!(sim.create(&config, Arc::default()).await.unwrap_err().to_string(), message);
    }
    assert_eq!(free(&sim).await, 15296);
    let driver = sim.create(&config("driver", 15296), Arc::default()).await.unwrap().domid;
    assert_eq!((driver, free(&sim).await), (DomId(1), 0));
    sim.destroy(driver, Arc::default()).await.unwrap();

    let driver = sim.create(&config("driver", 64), Arc::default()).await.unwrap().domid;
    for backend in ["driver", "2", "Domain-0", "0"] {
        sim.create(&with_devices(config("a", 64), [disk_from(backend)]), Arc::default())
            .await
            .unwrap();
    }
    sim.shutdown(driver, ShutdownReason::Crash).await.unwrap();
    assert!(
        sim.create(&with_devices(config("a", 64), [disk_from("driver")]), Arc::default())
            .await
            .is_err()
    );
}

#[tokio::test(start_paused = true)]
async fn a_slow_disk_holds_up_its_own_domain_alone() {
    let (_dir, sim) = host(settings());
    let slow = with_devices(config("slow", 8192), [disk("sda", "phy:/dev/hotplugslow")]);
    let start = Instant::now();
    let creating = tokio::spawn({
        let (sim, slow) = (sim.clone(), slow.clone());
        async move { sim.create(&slow, Arc::default()).await }
    });
    pass(100).await;
    assert_eq!(free(&sim).await, 15296 - 8192);
    assert!(matches!(
        sim.create(&config("b", 8192), Arc::default()).await,
        Err(Error::NoMemory { .. })
    ));
    sim.create(&config("b", 1024), Arc::default()).await.unwrap();
    assert!(start.elapsed() < Duration::from_millis(200));
    creating.await.unwrap().unwrap();
    assert!(start.elapsed() >= Duration::from_secs(2));

    let given_up = with_devices(config("c", 2048), slow.devices);
    assert!(
        tokio::time::timeout(Duration::from_secs(1), sim.create(&given_up, Arc::default()))
            .await
            .is_err()
    );
    assert_eq!(free(&sim).await, 15296 - 8192 - 1024);
    assert_eq!(sim.domains().await.unwrap().len(), 3);
}

#[tokio::test(start_paused = true)]
async fn an_hvm_guest_differs() {
    let (_dir, sim) = host(settings());
    let mut hvm = config("hvm1", 256);
    hvm.set_vcpus(2);
    hvm.image.as_mut().unwrap().kind = GuestKind::Hvm;
    let built = sim.create(&hvm, Arc::default()).await.unwrap();
    assert_eq!((built.online_vcpus, built.console_mfn, built.notes.len()), (2, None, 1));
    let start = Instant::now();
    sim.wait_for_devices(built.domid).await.unwrap();
    assert!(start.elapsed() >= Duration::from_millis(200), "its device model takes a moment");
}

#[tokio::test(start_paused = true)]
async fn parameters_belong_to_the_hosts_scheduler() {
    let ms = Duration::from_millis;
    let sedf = |period, slice, extratime| {
        SchedParams::Sedf(SedfParams {
            period: ms(period),
            slice: ms(slice),
            latency: ms(0),
            extratime,
            weight: 0,
        })
    };
    let rtds = |period, budget| SchedParams::Rtds(Rtds { period: ms(period), budget: ms(budget) });
    for (scheduler, zero, guest, new) in [
        (
            Scheduler::Credit,
            SchedParams::Credit { weight: 256, cap: 0 },
            SchedParams::Credit { weight: 256, cap: 0 },
            SchedParams::Credit { weight: 1, cap: 50 },
        ),
        (
            Scheduler::Credit2,
            SchedParams::Credit2 { weight: 256, cap: 0 },
            SchedParams::Credit2 { weight: 256, cap: 0 },
            SchedParams::Credit2 { weight: 65535, cap: 0 },
        ),
        (Scheduler::Sedf, sedf(20, 15, true), sedf(100, 0, true), sedf(20, 5, false)),
        (Scheduler::Rtds, rtds(10, 4), rtds(10, 4), rtds(20, 20)),
    ] {
        let (_dir, sim) = host(SimSettings { scheduler, ..settings() });
        let domid = sim.create(&config("busy", 64), Arc::default()).await.unwrap().domid;
        assert_eq!(sim.sched_params(DomId::ZERO).await.unwrap(), zero);
        assert_eq!(sim.sched_params(domid).await.unwrap(), guest);
        for id in [DomId::ZERO, domid] {
            sim.set_sched_params(id, new).await.unwrap();
            assert_eq!(sim.sched_params(id).await.unwrap(), new);
        }
        let other = if scheduler == Scheduler::Sedf { rtds(10, 1) } else { sedf(10, 1, false) };
        assert!(matches!(sim.set_sched_params(domid, other).await, Err(Error::Unsupported(_))));
    }
}

#[tokio::test(start_paused = true)]
async fn a_new_cap_counts_from_now_on() {
    let (_dir, sim) = host(settings());
    let domid = sim.create(&config("busy", 64), Arc::default()).await.unwrap().domid;
    sim.unpause(domid).await.unwrap();
    pass(10_000).await;
    let before = facts(&sim, domid).await.cpu_time;
    sim.set_sched_params(domid, SchedParams::Credit { weight: 256, cap: 10 }).await.unwrap();
    assert!(facts(&sim, domid).await.cpu_time.abs_diff(before) < Duration::from_millis(5));
    pass(10_000).await;
    let used = facts(&sim, domid).await.cpu_time.saturating_sub(before);
    assert!(used.abs_diff(Duration::from_secs(1)) < Duration::from_millis(5), "{used:?}");
}

#[tokio::test(start_paused = true)]
async fn a_core_dump_is_a_file() {
    let (dir, sim) = host(settings());
    let domid = sim.create(&config("a", 64), Arc::default()).await.unwrap().domid;
    let path = dir.path().join("core");
    sim.dump_core(domid, &path, Arc::default()).await.unwrap();
    assert!(fs::metadata(&path).unwrap().len() >= 64 << 20);
    sim.dump_core(domid, &path, Arc::default()).await.unwrap();
    assert!(sim.dump_core(domid, dir.path(), Arc::default()).await.is_err());
    assert!(sim.dump_core(DomId::ZERO, &path, Arc::default()).await.is_err());
}

#[tokio::test]
async fn a_clock_that_stands_still_holds_nothing_up() {
    struct Stopped;
    impl xend::core::ports::Clock for Stopped {
        fn now(&self) -> std::time::SystemTime {
            std::time::SystemTime::UNIX_EPOCH
        }
    }
    let dir = tempfile::tempdir().unwrap();
    let sim = Sim::open(
        dir.path(),
        settings(),
        std::sync::Arc::new(Stopped),
        std::sync::Arc::new(Counting::default()),
    );
    let sim = sim.unwrap();
    let domid =
        sim.create(&with_devices(config("a", 64), [vif()]), Arc::default()).await.unwrap().domid;
    sim.wait_for_devices(domid).await.unwrap();
    sim.destroy(domid, Arc::default()).await.unwrap();
    assert!(sim.domain(domid).await.unwrap().is_none());
}

#[tokio::test]
async fn a_screen_asks_for_the_hosts_password_unless_it_names_its_own() {
    let password = |text: &str| Password::new(text.into());
    let (_dir, sim) = host(SimSettings { vnc_password: password("geheim"), ..settings() });
    let screen = |rest: &[(&str, &str)]| {
        let rest = rest.iter().map(|(key, value)| Property::new(*key, *value)).collect();
        Device::Vfb(Vfb { rest, ..Vfb::default() })
    };
    for (rest, wanted) in [
        (&[("vnc", "1")][..], password("geheim")),
        (&[("vnc", "1"), ("vncpasswd", "own")], password("own")),
        (&[("vnc", "1"), ("vncpasswd", "")], None),
        (&[("sdl", "1")], None),
    ] {
        let domid = sim
            .create(&with_devices(config("a", 64), [screen(rest)]), Arc::default())
            .await
            .unwrap()
            .domid;
        assert_eq!(sim.vnc_password(domid).unwrap(), wanted, "{rest:?}");
        assert!(!format!("{:?}", sim.devices(domid).await.unwrap()).contains("geheim"));
        sim.destroy(domid, Arc::default()).await.unwrap();
    }
    assert!(!format!("{sim:?}").contains("geheim"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_at_once_keep_the_accounts() {
    let (_dir, sim) = host(SimSettings { destroy: Duration::from_millis(1), ..settings() });
    let jobs: Vec<_> = (0..64_u64)
        .map(|n| {
            let sim = sim.clone();
            tokio::spawn(async move {
                for _ in 0..10 {
                    let Ok(built) = sim.create(&config("a", 400 + n), Arc::default()).await else {
                        continue;
                    };
                    sim.unpause(built.domid).await.unwrap();
                    let (destroyed, _) = tokio::join!(
                        sim.destroy(built.domid, Arc::default()),
                        sim.pause(built.domid)
                    );
                    destroyed.unwrap();
                }
            })
        })
        .collect();
    for job in jobs {
        job.await.unwrap();
    }
    assert_eq!(free(&sim).await, 15296);
    assert_eq!(sim.domains().await.unwrap().len(), 1);
}

#[derive(Debug, Clone)]
enum Step {
    Create(u64),
    CreateFailing(u64),
    CreateCancelled(u64, u64),
    Destroy(prop::sample::Index),
    DestroyCancelled(prop::sample::Index),
    Crash(prop::sample::Index),
    Reopen,
    Wait(u64),
}

fn step() -> impl Strategy<Value = Step> {
    let index = any::<prop::sample::Index>;
    prop_oneof![
        4 => (1_u64..6_000).prop_map(Step::Create),
        1 => (1_u64..6_000).prop_map(Step::CreateFailing),
        2 => (1_u64..6_000, 0_u64..2_500).prop_map(|(mib, ms)| Step::CreateCancelled(mib, ms)),
        2 => index().prop_map(Step::Destroy),
        1 => index().prop_map(Step::DestroyCancelled),
        1 => index().prop_map(Step::Crash),
        1 => Just(Step::Reopen),
        1 => (0_u64..1_000).prop_map(Step::Wait),
    ]
}

async fn accounts_balance(steps: Vec<Step>) -> Result<(), TestCaseError> {
    let dir = tempfile::tempdir().unwrap();
    let clock = TestClock::new();
    let mut sim = open(dir.path(), &clock);
    let slow = |mib| with_devices(config("a", mib), [disk("sda", "phy:/hotplugslow")]);
    let mut highest = DomId::ZERO;
    for step in steps {
        let domids: Vec<DomId> =
            sim.domains().await.unwrap().iter().skip(1).map(|f| f.domid).collect();
        let chosen =
            |index: &prop::sample::Index| (!domids.is_empty()).then(|| *index.get(&domids));
        let before = free(&sim).await;
        match &step {
            Step::Create(mib) => match sim.create(&config("a", *mib), Arc::default()).await {
                Ok(built) => {
                    prop_assert!(before >= *mib && built.domid > highest);
                    highest = built.domid;
                }
                Err(Error::NoMemory { .. }) => prop_assert!(before < *mib),
                Err(error) => prop_assert!(false, "{error}"),
            },
            Step::CreateFailing(mib) => {
                let mut config = config("a", *mib);
                config.pool_name = "nosuch".into();
                prop_assert!(sim.create(&config, Arc::default()).await.is_err());
            }
            Step::CreateCancelled(mib, millis) => {
                let limit = Duration::from_millis(*millis);
                if let Ok(Ok(built)) =
                    tokio::time::timeout(limit, sim.create(&slow(*mib), Arc::default())).await
                {
                    highest = built.domid;
                }
                // What a thread has begun it ends; only then is everything given back.
                pass(1).await;
            }
            Step::Destroy(index) => {
                if let Some(domid) = chosen(index) {
                    // One whose destruction was given up may have gone meanwhile.
                    prop_assert!(matches!(
                        sim.destroy(domid, Arc::default()).await,
                        Ok(()) | Err(Error::NoSuchDomain(_))
                    ));
                }
            }
            Step::DestroyCancelled(index) => {
                if let Some(domid) = chosen(index) {
                    let _ = tokio::time::timeout(
                        Duration::from_millis(5),
                        sim.destroy(domid, Arc::default()),
                    )
                    .await;
                }
            }
            Step::Crash(index) => {
                if let Some(domid) = chosen(index) {
                    let _ = sim.shutdown(domid, ShutdownReason::Crash).await;
                }
            }
            Step::Reopen => {
                drop(sim);
                sim = open(dir.path(), &clock);
            }
            Step::Wait(millis) => pass(*millis).await,
        }
        let domains = sim.domains().await.unwrap();
        let has: u64 = domains.iter().map(|f| f.memory_kib / 1024).sum();
        prop_assert_eq!(free(&sim).await + has + 64, 16384, "after {:?}", step);
    }
    pass(3_000).await;
    for domain in sim.domains().await.unwrap().iter().skip(1) {
        sim.destroy(domain.domid, Arc::default()).await.unwrap();
    }
    prop_assert_eq!(free(&sim).await, 15296);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn memory_is_never_lost_nor_made(steps in prop::collection::vec(step(), 1..40)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        runtime.block_on(accounts_balance(steps))?;
    }
}
