//! What an engine asks of its fleet, and when.

use crate::sim_support::{TestClock, config, engine_ports};
use async_trait::async_trait;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tempfile::TempDir;
use tokio::time::sleep;
use xend::core::caller::Caller;
use xend::core::engine::{Engine, Settings};
use xend::core::error::Error;
use xend::core::lifecycle::State;
use xend::core::model::{DomainRef, OnXendStart, Uuid};
use xend::core::op::{Change, DomainOp, Outcome};
use xend::core::ports::{Handover, Ownership};
use xend::os::OsEntropy;

/// A fleet that notes what it is asked.
#[derive(Debug, Default)]
struct Noted {
    asked: Mutex<Vec<&'static str>>,
    refuses_claims: AtomicBool,
    refuses_runs: AtomicBool,
    /// Whether it is not known yet if the host is a member.
    is_silent: AtomicBool,
}

impl Noted {
    fn note(&self, what: &'static str) {
        self.asked.lock().unwrap().push(what);
    }

    fn answer(&self, what: &'static str, refuses: &AtomicBool) -> Result<(), Error> {
        self.note(what);
        if refuses.load(Ordering::Relaxed) {
            return Err(Error::FleetUnavailable { reason: "The fleet is away".to_owned() });
        }
        Ok(())
    }

    fn asked(&self) -> Vec<&'static str> {
        std::mem::take(&mut *self.asked.lock().unwrap())
    }
}

#[async_trait]
impl Ownership for Noted {
    async fn ready(&self) {
        while self.is_silent.load(Ordering::Relaxed) {
            sleep(Duration::from_secs(1)).await;
        }
    }
    async fn check(&self) -> Result<(), Error> {
        Ok(())
    }
    async fn claim(&self, _domain: Uuid) -> Result<(), Error> {
        self.answer("claim", &self.refuses_claims)
    }
    async fn run(&self, _domain: Uuid) -> Result<(), Error> {
        self.answer("run", &self.refuses_runs)
    }
    fn hold(&self, _domain: Uuid) {
        self.note("hold");
    }
    fn release(&self, _domain: Uuid) {
        self.note("release");
    }
    async fn released(&self, _domain: Uuid) {}
    async fn hand_over(&self, _domain: Uuid, _handover: &Handover) -> Result<(), Error> {
        Ok(())
    }
    fn doubt(&self, _domain: Uuid) {}
    async fn take_back(&self, _domain: Uuid) -> Result<bool, Error> {
        Ok(true)
    }
    async fn receive(&self, _domain: Uuid, _id: Uuid) -> Result<(), Error> {
        Ok(())
    }
}

struct Host {
    engine: Engine,
    fleet: Arc<Noted>,
    _dir: TempDir,
}

impl Host {
    async fn new() -> Self {
        Self::on(tempfile::tempdir().unwrap(), Noted::default()).await
    }

    /// The host of a directory.
    async fn on(dir: TempDir, fleet: Noted) -> Self {
        let ports = engine_ports(dir.path(), TestClock::new(), Arc::new(OsEntropy));
        let fleet = Arc::new(fleet);
        let ownership = fleet.clone();
        let settings = Settings { ownership, ..Settings::default() };
        let engine = Engine::start(ports, settings).await.unwrap();
        Self { engine, fleet, _dir: dir }
    }

    /// The host after another start of its daemon.
    async fn restarted(self, fleet: Noted) -> Self {
        let Self { engine, _dir: dir, .. } = self;
        engine.stop().await;
        drop(engine);
        Self::on(dir, fleet).await
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
    let host = host.restarted(Noted { is_silent: true.into(), ..Noted::default() }).await;
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
    let host = host.restarted(Noted { is_silent: true.into(), ..Noted::default() }).await;
    assert_eq!(host.state().await, Some(State::Running));
    host.change(DomainOp::Destroy).await.unwrap();
    host.fleet.is_silent.store(false, Ordering::Relaxed);
    sleep(Duration::from_secs(60)).await;
    assert_eq!(host.state().await, Some(State::Halted));
}
