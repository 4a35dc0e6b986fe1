//! The suite.

use crate::backend::{Backend, Host};
use crate::expected::{self, Expected, STAGES, Stage, answered, expected};
use async_trait::async_trait;
use futures_util::FutureExt as _;
use std::fs::File;
use std::os::fd::OwnedFd;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use tokio::time::Instant;
use xend::core::caller::Caller;
use xend::core::error::{Error, ErrorKind};
use xend::core::lifecycle::State;
use xend::core::model::{
    CpuSet, DomId, DomName, DomainConfig, DomainRef, InterfaceChange, InterfaceKind, Network,
    Notes, Pool, PoolFacts, PoolSetting, Scheduler, SedfParams, Setting, ShutdownReason, Trigger,
    Uuid, Vlan, Vnet,
};
use xend::core::op::{
    AfterDump, Arrival, Change, DeviceRef, DomainOp, NetworkOp, Once, Op, Outcome, PoolOp, Query,
};
use xend::core::ports::{Destination, Incoming, Parcel, Verdict};
use xend::core::snapshot::DomainView;
use xend::shape::read_device;
use xend::sxp::{Limits, read_one};

/// A domain that is being tried, and the host that it is on.
struct Trial<'a, B> {
    backend: &'a B,
    host: &'a Host,
    config: DomainConfig,
    domain: DomainRef,
}

/// Another host that breaks off.
struct BreaksOff;

#[async_trait]
impl Incoming for BreaksOff {
    async fn ready(&mut self) -> Result<(), Error> {
        Err(Error::Remote { reason: "nothing".into() })
    }
    fn stream(&self) -> Result<OwnedFd, Error> {
        Err(Error::Stopping)
    }
    async fn building(&mut self, _stage: &str) -> Result<(), Error> {
        Err(Error::Stopping)
    }
    async fn arrived(&mut self) -> Result<(), Error> {
        Err(Error::Stopping)
    }
}

/// Each question and each operation in each state. A domain that is still where it was serves for
/// the next operation too, and so does one that a word brings back there.
pub(crate) async fn operations(backend: &impl Backend) {
    let host = backend.host().await;
    let mut tried = 0;
    let mut skipped = 0;
    let mut failed = Vec::new();
    println!();
    for stage in STAGES {
        let mut trial = trial(backend, &host, stage);
        if all(&trial).iter().all(|op| backend.skips(op, stage)) {
            println!("skip every operation {stage:?}");
            skipped += all(&trial).len();
            continue;
        }
        trial.bring(stage).await;
        trial.answers(stage).await;
        for n in 0..all(&trial).len() {
            let op = all(&trial).remove(n);
            let case = format!("{} {stage:?}", op.name());
            if let Some((_, reason)) = backend.exceptions().iter().find(|(name, _)| *name == case) {
                println!("skip {case}: {reason}");
                continue;
            }
            if backend.skips(&op, stage) {
                println!("skip {case}");
                skipped += 1;
                continue;
            }
            if !trial.back(stage).await {
                trial.clear_away().await;
                trial = self::trial(backend, &host, stage);
                trial.bring(stage).await;
            }
            let started = Instant::now();
            // One that fails is no reason not to try the others: a run on a real hypervisor is
            // dear.
            let performed = AssertUnwindSafe(trial.perform(op, stage, &case)).catch_unwind().await;
            match performed {
                Ok(()) => println!("ok {case} {:.2} s", started.elapsed().as_secs_f64()),
                Err(_) => failed.push(case),
            }
            tried += 1;
        }
        trial.clear_away().await;
    }
    host.engine.stop().await;
    assert!(failed.is_empty(), "{} of {tried} cases failed: {}", failed.len(), failed.join(", "));
    assert!(tried + skipped > 200, "{tried} cases, {skipped} skipped");
}

/// Domains that are destroyed while others are looked at. Each destroy comes back: on real Xen it
/// once did not, when a question was asked in the moment in which libxl forks.
pub(crate) async fn destroys(backend: &impl Backend, rounds: u32) {
    let host = backend.host().await;
    let trial = trial(backend, &host, Stage::Halted);
    let asking = async || loop {
        trial.execute(Query::Vcpus(DomainRef::new("0"))).await.unwrap();
        // A simulated host answers at once.
        tokio::task::yield_now().await;
    };
    let mut config = trial.config.clone();
    config.devices.clear();
    let destroying = async {
        for _ in 0..rounds {
            trial.execute(Change::Create(Box::new(config.clone()))).await.unwrap();
            trial.done(DomainOp::Destroy).await;
            trial.until(Stage::Absent, "destroyed").await;
        }
    };
    tokio::select! {
        () = destroying => {}
        () = asking() => {}
        () = asking() => {}
    }
    host.engine.stop().await;
}

fn trial<'a, B: Backend>(backend: &'a B, host: &'a Host, stage: Stage) -> Trial<'a, B> {
    let config = backend.guest("contract");
    let domain = match stage {
        Stage::Dom0 => DomainRef::new("0"),
        _ => DomainRef::new(config.uuid.unwrap().to_string()),
    };
    Trial { backend, host, config, domain }
}

/// One of each operation, with parameters that are right.
fn all<B: Backend>(trial: &Trial<'_, B>) -> Vec<DomainOp> {
    let device = |text: &str| {
        Box::new(
            read_device(&read_one(text.as_bytes(), &Limits::default()).unwrap()).unwrap().unwrap(),
        )
    };
    let config = || {
        let mut config = trial.config.clone();
        config.number_devices();
        Box::new(config)
    };
    let reference = |text: &str, number| DeviceRef { text: text.into(), number };
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let parcel = Parcel { id: Uuid::new_v4(), config: Arc::from(config()), definition: None };
    let params = SedfParams {
        period: std::time::Duration::from_millis(20),
        slice: std::time::Duration::from_millis(5),
        latency: std::time::Duration::ZERO,
        extratime: false,
        weight: 0,
    };
    let shown = trial.backend.spare_disk();
    vec![
        DomainOp::Pause,
        DomainOp::Unpause,
        DomainOp::Destroy,
        DomainOp::Shutdown(ShutdownReason::Poweroff),
        DomainOp::Rename(DomName::new("renamed").unwrap()),
        DomainOp::SetSedf(params),
        DomainOp::SetShare { scheduler: Scheduler::Credit, weight: Some(300), cap: None },
        DomainOp::SetMemory(200),
        DomainOp::SetMaxMemory(2000),
        DomainOp::SetVcpus(1),
        DomainOp::Pin { vcpu: None, cpus: "0".parse().unwrap() },
        DomainOp::Sysrq(b's'),
        DomainOp::Trigger(Trigger::Nmi, 0),
        DomainOp::Reset,
        DomainOp::Start { paused: false },
        DomainOp::CreateFrom(config()),
        DomainOp::Define(config()),
        DomainOp::Delete,
        DomainOp::MoveToPool("Pool-0".into()),
        DomainOp::Set(Setting::Description("seen".into())),
        DomainOp::Suspend,
        DomainOp::Resume { paused: false },
        DomainOp::Save { file: trial.host.file("saved"), checkpoint: false },
        DomainOp::RestoreFrom {
            config: config(),
            stream: Once::new(File::open("/dev/null").unwrap().into()),
            paused: false,
        },
        DomainOp::Migrate {
            to: Destination { host: "127.0.0.1".into(), port: nobody.port() },
            live: true,
        },
        DomainOp::Arrive(Arrival { parcel, link: Once::new(Box::new(BreaksOff)) }),
        DomainOp::Dump { file: Some(trial.host.file("core")), live: false, then: AfterDump::GoOn },
        DomainOp::AttachDevice(device(shown)),
        DomainOp::PlugDevice(Uuid::nil()),
        DomainOp::ConfigureDevice {
            device: reference("xvda", 51712),
            to: device("(vbd (uname phy:/dev/x) (dev xvda) (mode r))"),
        },
        DomainOp::DetachDevice {
            class: "vif".into(),
            device: reference("0", 0),
            force: false,
            forget: true,
        },
    ]
}

impl<B: Backend> Trial<'_, B> {
    async fn execute(&self, op: impl Into<Op>) -> Result<Outcome, Error> {
        self.host.engine.execute(&Caller::internal(), op).await
    }

    async fn change(&self, op: DomainOp) -> Result<Outcome, Error> {
        self.execute(Change::Domain(self.domain.clone(), op)).await
    }

    async fn done(&self, op: DomainOp) {
        let what = format!("{op:?}");
        self.change(op).await.unwrap_or_else(|error| panic!("{what}: {error}"));
    }

    async fn view(&self) -> Option<Arc<DomainView>> {
        match self.execute(Query::Domain(self.domain.clone())).await {
            Ok(Outcome::Domain(view)) => Some(view),
            Ok(other) => panic!("{other:?}"),
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::NotFound);
                None
            }
        }
    }

    /// Waits until the domain is in a state.
    async fn until(&self, stage: Stage, case: &str) {
        let started = Instant::now();
        loop {
            let seen = self.view().await.map(|view| view.state());
            if seen == stage.state() {
                return;
            }
            assert!(
                started.elapsed() < self.backend.patience(),
                "{case}: it is {seen:?}, not {stage:?}"
            );
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    }

    /// Makes a domain and brings it into a state.
    async fn bring(&self, stage: Stage) {
        if matches!(stage, Stage::Absent | Stage::Dom0) {
            return;
        }
        self.execute(Change::Define(Box::new(self.config.clone()))).await.unwrap();
        if stage != Stage::Halted {
            self.done(DomainOp::Start { paused: stage == Stage::Paused }).await;
        }
        match stage {
            Stage::Suspended => self.done(DomainOp::Suspend).await,
            Stage::Crashed => self.done(DomainOp::Shutdown(ShutdownReason::Crash)).await,
            Stage::Off => self.done(DomainOp::Shutdown(ShutdownReason::Poweroff)).await,
            Stage::Absent | Stage::Halted | Stage::Paused | Stage::Running | Stage::Dom0 => {}
        }
        self.until(stage, "bringing it there").await;
    }

    /// Whether the domain is where it is to be, which it is after a word if it paused or goes on.
    async fn back(&self, stage: Stage) -> bool {
        let seen = self.view().await.map(|view| view.state());
        match (seen, stage) {
            (Some(State::Paused), Stage::Running) => self.done(DomainOp::Unpause).await,
            (Some(State::Running), Stage::Paused) => self.done(DomainOp::Pause).await,
            _ => return seen == stage.state(),
        }
        true
    }

    async fn perform(&self, op: DomainOp, stage: Stage, case: &str) {
        let before = self.view().await;
        let wanted = expected(&op, stage);
        let renames = matches!(op, DomainOp::Rename(_));
        match (self.change(op).await, wanted) {
            (Ok(_), Expected::Then(then)) => self.until(then, case).await,
            (Err(error), Expected::Refused(kind)) => {
                assert_eq!(error.kind(), kind, "{case}: {error}");
                let after = self.view().await;
                let seen = |view: &Option<Arc<DomainView>>| {
                    view.as_ref().map(|view| {
                        (view.state(), view.config.clone(), view.domid(), view.managed())
                    })
                };
                assert_eq!(seen(&before), seen(&after), "{case}: a refusal changes nothing");
            }
            (outcome, wanted) => panic!("{case}: {outcome:?} and not {wanted:?}"),
        }
        self.consistent(case).await;
        if renames && stage != Stage::Absent {
            let name = if stage == Stage::Dom0 { "Domain-0" } else { self.config.name.as_str() };
            self.done(DomainOp::Rename(DomName::adopted(name))).await;
        }
    }

    /// The domain is found by its name, its domid and its UUID, and is listed once.
    async fn consistent(&self, case: &str) {
        let Ok(Outcome::Domains(all)) = self.execute(Query::Domains).await else {
            panic!("{case}")
        };
        let Some(view) = self.view().await else {
            assert!(all.by_uuid(&self.config.uuid.unwrap()).is_none(), "{case}");
            return;
        };
        let name = DomainRef::new(view.name().as_str());
        assert_eq!(all.find(&name).map(|found| found.uuid), Some(view.uuid), "{case}");
        if let Some(domid) = view.domid() {
            assert_eq!(all.by_domid(domid).map(|found| found.uuid), Some(view.uuid), "{case}");
        }
        assert_eq!(all.domains().filter(|other| other.uuid == view.uuid).count(), 1, "{case}");
        assert_eq!(all.domains().count(), all.len(), "{case}");
    }

    /// Each question.
    async fn answers(&self, stage: Stage) {
        for query in expected::queries(&self.domain) {
            let case = format!("{query:?} {stage:?}");
            let wanted = answered(&query, stage);
            let got = self.execute(query).await;
            assert_eq!(got.as_ref().map(drop).map_err(Error::kind), wanted, "{case}: {got:?}");
        }
    }

    /// Takes the domain away, wherever it is, so that nothing is left of it.
    async fn clear_away(&self) {
        if self.domain.as_str() == "0" {
            return;
        }
        let Some(view) = self.view().await else { return };
        if view.state() != State::Halted {
            self.done(DomainOp::Destroy).await;
        }
        self.done(DomainOp::Delete).await;
        assert!(self.view().await.is_none());
    }
}

/// What is done with the host, and how domains come in.
pub(crate) async fn host(backend: &impl Backend) {
    let host = backend.host().await;
    let trial = trial(backend, &host, Stage::Halted);
    let config = || Box::new(trial.config.clone());
    // Created, it is not managed: gone when it is destroyed, and its name is free.
    for _ in 0..2 {
        trial.execute(Change::Create(config())).await.unwrap();
        trial.until(Stage::Paused, "created").await;
        assert!(
            trial
                .execute(Change::Create(config()))
                .await
                .is_err_and(|e| e.kind() == ErrorKind::Conflict)
        );
        trial.done(DomainOp::Destroy).await;
        trial.until(Stage::Absent, "destroyed").await;
    }
    // Saved and restored.
    let file = host.file("domain");
    trial.execute(Change::Create(config())).await.unwrap();
    trial.done(DomainOp::Unpause).await;
    trial.done(DomainOp::Save { file: file.clone(), checkpoint: true }).await;
    trial.until(Stage::Running, "saved, and it goes on").await;
    trial.done(DomainOp::Save { file: file.clone(), checkpoint: false }).await;
    trial.until(Stage::Absent, "saved").await;
    trial.execute(Change::Restore { file: file.clone(), paused: true }).await.unwrap();
    trial.until(Stage::Paused, "restored").await;
    let again = trial.execute(Change::Restore { file, paused: false }).await;
    assert!(again.is_err_and(|error| error.kind() == ErrorKind::Conflict));
    trial.done(DomainOp::Unpause).await;
    trial.until(Stage::Running, "restored").await;
    trial.done(DomainOp::Destroy).await;
    let missing = Change::Restore { file: host.file("nosuch"), paused: false };
    assert!(trial.execute(missing).await.is_err_and(|error| error.kind() == ErrorKind::Invalid));

    let vnet = Vnet { id: "1".into(), rest: vec![] };
    trial.execute(Change::CreateVnet(vnet.clone())).await.unwrap();
    assert!(
        trial
            .execute(Change::CreateVnet(vnet))
            .await
            .is_err_and(|e| e.kind() == ErrorKind::Conflict)
    );
    trial.execute(Change::DeleteVnet("1".into())).await.unwrap();
    assert!(
        trial
            .execute(Change::DeleteVnet("1".into()))
            .await
            .is_err_and(|e| e.kind() == ErrorKind::NotFound)
    );
    if backend.skips_pools() {
        println!("\nskip CPU pools");
    } else {
        pools(&trial).await;
    }
    networks(&trial).await;
    trial.execute(Change::ClearDmesg).await.unwrap();
    let verdict = trial.execute(Change::Settle(Uuid::new_v4())).await;
    assert!(matches!(verdict, Ok(Outcome::Verdict(Verdict::NotTaken))));
    let parcel =
        Parcel { id: Uuid::new_v4(), config: Arc::new(trial.config.clone()), definition: None };
    let arrival = Arrival { parcel, link: Once::new(Box::new(BreaksOff)) };
    assert!(
        trial
            .execute(Change::Receive(arrival))
            .await
            .is_err_and(|e| e.kind() == ErrorKind::Backend)
    );
    trial.until(Stage::Absent, "broken off").await;
    host.engine.stop().await;
}

/// A pool of one CPU, a domain that is put into it while it runs, and what Xen refuses.
async fn pools<B: Backend>(trial: &Trial<'_, B>) {
    let does = async |name: &str, op: PoolOp| {
        let done = trial.execute(Change::Pool(name.into(), op)).await;
        done.map(drop)
    };
    let facts = async || {
        let Ok(Outcome::Pools(pools)) = trial.execute(Query::Pools).await else { panic!() };
        pools
    };
    let (name, first) = ("suite".to_owned(), PoolFacts::FIRST);
    let all = facts().await;
    assert_eq!(
        (all.len(), all[0].name.as_str(), all[0].domains.contains(&DomId(0))),
        (1, first, true)
    );
    let last = all[0].cpus.iter().max().unwrap();
    assert!(last > 0, "the pool's tests need two CPUs");
    let pool = Pool {
        name: name.clone(),
        scheduler: all[0].scheduler,
        cpus: CpuSet::default(),
        ncpu: 1,
        auto_start: false,
    };
    let define = PoolOp::Define { uuid: Uuid::new_v4(), pool, notes: Notes::default() };
    refused(does(&name, PoolOp::Start).await, ErrorKind::NotFound);
    does(&name, define.clone()).await.unwrap();
    refused(does(&name, define).await, ErrorKind::Conflict);
    // There is no CPU left for it.
    refused(does(&name, PoolOp::Start).await, ErrorKind::Conflict);
    refused(does(first, PoolOp::AddCpu(last)).await, ErrorKind::Invalid);
    does(first, PoolOp::RemoveCpu(last)).await.unwrap();
    does(&name, PoolOp::Start).await.unwrap();
    refused(does(&name, PoolOp::Start).await, ErrorKind::Conflict);
    refused(does(&name, PoolOp::Delete).await, ErrorKind::Conflict);
    trial.execute(Change::Create(Box::new(trial.config.clone()))).await.unwrap();
    trial.done(DomainOp::Unpause).await;
    trial.done(DomainOp::MoveToPool(name.clone())).await;
    assert!(trial.change(DomainOp::MoveToPool("nosuch".into())).await.is_err());
    let moved = facts().await;
    let ours = moved.iter().find(|pool| pool.name == name).unwrap();
    assert_eq!((ours.cpus.iter().collect::<Vec<_>>(), ours.domains.len()), (vec![last], 1));
    refused(does(&name, PoolOp::Stop).await, ErrorKind::Conflict);
    refused(does(&name, PoolOp::RemoveCpu(last)).await, ErrorKind::Conflict);
    trial.done(DomainOp::MoveToPool(first.into())).await;
    trial.done(DomainOp::Destroy).await;
    does(&name, PoolOp::RemoveCpu(last)).await.unwrap();
    does(&name, PoolOp::AddCpu(last)).await.unwrap();
    refused(does(&name, PoolOp::Set(PoolSetting::Name("other".into()))).await, ErrorKind::Conflict);
    does(&name, PoolOp::Stop).await.unwrap();
    does(&name, PoolOp::Set(PoolSetting::Name("other".into()))).await.unwrap();
    does("other", PoolOp::Delete).await.unwrap();
    does(first, PoolOp::AddCpu(last)).await.unwrap();
    assert_eq!(facts().await, all);
}

/// A bridge that is made, used, and taken away when nobody uses it any more.
async fn networks<B: Backend>(trial: &Trial<'_, B>) {
    let does = async |op: NetworkOp| {
        let done = trial.execute(Change::Network(op)).await;
        done.map(drop)
    };
    let there = async |name: &str| {
        let Ok(Outcome::Interfaces(all)) = trial.execute(Query::Interfaces).await else { panic!() };
        all.into_iter().find(|one| one.name == name)
    };
    let (uuid, network) = (Uuid::new_v4(), Network::new("suitebr").unwrap());
    let create = || NetworkOp::Create { uuid, network: network.clone(), notes: Notes::default() };
    does(create()).await.unwrap();
    refused(does(create()).await, ErrorKind::Invalid);
    assert_eq!(there("suitebr").await.unwrap().kind, InterfaceKind::Bridge);
    let second = NetworkOp::Create {
        uuid: Uuid::new_v4(),
        network: Network::new("suitebr2").unwrap(),
        notes: Notes::default(),
    };
    let NetworkOp::Create { uuid: other, .. } = second.clone() else { panic!() };
    does(second).await.unwrap();
    // A virtual LAN on a bridge: Linux takes any interface for a card.
    let vlan = Vlan::new("suitebr2", 7, "suitebr").unwrap();
    let (vlan_uuid, name) = (Uuid::new_v4(), vlan.name());
    does(NetworkOp::CreateVlan { uuid: vlan_uuid, vlan }).await.unwrap();
    assert_eq!(there(&name).await.unwrap().bridge.as_deref(), Some("suitebr"));
    refused(does(NetworkOp::Destroy(uuid)).await, ErrorKind::Conflict);
    does(NetworkOp::Interface(InterfaceChange::Link { name: name.clone(), bridge: None }))
        .await
        .unwrap();
    assert_eq!(there(&name).await.unwrap().bridge, None);
    does(NetworkOp::DestroyVlan(vlan_uuid)).await.unwrap();
    refused(does(NetworkOp::DestroyVlan(vlan_uuid)).await, ErrorKind::NotFound);
    for uuid in [uuid, other] {
        does(NetworkOp::Destroy(uuid)).await.unwrap();
        refused(does(NetworkOp::Destroy(uuid)).await, ErrorKind::NotFound);
    }
    assert!(there("suitebr").await.is_none() && there(&name).await.is_none());
}

fn refused(done: Result<(), Error>, kind: ErrorKind) {
    assert_eq!(done.map_err(|error| error.kind()), Err(kind));
}
