//! A hypervisor that hangs or fails.

use crate::engine_support::{HYPERVISOR_LIMIT, SLOW_SAVE, STOP_LIMIT, TestHost};
use crate::sim_support::config;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::sync::atomic::Ordering;
use std::time::Duration;
use xend::core::caller::Caller;
use xend::core::engine::FIGURES_AGE;
use xend::core::error::{Error, ErrorKind};
use xend::core::lifecycle::State;
use xend::core::model::DomainRef;
use xend::core::op::{Change, DomainOp};
use xend::core::ports::Destination;
use xend::core::snapshot::DomainView;

#[tokio::test]
async fn a_failed_migration_names_the_cause_and_closes_the_connection() {
    let host = TestHost::new().await;
    host.create(config("a", 64)).await.unwrap();
    host.change("a", DomainOp::Unpause).await.unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let to = Destination { host: "127.0.0.1".into(), port, encrypted: false, member: None };
    let other = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut line = String::new();
        BufReader::new(&stream).read_line(&mut line).unwrap();
        stream.write_all(b"(ready)\n").unwrap();
        let mut rest = Vec::new();
        stream.read_to_end(&mut rest).unwrap();
        rest
    });
    host.hypervisor.save_fails.store(true, Ordering::Relaxed);
    let failed = host.change("a", DomainOp::Migrate { to, live: true }).await.unwrap_err();
    assert!(failed.to_string().contains("logdirty"), "{failed}");
    assert_eq!(other.join().unwrap(), b"", "the connection is closed, and nothing was sent");
    assert_eq!(host.find("a").await.unwrap().state(), State::Running);
}

#[tokio::test(start_paused = true)]
async fn reads_do_not_wait_for_a_hypervisor_that_hangs() {
    let host = TestHost::new().await;
    host.old_guest(|_| ()).await;
    host.hypervisor.hangs.store(true, Ordering::Relaxed);
    let pause = host.begin("a", DomainOp::Pause).await;
    let started = tokio::time::Instant::now();
    assert!(host.find("a").await.is_some());
    assert!(started.elapsed() <= FIGURES_AGE, "a read waited for the hypervisor");
    let error = pause.await.unwrap().unwrap_err();
    assert_eq!(
        (error.to_string().as_str(), error.kind()),
        ("Pause timed out after 30 s", ErrorKind::Backend)
    );
    host.hypervisor.hangs.store(false, Ordering::Relaxed);
    host.change("a", DomainOp::Pause).await.unwrap();
    assert_eq!(host.find("a").await.unwrap().state(), State::Paused);
}

#[tokio::test(start_paused = true)]
async fn a_read_of_one_domain_does_not_wait_for_the_figures_of_all() {
    let host = TestHost::new().await;
    let view = host.engine.view(&Caller::internal());
    let before = host.find("Domain-0").await.unwrap();
    host.hypervisor.sweeps_hang.store(true, Ordering::Relaxed);
    tokio::time::sleep(Duration::from_secs(10)).await;
    let started = tokio::time::Instant::now();
    let snapshot = view.domains_with(before.uuid).await;
    assert_eq!(started.elapsed(), Duration::ZERO);
    let cpu_time = |domain: &DomainView| domain.facts.as_ref().unwrap().cpu_time;
    let after = snapshot.by_uuid(&before.uuid).unwrap();
    assert!(cpu_time(after) > cpu_time(&before), "its figures are those of now");
    assert!(snapshot.swept().unwrap() < started, "those of the others are not");
}

#[tokio::test(start_paused = true)]
async fn operations_beyond_the_queue_are_refused() {
    let host = TestHost::new().await;
    host.old_guest(|_| ()).await;
    host.hypervisor.hangs.store(true, Ordering::Relaxed);
    let mut requests = tokio::task::JoinSet::new();
    for _ in 0..100 {
        let engine = host.engine.clone();
        requests.spawn(async move {
            engine
                .execute(&Caller::internal(), Change::Domain(DomainRef::new("a"), DomainOp::Pause))
                .await
        });
    }
    let mut busy = 0;
    while let Some(answer) = requests.join_next().await {
        busy += usize::from(matches!(answer.unwrap(), Err(Error::Busy(_))));
    }
    assert!((30..=36).contains(&busy), "{busy} of 100 were refused");
}

#[tokio::test(start_paused = true)]
async fn a_hypervisor_that_hangs_fails_the_start() {
    let error = TestHost::start(true).await.err().unwrap();
    assert_eq!(error.to_string(), "Reading the host timed out after 30 s");
}

#[tokio::test(start_paused = true)]
async fn a_stop_waits_for_operations_that_have_begun_and_refuses_the_rest() {
    let host = TestHost::new().await;
    host.old_guest(|_| ()).await;
    host.hypervisor.save_is_slow.store(true, Ordering::Relaxed);
    let file = host.dir.path().join("a.save");
    let save = host
        .begin("a", DomainOp::Save { file: file.clone(), checkpoint: true, replace: true })
        .await;
    let queued = host.begin("a", DomainOp::Pause).await;
    host.engine.stop().await;
    assert!(file.exists(), "the save is complete");
    save.await.unwrap().unwrap();
    assert!(matches!(queued.await.unwrap(), Err(Error::Stopping)));
    let later = host.create(config("b", 64)).await;
    assert!(matches!(later, Err(Error::Stopping)));
    let state = host.find("a").await.unwrap().state();
    assert_eq!(state, State::Running, "reads are still answered");
}

#[tokio::test(start_paused = true)]
async fn a_stop_waits_for_tasks_of_the_wires() {
    let host = TestHost::new().await;
    let task = host.engine.spawn(tokio::time::sleep(SLOW_SAVE));
    host.engine.stop().await;
    assert!(task.is_finished());
}

#[tokio::test(start_paused = true)]
async fn a_stop_gives_up_on_a_hypervisor_that_hangs() {
    let host = TestHost::new().await;
    host.old_guest(|_| ()).await;
    host.hypervisor.hangs.store(true, Ordering::Relaxed);
    let pause = host.begin("a", DomainOp::Pause).await;
    let began = tokio::time::Instant::now();
    host.engine.stop().await;
    assert!((STOP_LIMIT..HYPERVISOR_LIMIT).contains(&began.elapsed()), "{:?}", began.elapsed());
    assert!(!pause.is_finished());
}
