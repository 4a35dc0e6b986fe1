//! What an operator is told of a fleet.

use super::contents::SUMMARY_AGE;
use super::*;
use crate::fleet::memory::MemoryKv;
use crate::fleet::{Op, Txn};
use std::time::UNIX_EPOCH;
use tokio::time::sleep;

#[tokio::test(start_paused = true)]
async fn a_host_without_a_certificate_of_its_own_is_told_of() {
    let kv = MemoryKv::default();
    let keys = Keys::new("lab".parse().unwrap());
    let put = |key, value| Op::Put { key, value, lease: None };
    let host = |name: &str, fingerprint: Option<&str>, version: &str| {
        let mut record = HostRecord::joining(Uuid::from_u128(1), UNIX_EPOCH);
        record.facts.fingerprint = fingerprint.map(str::to_owned);
        record.facts.version = version.to_owned();
        put(keys.host(&name.parse().unwrap()), record.encode())
    };
    let ops = vec![
        put(keys.schema(), SchemaRecord { schema: SCHEMAS.max }.encode()),
        host("xen1", Some("AA"), "1"),
        host("xen2", Some("BB"), "1"),
        host("xen3", Some("AA"), "1"),
        host("xen4", None, "1"),
        host("xen5", None, ""),
    ];
    kv.commit(Txn { compares: vec![], ops }).await.unwrap();
    let own: HostName = "xen1".parse().unwrap();
    let key_file = KeyFile::at("/nonexistent/key");
    let status = FleetStatus::of(&kv, &keys, &own, Uuid::from_u128(1), &key_file).await;
    let told = status.problems.iter().map(|problem| problem.what.as_str());
    let told: Vec<_> = told.filter(|what| what.contains("certificate")).collect();
    assert_eq!(
        told,
        [
            "xen1 and xen3 have the same certificate: neither is known by it",
            "xen4 has no certificate: other hosts cannot ask it, nor it them",
        ]
    );
    assert_eq!(status.members[1].fingerprint.as_deref(), Some("BB"));
}

#[tokio::test(start_paused = true)]
async fn owners_that_are_no_members_and_disputes_are_told() {
    let kv = MemoryKv::default();
    let keys = Keys::new("lab".parse().unwrap());
    let put = |key, value| Op::Put { key, value, lease: None };
    let [own, other, gone]: [HostName; 3] =
        ["xen1", "xen2", "xen3"].map(|name| name.parse().unwrap());
    let record = |name: &HostName| {
        let mut record = HostRecord::joining(Uuid::from_u128(1), UNIX_EPOCH);
        record.facts.fingerprint = Some(name.to_string());
        put(keys.host(name), record.encode())
    };
    let belongs = |domain: u128, host: &HostName| {
        let op = Uuid::nil();
        let value = format!(r#"{{"host":"{host}","epoch":1,"phase":"running","op":"{op}"}}"#);
        put(keys.own(Uuid::from_u128(domain)), value.into_bytes())
    };
    let view = |domain: u128, host: &HostName, state: &str| {
        let value =
            format!(r#"{{"name":"web","domid":3,"state":"{state}","memory_mib":64,"vcpus":1}}"#);
        put(keys.view(host, Uuid::from_u128(domain)), value.into_bytes())
    };
    let ops = vec![
        put(keys.schema(), SchemaRecord { schema: SCHEMAS.max }.encode()),
        record(&own),
        record(&other),
        belongs(1, &own),
        view(1, &own, "running"),
        view(1, &other, "running"),
        belongs(2, &gone),
        belongs(3, &own),
        view(3, &other, "paused"),
        view(3, &other, "halted"),
    ];
    for op in ops {
        kv.commit(Txn { compares: vec![], ops: vec![op] }).await.unwrap();
    }
    let key_file = KeyFile::at("/nonexistent/key");
    let told = async || {
        let status = FleetStatus::of(&kv, &keys, &own, Uuid::from_u128(1), &key_file).await;
        let told = status.problems.into_iter().map(|problem| problem.what);
        told.filter(|what| what.contains("belongs") || what.contains("not in")).collect()
    };
    let wanted = [
        "xen3 is not in the fleet, and has domains of it (1)".to_owned(),
        format!("Domain web ({}) runs on xen2, and belongs to xen1", Uuid::from_u128(1)),
    ];
    let first: Vec<String> = told().await;
    assert_eq!(first, wanted);
    // One that moves at the moment is none.
    let moved = async {
        sleep(SUMMARY_AGE / 2).await;
        let ops = vec![belongs(1, &other)];
        kv.commit(Txn { compares: vec![], ops }).await.unwrap();
        let ops = vec![Op::Delete { key: keys.view(&own, Uuid::from_u128(1)) }];
        kv.commit(Txn { compares: vec![], ops }).await.unwrap();
    };
    let (second, ()): (Vec<String>, ()) = tokio::join!(told(), moved);
    assert_eq!(second, wanted[..1]);
}
