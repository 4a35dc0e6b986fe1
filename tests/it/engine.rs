//! The engine on a simulated host whose clock the tests push on: what needs a minute in life, and
//! what goes wrong.

use crate::sim_support::{Counting, TestClock, config, name, open};
use async_trait::async_trait;
use std::io::{BufRead as _, Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tempfile::TempDir;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use xend::backend::sim::Sim;
use xend::core::caller::Caller;
use xend::core::engine::{Engine, FIGURES_AGE, Outside, Settings};
use xend::core::error::{Error, ErrorKind};
use xend::core::lifecycle::State;
use xend::core::model::{
    CpuSet, Device, DeviceFacts, DomId, DomName, DomainConfig, DomainFacts, DomainRef, Hardware,
    HostFigures, HostInfo, Interface, NetworkChange, OnEvent, PoolChange, PoolFacts, SchedParams,
    ShutdownReason, Trigger, Uuid, VcpuFacts,
};
use xend::core::op::{Change, DomainOp, Outcome, Query};
use xend::core::ports::{Destination, DomainChanged, Hypervisor, Machine};
use xend::core::snapshot::DomainView;
use xend::core::transfer::Transfer;
use xend::store::DirStore;
use xend::wire::relocation::TcpCourier;

const HYPERVISOR_LIMIT: Duration = Duration::from_secs(30);
const STOP_LIMIT: Duration = Duration::from_secs(25);
/// A save that is slow, and ends within the stop limit.
const SLOW_SAVE: Duration = Duration::from_secs(20);

/// An engine on a host of its own.
struct House {
    engine: Engine,
    host: Arc<FaultyHost>,
    dir: TempDir,
}

impl House {
    async fn new() -> Self {
        Self::start(false).await.unwrap()
    }

    /// Starts an engine on a host that answers, or one that is stuck.
    async fn start(stuck: bool) -> Result<Self, Error> {
        let dir = tempfile::tempdir().unwrap();
        let clock = TestClock::new();
        let sim = open(&dir.path().join("sim"), &clock);
        let host = Arc::new(FaultyHost {
            sim,
            stuck: AtomicBool::new(stuck),
            save_fails: AtomicBool::new(false),
            save_is_slow: AtomicBool::new(false),
        });
        let settings = Settings {
            hypervisor_limit: HYPERVISOR_LIMIT,
            stop_limit: STOP_LIMIT,
            dump_dir: dir.path().to_owned(),
            ..Settings::default()
        };
        let outside = Outside {
            hypervisor: host.clone(),
            store: Arc::new(DirStore::open(dir.path()).unwrap()),
            courier: Arc::new(TcpCourier::new(Duration::from_secs(60))),
            clock,
            entropy: Arc::new(Counting::default()),
        };
        let engine = Engine::start(outside, settings).await?;
        Ok(Self { engine, host, dir })
    }

    async fn change(&self, domain: &str, op: DomainOp) -> Result<Outcome, Error> {
        self.engine.execute(&Caller::internal(), Change::Domain(DomainRef::new(domain), op)).await
    }

    /// Makes a request in a task of its own, and lets its operation begin.
    async fn begin(&self, domain: &str, op: DomainOp) -> JoinHandle<Result<Outcome, Error>> {
        let engine = self.engine.clone();
        let change = Change::Domain(DomainRef::new(domain), op);
        let task = tokio::spawn(async move { engine.execute(&Caller::internal(), change).await });
        tokio::time::sleep(Duration::from_secs(1)).await;
        task
    }

    async fn create(&self, config: DomainConfig) -> Result<Outcome, Error> {
        self.engine.execute(&Caller::internal(), Change::Create(Box::new(config))).await
    }

    /// A guest that has run for a while.
    async fn old_guest(&self, change: impl FnOnce(&mut DomainConfig)) -> Arc<DomainView> {
        let mut config = config("a", 64);
        change(&mut config);
        self.create(config).await.unwrap();
        self.change("a", DomainOp::Unpause).await.unwrap();
        tokio::time::sleep(Duration::from_secs(61)).await;
        self.find("a").await.unwrap()
    }

    async fn find(&self, domain: &str) -> Option<Arc<DomainView>> {
        match self.engine.execute(&Caller::internal(), Query::Domain(DomainRef::new(domain))).await
        {
            Ok(Outcome::Domain(view)) => Some(view),
            _ => None,
        }
    }

    fn core_files(&self) -> usize {
        let files = std::fs::read_dir(self.dir.path()).unwrap();
        files
            .filter(|file| file.as_ref().unwrap().path().extension().is_some_and(|e| e == "core"))
            .count()
    }
}

#[tokio::test(start_paused = true)]
async fn a_guest_that_reboots_gets_a_new_domid_and_runs() {
    let house = House::new().await;
    let before = house.old_guest(|_| ()).await;
    house.change("a", DomainOp::Shutdown(ShutdownReason::Reboot)).await.unwrap();
    tokio::time::sleep(Duration::from_secs(2)).await;
    let after = house.find("a").await.unwrap();
    assert_eq!((after.uuid, after.state()), (before.uuid, State::Running));
    assert!(after.domid() > before.domid());
    // Once more, too soon: taken for a guest that does nothing else.
    house.change("a", DomainOp::Shutdown(ShutdownReason::Reboot)).await.unwrap();
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert!(house.find("a").await.is_none());
}

#[tokio::test(start_paused = true)]
async fn a_crashed_guest_can_be_kept_under_another_name() {
    let house = House::new().await;
    let before = house.old_guest(|config| config.on_crash = OnEvent::RenameRestart).await;
    house.change("a", DomainOp::Shutdown(ShutdownReason::Crash)).await.unwrap();
    tokio::time::sleep(Duration::from_secs(2)).await;
    let (new, kept) = (house.find("a").await.unwrap(), house.find("a-1").await.unwrap());
    assert_eq!((new.uuid, new.state()), (before.uuid, State::Running));
    assert_eq!(
        (kept.domid(), kept.state()),
        (before.domid(), State::Stopped(ShutdownReason::Crash))
    );
    assert_ne!(kept.uuid, before.uuid);
    house.change("a-1", DomainOp::Destroy).await.unwrap();
    assert!(house.find("a-1").await.is_none() && house.find("a").await.is_some());
}

#[tokio::test(start_paused = true)]
async fn a_crashed_guest_can_leave_its_memory() {
    let house = House::new().await;
    let before = house.old_guest(|config| config.on_crash = OnEvent::CoredumpRestart).await;
    house.change("a", DomainOp::Shutdown(ShutdownReason::Crash)).await.unwrap();
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(house.core_files(), 1);
    assert!(house.find("a").await.unwrap().domid() > before.domid());
}

#[tokio::test(start_paused = true)]
async fn a_domain_that_somebody_else_starts_is_seen_and_can_be_controlled() {
    let house = House::new().await;
    let facts = house.host.sim.create(&config("stranger", 64), Arc::default()).await.unwrap();
    house.find("stranger").await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(house.find("stranger").await.unwrap().domid(), Some(facts.domid));
    house.change("stranger", DomainOp::Unpause).await.unwrap();
    house.host.sim.destroy(facts.domid, Arc::default()).await.unwrap();
    house.find("stranger").await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(house.find("stranger").await.is_none());
    house.create(config("stranger", 64)).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_domain_that_somebody_else_renames_is_known_by_its_new_name() {
    let house = House::new().await;
    let view = house.old_guest(|_| ()).await;
    house.host.sim.rename(view.domid().unwrap(), &name("b"), None).await.unwrap();
    house.find("a").await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(house.find("a").await.is_none());
    assert_eq!(house.find("b").await.unwrap().uuid, view.uuid);
    house.create(config("a", 65)).await.unwrap();
    house.change("b", DomainOp::Pause).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_domain_whose_name_is_taken_is_shown_by_another_one_until_it_is_free() {
    let house = House::new().await;
    let ours = house.old_guest(|_| ()).await;
    let theirs = house.host.sim.create(&config("stranger", 64), Arc::default()).await.unwrap();
    house.host.sim.rename(theirs.domid, &name("a"), None).await.unwrap();
    house.find("a").await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let shown = format!("a-{}", theirs.domid);
    assert_eq!(house.find(&shown).await.unwrap().domid(), Some(theirs.domid));
    assert_eq!(house.find("a").await.unwrap().domid(), ours.domid());
    house.change("a", DomainOp::Destroy).await.unwrap();
    house.change(&shown, DomainOp::Unpause).await.unwrap();
    assert_eq!(house.find("a").await.unwrap().domid(), Some(theirs.domid));
    assert!(house.find(&shown).await.is_none());
}

/// A host that waits for what never comes.
#[tokio::test]
async fn a_migration_that_breaks_off_here_says_why() {
    let house = House::new().await;
    house.create(config("a", 64)).await.unwrap();
    house.change("a", DomainOp::Unpause).await.unwrap();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let to = Destination { host: "127.0.0.1".into(), port: listener.local_addr().unwrap().port() };
    let other = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut line = String::new();
        std::io::BufReader::new(&stream).read_line(&mut line).unwrap();
        stream.write_all(b"(ready)\n").unwrap();
        let mut rest = Vec::new();
        stream.read_to_end(&mut rest).unwrap();
        rest
    });
    house.host.save_fails.store(true, Ordering::Relaxed);
    let failed = house.change("a", DomainOp::Migrate { to, live: true }).await.unwrap_err();
    assert!(failed.to_string().contains("logdirty"), "{failed}");
    assert_eq!(other.join().unwrap(), b"", "the connection has an end, and nothing was sent");
    assert_eq!(house.find("a").await.unwrap().state(), State::Running);
}

#[tokio::test(start_paused = true)]
async fn a_stuck_hypervisor_stops_no_read() {
    let house = House::new().await;
    house.old_guest(|_| ()).await;
    house.host.stuck.store(true, Ordering::Relaxed);
    let pause = house.begin("a", DomainOp::Pause).await;
    let asked = tokio::time::Instant::now();
    assert!(house.find("a").await.is_some());
    assert!(asked.elapsed() <= FIGURES_AGE, "a read waited for what is stuck");
    let error = pause.await.unwrap().unwrap_err();
    assert_eq!(
        (error.to_string().as_str(), error.kind()),
        ("Pause timed out after 30 s", ErrorKind::Backend)
    );
    house.host.stuck.store(false, Ordering::Relaxed);
    house.change("a", DomainOp::Pause).await.unwrap();
    assert_eq!(house.find("a").await.unwrap().state(), State::Paused);
}

#[tokio::test(start_paused = true)]
async fn a_stuck_hypervisor_fails_the_start() {
    let error = House::start(true).await.err().unwrap();
    assert_eq!(error.to_string(), "Reading the host timed out after 30 s");
}

#[tokio::test(start_paused = true)]
async fn a_stop_waits_for_what_has_begun_and_refuses_the_rest() {
    let house = House::new().await;
    house.old_guest(|_| ()).await;
    house.host.save_is_slow.store(true, Ordering::Relaxed);
    let file = house.dir.path().join("a.save");
    let save = house.begin("a", DomainOp::Save { file: file.clone(), checkpoint: true }).await;
    let queued = house.begin("a", DomainOp::Pause).await;
    house.engine.stop().await;
    assert!(file.exists(), "the save has ended");
    save.await.unwrap().unwrap();
    assert!(matches!(queued.await.unwrap(), Err(Error::Stopping)));
    let later = house.create(config("b", 64)).await;
    assert!(matches!(later, Err(Error::Stopping)));
    assert_eq!(house.find("a").await.unwrap().state(), State::Running, "reads go on");
}

#[tokio::test(start_paused = true)]
async fn a_stop_waits_for_tasks_of_the_wires() {
    let house = House::new().await;
    let task = house.engine.spawn(tokio::time::sleep(SLOW_SAVE));
    house.engine.stop().await;
    assert!(task.is_finished());
}

#[tokio::test(start_paused = true)]
async fn a_stop_does_not_wait_for_a_stuck_hypervisor() {
    let house = House::new().await;
    house.old_guest(|_| ()).await;
    house.host.stuck.store(true, Ordering::Relaxed);
    let pause = house.begin("a", DomainOp::Pause).await;
    let began = tokio::time::Instant::now();
    house.engine.stop().await;
    assert!((STOP_LIMIT..HYPERVISOR_LIMIT).contains(&began.elapsed()), "{:?}", began.elapsed());
    assert!(!pause.is_finished());
}

#[tokio::test(start_paused = true)]
async fn a_queue_has_an_end() {
    let house = House::new().await;
    house.old_guest(|_| ()).await;
    house.host.stuck.store(true, Ordering::Relaxed);
    let mut asking = tokio::task::JoinSet::new();
    for _ in 0..100 {
        let engine = house.engine.clone();
        asking.spawn(async move {
            engine
                .execute(&Caller::internal(), Change::Domain(DomainRef::new("a"), DomainOp::Pause))
                .await
        });
    }
    let mut busy = 0;
    while let Some(answer) = asking.join_next().await {
        busy += usize::from(matches!(answer.unwrap(), Err(Error::Busy(_))));
    }
    assert!((30..=36).contains(&busy), "{busy} of 100 were turned away");
}

#[tokio::test(start_paused = true)]
async fn names_and_uuids_are_had_once() {
    let house = House::new().await;
    let first = house.old_guest(|_| ()).await;
    let message = |result: Result<Outcome, Error>| result.unwrap_err().to_string();
    let mut same_name = config("a", 64);
    same_name.uuid = None;
    assert_eq!(message(house.create(same_name).await), "Domain \"a\" already exists with ID 1");
    let mut same_uuid = config("b", 64);
    same_uuid.uuid = Some(first.uuid);
    let taken = format!("A domain with UUID {} already exists: \"a\" with ID 1", first.uuid);
    assert_eq!(message(house.create(same_uuid).await), taken);
    let rename = house.change("a", DomainOp::Rename(name("Domain-0"))).await;
    assert_eq!(message(rename), "VM name \"Domain-0\" already exists as domain 0");
    // A name that failed is free.
    let mut too_large = config("c", 1 << 30);
    too_large.uuid = None;
    assert!(message(house.create(too_large.clone()).await).starts_with("Not enough free memory"));
    (too_large.memory, too_large.maxmem) = (64, 64);
    house.create(too_large).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn memory_moves_and_is_counted_all_the_while() {
    let house = House::new().await;
    let free = || async { house.host.figures().await.unwrap().free_memory };
    let before = free().await;
    house.old_guest(|config| config.maxmem = 2048).await;
    assert_eq!(free().await, before - 64);
    house.change("a", DomainOp::SetMemory(1088)).await.unwrap();
    assert_eq!(free().await, before - 1088, "what is promised is not free");
    let now = house.find("a").await.unwrap();
    assert_eq!(now.config.memory, 1088);
    assert!(now.facts.as_ref().unwrap().memory_kib < 1088 * 1024, "it takes its time");
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(house.find("a").await.unwrap().facts.as_ref().unwrap().memory_kib, 1088 * 1024);
    house.change("a", DomainOp::SetMemory(64)).await.unwrap();
    assert_eq!(free().await, before - 1088, "what is not given back yet is not free");
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(free().await, before - 64);
    let message = |result: Result<Outcome, Error>| result.unwrap_err().to_string();
    assert_eq!(
        message(house.change("a", DomainOp::SetMemory(4096)).await),
        "target: 4096 MiB is out of range, 1 to 2048 MiB"
    );
    assert!(
        message(house.change("0", DomainOp::SetMemory(100)).await)
            .starts_with("target: 100 MiB is out of range, 196 to")
    );
    assert!(
        message(house.change("0", DomainOp::SetMemory(1 << 20)).await)
            .starts_with("Not enough free memory")
    );
    house.change("a", DomainOp::SetMaxMemory(32)).await.unwrap_err();
}

/// The simulated host with faults.
struct FaultyHost {
    sim: Sim,
    /// Some calls never return.
    stuck: AtomicBool,
    save_fails: AtomicBool,
    save_is_slow: AtomicBool,
}

impl FaultyHost {
    async fn wait_if_stuck(&self) {
        if self.stuck.load(Ordering::Relaxed) {
            std::future::pending::<()>().await;
        }
    }
}

#[async_trait]
impl Machine for FaultyHost {
    async fn hardware(&self) -> Result<Hardware, Error> {
        self.sim.hardware().await
    }
    async fn interfaces(&self) -> Result<Vec<Interface>, Error> {
        self.sim.interfaces().await
    }
    async fn change_network(&self, change: NetworkChange) -> Result<(), Error> {
        self.sim.change_network(change).await
    }
    async fn pools(&self) -> Result<Vec<PoolFacts>, Error> {
        self.sim.pools().await
    }
    async fn change_pools(&self, change: PoolChange) -> Result<(), Error> {
        self.sim.change_pools(change).await
    }
}

#[async_trait]
impl Hypervisor for FaultyHost {
    async fn info(&self) -> Result<HostInfo, Error> {
        self.wait_if_stuck().await;
        self.sim.info().await
    }
    async fn figures(&self) -> Result<HostFigures, Error> {
        self.sim.figures().await
    }
    async fn domains(&self) -> Result<Vec<DomainFacts>, Error> {
        self.wait_if_stuck().await;
        self.sim.domains().await
    }
    async fn domain(&self, domid: DomId) -> Result<Option<DomainFacts>, Error> {
        self.wait_if_stuck().await;
        self.sim.domain(domid).await
    }
    async fn config(&self, domid: DomId) -> Result<DomainConfig, Error> {
        self.sim.config(domid).await
    }
    async fn store_config(&self, domid: DomId, config: &DomainConfig) -> Result<(), Error> {
        self.sim.store_config(domid, config).await
    }
    async fn create(
        &self,
        config: &DomainConfig,
        transfer: Arc<Transfer>,
    ) -> Result<DomainFacts, Error> {
        self.sim.create(config, transfer).await
    }
    async fn wait_for_devices(&self, domid: DomId) -> Result<(), Error> {
        self.sim.wait_for_devices(domid).await
    }
    async fn pause(&self, domid: DomId) -> Result<(), Error> {
        self.wait_if_stuck().await;
        self.sim.pause(domid).await
    }
    async fn unpause(&self, domid: DomId) -> Result<(), Error> {
        self.sim.unpause(domid).await
    }
    async fn destroy(&self, domid: DomId, transfer: Arc<Transfer>) -> Result<(), Error> {
        self.sim.destroy(domid, transfer).await
    }
    async fn shutdown(&self, domid: DomId, reason: ShutdownReason) -> Result<(), Error> {
        self.sim.shutdown(domid, reason).await
    }
    async fn rename(&self, domid: DomId, name: &DomName, uuid: Option<Uuid>) -> Result<(), Error> {
        self.sim.rename(domid, name, uuid).await
    }
    async fn vcpus(&self, domid: DomId) -> Result<Vec<VcpuFacts>, Error> {
        self.sim.vcpus(domid).await
    }
    async fn devices(&self, domid: DomId) -> Result<Vec<DeviceFacts>, Error> {
        self.sim.devices(domid).await
    }
    async fn sched_params(&self, domid: DomId) -> Result<SchedParams, Error> {
        self.sim.sched_params(domid).await
    }
    async fn set_sched_params(&self, domid: DomId, params: SchedParams) -> Result<(), Error> {
        self.sim.set_sched_params(domid, params).await
    }
    async fn set_memory_target(&self, domid: DomId, mib: u64) -> Result<(), Error> {
        self.sim.set_memory_target(domid, mib).await
    }
    async fn set_max_memory(&self, domid: DomId, mib: u64) -> Result<(), Error> {
        self.sim.set_max_memory(domid, mib).await
    }
    async fn set_online_vcpus(&self, domid: DomId, mask: u128) -> Result<(), Error> {
        self.sim.set_online_vcpus(domid, mask).await
    }
    async fn set_affinity(&self, domid: DomId, affinity: &[CpuSet]) -> Result<(), Error> {
        self.sim.set_affinity(domid, affinity).await
    }
    async fn send_sysrq(&self, domid: DomId, key: u8) -> Result<(), Error> {
        self.sim.send_sysrq(domid, key).await
    }
    async fn attach_device(&self, domid: DomId, device: &Device) -> Result<(), Error> {
        self.sim.attach_device(domid, device).await
    }
    async fn configure_device(&self, domid: DomId, device: &Device) -> Result<(), Error> {
        self.sim.configure_device(domid, device).await
    }
    async fn detach_device(&self, domid: DomId, device: &Device, force: bool) -> Result<(), Error> {
        self.sim.detach_device(domid, device, force).await
    }
    async fn send_trigger(&self, domid: DomId, trigger: Trigger, vcpu: u32) -> Result<(), Error> {
        self.sim.send_trigger(domid, trigger, vcpu).await
    }
    async fn save(
        &self,
        domid: DomId,
        to: OwnedFd,
        live: bool,
        transfer: Arc<Transfer>,
    ) -> Result<(), Error> {
        if self.save_fails.load(Ordering::Relaxed) {
            let reason = std::io::Error::other("no logdirty mode");
            return Err(Error::backend("Saving failed: no logdirty mode", reason));
        }
        if self.save_is_slow.load(Ordering::Relaxed) {
            tokio::time::sleep(SLOW_SAVE).await;
        }
        self.sim.save(domid, to, live, transfer).await
    }
    async fn unsuspend(&self, domid: DomId) -> Result<(), Error> {
        self.sim.unsuspend(domid).await
    }
    async fn restore(
        &self,
        config: &DomainConfig,
        from: OwnedFd,
        transfer: Arc<Transfer>,
    ) -> Result<DomainFacts, Error> {
        self.sim.restore(config, from, transfer).await
    }
    async fn debug_keys(&self, keys: &str) -> Result<(), Error> {
        self.sim.debug_keys(keys).await
    }
    async fn power_host(&self, reboot: bool) -> Result<(), Error> {
        self.sim.power_host(reboot).await
    }
    async fn dump_core(
        &self,
        domid: DomId,
        file: &Path,
        transfer: Arc<Transfer>,
    ) -> Result<(), Error> {
        self.sim.dump_core(domid, file, transfer).await
    }
    async fn console(&self, domid: DomId) -> Result<Vec<u8>, Error> {
        self.sim.console(domid).await
    }
    async fn dmesg(&self) -> Result<Vec<u8>, Error> {
        self.sim.dmesg().await
    }
    async fn clear_dmesg(&self) -> Result<(), Error> {
        self.sim.clear_dmesg().await
    }
    fn subscribe(&self) -> mpsc::UnboundedReceiver<DomainChanged> {
        self.sim.subscribe()
    }
}
