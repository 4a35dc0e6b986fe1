//! Memory of a simulated host.

use crate::sim_support::{
    TestClock, advance, completed, config, disk, disk_from, free, host, open, settings,
    with_devices,
};
use proptest::prelude::*;
use std::sync::Arc;
use std::time::Duration;
use xend::backend::sim::SimSettings;
use xend::core::error::Error;
use xend::core::model::{DomId, DomainConfig, ShutdownReason};
use xend::core::ports::Hypervisor;

#[tokio::test(start_paused = true)]
async fn a_refused_create_takes_no_memory() {
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
            config("a", DomainConfig::MAX_MEMORY),
            "Not enough free memory: 4398046511104 KiB are needed and 15663104 KiB are free",
        ),
    ] {
        assert_eq!(
            sim.create(&completed(&config), Arc::default()).await.unwrap_err().to_string(),
            message
        );
    }
    assert_eq!(free(&sim).await, 15296);
    let driver =
        sim.create(&completed(&config("driver", 15296)), Arc::default()).await.unwrap().domid;
    assert_eq!((driver, free(&sim).await), (DomId(1), 0));
    sim.destroy(driver, Arc::default()).await.unwrap();

    let driver = sim.create(&completed(&config("driver", 64)), Arc::default()).await.unwrap().domid;
    for backend in ["driver", "2", "Domain-0", "0"] {
        sim.create(
            &completed(&with_devices(config("a", 64), [disk_from(backend)])),
            Arc::default(),
        )
        .await
        .unwrap();
    }
    sim.shutdown(driver, ShutdownReason::Crash).await.unwrap();
    assert!(
        sim.create(
            &completed(&with_devices(config("a", 64), [disk_from("driver")])),
            Arc::default()
        )
        .await
        .is_err()
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn concurrent_creates_and_destroys_lose_no_memory() {
    let (_dir, sim) = host(SimSettings { destroy: Duration::from_millis(1), ..settings() });
    let jobs: Vec<_> = (0..64_u64)
        .map(|n| {
            let sim = sim.clone();
            tokio::spawn(async move {
                for _ in 0..10 {
                    let Ok(built) =
                        sim.create(&completed(&config("a", 400 + n)), Arc::default()).await
                    else {
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

/// After each step, the free memory and that of the domains add up to the host's.
async fn check_accounts(steps: Vec<Step>) -> Result<(), TestCaseError> {
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
            Step::Create(mib) => {
                match sim.create(&completed(&config("a", *mib)), Arc::default()).await {
                    Ok(built) => {
                        prop_assert!(before >= *mib && built.domid > highest);
                        highest = built.domid;
                    }
                    Err(Error::NoMemory { .. }) => prop_assert!(before < *mib),
                    Err(error) => prop_assert!(false, "{error}"),
                }
            }
            Step::CreateFailing(mib) => {
                let mut config = config("a", *mib);
                config.pool_name = "nosuch".into();
                prop_assert!(sim.create(&completed(&config), Arc::default()).await.is_err());
            }
            Step::CreateCancelled(mib, millis) => {
                let limit = Duration::from_millis(*millis);
                if let Ok(Ok(built)) =
                    tokio::time::timeout(limit, sim.create(&completed(&slow(*mib)), Arc::default()))
                        .await
                {
                    highest = built.domid;
                }
                // A thread finishes its step before the memory is released.
                advance(1).await;
            }
            Step::Destroy(index) => {
                if let Some(domid) = chosen(index) {
                    // A destroy that was cancelled earlier may have finished meanwhile.
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
            Step::Wait(millis) => advance(*millis).await,
        }
        let domains = sim.domains().await.unwrap();
        let has: u64 = domains.iter().map(|f| f.memory_kib / 1024).sum();
        prop_assert_eq!(free(&sim).await + has + 64, 16384, "after {:?}", step);
    }
    advance(3_000).await;
    for domain in sim.domains().await.unwrap().iter().skip(1) {
        sim.destroy(domain.domid, Arc::default()).await.unwrap();
    }
    prop_assert_eq!(free(&sim).await, 15296);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn memory_is_never_lost_or_gained(steps in prop::collection::vec(step(), 1..40)) {
        let mut builder = tokio::runtime::Builder::new_current_thread();
        let runtime = builder.enable_time().start_paused(true).build().unwrap();
        runtime.block_on(check_accounts(steps))?;
    }
}
