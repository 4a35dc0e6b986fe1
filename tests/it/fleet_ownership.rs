//! What an engine asks of its fleet, and when.

use crate::fleet_noted_support::NotedFleet;
use crate::sim_support::{TestClock, completed, config, name, open, ports_on};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tempfile::TempDir;
use tokio::time::sleep;
use xend::backend::sim::Sim;
use xend::core::caller::Caller;
use xend::core::engine::{Engine, Settings};
use xend::core::error::Error;
use xend::core::journal::EventKind;
use xend::core::lifecycle::State;
use xend::core::model::{DomainRef, OnXendStart, Uuid};
use xend::core::op::{AfterDump, Change, DomainOp, Outcome};
use xend::core::ports::Hypervisor;
use xend::os::OsEntropy;

struct Host {
    engine: Engine,
    sim: Arc<Sim>,
    clock: Arc<TestClock>,
    fleet: Arc<NotedFleet>,
    _dir: TempDir,
}

impl Host {
    async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let clock = TestClock::new();
        let sim = Arc::new(open(&dir.path().join("sim"), &clock));
        Self::on(dir, sim, clock, NotedFleet::default()).await
    }

    /// The host of a directory.
    async fn on(dir: TempDir, sim: Arc<Sim>, clock: Arc<TestClock>, fleet: NotedFleet) -> Self {
        let ports = ports_on(sim.clone(), dir.path(), clock.clone(), Arc::new(OsEntropy));
        let fleet = Arc::new(fleet);
        let ownership = fleet.clone();
        let settings = Settings { ownership, ..Settings::default() };
        let engine = Engine::start(ports, settings).await.unwrap();
        Self { engine, sim, clock, fleet, _dir: dir }
    }

    /// The host after another start of its daemon.
    async fn restarted(self, fleet: NotedFleet) -> Self {
        let Self { engine, sim, clock, _dir: dir, .. } = self;
        engine.stop().await;
        drop(engine);
        Self::on(dir, sim, clock, fleet).await
    }

    async fn execute(&self, change: Change) -> Result<Outcome, Error> {
        self.engine.execute(&Caller::internal(), change).await
    }

    async fn change(&self, op: DomainOp) -> Result<Outcome, Error> {
        self.execute(Change::Domain(DomainRef::new("web"), op)).await
    }

    async fn create(&self) -> Result<Outcome, Error> {
        self.execute(Change::Create(Box::new(config("web", 64)))).await
    }

    async fn state(&self) -> Option<State> {
        let view = self.engine.view(&Caller::internal());
        view.domain(&DomainRef::new("web")).await.ok().map(|domain| domain.state())
    }
}

#[tokio::test(start_paused = true)]
async fn the_fleet_is_asked_before_a_build_and_before_the_domain_runs() {
    let host = Host::new().await;
    assert_eq!(host.fleet.asked(), [""; 0], "Domain-0 is nobody's");
    host.create().await.unwrap();
    assert_eq!(host.fleet.asked(), ["claim", "run"]);
    host.change(DomainOp::Unpause).await.unwrap();
    assert_eq!(host.fleet.asked(), [""; 0]);
    // A restart in place is a start, and gives nothing up in between.
    host.change(DomainOp::Reset).await.unwrap();
    assert_eq!(host.fleet.asked(), ["claim", "run"]);
    host.change(DomainOp::Destroy).await.unwrap();
    assert_eq!(host.fleet.asked(), ["release"]);
}

#[tokio::test(start_paused = true)]
async fn without_leave_nothing_is_built_and_what_is_built_goes() {
    let host = Host::new().await;
    host.fleet.refuses_claims.store(true, Ordering::Relaxed);
    host.create().await.unwrap_err();
    assert_eq!(host.state().await, None);
    host.fleet.refuses_claims.store(false, Ordering::Relaxed);
    host.fleet.refuses_runs.store(true, Ordering::Relaxed);
    host.fleet.asked();
    host.create().await.unwrap_err();
    assert_eq!(host.state().await, None);
    assert_eq!(host.fleet.asked(), ["claim", "run", "release"]);
    // The name is free again, and a managed domain keeps what it was.
    host.execute(Change::Define(Box::new(config("web", 64)))).await.unwrap();
    host.change(DomainOp::Start { paused: false }).await.unwrap_err();
    assert_eq!(host.state().await, Some(State::Halted));
    host.fleet.refuses_runs.store(false, Ordering::Relaxed);
    host.change(DomainOp::Start { paused: false }).await.unwrap();
    host.change(DomainOp::Suspend).await.unwrap();
    for refuses in [&host.fleet.refuses_claims, &host.fleet.refuses_runs] {
        refuses.store(true, Ordering::Relaxed);
        host.change(DomainOp::Resume { paused: false }).await.unwrap_err();
        assert_eq!(host.state().await, Some(State::Suspended), "its memory is kept");
        refuses.store(false, Ordering::Relaxed);
    }
    host.change(DomainOp::Resume { paused: false }).await.unwrap();
    assert_eq!(host.state().await, Some(State::Running));
}

#[tokio::test(start_paused = true)]
async fn what_starts_with_xend_waits_for_the_fleet_and_is_what_was_halted() {
    let host = Host::new().await;
    let mut starts = config("web", 64);
    starts.on_xend_start = OnXendStart::Start;
    host.execute(Change::Define(Box::new(starts))).await.unwrap();
    let host = host.restarted(NotedFleet::silent()).await;
    sleep(Duration::from_secs(600)).await;
    assert_eq!(host.state().await, Some(State::Halted));
    // The fleet answers, and is away again at once.
    host.fleet.refuses_claims.store(true, Ordering::Relaxed);
    host.fleet.is_silent.store(false, Ordering::Relaxed);
    sleep(Duration::from_secs(60)).await;
    assert_eq!(host.state().await, Some(State::Halted));
    host.fleet.refuses_claims.store(false, Ordering::Relaxed);
    sleep(Duration::from_secs(60)).await;
    assert_eq!(host.state().await, Some(State::Running));
    // A domain that runs is no domain to start, also if somebody destroys it while xend waits.
    let host = host.restarted(NotedFleet::silent()).await;
    assert_eq!(host.state().await, Some(State::Running));
    host.change(DomainOp::Destroy).await.unwrap();
    host.fleet.is_silent.store(false, Ordering::Relaxed);
    sleep(Duration::from_secs(60)).await;
    assert_eq!(host.state().await, Some(State::Halted));
}

#[tokio::test(start_paused = true)]
async fn a_domain_that_belongs_to_another_host_does_not_begin_to_run() {
    let host = Host::new().await;
    host.create().await.unwrap();
    let uuid = config("web", 64).uuid.unwrap();
    host.fleet.dispute(uuid, "xen2");
    let dump = DomainOp::Dump { file: None, live: false, then: AfterDump::Reset };
    for op in [DomainOp::Unpause, DomainOp::Reset, dump] {
        let refused = host.change(op).await.unwrap_err();
        assert!(matches!(refused, Error::OwnedElsewhere { .. }), "{refused:?}");
    }
    assert_eq!(host.state().await, Some(State::Paused));
    tokio::task::yield_now().await;
    let view = host.engine.view(&Caller::internal());
    let history = view.history(&uuid);
    let owner = "xen2".to_owned();
    assert!(history.iter().any(|event| event.what == EventKind::Disputed { owner: owner.clone() }));
    host.change(DomainOp::Destroy).await.unwrap();
}

/// Its name is taken, and so is the one by which it would be shown.
#[tokio::test(start_paused = true)]
async fn a_domain_that_is_left_out_is_on_the_host_until_it_has_gone() {
    let host = Host::new().await;
    host.create().await.unwrap();
    host.execute(Change::Define(Box::new(config("web-2", 64)))).await.unwrap();
    host.fleet.asked();
    let mut theirs = config("stranger", 32);
    theirs.uuid = Some(Uuid::from_u128(0xbeef));
    let theirs = host.sim.create(&completed(&theirs), Arc::default()).await.unwrap();
    assert_eq!(theirs.domid.0, 2);
    host.sim.rename(theirs.domid, &name("web"), None).await.unwrap();
    sleep(Duration::from_secs(60)).await;
    let asked = host.fleet.asked();
    assert!(!asked.is_empty() && asked.iter().all(|asked| *asked == "hold"), "{asked:?}");
    host.sim.destroy(theirs.domid, Arc::default()).await.unwrap();
    sleep(Duration::from_secs(60)).await;
    let asked = host.fleet.asked();
    assert_eq!(asked.last(), Some(&"release"), "{asked:?}");
    assert_eq!(asked.iter().filter(|asked| **asked == "release").count(), 1, "{asked:?}");
}

/// Clients' definitions are the fleet's first; what else changes them is told afterwards.
#[tokio::test(start_paused = true)]
async fn the_fleet_is_asked_to_define_rename_and_delete_and_told_of_changes() {
    let host = Host::new().await;
    host.execute(Change::Define(Box::new(config("web", 64)))).await.unwrap();
    assert_eq!(host.fleet.asked(), ["define"]);
    host.change(DomainOp::SetMaxMemory(128)).await.unwrap();
    assert_eq!(host.fleet.asked(), ["changed"]);
    host.change(DomainOp::Rename(name("db"))).await.unwrap();
    assert_eq!(host.fleet.asked(), ["rename"]);
    let back = Change::Domain(DomainRef::new("db"), DomainOp::Rename(name("web")));
    host.execute(back).await.unwrap();
    host.fleet.asked();
    host.change(DomainOp::Delete).await.unwrap();
    assert_eq!(host.fleet.asked(), ["delete", "release"]);
}
