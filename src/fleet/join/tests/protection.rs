//! Takers, policies, deaths that persons confirm, raised schemas, and epochs of hosts that join
//! again.

use super::*;
use crate::core::ownership::{Own, Phase};
use crate::fleet::protection_records::{
    AwayCause, AwayRecord, FailedTry, FenceRecord, FenceStep, PolicyRecord, Restart, TakeoverRecord,
};
use crate::fleet::records::Schemas;

const ALWAYS: Option<PolicyRecord> = Some(PolicyRecord { restart: Restart::Always, priority: 7 });
const GUARDING: Duration = Duration::from_secs(10);

/// A fleet of three hosts.
async fn lab() -> [Host; 3] {
    let all = hosts();
    let [xen1, xen2, xen3] = &all;
    xen1.init().await.unwrap();
    for host in [xen2, xen3] {
        let token = xen1.token().await.unwrap();
        host.join(&token).await.unwrap();
    }
    all
}

impl Host {
    async fn put(&self, key: String, value: Vec<u8>) {
        let ops = vec![Op::put(key, value)];
        self.kv.another_client().commit(Txn { compares: vec![], ops }).await.unwrap();
    }

    async fn remove(&self, key: String) {
        let ops = vec![Op::Delete { key }];
        self.kv.another_client().commit(Txn { compares: vec![], ops }).await.unwrap();
    }

    /// A daemon has run here in this epoch.
    async fn has_run(&self, epoch: u64, schemas: Option<Schemas>) {
        let entry = self.kv.get(&self.keys.host(&self.name)).await.unwrap().unwrap();
        let mut record = HostRecord::decode(&entry.value).unwrap();
        record.epoch = epoch;
        record.boot_id = Some(Uuid::from_u128(epoch.into()));
        record.facts.schemas = schemas;
        self.put(entry.key, record.encode()).await;
    }

    /// A domain runs here.
    async fn owns(&self, domain: u128, epoch: u64, guarded: bool) {
        let by = Boot { host: self.name.clone(), epoch };
        let own =
            Own { by, phase: Phase::Running, guarded, name: None, op: Uuid::nil(), giver: None };
        self.put(self.keys.own(Uuid::from_u128(domain)), OwnRecord::encode(&own)).await;
    }

    async fn fence(&self, epoch: u64) -> Option<FenceStep> {
        let entry = self.kv.get(&self.keys.fence(&self.name, epoch)).await.unwrap()?;
        Some(FenceRecord::decode(&entry.value).unwrap().step)
    }

    async fn set_takers(&self, names: &[&Self]) -> Result<Vec<HostName>, JoinError> {
        let names: Vec<HostName> = names.iter().map(|host| host.name.clone()).collect();
        self.candidate().set_takers(&names).await
    }

    async fn confirm(&self, dead: &Self) -> Result<ConfirmedDead, JoinError> {
        let found = self.candidate().silent_host(&dead.name).await?;
        self.candidate().confirm_dead(&found, UNIX_EPOCH, &OsEntropy).await
    }
}

fn lost() -> [Option<Lost>; 4] {
    [None, Some(Lost::Happened), Some(Lost::Never), Some(Lost::Later)]
}

#[tokio::test(start_paused = true)]
async fn takers_are_members_that_somebody_has_named() {
    for lost in lost() {
        let [xen1, xen2, xen3] = lab().await;
        assert_eq!(xen1.candidate().takers().await, Ok(vec![]));
        xen1.set_takers(&[&xen2, &xen1]).await.unwrap();
        if let Some(lost) = lost {
            xen1.kv.lose_answer(lost);
        }
        let both = vec![xen2.name.clone(), xen3.name.clone()];
        assert_eq!(xen1.set_takers(&[&xen3, &xen2]).await, Ok(both.clone()), "{lost:?}");
        assert_eq!(xen3.candidate().takers().await, Ok(both), "{lost:?}");
        let stranger = Host::new(&xen1.kv, "xen9", 9);
        let unknown = xen1.set_takers(&[&xen2, &stranger]).await;
        assert_eq!(unknown, Err(JoinError::NoSuchHost(stranger.name.clone())));
        // A host that is no member any more watches no more, and what comes late changes nothing.
        xen2.leave().await.unwrap();
        let found = xen1.candidate().silent_host(&xen3.name).await.unwrap();
        xen1.candidate().forget(&found, UNIX_EPOCH).await.unwrap();
        xen1.kv.deliver();
        assert_eq!(xen1.candidate().takers().await, Ok(vec![]), "{lost:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_defined_domain_is_protected_while_two_hosts_watch() {
    for lost in lost() {
        let [xen1, xen2, xen3] = lab().await;
        xen2.define(7, "web").await;
        let set = async |policy| xen1.candidate().set_policy("web", policy).await;
        assert_eq!(set(ALWAYS).await, Err(JoinError::TooFewTakers { takers: 0 }));
        xen1.set_takers(&[&xen3]).await.unwrap();
        let too_few = set(ALWAYS).await.unwrap_err().to_string();
        assert!(too_few.contains("the fleet has 1: xend fleet takers HOST HOST"), "{too_few}");
        xen1.set_takers(&[&xen1, &xen3]).await.unwrap();
        if let Some(lost) = lost {
            xen1.kv.lose_answer(lost);
        }
        let web = |policy| DomainPolicy {
            domain: Uuid::from_u128(7),
            name: DomName::adopted("web"),
            policy,
        };
        assert_eq!(set(ALWAYS).await, Ok(web(ALWAYS)), "{lost:?}");
        xen1.kv.deliver();
        let by_uuid = Uuid::from_u128(7).to_string();
        assert_eq!(xen3.candidate().policy(&by_uuid).await, Ok(web(ALWAYS)));
        assert_eq!(xen3.candidate().policies().await, Ok(vec![web(ALWAYS)]));
        let unknown = xen1.candidate().set_policy("db", ALWAYS).await;
        assert_eq!(unknown, Err(JoinError::Undefined("db".to_owned())));
        // It can always be taken away.
        xen1.set_takers(&[&xen1]).await.unwrap();
        assert_eq!(set(None).await, Ok(web(None)));
        assert_eq!(xen3.candidate().policies().await, Ok(vec![]));
    }
}

#[tokio::test(start_paused = true)]
async fn the_command_waits_until_the_owner_guards_the_domain() {
    let [xen1, xen2, _] = lab().await;
    xen2.define(7, "web").await;
    let web = Uuid::from_u128(7);
    let candidate = xen1.candidate();
    let guarding = async |wanted| candidate.until_guarded(web, wanted, GUARDING).await.unwrap();
    assert_eq!(guarding(true).await, Guarding::Halted);
    let host = || xen2.name.clone();
    xen2.owns(7, 1, false).await;
    assert_eq!(guarding(true).await, Guarding::NotYet { host: host() });
    assert_eq!(guarding(false).await, Guarding::AsWanted { host: host() });
    let guards = async {
        tokio::time::sleep(GUARDING / 2).await;
        xen2.owns(7, 1, true).await;
    };
    let (told, ()) = tokio::join!(guarding(true), guards);
    assert_eq!(told, Guarding::AsWanted { host: host() });
}

#[tokio::test(start_paused = true)]
async fn a_dead_host_gives_up_all_but_what_takers_start_elsewhere() {
    for lost in lost() {
        let [xen1, xen2, _] = lab().await;
        for (domain, name) in [(1, "web"), (2, "db"), (3, "mail")] {
            xen2.define(domain, name).await;
        }
        xen2.has_run(5, None).await;
        xen2.owns(1, 4, true).await;
        xen2.owns(2, 5, false).await;
        xen2.put(xen2.keys.view(&xen2.name, Uuid::from_u128(2)), vec![]).await;
        let away = AwayRecord { cause: AwayCause::Operator, since: 0, until: 1, op: Uuid::nil() };
        xen2.put(xen2.keys.away(&xen2.name, 5), away.encode()).await;
        let declared = FenceRecord::new(&xen1.name, FenceStep::Declared, UNIX_EPOCH, Uuid::nil());
        xen2.put(xen2.keys.fence(&xen2.name, 4), declared.encode()).await;
        if let Some(lost) = lost {
            xen1.kv.lose_answer(lost);
        }
        let confirmed = ConfirmedDead { guarded: 1, definitions: 2 };
        assert_eq!(xen1.confirm(&xen2).await, Ok(confirmed), "{lost:?}");
        xen1.kv.deliver();
        for epoch in [4, 5] {
            assert_eq!(xen2.fence(epoch).await, Some(FenceStep::Confirmed), "{lost:?}");
        }
        let keys = xen1.keys().await;
        let left = |begin: &str| {
            let of_kind = keys.iter().filter(|key| key.starts_with(begin));
            of_kind.map(|key| key.trim_start_matches(begin).to_owned()).collect::<Vec<_>>()
        };
        let uuids = |numbers: &[u128]| {
            numbers.iter().map(|number| Uuid::from_u128(*number).to_string()).collect::<Vec<_>>()
        };
        assert_eq!(left("own/"), uuids(&[1]));
        assert_eq!(left("home/xen2/"), uuids(&[1]));
        assert_eq!(left("orphan/"), uuids(&[2, 3]));
        assert!(left("view/").is_empty() && left("away/").is_empty());
        assert!(keys.contains(&"host/xen2".to_owned()), "it is a member");
        let adopted = xen1.adopt("db").await.unwrap();
        assert_eq!(adopted.domain, Uuid::from_u128(2));
        // Once more is no mistake.
        let again = ConfirmedDead { guarded: 1, definitions: 0 };
        assert_eq!(xen1.confirm(&xen2).await, Ok(again));
    }
}

#[tokio::test(start_paused = true)]
async fn a_host_that_is_alive_or_has_booted_meanwhile_is_not_dead() {
    let [xen1, xen2, xen3] = lab().await;
    xen2.has_run(1, None).await;
    xen2.owns(1, 1, false).await;
    let found = xen1.candidate().silent_host(&xen2.name).await.unwrap();
    xen2.put(xen2.keys.alive(&xen2.name), vec![]).await;
    let not_silent = JoinError::NotSilent(xen2.name.clone());
    assert_eq!(xen1.confirm(&xen2).await, Err(not_silent.clone()));
    xen2.remove(xen2.keys.alive(&xen2.name)).await;
    xen2.has_run(2, None).await;
    let confirmed = xen1.candidate().confirm_dead(&found, UNIX_EPOCH, &OsEntropy).await;
    assert_eq!(confirmed, Err(not_silent));
    assert_eq!((xen2.fence(1).await, xen2.fence(2).await), (None, None));
    let own = xen1.confirm(&xen1).await;
    assert_eq!(own, Err(JoinError::ThisHost(xen1.name.clone())));
    let stranger = Host::new(&xen1.kv, "xen9", 9);
    assert_eq!(xen1.confirm(&stranger).await, Err(JoinError::NoSuchHost(stranger.name.clone())));
    assert!(matches!(stranger.confirm(&xen3).await, Err(JoinError::NoMember(_))));
}

#[tokio::test(start_paused = true)]
async fn a_host_that_joins_again_begins_above_its_old_fences() {
    for lost in lost() {
        let [xen1, xen2, _] = lab().await;
        let fence = FenceRecord::new(&xen1.name, FenceStep::Waited, UNIX_EPOCH, Uuid::nil());
        for epoch in [9, 10] {
            xen1.put(xen1.keys.fence(&xen2.name, epoch), fence.encode()).await;
        }
        xen1.put(xen1.keys.away(&xen2.name, 12), b"{}".to_vec()).await;
        xen2.leave().await.unwrap();
        assert!(xen1.keys().await.iter().all(|key| !key.starts_with("away/")));
        // What a host of another name has left is nothing to it.
        xen1.put(xen1.keys.fence(&"xen22".parse().unwrap(), 99), fence.encode()).await;
        let token = xen1.token().await.unwrap();
        if let Some(lost) = lost {
            xen2.kv.lose_answer(lost);
        }
        assert_eq!(xen2.join(&token).await, Ok(Joined::Now), "{lost:?}");
        let entry = xen1.kv.get(&xen1.keys.host(&xen2.name)).await.unwrap().unwrap();
        let record = HostRecord::decode(&entry.value).unwrap();
        // Its daemon takes the next one.
        assert_eq!((record.epoch, record.boot_id), (10, None));
    }
}

#[tokio::test(start_paused = true)]
async fn a_schema_is_raised_when_all_hosts_speak_it() {
    let newer = Schemas { min: 1, max: 2 };
    let both = Some(newer);
    for lost in lost() {
        let [xen1, xen2, xen3] = lab().await;
        for (host, schemas) in [(&xen1, both), (&xen2, Some(Schemas { min: 1, max: 1 }))] {
            host.has_run(1, schemas).await;
        }
        let now = Upgrade { from: 1, to: 1, held_by: vec![] };
        assert_eq!(xen1.candidate().upgrade().await, Ok(now.clone()), "no xend speaks another one");
        let upgrade = async || xen1.candidate().upgrade_to(newer).await;
        let held_by = vec![xen2.name.clone(), xen3.name.clone()];
        assert_eq!(upgrade().await, Ok(Upgrade { held_by, ..now.clone() }));
        xen2.has_run(1, both).await;
        xen3.has_run(1, Some(Schemas { min: 1, max: 3 })).await;
        if let Some(lost) = lost {
            xen1.kv.lose_answer(lost);
        }
        assert_eq!(upgrade().await, Ok(Upgrade { to: 2, ..now }), "{lost:?}");
        let schema = xen1.kv.get(&xen1.keys.schema()).await.unwrap().unwrap();
        assert_eq!(SchemaRecord::decode(&schema.value), Ok(SchemaRecord { schema: 2 }));
    }
}

#[tokio::test(start_paused = true)]
async fn a_status_says_what_becomes_of_protected_domains() {
    let [xen1, xen2, xen3] = lab().await;
    let told = async |begin: &str| {
        let problems = xen1.problems().await.into_iter();
        problems.filter(|problem| problem.contains(begin)).collect::<Vec<_>>().join("\n")
    };
    for host in [&xen1, &xen2, &xen3] {
        host.has_run(1, None).await;
        host.put(host.keys.alive(&host.name), vec![]).await;
    }
    xen1.set_takers(&[&xen1, &xen3]).await.unwrap();
    xen2.define(1, "web").await;
    xen1.candidate().set_policy("web", ALWAYS).await.unwrap();
    xen2.owns(1, 1, false).await;
    let unguarded = told("which does not guard it").await;
    assert!(unguarded.contains("journalctl -u xend on xen2"), "{unguarded}");
    xen2.owns(1, 1, true).await;
    assert_eq!(told("guard").await, "");
    assert_eq!(told("xend fleet takers").await, "");
    xen3.remove(xen3.keys.alive(&xen3.name)).await;
    assert!(told("xend fleet takers HOST HOST").await.contains("1 of 2 are alive"));
    assert_eq!(told("more than die at once").await, "", "one host always may");
    xen2.remove(xen2.keys.alive(&xen2.name)).await;
    assert!(told("more than die at once").await.contains("xend fleet confirm-dead HOST"));
    xen3.put(xen3.keys.alive(&xen3.name), vec![]).await;
    // It is fenced and waited for.
    let fence = async |step| {
        let record = FenceRecord::new(&xen1.name, step, UNIX_EPOCH, Uuid::nil());
        xen1.put(xen1.keys.fence(&xen2.name, 1), record.encode()).await;
    };
    fence(FenceStep::Declared).await;
    assert!(told("takers wait").await.contains("fenced by xen1"));
    fence(FenceStep::Waited).await;
    assert!(told("Protected domains of xen2 (1) are to be started elsewhere").await.len() > 1);
    let failed = vec![FailedTry { host: "xen3".to_owned(), reason: "no memory".to_owned() }];
    let takeover = TakeoverRecord {
        from: "xen2".to_owned(),
        epoch: 1,
        name: "web".to_owned(),
        to: Some("xen1".to_owned()),
        failed,
        op: Uuid::nil(),
    };
    let key = xen1.keys.takeover(Uuid::from_u128(1));
    xen1.put(key.clone(), takeover.encode()).await;
    assert!(told("xen1 is to start it").await.contains("journalctl -u xend on xen1"));
    assert!(matches!(xen1.candidate().retry("web").await, Err(JoinError::NotStuck(_))));
    let stuck = TakeoverRecord { to: None, ..takeover };
    xen1.put(key.clone(), stuck.encode()).await;
    let stuck = told("could not be started: xen3: no memory").await;
    assert!(stuck.contains("xend fleet retry"), "{stuck}");
    assert_eq!(xen1.candidate().retry("web").await.unwrap().name.as_str(), "web");
    assert_eq!(xen1.kv.get(&key).await, Ok(None));
    // Then another host has it. What the dead one has written of it is no dispute.
    let running = r#"{"name":"web","domid":3,"state":"running","memory_mib":64,"vcpus":1}"#;
    xen2.put(xen2.keys.view(&xen2.name, Uuid::from_u128(1)), running.as_bytes().to_vec()).await;
    xen3.owns(1, 1, true).await;
    assert_eq!(told("runs on xen2, and belongs to xen3").await, "");
    assert!(told("boot xen2").await.contains("xend fleet confirm-dead xen2"));
    // It is back, without having booted, and then with.
    xen2.put(xen2.keys.alive(&xen2.name), vec![]).await;
    assert!(told("is alive: it gets no domains").await.contains("boot xen2"));
    xen2.has_run(2, None).await;
    assert_eq!(told("fenced").await, "");
}
