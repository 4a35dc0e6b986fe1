//! A host that is away on purpose.

use super::*;
use crate::fleet::protection_records::{AwayCause, AwayRecord};

fn at(seconds: u64) -> std::time::SystemTime {
    UNIX_EPOCH + Duration::from_secs(seconds)
}

async fn away(kv: &MemoryKv) -> Option<AwayRecord> {
    let entry = kv.get(&keys().away(&host_name(1), 1)).await.unwrap()?;
    Some(AwayRecord::decode(&entry.value).unwrap())
}

fn is_guard_away(host: &Host) -> bool {
    lock(&host.machine.guard).is_away
}

async fn go(host: &Host, until: u64) {
    host.machine.owner().go_away(at(0), at(until)).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_host_that_is_away_gets_no_protected_domains_and_runs_on() {
    let kv = MemoryKv::default();
    let host = protected(&kv).await;
    go(&host, 3600).await;
    let record = away(&kv).await.unwrap();
    assert_eq!((record.cause, record.until), (AwayCause::Operator, 3600));
    assert!(is_guard_away(&host));
    // What is not protected starts; what is protected reboots, and goes.
    host.machine.build(Uuid::from_u128(0xb2)).await.unwrap();
    let owner = host.machine.owner();
    owner.claim(WEB, &web()).await.unwrap();
    owner.run(WEB).await.unwrap();
    host.machine.destroy(WEB).await;
    sleep(SOON).await;
    assert_eq!((shown(&kv).await, host.machine.guarded()), ("halted".to_owned(), vec![]));
    let error = host.machine.build(WEB).await.unwrap_err().to_string();
    assert!(error.contains("xend fleet away --end"), "{error}");
    owner.come_back().await.unwrap();
    assert!(away(&kv).await.is_none() && !is_guard_away(&host));
    host.machine.build(WEB).await.unwrap();
    assert_eq!(shown(&kv).await, "xen1 Running guarded");
    // Once more is no mistake.
    owner.come_back().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn an_operator_s_absence_outlives_the_daemon_until_its_time_is_over() {
    let kv = MemoryKv::default();
    let host = protected(&kv).await;
    go(&host, 3600).await;
    let host = host.restarted().await;
    sleep(LATER).await;
    assert!(away(&kv).await.is_some() && is_guard_away(&host));
    sleep(Duration::from_secs(3600)).await;
    assert!(away(&kv).await.is_none() && !is_guard_away(&host));
    assert_eq!(shown(&kv).await, "xen1 Running guarded");
}

#[tokio::test(start_paused = true)]
async fn a_stop_is_an_absence_until_the_next_daemon() {
    let kv = MemoryKv::default();
    let host = protected(&kv).await;
    host.part.abort();
    host.machine.owner().leave_for_stop(at(5)).await;
    let record = away(&kv).await.unwrap();
    assert_eq!((record.cause, record.since), (AwayCause::Stop, 5));
    assert!(is_guard_away(&host));
    sleep(Duration::from_secs(3600)).await;
    assert!(away(&kv).await.is_some(), "it does not end by itself");
    let host = host.restarted().await;
    sleep(SOON).await;
    assert!(away(&kv).await.is_none() && !is_guard_away(&host));
    assert_eq!(
        (shown(&kv).await, host.machine.guarded()),
        ("xen1 Running guarded".into(), vec![WEB])
    );
}

#[tokio::test(start_paused = true)]
async fn a_host_that_guards_nothing_stops_without_a_word() {
    let kv = MemoryKv::default();
    let host = Host::member(&kv, 1).await;
    host.define().await;
    host.machine.build(WEB).await.unwrap();
    let before = kv.list(keys().root()).await.unwrap().revision;
    lock(&host.machine.guard).is_down = true;
    host.part.abort();
    host.machine.owner().leave_for_stop(at(0)).await;
    assert_eq!(kv.list(keys().root()).await.unwrap().revision, before);
}

#[tokio::test(start_paused = true)]
async fn a_fenced_host_does_not_go_away() {
    let kv = MemoryKv::default();
    let host = protected(&kv).await;
    fence(&kv, FenceStep::Declared).await;
    let error = host.machine.owner().go_away(at(0), at(60)).await.unwrap_err().to_string();
    assert!(error.contains("fenced"), "{error}");
    assert!(away(&kv).await.is_none() && !is_guard_away(&host));
}

#[tokio::test(start_paused = true)]
async fn what_the_guard_refuses_is_said_and_undone() {
    let kv = MemoryKv::default();
    let host = protected(&kv).await;
    lock(&host.machine.guard).refuses_absence = Some("it is busy");
    let error = host.machine.owner().go_away(at(0), at(60)).await.unwrap_err().to_string();
    assert!(error.contains("refuses: it is busy"), "{error}");
    assert!(away(&kv).await.is_none() && !is_guard_away(&host));
    assert!(host.machine.owner().registrations().is_present());
}

#[tokio::test(start_paused = true)]
async fn a_guard_that_was_replaced_meanwhile_gets_all_before_etcd_is_told() {
    let kv = MemoryKv::default();
    let host = protected(&kv).await;
    for restarts in [false, true] {
        go(&host, 3600).await;
        *lock(&host.machine.guard) = Guard { epoch: 1, is_down: true, ..Guard::default() };
        let host = if restarts { &host.restarted().await } else { &host };
        let error = host.machine.owner().come_back().await.unwrap_err().to_string();
        assert!(error.contains("start xend guard"), "{error}");
        sleep(LATER).await;
        assert!(away(&kv).await.is_some(), "nobody guards web");
        lock(&host.machine.guard).is_down = false;
        host.machine.owner().come_back().await.unwrap();
        assert!(away(&kv).await.is_none());
        sleep(SOON).await;
        assert_eq!(lock(&host.machine.guard).built, [(WEB, true)].into());
        assert_eq!(shown(&kv).await, "xen1 Running guarded");
    }
}

#[tokio::test(start_paused = true)]
async fn a_domain_that_is_built_anew_is_told_to_the_guard_on_the_way_back() {
    let kv = MemoryKv::default();
    let host = protected(&kv).await;
    go(&host, 3600).await;
    let owner = host.machine.owner();
    owner.claim(WEB, &web()).await.unwrap();
    assert_eq!(lock(&host.machine.guard).built, [(WEB, true)].into());
    owner.come_back().await.unwrap();
    assert_eq!(lock(&host.machine.guard).built, [(WEB, false)].into());
    owner.run(WEB).await.unwrap();
    assert_eq!(lock(&host.machine.guard).built, [(WEB, true)].into());
}

#[tokio::test(start_paused = true)]
async fn writes_in_doubt_are_found_out_and_what_comes_late_fails() {
    for lost in [Lost::Happened, Lost::Never, Lost::Later] {
        let kv = MemoryKv::default();
        let host = protected(&kv).await;
        host.kv.lose_answer(lost);
        go(&host, 3600).await;
        assert!(away(&kv).await.is_some() && is_guard_away(&host), "{lost:?}");
        host.kv.lose_answer(lost);
        host.machine.owner().come_back().await.ok();
        sleep(LATER).await;
        assert!(!is_guard_away(&host), "{lost:?}");
        host.machine.owner().come_back().await.unwrap();
        assert!(away(&kv).await.is_none(), "{lost:?}");
        // A removal that comes late must not end another absence, nor must one be begun.
        go(&host, 7200).await;
        host.kv.deliver();
        assert_eq!(away(&kv).await.unwrap().until, 7200, "{lost:?}");
        host.machine.owner().come_back().await.unwrap();
        host.kv.deliver();
        assert!(away(&kv).await.is_none(), "{lost:?}");
        assert_eq!(shown(&kv).await, "xen1 Running guarded");
    }
}

#[tokio::test(start_paused = true)]
async fn a_host_that_was_confirmed_to_be_dead_has_its_guard_look() {
    let kv = MemoryKv::default();
    let host = protected(&kv).await;
    go(&host, 3600).await;
    fence(&kv, FenceStep::Confirmed).await;
    write(&kv, Op::Delete { key: keys().away(&host_name(1), 1) }).await;
    sleep(LATER).await;
    assert!(!is_guard_away(&host), "it finds the fence");
}

#[tokio::test(start_paused = true)]
async fn an_absence_ends_with_its_boot() {
    let kv = MemoryKv::default();
    let host = protected(&kv).await;
    go(&host, 3600).await;
    let host = host.booted().await;
    sleep(LATER).await;
    assert!(away(&kv).await.is_none());
    assert!(host.machine.has(WEB));
}
