//! Takers: hosts that die are fenced and waited for, and their protected domains are assigned to
//! others. The hosts that die, and those that are to start domains, are in etcd alone.

use crate::fleet_support::{FleetHost, Lab};
use std::future::Future;
use std::time::{Duration, UNIX_EPOCH};
use tokio::time::{Instant, sleep};
use xend::core::fleet::HostName;
use xend::core::model::Uuid;
use xend::fleet::{
    AliveRecord, FailedTry, FenceRecord, FenceStep, HostFacts, HostRecord, Kv as _, Link, Op,
    PolicyRecord, Restart, TakeoverRecord,
};

const WEB: u128 = 0x3eb;
/// Longer than a suspicion and a wait.
const LONG: Duration = Duration::from_secs(120);

fn name(host: &str) -> HostName {
    host.parse().unwrap()
}

/// A host in etcd, which is alive, in its first epoch.
async fn ghost(lab: &Lab, host: &str) {
    let number = u128::from(*host.as_bytes().last().unwrap());
    let facts =
        HostFacts { version: "1".to_owned(), cpus: 4, memory_mib: 1024, ..HostFacts::default() };
    let joining = HostRecord::joining(Uuid::from_u128(number), UNIX_EPOCH);
    let record = HostRecord { epoch: 1, boot_id: Some(Uuid::nil()), facts, ..joining };
    lab.put(lab.keys.host(&name(host)), record.encode()).await;
    set_alive(lab, host, true).await;
}

async fn set_alive(lab: &Lab, host: &str, is_alive: bool) {
    let key = lab.keys.alive(&name(host));
    let alive = AliveRecord { epoch: 1, boot_id: Uuid::nil() };
    let op = if is_alive { Op::put(key, alive.encode()) } else { Op::Delete { key } };
    lab.commit(vec![op]).await;
}

/// A guarded domain of a host, which may be on these hosts.
async fn guarded(lab: &Lab, host: &str, hosts: &str) {
    let op = Uuid::from_u128(0x0b);
    let own = format!(
        r#"{{"host":"{host}","epoch":1,"phase":"running","guarded":true,"name":"web","op":"{op}"}}"#
    );
    let text = format!("(domain (name web) (memory 64) (fleet_hosts {hosts}))");
    let definition = format!(r#"{{"host":"{host}","name":"web","op":"{op}","config":"{text}"}}"#);
    let uuid = Uuid::from_u128(WEB);
    let policy = PolicyRecord { restart: Restart::Always, priority: 0 };
    lab.commit(vec![
        Op::put(lab.keys.own(uuid), own.into_bytes()),
        Op::put(lab.keys.definition(uuid), definition.into_bytes()),
        Op::put(lab.keys.policy(uuid), policy.encode()),
    ])
    .await;
}

/// A fleet with a host that has a guarded domain, two that may start it, and a taker, xen2, which
/// is not one of them.
async fn lab() -> (Lab, FleetHost) {
    let lab = Lab::new().await;
    for host in ["xen1", "xen5", "xen6"] {
        ghost(&lab, host).await;
    }
    guarded(&lab, "xen1", "xen5 xen6").await;
    let taker = lab.member("xen2", 2).await;
    lab.put(lab.keys.taker(&name("xen2")), b"{}".to_vec()).await;
    (lab, taker)
}

async fn fence(lab: &Lab, host: &str) -> Option<FenceRecord> {
    let entry = lab.kv.get(&lab.keys.fence(&name(host), 1)).await.unwrap()?;
    Some(FenceRecord::decode(&entry.value).unwrap())
}

async fn step(lab: &Lab, host: &str) -> Option<FenceStep> {
    fence(lab, host).await.map(|fence| fence.step)
}

async fn takeover(lab: &Lab) -> Option<TakeoverRecord> {
    let entry = lab.kv.get(&lab.keys.takeover(Uuid::from_u128(WEB))).await.unwrap()?;
    Some(TakeoverRecord::decode(&entry.value).unwrap())
}

/// To which host the domain is assigned.
async fn assigned(lab: &Lab) -> Option<String> {
    takeover(lab).await?.to
}

/// Waits until something is so, and tells how long that took.
async fn until<F: Future<Output = bool>>(is_so: impl Fn() -> F) -> Duration {
    let began = Instant::now();
    while !is_so().await {
        assert!(began.elapsed() < 2 * LONG, "it never is");
        sleep(Duration::from_millis(100)).await;
    }
    began.elapsed()
}

async fn until_step(lab: &Lab, wanted: FenceStep) -> Duration {
    until(|| async { step(lab, "xen1").await == Some(wanted) }).await
}

/// A host fails to start the domain.
async fn fails(lab: &Lab, host: &str) {
    let mut record = takeover(lab).await.unwrap();
    assert_eq!(record.to.as_deref(), Some(host));
    record.failed.push(FailedTry { host: host.to_owned(), reason: "no luck".to_owned() });
    lab.put(lab.keys.takeover(Uuid::from_u128(WEB)), record.encode()).await;
}

#[tokio::test(start_paused = true)]
async fn the_domains_of_a_dead_host_are_assigned_after_it_was_waited_for() {
    let (lab, _taker) = lab().await;
    sleep(LONG).await;
    assert_eq!(fence(&lab, "xen1").await, None, "it is alive");
    set_alive(&lab, "xen1", false).await;
    let suspected = until_step(&lab, FenceStep::Declared).await;
    assert!(suspected >= Duration::from_secs(15), "{suspected:?}");
    assert_eq!(fence(&lab, "xen1").await.unwrap().by, "xen2");
    assert_eq!(assigned(&lab).await, None);
    let waited = until_step(&lab, FenceStep::Waited).await;
    assert!(waited >= Duration::from_secs(39), "{waited:?}");
    until(|| async { assigned(&lab).await.is_some() }).await;
    let record = takeover(&lab).await.unwrap();
    assert_eq!((record.from.as_str(), record.epoch, record.name.as_str()), ("xen1", 1, "web"));
    assert_eq!(record.to.as_deref(), Some("xen5"));
    // What it has been given stays its own while it is alive.
    sleep(LONG).await;
    assert_eq!(takeover(&lab).await, Some(record));
    assert_eq!(step(&lab, "xen1").await, Some(FenceStep::Waited));
}

#[tokio::test(start_paused = true)]
async fn a_host_that_is_heard_or_away_is_not_fenced() {
    let (lab, _taker) = lab().await;
    for _ in 0..4 {
        set_alive(&lab, "xen1", false).await;
        sleep(Duration::from_secs(10)).await;
        set_alive(&lab, "xen1", true).await;
        sleep(Duration::from_secs(10)).await;
    }
    assert_eq!(fence(&lab, "xen1").await, None);
    let away = lab.keys.away(&name("xen1"), 1);
    lab.put(away.clone(), b"{}".to_vec()).await;
    set_alive(&lab, "xen1", false).await;
    sleep(LONG).await;
    assert_eq!(fence(&lab, "xen1").await, None);
    lab.commit(vec![Op::Delete { key: away }]).await;
    until_step(&lab, FenceStep::Declared).await;
}

#[tokio::test(start_paused = true)]
async fn each_taker_waits_for_itself() {
    let (lab, mut first) = lab().await;
    set_alive(&lab, "xen1", false).await;
    until_step(&lab, FenceStep::Declared).await;
    sleep(Duration::from_secs(35)).await;
    // It dies, and another one sees the fence now.
    first.stop().await;
    let second = lab.member("xen3", 3).await;
    lab.put(lab.keys.taker(&name("xen3")), b"{}".to_vec()).await;
    let waited = until_step(&lab, FenceStep::Waited).await;
    assert!(waited >= Duration::from_secs(40), "{waited:?}");
    assert_eq!(fence(&lab, "xen1").await.unwrap().by, "xen3");
    until(|| async { assigned(&lab).await.is_some() }).await;
    drop(second);
}

#[tokio::test(start_paused = true)]
async fn a_taker_that_is_cut_off_or_restarted_does_not_count_what_it_has_not_seen() {
    let (lab, mut taker) = lab().await;
    taker.kv.set_link(Link::Refused);
    set_alive(&lab, "xen1", false).await;
    sleep(LONG).await;
    assert_eq!(fence(&lab, "xen1").await, None);
    taker.kv.set_link(Link::Up);
    let suspected = until_step(&lab, FenceStep::Declared).await;
    assert!(suspected >= Duration::from_secs(15), "{suspected:?}");
    sleep(Duration::from_secs(30)).await;
    taker.stop().await;
    taker.begin();
    let waited = until_step(&lab, FenceStep::Waited).await;
    assert!(waited >= Duration::from_secs(40), "{waited:?}");
}

#[tokio::test(start_paused = true)]
async fn a_fence_of_another_taker_is_waited_for_and_a_fenced_taker_does_nothing() {
    let (lab, taker) = lab().await;
    let fenced = FenceRecord::new(&name("xen9"), FenceStep::Declared, UNIX_EPOCH, Uuid::nil());
    let own = lab.keys.fence(&name("xen2"), lab.record(&taker).await.epoch);
    lab.put(own.clone(), fenced.encode()).await;
    set_alive(&lab, "xen1", false).await;
    sleep(LONG).await;
    assert_eq!(fence(&lab, "xen1").await, None);
    // Another one has declared it, a long time ago by its clock.
    lab.put(lab.keys.fence(&name("xen1"), 1), fenced.encode()).await;
    sleep(LONG).await;
    assert_eq!(step(&lab, "xen1").await, Some(FenceStep::Declared));
    lab.commit(vec![Op::Delete { key: own }]).await;
    until_step(&lab, FenceStep::Waited).await;
}

#[tokio::test(start_paused = true)]
async fn when_more_than_a_third_is_silent_a_person_is_asked() {
    let (lab, _taker) = lab().await;
    for host in ["xen1", "xen6"] {
        set_alive(&lab, host, false).await;
    }
    sleep(LONG).await;
    assert_eq!(fence(&lab, "xen1").await, None);
    let confirmed = FenceRecord::new(&name("xen2"), FenceStep::Confirmed, UNIX_EPOCH, Uuid::nil());
    lab.put(lab.keys.fence(&name("xen6"), 1), confirmed.encode()).await;
    until_step(&lab, FenceStep::Waited).await;
}

#[tokio::test(start_paused = true)]
async fn a_death_that_a_person_has_confirmed_needs_no_wait() {
    let (lab, _taker) = lab().await;
    set_alive(&lab, "xen1", false).await;
    let confirmed = FenceRecord::new(&name("xen2"), FenceStep::Confirmed, UNIX_EPOCH, Uuid::nil());
    lab.put(lab.keys.fence(&name("xen1"), 1), confirmed.encode()).await;
    let took = until(|| async { assigned(&lab).await.is_some() }).await;
    assert!(took < Duration::from_secs(10), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn one_host_after_the_other_tries_it_and_then_a_person() {
    let (lab, _taker) = lab().await;
    set_alive(&lab, "xen1", false).await;
    until(|| async { assigned(&lab).await.as_deref() == Some("xen5") }).await;
    // It is gone before it has tried: that is no try of its own.
    set_alive(&lab, "xen5", false).await;
    until(|| async { assigned(&lab).await.as_deref() == Some("xen6") }).await;
    assert!(takeover(&lab).await.unwrap().failed.is_empty());
    set_alive(&lab, "xen5", true).await;
    fails(&lab, "xen6").await;
    until(|| async { assigned(&lab).await.as_deref() == Some("xen5") }).await;
    fails(&lab, "xen5").await;
    // No other host fits.
    until(|| async { takeover(&lab).await.unwrap().to.is_none() }).await;
    let failed = takeover(&lab).await.unwrap().failed;
    let told = |host: &str| failed.iter().find(|tried| tried.host == host).unwrap().reason.clone();
    assert_eq!((told("xen5"), told("xen6")), ("no luck".to_owned(), "no luck".to_owned()));
    assert!(told("xen2").contains("fleet_hosts"), "{failed:?}");
    sleep(LONG).await;
    assert_eq!(assigned(&lab).await, None);
    lab.commit(vec![Op::Delete { key: lab.keys.takeover(Uuid::from_u128(WEB)) }]).await;
    until(|| async { assigned(&lab).await.as_deref() == Some("xen5") }).await;
}

#[tokio::test(start_paused = true)]
async fn what_is_left_of_a_takeover_is_removed() {
    let (lab, _taker) = lab().await;
    set_alive(&lab, "xen1", false).await;
    until(|| async { assigned(&lab).await.as_deref() == Some("xen5") }).await;
    // The host that has just taken it removes the sign itself.
    let own = |host: &str| {
        let op = Uuid::nil();
        let value = format!(
            r#"{{"host":"{host}","epoch":1,"phase":"starting","guarded":true,"name":"web","op":"{op}"}}"#
        );
        Op::put(lab.keys.own(Uuid::from_u128(WEB)), value.into_bytes())
    };
    lab.commit(vec![own("xen5")]).await;
    sleep(LONG).await;
    assert!(takeover(&lab).await.is_some());
    lab.commit(vec![own("xen6")]).await;
    until(|| async { takeover(&lab).await.is_none() }).await;
}
