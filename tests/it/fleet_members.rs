//! Hosts of a fleet: what they write into etcd, what they see of each other, and what becomes of
//! it when etcd, or the way to it, fails.

use crate::fleet_support::{Lab, SOON};
use crate::rights_support::caller_with;
use crate::sim_support::config;
use std::time::{Duration, UNIX_EPOCH};
use tokio::time::{Instant, sleep};
use xend::core::caller::Caller;
use xend::core::error::ErrorKind;
use xend::core::fingerprint::Fingerprint;
use xend::core::fleet::Presence;
use xend::core::model::Uuid;
use xend::core::op::{Change, DomainOp};
use xend::core::rights::{Access, Right, Rights};
use xend::fleet::{HostRecord, Kv, Link, Lost, Op, SchemaRecord};

#[tokio::test(start_paused = true)]
async fn a_host_takes_part_as_soon_as_it_has_joined() {
    let lab = Lab::new().await;
    let mut host = lab.host("xen1", 1).await;
    host.create("web", 1).await;
    let revision = lab.kv.revision();
    host.begin();
    sleep(Duration::from_secs(60)).await;
    assert_eq!(lab.kv.revision(), revision, "it has not joined");
    lab.join(&host).await;
    sleep(Duration::from_secs(8)).await;
    assert!(lab.is_alive(&host).await);
    let record = lab.record(&host).await;
    assert_eq!((record.epoch, record.boot_id), (1, Some(host.own.boot_id)));
    assert_eq!(record.facts, host.own.facts);
    assert_eq!(lab.published(&host).await, ["web paused"]);
    host.change("web", DomainOp::Unpause).await;
    host.create("db", 2).await;
    sleep(SOON).await;
    assert_eq!(lab.published(&host).await, ["db paused", "web running"]);
    host.change("web", DomainOp::Destroy).await;
    sleep(SOON).await;
    assert_eq!(lab.published(&host).await, ["db paused"]);
}

#[tokio::test(start_paused = true)]
async fn an_epoch_is_one_boot_of_the_machine() {
    let lab = Lab::new().await;
    let mut host = lab.member("xen1", 1).await;
    let mut epochs = vec![lab.record(&host).await.epoch];
    for boot in [0xb007, 0xb008] {
        host.stop().await;
        assert!(!lab.is_alive(&host).await, "others see that it has stopped");
        host.own.boot_id = Uuid::from_u128(boot);
        host.own.facts.version = format!("0.2.{boot}");
        host.begin();
        sleep(SOON).await;
        assert!(lab.is_alive(&host).await);
        let record = lab.record(&host).await;
        assert_eq!(record.facts.version, host.own.facts.version);
        epochs.push(record.epoch);
    }
    assert_eq!(epochs, [1, 1, 2]);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_written_where_a_host_does_not_belong() {
    let lab = Lab::new().await;
    let mut namesake = lab.host("xen1", 2).await;
    let other = HostRecord::joining(Uuid::from_u128(1), UNIX_EPOCH);
    lab.put(lab.keys.host(&namesake.own.name), other.encode()).await;
    let mut old = lab.host("xen2", 3).await;
    lab.join(&old).await;
    lab.put(lab.keys.schema(), SchemaRecord { schema: 2 }.encode()).await;
    let mut unread = lab.host("xen3", 4).await;
    lab.put(lab.keys.host(&unread.own.name), b"{\"format\":2}".to_vec()).await;
    let revision = lab.kv.revision();
    for host in [&mut namesake, &mut old, &mut unread] {
        host.begin();
    }
    sleep(Duration::from_secs(60)).await;
    assert_eq!(lab.kv.revision(), revision);
    lab.put(lab.keys.schema(), SchemaRecord { schema: 1 }.encode()).await;
    sleep(Duration::from_secs(8)).await;
    assert!(!lab.is_alive(&namesake).await && !lab.is_alive(&unread).await);
    assert!(lab.is_alive(&old).await);
}

/// A reload of the certificate needs no restart.
#[tokio::test(start_paused = true)]
async fn the_record_has_the_certificate_that_the_host_has_now() {
    let lab = Lab::new().await;
    let mut host = lab.host("xen1", 1).await;
    lab.join(&host).await;
    let certificates = [1, 2].map(|byte| Fingerprint::new([byte; Fingerprint::LEN]));
    host.begin();
    sleep(SOON).await;
    assert_eq!(lab.record(&host).await.facts.fingerprint, None);
    for certificate in certificates {
        host.certificate.send_replace(Some(certificate));
        sleep(SOON).await;
        let record = lab.record(&host).await;
        assert_eq!(record.facts.fingerprint, Some(certificate.to_string()));
        assert_eq!((record.epoch, lab.is_alive(&host).await), (1, true));
    }
    let seen = host.engine.view(&Caller::internal()).fleet().await.unwrap().unwrap();
    assert_eq!(seen.members[&host.own.name].fingerprint, Some(certificates[1]));
}

/// A machine that was copied with its state directory.
#[tokio::test(start_paused = true)]
async fn two_machines_do_not_fight_for_one_place() {
    let lab = Lab::new().await;
    let original = lab.member("xen1", 1).await;
    let mut copy = lab.host("xen1", 1).await;
    copy.own.boot_id = Uuid::from_u128(0xb008);
    copy.begin();
    sleep(Duration::from_secs(30)).await;
    let revision = lab.kv.revision();
    sleep(Duration::from_secs(60)).await;
    assert_eq!(lab.kv.revision(), revision);
    let record = lab.record(&original).await;
    assert_eq!((record.epoch, record.boot_id), (2, Some(copy.own.boot_id)));
    // It is a member again when somebody has decided.
    copy.stop().await;
    lab.leave(&original).await;
    lab.join(&original).await;
    sleep(Duration::from_secs(8)).await;
    assert_eq!(lab.record(&original).await.boot_id, Some(original.own.boot_id));
}

#[tokio::test(start_paused = true)]
async fn a_sign_of_life_that_was_lost_comes_back() {
    let lab = Lab::new().await;
    let host = lab.member("xen1", 1).await;
    lab.kv.lose_leases();
    assert!(!lab.is_alive(&host).await);
    sleep(Duration::from_secs(7)).await;
    assert!(lab.is_alive(&host).await);
    lab.commit(vec![Op::Delete { key: lab.keys.alive(&host.own.name) }]).await;
    sleep(Duration::from_secs(7)).await;
    assert!(lab.is_alive(&host).await);
    host.kv.set_link(Link::Silent);
    sleep(Duration::from_secs(21)).await;
    assert!(!lab.is_alive(&host).await);
    host.kv.set_link(Link::Up);
    sleep(Duration::from_secs(12)).await;
    assert!(lab.is_alive(&host).await);
    // What is renewed stays.
    let key = lab.keys.alive(&host.own.name);
    let before = lab.kv.get(&key).await.unwrap();
    sleep(Duration::from_secs(100)).await;
    assert_eq!(lab.kv.get(&key).await.unwrap(), before);
}

#[tokio::test(start_paused = true)]
async fn only_what_is_different_is_written() {
    let lab = Lab::new().await;
    let mut host = lab.host("xen1", 1).await;
    for number in 0..250 {
        let mut config = config(&format!("vm{number}"), 64);
        config.uuid = Some(Uuid::from_u128(number + 1));
        host.execute(Change::Define(Box::new(config))).await;
    }
    lab.join(&host).await;
    let before = lab.kv.revision().0;
    host.begin();
    sleep(SOON).await;
    assert_eq!(lab.published(&host).await.len(), 250);
    // The record, the sign of life, 251 domains in transactions of 100, and each definition once.
    let after = lab.kv.revision().0;
    assert_eq!(after - before, 5 + 250);
    host.change("vm7", DomainOp::Start { paused: false }).await;
    sleep(Duration::from_secs(120)).await;
    let changes = lab.kv.revision().0 - after;
    assert!((1..=2).contains(&changes), "{changes} changes: figures are not published");
    // The next run of the daemon finds its domains there.
    host.stop().await;
    let before = lab.kv.revision().0;
    host.begin();
    sleep(SOON).await;
    assert_eq!(lab.kv.revision().0 - before, 2);
}

#[tokio::test(start_paused = true)]
async fn a_write_in_doubt_does_no_harm() {
    for lost in [Lost::Happened, Lost::Never, Lost::Later] {
        let lab = Lab::new().await;
        let mut host = lab.host("xen1", 1).await;
        lab.join(&host).await;
        // Of its record.
        host.kv.lose_answer(lost);
        host.kv.lose_answer(lost);
        host.begin();
        sleep(Duration::from_secs(8)).await;
        assert!(lab.is_alive(&host).await, "{lost:?}");
        host.kv.deliver();
        assert_eq!(lab.record(&host).await.epoch, 1, "{lost:?}");
        // Of its sign of life.
        lab.kv.lose_leases();
        host.kv.lose_answer(lost);
        sleep(Duration::from_secs(12)).await;
        host.kv.deliver();
        sleep(Duration::from_secs(16)).await;
        assert!(lab.is_alive(&host).await, "{lost:?}");
        // Of its domains.
        host.kv.lose_answer(lost);
        host.create("web", 1).await;
        sleep(Duration::from_secs(5)).await;
        assert_eq!(lab.published(&host).await, ["web paused"], "{lost:?}");
        host.change("web", DomainOp::Destroy).await;
        sleep(Duration::from_secs(5)).await;
        assert_eq!(lab.published(&host).await, [""; 0], "{lost:?}");
        host.kv.deliver();
        assert_eq!(lab.published(&host).await, [""; 0], "{lost:?}: a late write");
    }
}

/// A write that is found nowhere may still come, even where nothing else was to be written.
#[tokio::test(start_paused = true)]
async fn what_changed_back_stays_as_it_was() {
    let lab = Lab::new().await;
    let host = lab.member("xen1", 1).await;
    host.create("web", 1).await;
    sleep(SOON).await;
    host.kv.lose_answer(Lost::Later);
    host.change("web", DomainOp::Unpause).await;
    sleep(Duration::from_millis(1_100)).await;
    host.change("web", DomainOp::Pause).await;
    sleep(Duration::from_secs(10)).await;
    assert_eq!(lab.published(&host).await, ["web paused"]);
    host.kv.deliver();
    assert_eq!(lab.published(&host).await, ["web paused"]);
}

#[tokio::test(start_paused = true)]
async fn a_host_that_has_left_writes_nothing_more() {
    let lab = Lab::new().await;
    let host = lab.member("xen1", 1).await;
    host.kv.lose_answer(Lost::Later);
    host.create("web", 1).await;
    sleep(Duration::from_millis(1_100)).await;
    lab.leave(&host).await;
    host.kv.deliver();
    host.create("db", 2).await;
    let revision = lab.kv.revision();
    sleep(Duration::from_secs(60)).await;
    assert_eq!(lab.kv.revision(), revision);
    assert!(!lab.is_alive(&host).await);
    lab.join(&host).await;
    sleep(Duration::from_secs(8)).await;
    assert!(lab.is_alive(&host).await);
    assert_eq!(lab.published(&host).await, ["db paused", "web paused"]);
}

#[tokio::test(start_paused = true)]
async fn changes_while_etcd_is_away_are_published_afterwards() {
    let lab = Lab::new().await;
    let mut host = lab.member("xen1", 1).await;
    for link in [Link::Silent, Link::Refused] {
        host.kv.set_link(link);
        host.create("web", 1).await;
        sleep(Duration::from_secs(60)).await;
        assert_eq!(lab.published(&host).await, [""; 0]);
        host.kv.set_link(Link::Up);
        sleep(Duration::from_secs(15)).await;
        assert_eq!(lab.published(&host).await, ["web paused"], "{link:?}");
        host.change("web", DomainOp::Destroy).await;
        sleep(SOON).await;
    }
    lab.kv.set_full(true);
    host.create("web", 1).await;
    sleep(Duration::from_secs(60)).await;
    assert!(lab.is_alive(&host).await, "a store that is full renews leases");
    lab.kv.set_full(false);
    sleep(Duration::from_secs(8)).await;
    assert_eq!(lab.published(&host).await, ["web paused"]);
    // A daemon that stops does not wait for etcd.
    host.kv.set_link(Link::Silent);
    let began = Instant::now();
    host.stop().await;
    assert!(began.elapsed() <= Duration::from_secs(2));
}

/// The host's record is the same as before, so that no comparison tells.
#[tokio::test(start_paused = true)]
async fn an_etcd_that_is_restored_from_a_backup_gets_what_it_lacks() {
    for (link, others) in [(Link::Up, 0), (Link::Refused, 0), (Link::Refused, 100)] {
        let lab = Lab::new().await;
        let host = lab.member("xen1", 1).await;
        host.create("old", 1).await;
        sleep(SOON).await;
        let backup = lab.kv.backup();
        host.create("new", 2).await;
        host.change("old", DomainOp::Destroy).await;
        sleep(SOON).await;
        assert_eq!(lab.published(&host).await, ["new paused"]);
        host.kv.set_link(link);
        sleep(Duration::from_secs(7)).await;
        lab.kv.restore(backup);
        assert_eq!(lab.published(&host).await, ["old paused"]);
        // What others write may have made its revision higher than it was.
        for _ in 0..others {
            lab.put("/other".to_owned(), vec![]).await;
        }
        host.kv.set_link(Link::Up);
        sleep(Duration::from_secs(10)).await;
        assert!(lab.is_alive(&host).await);
        assert_eq!(lab.published(&host).await, ["new paused"], "{link:?}, {others}");
    }
}

#[tokio::test(start_paused = true)]
async fn hosts_see_each_others_domains() {
    let lab = Lab::new().await;
    let first = lab.member("xen1", 1).await;
    let mut second = lab.member("xen2", 2).await;
    first.create("web1", 1).await;
    second.create("web2", 2).await;
    second.create("secret", 3).await;
    sleep(SOON).await;
    let view = first.engine.view(&Caller::internal());
    assert!(view.has_fleet());
    let all = view.fleet().await.unwrap().unwrap();
    let names = |host: &str| {
        let mut names: Vec<_> =
            all.domains_of(&host.parse().unwrap()).map(|(_, d)| d.name.to_string()).collect();
        names.sort_unstable();
        names
    };
    assert_eq!(names("xen1"), ["Domain-0", "web1"]);
    assert_eq!(names("xen2"), ["Domain-0", "secret", "web2"]);
    assert_eq!(all.members[&second.own.name].presence, Presence::Alive);
    // A user sees the domains of the account alone, on whatever host they are.
    let user = |rights: &[Right]| {
        let access =
            Access::to(["web*".parse().unwrap()], rights.iter().copied().collect::<Rights>());
        caller_with("steve", "192.0.2.7:4713", access)
    };
    let seen = first.engine.view(&user(&[Right::See, Right::HostFacts])).fleet().await;
    let seen = seen.unwrap().unwrap();
    let names: Vec<_> = seen.domains.values().map(|domain| domain.name.to_string()).collect();
    assert_eq!(names, ["web1", "web2"]);
    let refused = first.engine.view(&user(&[Right::See])).fleet().await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Denied);
    second.stop().await;
    sleep(SOON).await;
    let all = view.fleet().await.unwrap().unwrap();
    let presence = all.members[&second.own.name].presence;
    assert!(matches!(presence, Presence::Silent { since: Some(_) }), "{presence:?}");
    assert_eq!(all.domains.size(), 5, "its domains may run");
}
