//! Domains of a fleet: which host has them, when two want one, when a daemon is killed, when answers
//! are lost, and when etcd is away.

use crate::fleet_support::{FleetHost, Lab, RelocationPort, SOON};
use crate::sim_support::config;
use std::time::{Duration, UNIX_EPOCH};
use tokio::time::sleep;
use xend::core::caller::Caller;
use xend::core::error::Error;
use xend::core::lifecycle::State;
use xend::core::model::{DomName, DomainConfig, DomainRef, OnXendStop, ShutdownReason, Uuid};
use xend::core::op::{Change, DomainOp};
use xend::core::ports::Destination;
use xend::fleet::{HostRecord, Kv, Link, Lost, MemberMark as _, Op, SchemaRecord};

/// Longer than etcd needs to be noticed again.
const LATER: Duration = Duration::from_secs(15);
const START: DomainOp = DomainOp::Start { paused: false };

fn numbered(name: &str, number: u128) -> Box<DomainConfig> {
    let mut config = config(name, 64);
    config.uuid = Some(Uuid::from_u128(number));
    Box::new(config)
}

async fn define(host: &FleetHost, name: &str, number: u128) {
    host.execute(Change::Define(numbered(name, number))).await;
}

async fn state(host: &FleetHost, domain: &str) -> Option<State> {
    let view = host.engine.view(&Caller::internal());
    view.domain(&DomainRef::new(domain)).await.ok().map(|domain| domain.state())
}

fn is_unavailable<T: std::fmt::Debug>(result: &Result<T, Error>) -> bool {
    matches!(result, Err(Error::FleetUnavailable { .. }))
}

#[tokio::test(start_paused = true)]
async fn a_domain_that_two_hosts_start_runs_on_one() {
    let lab = Lab::new().await;
    let (first, second) = (lab.owner("xen1", 1).await, lab.owner("xen2", 2).await);
    let create = || Change::Create(numbered("web", 7));
    let (one, two) = tokio::join!(first.try_execute(create()), second.try_execute(create()));
    assert!(one.is_ok() != two.is_ok(), "{one:?} {two:?}");
    let (winner, loser) = if one.is_ok() { (first, second) } else { (second, first) };
    let error = one.and(two).unwrap_err();
    assert!(matches!(error, Error::OwnedElsewhere { .. }), "{error:?}");
    assert_eq!(lab.owned(7).await, format!("{} running", winner.own.name));
    assert_eq!(state(&winner, "web").await, Some(State::Paused));
    assert_eq!(state(&loser, "web").await, None);
    // What runs elsewhere is not defined here.
    let defined = loser.try_execute(Change::Define(numbered("web", 7))).await;
    assert!(matches!(defined, Err(Error::OwnedElsewhere { .. })), "{defined:?}");
    winner.change("web", DomainOp::Destroy).await;
    assert_eq!(lab.owned(7).await, "nobody");
    define(&loser, "web", 7).await;
    loser.change("web", START).await;
    assert_eq!(lab.owned(7).await, format!("{} running", loser.own.name));
}

#[tokio::test(start_paused = true)]
async fn a_domain_is_owned_from_before_it_is_built_until_it_is_gone() {
    let lab = Lab::new().await;
    let host = lab.owner("xen1", 1).await;
    host.create("web", 7).await;
    assert_eq!(lab.owned(7).await, "xen1 running", "it may run at any moment");
    host.change("web", DomainOp::Unpause).await;
    host.change("web", DomainOp::Shutdown(ShutdownReason::Poweroff)).await;
    sleep(Duration::from_secs(60)).await;
    assert_eq!(state(&host, "web").await, None);
    assert_eq!(lab.owned(7).await, "nobody");
    // What cannot be built is not owned.
    let mut large = numbered("large", 8);
    large.memory = 1 << 20;
    large.maxmem = 1 << 20;
    host.try_execute(Change::Create(large)).await.unwrap_err();
    assert_eq!(lab.owned(8).await, "nobody");
    // A suspended domain runs nowhere.
    define(&host, "db", 9).await;
    host.change("db", START).await;
    host.change("db", DomainOp::Suspend).await;
    assert_eq!(lab.owned(9).await, "nobody");
    host.change("db", DomainOp::Resume { paused: false }).await;
    assert_eq!(lab.owned(9).await, "xen1 running");
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_was_lost_is_no_failure() {
    for lost in [Lost::Happened, Lost::Never, Lost::Later] {
        let lab = Lab::new().await;
        let host = lab.owner("xen1", 1).await;
        host.kv.lose_answer(lost);
        host.create("web", 7).await;
        host.kv.deliver();
        assert_eq!(lab.owned(7).await, "xen1 running", "{lost:?}");
        host.kv.lose_answer(lost);
        host.change("web", DomainOp::Destroy).await;
        sleep(LATER).await;
        host.kv.deliver();
        assert_eq!(lab.owned(7).await, "nobody", "{lost:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn without_etcd_nothing_begins_and_all_else_goes_on() {
    let lab = Lab::new().await;
    let host = lab.owner("xen1", 1).await;
    define(&host, "db", 8).await;
    host.create("web", 7).await;
    host.change("web", DomainOp::Unpause).await;
    for link in [Link::Refused, Link::Silent] {
        host.kv.set_link(link);
        let created = host.try_execute(Change::Create(numbered("new", 9))).await;
        let defined = host.try_execute(Change::Define(numbered("new", 9))).await;
        let started = host.try_change("db", START).await;
        let renamed = host.try_change("db", DomainOp::Rename(DomName::new("x").unwrap())).await;
        let deleted = host.try_change("db", DomainOp::Delete).await;
        let to =
            Destination { host: "127.0.0.1".to_owned(), port: 1, encrypted: false, member: None };
        let migrated = host.try_change("web", DomainOp::Migrate { to, live: true }).await;
        for refused in [created, defined, started, renamed, deleted, migrated] {
            assert!(is_unavailable(&refused), "{link:?}: {refused:?}");
            let error = refused.unwrap_err().to_string();
            assert!(error.contains("etcd cannot be reached"), "{error}");
        }
        host.change("web", DomainOp::Pause).await;
        host.change("web", DomainOp::Unpause).await;
        host.change("web", DomainOp::SetMemory(32)).await;
        host.change("web", DomainOp::Reset).await;
        assert_eq!(state(&host, "web").await, Some(State::Running), "it was reset in place");
        assert_eq!(state(&host, "new").await, None);
        assert_eq!(state(&host, "db").await, Some(State::Halted));
    }
    host.change("web", DomainOp::Destroy).await;
    assert_eq!(lab.owned(7).await, "xen1 running", "nobody could be told");
    host.kv.set_link(Link::Up);
    sleep(LATER).await;
    assert_eq!(lab.owned(7).await, "nobody");
    host.change("db", START).await;
    assert_eq!(lab.owned(8).await, "xen1 running");
}

#[tokio::test(start_paused = true)]
async fn a_host_that_is_fenced_starts_nothing() {
    let lab = Lab::new().await;
    let host = lab.owner("xen1", 1).await;
    host.create("web", 7).await;
    lab.put(lab.keys.fence(&host.own.name, 1), b"declared".to_vec()).await;
    let created = host.try_execute(Change::Create(numbered("new", 8))).await;
    assert!(is_unavailable(&created), "{created:?}");
    assert!(created.unwrap_err().to_string().contains("fenced"));
    assert_eq!(lab.owned(8).await, "nobody");
    host.change("web", DomainOp::Destroy).await;
    assert_eq!(lab.owned(7).await, "nobody");
}

#[tokio::test(start_paused = true)]
async fn what_runs_when_a_host_joins_is_its_own() {
    let lab = Lab::new().await;
    let mut host = lab.newcomer("xen1", 1).await;
    let revision = lab.kv.revision();
    host.create("web", 7).await;
    assert_eq!(lab.kv.revision(), revision, "it is in no fleet");
    lab.join(&host).await;
    sleep(LATER).await;
    assert_eq!(lab.owned(7).await, "xen1 running");
    assert_eq!(lab.owned(0).await, "nobody", "Domain-0 stays where it is");
    // A later boot of the machine is another owner.
    host.stop().await;
    host.own.boot_id = Uuid::from_u128(0xb008);
    host.begin();
    sleep(SOON).await;
    let entry = lab.kv.get(&lab.keys.own(Uuid::from_u128(7))).await.unwrap().unwrap();
    assert!(String::from_utf8(entry.value).unwrap().contains("\"epoch\":2"));
    // A record that has gone, with all of etcd perhaps, is no leave to start anything.
    lab.commit(vec![Op::Delete { key: lab.keys.host(&host.own.name) }]).await;
    sleep(LATER).await;
    let created = host.try_execute(Change::Create(numbered("new", 8))).await;
    assert!(is_unavailable(&created), "{created:?}");
}

/// etcd says `starting`, and the daemon that wrote it was killed.
#[tokio::test(start_paused = true)]
async fn of_a_start_that_was_killed_the_hypervisor_knows_the_end() {
    let lab = Lab::new().await;
    let host = lab.newcomer("xen1", 1).await;
    host.create("built", 7).await;
    lab.leave_half_started("xen1", 7).await;
    lab.leave_half_started("xen1", 8).await;
    lab.leave_half_started("xen2", 9).await;
    lab.join(&host).await;
    sleep(LATER).await;
    assert_eq!(lab.owned(7).await, "xen1 running");
    assert_eq!(lab.owned(8).await, "nobody");
    assert_eq!(lab.owned(9).await, "xen2 starting", "another host looks at its own");
}

/// The host's part in the fleet ends before its domains do.
#[tokio::test(start_paused = true)]
async fn domains_that_stop_with_xend_may_start_elsewhere() {
    let lab = Lab::new().await;
    let mut host = lab.owner("xen1", 1).await;
    let mut stops = numbered("stops", 7);
    stops.on_xend_stop = OnXendStop::Shutdown;
    host.execute(Change::Create(stops)).await;
    host.create("stays", 8).await;
    for domain in ["stops", "stays"] {
        host.change(domain, DomainOp::Unpause).await;
    }
    sleep(Duration::from_secs(60)).await;
    host.stop().await;
    host.engine.stop().await;
    assert_eq!(lab.owned(7).await, "nobody");
    assert_eq!(lab.owned(8).await, "xen1 running");
}

/// What etcd has forgotten comes back, and nothing that was sent before an outage comes after it.
#[tokio::test(start_paused = true)]
async fn after_an_outage_of_etcd_all_is_looked_at_again() {
    let lab = Lab::new().await;
    let host = lab.owner("xen1", 1).await;
    host.create("web", 7).await;
    let key = lab.keys.host(&host.own.name);
    let before = lab.kv.get(&key).await.unwrap().unwrap();
    for link in [Link::Refused, Link::Silent] {
        host.kv.set_link(link);
        lab.commit(vec![Op::Delete { key: lab.keys.own(Uuid::from_u128(7)) }]).await;
        sleep(Duration::from_secs(60)).await;
        host.kv.set_link(Link::Up);
        sleep(2 * LATER).await;
        assert_eq!(lab.owned(7).await, "xen1 running", "{link:?}");
    }
    let after = lab.kv.get(&key).await.unwrap().unwrap();
    assert_eq!(after.value, before.value);
    assert_ne!(after.modified, before.modified, "each membership has a revision of its own");
}

/// Real time: domains are sent over TCP.
#[tokio::test(flavor = "multi_thread")]
async fn a_domain_that_moves_belongs_to_one_host_at_a_time() {
    let lab = Lab::new().await;
    let (source, target) = (lab.owner("xen1", 1).await, lab.owner("xen2", 2).await);
    source.create("web", 7).await;
    source.change("web", DomainOp::Unpause).await;
    let port = RelocationPort::open(&target.engine, 0).await;
    let to = port.to.clone();
    // A receiver that is not permitted to take it leaves it where it is.
    lab.put(lab.keys.fence(&target.own.name, 1), b"declared".to_vec()).await;
    let migrated =
        source.try_change("web", DomainOp::Migrate { to: to.clone(), live: false }).await;
    assert!(migrated.is_err());
    assert_eq!(state(&source, "web").await, Some(State::Running));
    assert_eq!(lab.owned(7).await, "xen1 running");
    lab.commit(vec![Op::Delete { key: lab.keys.fence(&target.own.name, 1) }]).await;
    source.change("web", DomainOp::Migrate { to, live: true }).await;
    assert_eq!(state(&source, "web").await, None);
    assert_eq!(state(&target, "web").await, Some(State::Running));
    assert_eq!(lab.owned(7).await, "xen2 running");
    port.end().await;
}

/// Its daemon starts, and etcd does not know the host.
#[tokio::test(start_paused = true)]
async fn a_host_that_was_a_member_starts_nothing_until_it_is_one_again() {
    let lab = Lab::new().await;
    assert!(lab.owner("xen9", 9).await.mark.is_set());
    let host = lab.former_member("xen1", 1).await;
    // It has no record.
    let created = host.try_execute(Change::Create(numbered("web", 7))).await;
    assert!(is_unavailable(&created), "{created:?}");
    // Its name has been given to another machine.
    let another = HostRecord::joining(Uuid::from_u128(2), UNIX_EPOCH);
    lab.put(lab.keys.host(&host.own.name), another.encode()).await;
    sleep(LATER).await;
    let created = host.try_execute(Change::Create(numbered("web", 7))).await;
    assert!(is_unavailable(&created), "{created:?}");
    // There is no fleet at all.
    lab.commit(vec![Op::Delete { key: lab.keys.schema() }]).await;
    sleep(LATER).await;
    let created = host.try_execute(Change::Create(numbered("web", 7))).await;
    assert!(is_unavailable(&created), "{created:?}");
    lab.put(lab.keys.schema(), SchemaRecord { schema: 1 }.encode()).await;
    lab.join(&host).await;
    sleep(LATER).await;
    host.create("web", 7).await;
    assert_eq!(lab.owned(7).await, "xen1 running");
}
