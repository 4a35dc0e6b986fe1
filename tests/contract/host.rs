//! Changes of the host, and the ways in which domains come in.

use crate::backend::{Backend, new_uuid};
use crate::expected::Stage;
use crate::failing_sender::FailingSender;
use crate::trial::Trial;
use xend::core::error::{Error, ErrorKind};
use xend::core::model::{
    ClientData, CpuSet, DomId, InterfaceChange, InterfaceKind, Network, Pool, PoolFacts,
    PoolSetting, Vlan, Vnet,
};
use xend::core::op::{Arrival, Change, DomainOp, NetworkOp, Once, Outcome, PoolOp};
use xend::core::ports::{MigratedDomain, Verdict};

/// Creates, saves and restores a domain, then changes the host.
pub(crate) async fn host(backend: &impl Backend) {
    let host = backend.host().await;
    let trial = Trial::new(backend, &host, Stage::Halted);
    let config = || Box::new(trial.config.clone());
    // A created domain is not managed: destroy removes it, and its name is free.
    for _ in 0..2 {
        trial.execute(Change::Create(config())).await.unwrap();
        trial.wait_for(Stage::Paused, "created").await;
        assert!(
            trial
                .execute(Change::Create(config()))
                .await
                .is_err_and(|e| e.kind() == ErrorKind::Conflict)
        );
        trial.succeed(DomainOp::Destroy).await;
        trial.wait_for(Stage::Absent, "destroyed").await;
    }
    // Saved and restored.
    let file = host.file("domain");
    trial.execute(Change::Create(config())).await.unwrap();
    trial.succeed(DomainOp::Unpause).await;
    trial.succeed(DomainOp::Save { file: file.clone(), checkpoint: true, replace: true }).await;
    trial.wait_for(Stage::Running, "saved with a checkpoint").await;
    trial.succeed(DomainOp::Save { file: file.clone(), checkpoint: false, replace: true }).await;
    trial.wait_for(Stage::Absent, "saved").await;
    trial.execute(Change::Restore { file: file.clone(), paused: true }).await.unwrap();
    trial.wait_for(Stage::Paused, "restored").await;
    let again = trial.execute(Change::Restore { file, paused: false }).await;
    assert!(again.is_err_and(|error| error.kind() == ErrorKind::Conflict));
    trial.succeed(DomainOp::Unpause).await;
    trial.wait_for(Stage::Running, "restored").await;
    trial.succeed(DomainOp::Destroy).await;
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
    pools(&trial, backend).await;
    networks(&trial).await;
    trial.execute(Change::ClearDmesg).await.unwrap();
    let verdict = trial.execute(Change::Settle(new_uuid())).await;
    assert!(matches!(verdict, Ok(Outcome::Verdict(Verdict::Unknown))));
    let migrated = MigratedDomain { id: new_uuid(), config: trial.completed(), definition: None };
    let arrival = Arrival { migrated, link: Once::new(Box::new(FailingSender)) };
    assert!(
        trial
            .execute(Change::Receive(arrival))
            .await
            .is_err_and(|e| e.kind() == ErrorKind::Backend)
    );
    trial.wait_for(Stage::Absent, "after a failed arrival").await;
    host.engine.stop().await;
}

/// A pool of one CPU, a running domain that moves into it, and what Xen refuses.
async fn pools<B: Backend>(trial: &Trial<'_, B>, backend: &B) {
    let change = async |name: &str, op: PoolOp| {
        let done = trial.execute(Change::Pool(name.into(), op)).await;
        done.map(drop)
    };
    let facts = async || trial.reader().pools().await.unwrap();
    let name = "suite".to_owned();
    let first = PoolFacts::FIRST;
    let all = facts().await;
    assert_eq!(
        (all.len(), all[0].name.as_str(), all[0].domains.contains(&DomId(0))),
        (1, first, true)
    );
    let last = all[0].cpus.iter().max().unwrap();
    assert!(last > 0, "the tests of pools need two CPUs");
    let pool = Pool {
        name: name.clone(),
        scheduler: backend.pool_scheduler(all[0].scheduler),
        cpus: CpuSet::default(),
        ncpu: 1,
        auto_start: false,
    };
    let define = PoolOp::Define { uuid: new_uuid(), pool, client_data: ClientData::default() };
    refused(change(&name, PoolOp::Start).await, ErrorKind::NotFound);
    change(&name, define.clone()).await.unwrap();
    refused(change(&name, define).await, ErrorKind::Conflict);
    // No CPU is free for it.
    refused(change(&name, PoolOp::Start).await, ErrorKind::Conflict);
    refused(change(first, PoolOp::AddCpu(last)).await, ErrorKind::Invalid);
    change(first, PoolOp::RemoveCpu(last)).await.unwrap();
    change(&name, PoolOp::Start).await.unwrap();
    refused(change(&name, PoolOp::Start).await, ErrorKind::Conflict);
    refused(change(&name, PoolOp::Delete).await, ErrorKind::Conflict);
    trial.execute(Change::Create(Box::new(trial.config.clone()))).await.unwrap();
    trial.succeed(DomainOp::Unpause).await;
    trial.succeed(DomainOp::MoveToPool(name.clone())).await;
    assert!(trial.change(DomainOp::MoveToPool("nosuch".into())).await.is_err());
    let moved = facts().await;
    let ours = moved.iter().find(|pool| pool.name == name).unwrap();
    assert_eq!((ours.cpus.iter().collect::<Vec<_>>(), ours.domains.len()), (vec![last], 1));
    refused(change(&name, PoolOp::Stop).await, ErrorKind::Conflict);
    refused(change(&name, PoolOp::RemoveCpu(last)).await, ErrorKind::Conflict);
    trial.succeed(DomainOp::MoveToPool(first.into())).await;
    trial.succeed(DomainOp::Destroy).await;
    change(&name, PoolOp::RemoveCpu(last)).await.unwrap();
    change(&name, PoolOp::AddCpu(last)).await.unwrap();
    refused(
        change(&name, PoolOp::Set(PoolSetting::Name("other".into()))).await,
        ErrorKind::Conflict,
    );
    change(&name, PoolOp::Stop).await.unwrap();
    change(&name, PoolOp::Set(PoolSetting::Name("other".into()))).await.unwrap();
    change("other", PoolOp::Delete).await.unwrap();
    change(first, PoolOp::AddCpu(last)).await.unwrap();
    assert_eq!(facts().await, all);
}

/// A bridge that is created, used, and destroyed when it is no longer in use.
async fn networks<B: Backend>(trial: &Trial<'_, B>) {
    let change = async |op: NetworkOp| {
        let done = trial.execute(Change::Network(op)).await;
        done.map(drop)
    };
    let there = async |name: &str| {
        let all = trial.reader().interfaces().await.unwrap();
        all.into_iter().find(|one| one.name == name)
    };
    let uuid = new_uuid();
    let network = Network::new("suitebr").unwrap();
    let create =
        || NetworkOp::Create { uuid, network: network.clone(), client_data: ClientData::default() };
    change(create()).await.unwrap();
    refused(change(create()).await, ErrorKind::Invalid);
    assert_eq!(there("suitebr").await.unwrap().kind, InterfaceKind::Bridge);
    let second = NetworkOp::Create {
        uuid: new_uuid(),
        network: Network::new("suitebr2").unwrap(),
        client_data: ClientData::default(),
    };
    let NetworkOp::Create { uuid: other, .. } = second.clone() else { panic!() };
    change(second).await.unwrap();
    // A virtual LAN on a bridge: Linux accepts any interface as its card.
    let vlan = Vlan::new("suitebr2", 7, "suitebr").unwrap();
    let vlan_uuid = new_uuid();
    let name = vlan.name();
    change(NetworkOp::CreateVlan { uuid: vlan_uuid, vlan }).await.unwrap();
    assert_eq!(there(&name).await.unwrap().bridge.as_deref(), Some("suitebr"));
    refused(change(NetworkOp::Destroy(uuid)).await, ErrorKind::Conflict);
    change(NetworkOp::Interface(InterfaceChange::Link { name: name.clone(), bridge: None }))
        .await
        .unwrap();
    assert_eq!(there(&name).await.unwrap().bridge, None);
    change(NetworkOp::DestroyVlan(vlan_uuid)).await.unwrap();
    refused(change(NetworkOp::DestroyVlan(vlan_uuid)).await, ErrorKind::NotFound);
    for uuid in [uuid, other] {
        change(NetworkOp::Destroy(uuid)).await.unwrap();
        refused(change(NetworkOp::Destroy(uuid)).await, ErrorKind::NotFound);
    }
    assert!(there("suitebr").await.is_none() && there(&name).await.is_none());
}

fn refused(done: Result<(), Error>, kind: ErrorKind) {
    assert_eq!(done.map_err(|error| error.kind()), Err(kind));
}
