//! Every query and operation in every state.

use crate::backend::{Backend, new_uuid};
use crate::expected::{STAGES, Stage};
use crate::failing_sender::FailingSender;
use crate::trial::Trial;
use futures_util::FutureExt as _;
use std::fs::File;
use std::net::TcpListener;
use std::panic::AssertUnwindSafe;
use std::time::Duration;
use tokio::time::Instant;
use xend::core::model::{
    DomName, DomainRef, Scheduler, SedfParams, Setting, ShutdownReason, Trigger, Uuid,
};
use xend::core::op::{AfterDump, Arrival, Change, DeviceRef, DomainOp, Once};
use xend::core::ports::{Destination, MigratedDomain};
use xend::shape::read_device;
use xend::sxp::{Limits, read_one};

/// Tries each query and operation in each state. A domain serves for several operations as long as
/// it stays in the state, or returns there by pause or unpause.
pub(crate) async fn operations(backend: &impl Backend) {
    let host = backend.host().await;
    let mut tried = 0;
    let mut skipped = 0;
    let mut failed = Vec::new();
    println!();
    for stage in STAGES {
        let mut trial = Trial::new(backend, &host, stage);
        if every_operation(&trial).iter().all(|op| backend.skips(op, stage)) {
            println!("skip every operation {stage:?}");
            skipped += every_operation(&trial).len();
            continue;
        }
        trial.bring_to(stage).await;
        trial.check_queries(stage).await;
        for n in 0..every_operation(&trial).len() {
            let op = every_operation(&trial).remove(n);
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
            if !trial.return_to(stage).await {
                trial.remove().await;
                trial = Trial::new(backend, &host, stage);
                trial.bring_to(stage).await;
            }
            let started = Instant::now();
            // A failure does not end the run: a run on real Xen takes long.
            let performed = AssertUnwindSafe(trial.perform(op, stage, &case)).catch_unwind().await;
            match performed {
                Ok(()) => println!("ok {case} {:.2} s", started.elapsed().as_secs_f64()),
                Err(_) => failed.push(case),
            }
            tried += 1;
        }
        trial.remove().await;
    }
    host.engine.stop().await;
    assert!(failed.is_empty(), "{} of {tried} cases failed: {}", failed.len(), failed.join(", "));
    assert!(tried + skipped > 200, "{tried} cases, {skipped} skipped");
}

/// Destroys domains while queries run. Each destroy must return: on real Xen one hung when a query
/// ran at the moment in which libxl forks.
pub(crate) async fn destroys_during_queries(backend: &impl Backend, rounds: u32) {
    let host = backend.host().await;
    let trial = Trial::new(backend, &host, Stage::Halted);
    let queries = async || loop {
        trial.reader().vcpus(&DomainRef::new("0")).await.unwrap();
        // The simulator answers without waiting.
        tokio::task::yield_now().await;
    };
    let mut config = trial.config.clone();
    config.devices.clear();
    let destroys = async {
        for _ in 0..rounds {
            trial.execute(Change::Create(Box::new(config.clone()))).await.unwrap();
            trial.succeed(DomainOp::Destroy).await;
            trial.wait_for(Stage::Absent, "destroyed").await;
        }
    };
    tokio::select! {
        () = destroys => {}
        () = queries() => {}
        () = queries() => {}
    }
    host.engine.stop().await;
}

/// One of each operation, with valid parameters.
fn every_operation<B: Backend>(trial: &Trial<'_, B>) -> Vec<DomainOp> {
    let device = |text: &str| {
        Box::new(
            read_device(&read_one(text.as_bytes(), &Limits::default()).unwrap()).unwrap().unwrap(),
        )
    };
    let reference = |text: &str, number| DeviceRef { text: text.into(), number };
    let closed_port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let migrated = MigratedDomain { id: new_uuid(), config: trial.completed(), definition: None };
    let params = SedfParams {
        period: Duration::from_millis(20),
        slice: Duration::from_millis(5),
        latency: Duration::ZERO,
        extratime: false,
        weight: 0,
    };
    let spare_disk = trial.backend.spare_disk();
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
        DomainOp::CreateFrom(trial.completed()),
        DomainOp::Define(trial.completed()),
        DomainOp::Delete,
        DomainOp::MoveToPool("Pool-0".into()),
        DomainOp::Set(Setting::Description("seen".into())),
        DomainOp::Suspend,
        DomainOp::Resume { paused: false },
        DomainOp::Save { file: trial.host.file("saved"), checkpoint: false, replace: true },
        DomainOp::RestoreFrom {
            config: trial.completed(),
            stream: Once::new(File::open("/dev/null").unwrap().into()),
            paused: false,
        },
        DomainOp::Migrate {
            to: Destination {
                host: "127.0.0.1".into(),
                port: closed_port.port(),
                encrypted: false,
                member: None,
            },
            live: true,
        },
        DomainOp::Arrive(Arrival { migrated, link: Once::new(Box::new(FailingSender)) }),
        DomainOp::Dump { file: Some(trial.host.file("core")), live: false, then: AfterDump::GoOn },
        DomainOp::AttachDevice(device(spare_disk)),
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
