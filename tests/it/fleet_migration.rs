//! Migrations of a fleet whose answers are late or missing, and of daemons that are killed between.
//!
//! Real time: domains are sent over TCP.

use crate::fleet_noted_support::{NotedFleet, Says};
use crate::fleet_support::RelocationPort;
use crate::http_support::GENEROUS;
use crate::sim_support::{TestClock, completed, config, name, open, ports_on};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};
use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::sleep;
use xend::backend::sim::Sim;
use xend::core::caller::Caller;
use xend::core::engine::{Engine, Settings};
use xend::core::error::Error;
use xend::core::lifecycle::State;
use xend::core::model::{DomainRef, ShutdownReason, Uuid};
use xend::core::op::{Change, DomainOp, Outcome};
use xend::core::ports::{Copies as _, Destination, Hypervisor};
use xend::os::OsEntropy;

const START: DomainOp = DomainOp::Start { paused: false };
const SUSPENDED: State = State::Stopped(ShutdownReason::Suspend);

/// A host whose fleet is a test.
struct Host {
    /// The daemon's threads; `None` while it is killed.
    runtime: Option<Runtime>,
    engine: Option<Engine>,
    sim: Arc<Sim>,
    fleet: Arc<NotedFleet>,
    clock: Arc<TestClock>,
    dir: TempDir,
    port: u16,
}

impl Drop for Host {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl Host {
    async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let clock = TestClock::new();
        let sim = Arc::new(open(&dir.path().join("sim"), &clock));
        let fleet = Arc::new(NotedFleet::default());
        let mut host = Self { runtime: None, engine: None, sim, fleet, clock, dir, port: 0 };
        host.restart().await;
        host
    }

    /// Starts the daemon.
    async fn restart(&mut self) {
        let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let entropy = Arc::new(OsEntropy);
        let ports = ports_on(self.sim.clone(), self.dir.path(), self.clock.clone(), entropy);
        let settings = Settings { ownership: self.fleet.clone(), ..Settings::default() };
        let port = self.port;
        let started = runtime.spawn(async move {
            let engine = Engine::start(ports, settings).await.unwrap();
            // It is open until the runtime ends.
            let port = RelocationPort::open(&engine, port).await;
            (engine, port.to.port)
        });
        let (engine, port) = started.await.unwrap();
        self.port = port;
        self.engine = Some(engine);
        self.runtime = Some(runtime);
    }

    /// Kills the daemon. Domains stay as they are.
    async fn kill(&mut self) {
        self.engine = None;
        let runtime = self.runtime.take().unwrap();
        let ended = spawn_blocking(move || runtime.shutdown_timeout(Duration::from_secs(1)));
        ended.await.unwrap();
    }

    /// What the daemon does.
    fn spawn<F>(&self, work: impl FnOnce(Engine) -> F) -> JoinHandle<F::Output>
    where
        F: Future<Output: Send + 'static> + Send + 'static,
    {
        self.runtime.as_ref().unwrap().spawn(work(self.engine.clone().unwrap()))
    }

    /// A domain that is defined, or not, and runs.
    async fn start(&self, is_defined: bool) {
        let config = Box::new(config("web", 64));
        if is_defined {
            self.execute(Change::Define(config)).await.unwrap();
            self.change(START).await.unwrap();
        } else {
            self.execute(Change::Create(config)).await.unwrap();
            self.change(DomainOp::Unpause).await.unwrap();
        }
        self.fleet.asked();
    }

    async fn execute(&self, change: Change) -> Result<Outcome, Error> {
        self.begin(change).await.unwrap()
    }

    fn begin(&self, change: Change) -> JoinHandle<Result<Outcome, Error>> {
        self.spawn(|engine| async move { engine.execute(&Caller::internal(), change).await })
    }

    async fn change(&self, op: DomainOp) -> Result<Outcome, Error> {
        self.execute(Change::Domain(DomainRef::new("web"), op)).await
    }

    fn migrate(&self, domain: &str, to: &Self) -> JoinHandle<Result<Outcome, Error>> {
        let host = "127.0.0.1".to_owned();
        let to = Destination { host, port: to.port, encrypted: false, member: None };
        let op = DomainOp::Migrate { to, live: false };
        self.begin(Change::Domain(DomainRef::new(domain), op))
    }

    async fn state(&self) -> Option<State> {
        self.state_of("web").await
    }

    async fn state_of(&self, domain: &str) -> Option<State> {
        let domain = DomainRef::new(domain);
        let read = self.spawn(|engine| async move {
            let view = engine.view(&Caller::internal());
            view.domain(&domain).await.ok().map(|domain| domain.state())
        });
        read.await.unwrap()
    }

    async fn until(&self, wanted: Option<State>) {
        let began = Instant::now();
        while self.state().await != wanted {
            assert!(began.elapsed() < GENEROUS, "{:?}, not {wanted:?}", self.state().await);
            sleep(Duration::from_millis(20)).await;
        }
    }

    async fn until_asked(&self, wanted: &str) {
        let began = Instant::now();
        while !self.fleet.asked().contains(&wanted) {
            assert!(began.elapsed() < GENEROUS, "{wanted}");
            sleep(Duration::from_millis(20)).await;
        }
    }

    /// The machine loses its power after its daemon.
    async fn lose_domains(&self) {
        for domain in self.sim.domains().await.unwrap() {
            if domain.domid.0 != 0 {
                self.sim.destroy(domain.domid, Arc::default()).await.unwrap();
            }
        }
    }
}

/// Two hosts, with a domain on its way that the second one has been handed, without the fleet's
/// word on it.
async fn undecided() -> (Host, Host) {
    let (source, target) = (Host::new().await, Host::new().await);
    source.start(true).await;
    target.fleet.say(Says::Nothing);
    drop(source.migrate("web", &target));
    target.until_asked("receive").await;
    source.until(Some(SUSPENDED)).await;
    (source, target)
}

fn is_undecided<T>(result: &Result<T, Error>) -> bool {
    matches!(result, Err(Error::Undecided { .. }))
}

#[tokio::test(flavor = "multi_thread")]
async fn each_host_asks_the_fleet_before_it_acts() {
    let (source, target) = (Host::new().await, Host::new().await);
    source.start(false).await;
    source.migrate("web", &target).await.unwrap().unwrap();
    assert_eq!(source.fleet.asked(), ["hand over", "release"]);
    assert_eq!(target.fleet.asked(), ["receive"]);
    let named = target.fleet.named.lock().unwrap().clone();
    assert_eq!(named, Some("lab".parse().unwrap()));
    assert_eq!((source.state().await, target.state().await), (None, Some(State::Running)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_domain_that_the_fleet_refuses_goes_on_where_it_was() {
    let (source, target) = (Host::new().await, Host::new().await);
    source.start(true).await;
    target.fleet.say(Says::Refused);
    let error = source.migrate("web", &target).await.unwrap().unwrap_err();
    assert!(error.to_string().contains("goes on here"), "{error}");
    assert_eq!(source.fleet.asked(), ["hand over", "take back what is refused"]);
    source.until(Some(State::Running)).await;
    target.until(None).await;
    // What a host has lost to another one does not go on.
    source.fleet.has_lost.store(true, Ordering::Relaxed);
    source.migrate("web", &target).await.unwrap().unwrap_err();
    source.until(Some(State::Halted)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_domain_stays_paused_until_the_fleet_has_answered() {
    let (source, target) = undecided().await;
    assert_eq!(target.state().await, Some(State::Paused));
    for op in [DomainOp::Unpause, DomainOp::Reset, DomainOp::Pause] {
        assert!(is_undecided(&target.change(op).await));
    }
    // The definition that came along may not be this host's.
    let copy = Arc::new(completed(&config("web", 64)));
    let replaced = target.spawn(|engine| async move { engine.replace(copy, None).await });
    assert!(is_undecided(&replaced.await.unwrap()));
    target.fleet.say(Says::Granted);
    target.until(Some(State::Running)).await;
    source.until(None).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_undecided_domain_that_is_destroyed_goes_on_where_it_was() {
    let (source, target) = undecided().await;
    target.change(DomainOp::Destroy).await.unwrap();
    target.until(None).await;
    let create = || Change::Create(Box::new(config("web", 64)));
    assert!(is_undecided(&target.execute(create()).await), "the fleet may say that it is here");
    let copy = Arc::new(completed(&config("web", 64)));
    let added = target.spawn(|engine| async move { engine.add(copy).await });
    assert!(is_undecided(&added.await.unwrap()));
    target.fleet.say(Says::Refused);
    source.until(Some(State::Running)).await;
    target.execute(create()).await.unwrap();
}

/// A daemon that is killed before it knows asks again.
#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_that_is_killed_before_the_answer_asks_again() {
    for says in [Says::Granted, Says::Refused] {
        let (source, mut target) = undecided().await;
        target.kill().await;
        target.fleet.asked();
        target.restart().await;
        assert_eq!(target.state().await, Some(State::Paused));
        assert!(is_undecided(&target.change(DomainOp::Unpause).await));
        target.until_asked("receive").await;
        assert_eq!(source.state().await, Some(SUSPENDED));
        target.fleet.say(says);
        let (there, here) = match says {
            Says::Granted => (Some(State::Running), None),
            _ => (None, Some(State::Running)),
        };
        target.until(there).await;
        source.until(here).await;
        // The answer is the same for ever, and so is the definition.
        target.kill().await;
        target.restart().await;
        target.until(there).await;
        let definitions = [&source, &target].map(|host| {
            let path = host.dir.path().join("domains");
            path.read_dir().map_or(0, Iterator::count)
        });
        assert_eq!(definitions.iter().sum::<usize>(), 1, "{definitions:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_that_loses_its_power_before_the_answer_gives_the_domain_back() {
    let (source, mut target) = undecided().await;
    target.kill().await;
    target.lose_domains().await;
    target.fleet.asked();
    target.restart().await;
    assert_eq!(target.state().await, None);
    target.until_asked("renounce").await;
    assert!(is_undecided(&target.execute(Change::Create(Box::new(config("web", 64)))).await));
    target.fleet.say(Says::Granted);
    source.until(Some(State::Running)).await;
    assert_eq!(target.state().await, None);
}

/// The other host may have the domain: it is not started a second time.
#[tokio::test(flavor = "multi_thread")]
async fn a_sender_that_loses_its_power_does_not_start_what_it_has_sent() {
    for is_refused in [true, false] {
        let (mut source, mut target) = undecided().await;
        target.kill().await;
        source.kill().await;
        source.lose_domains().await;
        source.fleet.asked();
        source.restart().await;
        assert_eq!(source.state().await, Some(State::Halted));
        for op in [START, DomainOp::Delete, DomainOp::Rename(name("db"))] {
            let refused = source.change(op).await.unwrap_err();
            assert!(matches!(refused, Error::InDoubt { .. }), "{refused:?}");
        }
        let create = source.execute(Change::Create(Box::new(config("web", 64)))).await;
        assert!(matches!(create, Err(Error::InDoubt { .. })), "{create:?}");
        assert_eq!(source.fleet.asked(), ["doubt"]);
        if is_refused {
            target.fleet.say(Says::Refused);
            target.restart().await;
            source.until_asked("release").await;
        } else {
            source.change(DomainOp::Destroy).await.unwrap();
            assert_eq!(source.fleet.asked(), ["release"]);
        }
        source.change(START).await.unwrap();
        assert_eq!(source.fleet.asked(), ["claim", "run"]);
    }
}

/// Its memory is at the other host alone, which may still be asking the fleet.
#[tokio::test(flavor = "multi_thread")]
async fn a_sender_that_has_lost_a_domain_leaves_it_to_the_other_host() {
    let (mut source, target) = (Host::new().await, Host::new().await);
    source.start(false).await;
    target.fleet.say(Says::Nothing);
    drop(source.migrate("web", &target));
    target.until_asked("receive").await;
    source.kill().await;
    source.lose_domains().await;
    source.fleet.asked();
    source.restart().await;
    target.until_asked("receive").await;
    assert_eq!(source.fleet.asked(), ["doubt"]);
    target.fleet.say(Says::Granted);
    target.until(Some(State::Running)).await;
    source.until_asked("release").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn domains_that_arrive_do_not_wait_for_each_other() {
    let (source, target) = (Host::new().await, Host::new().await);
    source.start(false).await;
    let mut other = config("other", 32);
    other.uuid = Some(Uuid::from_u128(0xd1));
    source.execute(Change::Create(Box::new(other))).await.unwrap();
    let unpause = Change::Domain(DomainRef::new("other"), DomainOp::Unpause);
    source.execute(unpause).await.unwrap();
    let stuck = config("web", 64).uuid.unwrap();
    target.fleet.stuck.send_replace(vec![stuck]);
    let first = source.migrate("web", &target);
    target.until_asked("receive").await;
    source.migrate("other", &target).await.unwrap().unwrap();
    assert_eq!(target.state_of("other").await, Some(State::Running));
    let unknown = target.execute(Change::Settle(Uuid::from_u128(1))).await;
    assert!(unknown.is_ok(), "{unknown:?}");
    assert_eq!(target.state().await, Some(State::Paused));
    target.fleet.stuck.send_replace(vec![]);
    first.await.unwrap().unwrap();
    assert_eq!(target.state().await, Some(State::Running));
}
