//! Making, joining and leaving a fleet, with answers that are lost and others at work.

use super::*;
use crate::core::fleet_domain::{Act, DefinitionStep};
use crate::core::ownership::{Boot, Step};
use crate::fleet::definition_records::{ClashKind, ClashRecord};
use crate::fleet::domain::FoundDomain;
use crate::fleet::kv::{KvStatus, Lease, Listing, Revision, Watched};
use crate::fleet::memory::{Link, Lost, MemoryKv};
use crate::fleet::seal::FleetKey;
use crate::fleet::status::FleetStatus;
use crate::os::OsEntropy;
use async_trait::async_trait;
use futures_util::stream::BoxStream;
use std::sync::Mutex;
use std::time::UNIX_EPOCH;
use tempfile::TempDir;

mod protection;

const HOUR: Duration = Duration::from_secs(3600);

/// A host with a client of its own.
struct Host {
    kv: MemoryKv,
    keys: Keys,
    name: HostName,
    uuid: Uuid,
    dir: TempDir,
    key_file: KeyFile,
}

impl Host {
    fn new(kv: &MemoryKv, name: &str, uuid: u128) -> Self {
        let dir = tempfile::tempdir().unwrap();
        Self {
            key_file: KeyFile::at(dir.path().join("key")),
            dir,
            kv: kv.another_client(),
            keys: Keys::new("lab".parse().unwrap()),
            name: name.parse().unwrap(),
            uuid: Uuid::from_u128(uuid),
        }
    }

    fn candidate(&self) -> Candidate<'_> {
        Candidate {
            kv: &self.kv,
            keys: &self.keys,
            host: &self.name,
            uuid: self.uuid,
            certificate: None,
            key_file: &self.key_file,
        }
    }

    async fn init(&self) -> Result<(), JoinError> {
        self.candidate().init(UNIX_EPOCH, &OsEntropy).await
    }

    async fn token(&self) -> Result<String, JoinError> {
        self.candidate().token(HOUR, &OsEntropy).await
    }

    async fn join(&self, token: &str) -> Result<Joined, JoinError> {
        self.join_with(token, &[]).await
    }

    /// Joins with domains that are defined there.
    async fn join_with(&self, token: &str, defined: &[(u128, &str)]) -> Result<Joined, JoinError> {
        let one = |(uuid, name): &(u128, &str)| (Uuid::from_u128(*uuid), DomName::adopted(name));
        let defined: Vec<_> = defined.iter().map(one).collect();
        self.candidate().join(token, &defined, UNIX_EPOCH).await
    }

    async fn adopt(&self, domain: &str) -> Result<Adopted, JoinError> {
        self.candidate().adopt(domain, &OsEntropy).await
    }

    /// Changes what there is of a domain, as the host's daemon does.
    async fn act(&self, domain: u128, act: Act) {
        let uuid = Uuid::from_u128(domain);
        let found = FoundDomain::read(&self.kv, &self.keys, uuid).await.unwrap();
        let by = Boot { host: self.name.clone(), epoch: 1 };
        let after = found.domain.after(&act, &by, OsEntropy.uuid(), false).unwrap();
        let txn = found.txn(&self.kv, &self.keys, &after, Some("(domain)")).await.unwrap();
        assert!(matches!(self.kv.commit(txn).await, Ok(Committed::Yes(_))));
    }

    async fn define(&self, domain: u128, name: &str) {
        self.act(domain, Act::definition(DefinitionStep::Put(DomName::adopted(name)))).await;
    }

    async fn run(&self, domain: u128, name: &str) {
        self.act(domain, Act::own(Step::Hold, Some(DomName::adopted(name)))).await;
    }

    async fn problems(&self) -> Vec<String> {
        let of = FleetStatus::of(&self.kv, &self.keys, &self.name, self.uuid, &self.key_file);
        let problems = of.await.problems.into_iter();
        problems.map(|problem| format!("{}: {}", problem.what, problem.advice)).collect()
    }

    async fn leave(&self) -> Result<Left, JoinError> {
        self.candidate().leave().await
    }

    async fn keys(&self) -> Vec<String> {
        let listing = self.kv.list(self.keys.root()).await.unwrap();
        let short = |entry: &Entry| entry.key.strip_prefix(self.keys.root()).unwrap().to_owned();
        listing.entries.iter().map(short).collect()
    }
}

fn hosts() -> [Host; 3] {
    let kv = MemoryKv::default();
    [Host::new(&kv, "xen1", 1), Host::new(&kv, "xen2", 2), Host::new(&kv, "xen3", 3)]
}

#[tokio::test(start_paused = true)]
async fn a_fleet_begins_grows_and_ends() {
    let [xen1, xen2, xen3] = hosts();
    assert!(matches!(xen2.join("x").await, Err(JoinError::NoFleet(_))));
    assert!(matches!(xen1.token().await, Err(JoinError::NoFleet(_))));
    xen1.init().await.unwrap();
    for host in [&xen1, &xen2] {
        assert!(matches!(host.init().await, Err(JoinError::Exists(_))));
    }
    assert!(matches!(xen2.token().await, Err(JoinError::NoMember(_))));
    let token = xen1.token().await.unwrap();
    assert_eq!(xen2.join("x").await, Err(JoinError::BadToken));
    assert_eq!(xen2.join(&format!(" {token}\n")).await, Ok(Joined::Now));
    assert_eq!(xen2.join("x").await, Ok(Joined::Before));
    assert_eq!(xen3.join(&token).await, Err(JoinError::BadToken));
    assert_eq!(xen1.keys().await, ["host/xen1", "host/xen2", "key", "schema"]);
    // What a host leaves behind is deleted, and nobody else's.
    let view =
        |host: &Host, uuid| Op::put(host.keys.view(&host.name, Uuid::from_u128(uuid)), vec![]);
    let views = vec![view(&xen1, 1), view(&xen2, 2), Op::put(xen1.keys.alive(&xen1.name), vec![])];
    xen1.kv.commit(Txn { compares: vec![], ops: views }).await.unwrap();
    assert_eq!(xen1.leave().await, Ok(Left::Fleet));
    assert_eq!(xen1.leave().await, Err(JoinError::NoMember(xen1.name.clone())));
    xen2.token().await.unwrap();
    assert_eq!(xen2.leave().await, Ok(Left::LastOfFleet));
    assert_eq!(xen1.keys().await, [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn the_key_comes_with_the_token_and_is_never_in_etcd() {
    let [xen1, xen2, xen3] = hosts();
    xen1.init().await.unwrap();
    let key = xen1.key_file.read().await.unwrap().unwrap();
    let token = xen1.token().await.unwrap();
    for entry in xen1.kv.list(xen1.keys.root()).await.unwrap().entries {
        let value = String::from_utf8_lossy(&entry.value).into_owned();
        let line = key.line();
        let secret = line.trim_end().rsplit(':').next().unwrap();
        assert!(!value.contains(secret) && !value.contains(&token), "{}", entry.key);
    }
    xen2.join(&token).await.unwrap();
    assert_eq!(xen2.key_file.read().await, Ok(Some(key.clone())));
    // It went with the token.
    assert_eq!(xen1.kv.list(&xen1.keys.tokens()).await.unwrap().entries, []);
    // A host that has lost it, or has another one, makes no tokens.
    std::fs::remove_file(xen2.key_file.path()).unwrap();
    assert!(
        matches!(xen2.token().await, Err(JoinError::Key(reason)) if reason.contains("missing"))
    );
    xen2.key_file.write(&FleetKey::new(&OsEntropy)).await.unwrap();
    assert!(
        matches!(xen2.token().await, Err(JoinError::Key(reason)) if reason.contains("another"))
    );
    // What somebody has changed in etcd opens nothing.
    let token = xen1.token().await.unwrap();
    let digest = xen1.keys.token(&TokenDigest::of(&token));
    let entry = xen1.kv.get(&digest).await.unwrap().unwrap();
    let mut record: serde_json::Value = serde_json::from_slice(&entry.value).unwrap();
    let other = FleetKey::new(&OsEntropy);
    record["key"] = other.for_token("x", xen1.keys.cluster(), &OsEntropy).unwrap().into();
    let ops = vec![Op::put(digest, record.to_string().into_bytes())];
    xen1.kv.commit(Txn { compares: vec![], ops }).await.unwrap();
    assert!(matches!(xen3.join(&token).await, Err(JoinError::Unreadable { .. })));
    assert_eq!(xen3.key_file.read().await, Ok(None));
    assert!(xen3.dir.path().exists());
}

#[tokio::test(start_paused = true)]
async fn a_token_is_valid_for_its_time() {
    let [xen1, xen2, _] = hosts();
    xen1.init().await.unwrap();
    let token = xen1.token().await.unwrap();
    assert!(xen1.keys().await.iter().all(|key| !key.contains(&token)));
    tokio::time::sleep(HOUR * 2).await;
    assert_eq!(xen2.join(&token).await, Err(JoinError::BadToken));
}

#[tokio::test(start_paused = true)]
async fn a_name_and_a_uuid_are_of_one_host() {
    let [xen1, _, _] = hosts();
    xen1.init().await.unwrap();
    let token = xen1.token().await.unwrap();
    let same_name = Host::new(&xen1.kv, "xen1", 9);
    let expected = JoinError::NameTaken { host: xen1.name.clone(), uuid: xen1.uuid };
    assert_eq!(same_name.join(&token).await, Err(expected.clone()));
    assert_eq!(same_name.leave().await, Err(expected));
    let copy = Host::new(&xen1.kv, "copy", 1);
    let expected = JoinError::UuidTaken { host: xen1.name.clone(), uuid: xen1.uuid };
    assert_eq!(copy.join(&token).await, Err(expected));
    // The token is still good.
    assert_eq!(Host::new(&xen1.kv, "copy", 9).join(&token).await, Ok(Joined::Now));
}

/// What it is made of may be anything.
struct Hyphens;

impl Entropy for Hyphens {
    fn uuid(&self) -> Uuid {
        Uuid::nil()
    }
    fn fill(&self, bytes: &mut [u8]) {
        // 62 times 4, of which base64 makes a hyphen.
        bytes.fill(0xf8);
    }
}

#[tokio::test(start_paused = true)]
async fn a_token_is_no_option_of_a_command() {
    let [xen1, _, _] = hosts();
    xen1.init().await.unwrap();
    let token = xen1.candidate().token(HOUR, &Hyphens).await.unwrap();
    assert!(token.len() == 43 && !token.starts_with('-'), "{token}");
}

#[tokio::test(start_paused = true)]
async fn what_came_of_a_change_is_read_when_its_answer_is_lost() {
    for lost in [Lost::Happened, Lost::Never, Lost::Later] {
        let [xen1, xen2, xen3] = hosts();
        xen1.kv.lose_answer(lost);
        xen1.init().await.unwrap();
        xen1.kv.lose_answer(lost);
        let token = xen1.token().await.unwrap();
        xen2.kv.lose_answer(lost);
        assert_eq!(xen2.join(&token).await, Ok(Joined::Now), "{lost:?}");
        assert_eq!(xen3.join(&token).await, Err(JoinError::BadToken), "{lost:?}");
        xen2.kv.lose_answer(lost);
        assert_eq!(xen2.leave().await, Ok(Left::Fleet), "{lost:?}");
        xen1.kv.lose_answer(lost);
        assert_eq!(xen1.leave().await, Ok(Left::LastOfFleet), "{lost:?}");
        assert_eq!(xen1.keys().await, [""; 0], "{lost:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_late_change_does_not_undo_a_newer_one() {
    let [xen1, xen2, _] = hosts();
    xen1.init().await.unwrap();
    let token = xen1.token().await.unwrap();
    xen2.join(&token).await.unwrap();
    xen2.kv.lose_answer(Lost::Later);
    xen2.leave().await.unwrap();
    let token = xen1.token().await.unwrap();
    xen2.join(&token).await.unwrap();
    xen2.kv.deliver();
    assert_eq!(xen1.keys().await, ["host/xen1", "host/xen2", "key", "schema"]);
}

#[tokio::test(start_paused = true)]
async fn doubt_is_said() {
    let [xen1, _, _] = hosts();
    xen1.kv.set_link(Link::Refused);
    assert!(matches!(xen1.init().await, Err(JoinError::Kv(KvError::Unreachable(_)))));
    xen1.kv.set_link(Link::Up);
    for _ in 0..TRIES {
        xen1.kv.lose_answer(Lost::Never);
    }
    let error = xen1.init().await.unwrap_err();
    assert!(matches!(error, JoinError::InDoubt(_)));
    assert!(error.to_string().contains("xend fleet status"), "{error}");
}

/// Two that leave at a time do not take each other for the one that stays.
#[tokio::test(start_paused = true)]
async fn a_fleet_ends_with_its_last_host_whoever_that_is() {
    let [xen1, xen2, _] = hosts();
    xen1.init().await.unwrap();
    let token = xen1.token().await.unwrap();
    xen2.join(&token).await.unwrap();
    let left = tokio::join!(xen1.leave(), xen2.leave());
    let left = [left.0.unwrap(), left.1.unwrap()];
    assert!(left.contains(&Left::LastOfFleet), "{left:?}");
    assert_eq!(xen1.keys().await, [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_fleet_of_a_later_version_is_left_alone() {
    let [xen1, xen2, _] = hosts();
    xen1.init().await.unwrap();
    let token = xen1.token().await.unwrap();
    let later = Op::put(xen1.keys.schema(), SchemaRecord { schema: SCHEMAS.max + 1 }.encode());
    xen1.kv.commit(Txn { compares: vec![], ops: vec![later] }).await.unwrap();
    let needs = SCHEMAS.max + 1;
    assert_eq!(xen2.join(&token).await, Err(JoinError::Schema { needs }));
    assert_eq!(xen1.leave().await, Err(JoinError::Schema { needs }));
    let strange = Op::put(xen1.keys.schema(), b"{".to_vec());
    xen1.kv.commit(Txn { compares: vec![], ops: vec![strange] }).await.unwrap();
    assert!(matches!(xen2.join(&token).await, Err(JoinError::Unreadable { .. })));
}

#[tokio::test(start_paused = true)]
async fn a_host_with_domains_of_the_fleet_does_not_leave_the_others() {
    let [first, second, _] = hosts();
    first.init().await.unwrap();
    let token = first.token().await.unwrap();
    second.join(&token).await.unwrap();
    let own = |host: &str, domain: u128| {
        let op = Uuid::nil();
        let value = format!(r#"{{"host":"{host}","epoch":1,"phase":"running","op":"{op}"}}"#);
        Op::put(first.keys.own(Uuid::from_u128(domain)), value.into_bytes())
    };
    let ops = vec![own("xen1", 1), own("xen2", 2), own("xen2", 3)];
    first.kv.commit(Txn { compares: vec![], ops }).await.unwrap();
    assert_eq!(second.leave().await, Err(JoinError::HasDomains { domains: 2 }));
    let ops = [2, 3].map(|domain| Op::Delete { key: first.keys.own(Uuid::from_u128(domain)) });
    first.kv.commit(Txn { compares: vec![], ops: ops.into() }).await.unwrap();
    assert_eq!(second.leave().await, Ok(Left::Fleet));
    // Nobody is left who could start them.
    assert_eq!(first.leave().await, Ok(Left::LastOfFleet));
    assert_eq!(first.keys().await, [""; 0]);
}

/// An xend that knew no key has made the fleet.
#[tokio::test(start_paused = true)]
async fn a_fleet_without_a_key_gets_one_with_a_token() {
    let [first, second, _] = hosts();
    first.init().await.unwrap();
    let ops = vec![Op::Delete { key: first.keys.key() }];
    first.kv.commit(Txn { compares: vec![], ops }).await.unwrap();
    std::fs::remove_file(first.key_file.path()).unwrap();
    let token = first.token().await.unwrap();
    let key = first.key_file.read().await.unwrap().unwrap();
    let id = first.kv.get(&first.keys.key()).await.unwrap().unwrap();
    assert_eq!(id.value, key.id().as_bytes());
    second.join(&token).await.unwrap();
    assert_eq!(second.key_file.read().await.unwrap(), Some(key));
    // Then it is that one.
    first.key_file.write(&FleetKey::new(&OsEntropy)).await.unwrap();
    let error = first.token().await.unwrap_err().to_string();
    assert!(error.contains("is another one"), "{error}");
}

/// A store in which somebody else commits right after the owners were listed.
struct Meddler {
    kv: MemoryKv,
    next: Mutex<Option<Txn>>,
}

#[async_trait]
impl Kv for Meddler {
    async fn get(&self, key: &str) -> Result<Option<Entry>, KvError> {
        self.kv.get(key).await
    }

    async fn list(&self, prefix: &str) -> Result<Listing, KvError> {
        let listing = self.kv.list(prefix).await?;
        let next = if prefix.ends_with("/own/") { self.next.lock().unwrap().take() } else { None };
        if let Some(txn) = next {
            self.kv.commit(txn).await?;
        }
        Ok(listing)
    }

    async fn commit(&self, txn: Txn) -> Result<Committed, KvError> {
        self.kv.commit(txn).await
    }

    async fn grant(&self, ttl: Duration) -> Result<Lease, KvError> {
        self.kv.grant(ttl).await
    }

    async fn keep_alive(&self, lease: Lease) -> Result<(), KvError> {
        self.kv.keep_alive(lease).await
    }

    async fn revoke(&self, lease: Lease) -> Result<(), KvError> {
        self.kv.revoke(lease).await
    }

    async fn watch(
        &self,
        prefix: &str,
        from: Revision,
    ) -> Result<BoxStream<'static, Result<Watched, KvError>>, KvError> {
        self.kv.watch(prefix, from).await
    }

    async fn status(&self) -> Result<KvStatus, KvError> {
        self.kv.status().await
    }
}

/// The daemon of a host that leaves begins a domain meanwhile.
#[tokio::test(start_paused = true)]
async fn a_host_does_not_leave_with_a_domain_that_begins() {
    let [first, second, _] = hosts();
    first.init().await.unwrap();
    let token = first.token().await.unwrap();
    second.join(&token).await.unwrap();
    let claim = |host: &str, domain: u128| {
        let op = Uuid::nil();
        let value = format!(r#"{{"host":"{host}","epoch":1,"phase":"starting","op":"{op}"}}"#);
        let own = Op::put(first.keys.own(Uuid::from_u128(domain)), value.into_bytes());
        Mutex::new(Some(Txn { compares: vec![], ops: vec![own] }))
    };
    let kv = Meddler { kv: second.kv.another_client(), next: claim("xen2", 1) };
    let leave = Candidate { kv: &kv, ..second.candidate() }.leave().await;
    assert_eq!(leave, Err(JoinError::HasDomains { domains: 1 }));
    // Another host's is in nobody's way.
    let ops = vec![Op::Delete { key: first.keys.own(Uuid::from_u128(1)) }];
    first.kv.commit(Txn { compares: vec![], ops }).await.unwrap();
    let kv = Meddler { kv: second.kv.another_client(), next: claim("xen1", 2) };
    let leave = Candidate { kv: &kv, ..second.candidate() }.leave().await;
    assert_eq!(leave, Ok(Left::Fleet));
}

/// What belongs to a host that has left some other way can be given up.
#[tokio::test(start_paused = true)]
async fn domains_of_a_host_without_a_record_are_forgotten() {
    let [first, second, _] = hosts();
    first.init().await.unwrap();
    let name = second.name.clone();
    let unknown = first.candidate().silent_host(&name).await;
    assert_eq!(unknown, Err(JoinError::NoSuchHost(name.clone())));
    let value = format!(r#"{{"host":"xen2","epoch":1,"phase":"running","op":"{}"}}"#, Uuid::nil());
    let own = Op::put(first.keys.own(Uuid::from_u128(1)), value.into_bytes());
    first.kv.commit(Txn { compares: vec![], ops: vec![own] }).await.unwrap();
    let silent = first.candidate().silent_host(&name).await.unwrap();
    assert_eq!(silent.domains, 1);
    first.candidate().forget(&silent, UNIX_EPOCH).await.unwrap();
    assert_eq!(first.keys().await, ["host/xen1", "key", "schema"]);
}

fn uuid(number: u128) -> String {
    Uuid::from_u128(number).to_string()
}

#[tokio::test(start_paused = true)]
async fn a_host_does_not_join_with_domains_that_the_fleet_has() {
    let [xen1, xen2, _] = hosts();
    xen1.init().await.unwrap();
    xen1.define(1, "web").await;
    xen1.run(2, "db").await;
    let token = xen1.token().await.unwrap();
    let defined = [(1, "other"), (2, "third"), (3, "web"), (4, "db"), (5, "fine")];
    let error = xen2.join_with(&token, &defined).await.unwrap_err();
    let JoinError::Clashes(clashes) = &error else { panic!("{error}") };
    assert_eq!(
        *clashes,
        [
            format!("other ({}): xen1 has a domain of this UUID", uuid(1)),
            format!("third ({}): xen1 has a domain of this UUID", uuid(2)),
            format!("web ({}): a domain of this name is on xen1 ({})", uuid(3), uuid(1)),
            format!("db ({}): a domain of this name is on xen1 ({})", uuid(4), uuid(2)),
        ]
    );
    let text = error.to_string();
    assert!(text.contains("\n  web (") && text.ends_with("and join then"), "{text}");
    assert_eq!(xen2.key_file.read().await, Ok(None), "it has not joined");
    let many: Vec<(u128, &str)> = (10..40).map(|number| (number, "web")).collect();
    let error = xen2.join_with(&token, &many).await.unwrap_err().to_string();
    assert!(error.contains("and 10 more"), "{error}");
    // The token is still good.
    assert_eq!(xen2.join_with(&token, &[(5, "fine")]).await, Ok(Joined::Now));
}

#[tokio::test(start_paused = true)]
async fn a_host_that_leaves_takes_its_definitions_out_of_the_fleet() {
    for lost in [None, Some(Lost::Happened), Some(Lost::Never), Some(Lost::Later)] {
        let [xen1, xen2, xen3] = hosts();
        xen1.init().await.unwrap();
        let token = xen1.token().await.unwrap();
        xen2.join(&token).await.unwrap();
        xen1.define(1, "web").await;
        xen2.define(2, "db").await;
        let clash = Op::put(xen2.keys.clash(&xen2.name, Uuid::from_u128(3)), b"{}".to_vec());
        xen2.kv.commit(Txn { compares: vec![], ops: vec![clash] }).await.unwrap();
        if let Some(lost) = lost {
            xen2.kv.lose_answer(lost);
        }
        assert_eq!(xen2.leave().await, Ok(Left::Fleet), "{lost:?}");
        let keys = xen1.keys().await;
        let [def, home] = [format!("def/{}", uuid(1)), format!("home/xen1/{}", uuid(1))];
        let expected = [&def, &home, "host/xen1", "key", "name/web", "schema"];
        assert_eq!(keys, expected, "{lost:?}");
        // Whoever joins may have them.
        let token = xen1.token().await.unwrap();
        xen3.join_with(&token, &[(2, "db")]).await.unwrap();
        xen3.leave().await.unwrap();
        assert_eq!(xen1.leave().await, Ok(Left::LastOfFleet));
        assert_eq!(xen1.keys().await, [""; 0]);
    }
}

/// etcd goes away when the host has left, and its definitions are still there.
#[tokio::test(start_paused = true)]
async fn what_a_host_has_left_behind_is_told_and_removed() {
    let [xen1, xen2, _] = hosts();
    xen1.init().await.unwrap();
    let token = xen1.token().await.unwrap();
    xen2.join(&token).await.unwrap();
    xen2.define(2, "db").await;
    let record = Op::Delete { key: xen2.keys.host(&xen2.name) };
    xen1.kv.commit(Txn { compares: vec![], ops: vec![record] }).await.unwrap();
    let problems = xen1.problems().await;
    let told = "xen2 is not in the fleet, which has definitions of it (1): xend fleet forget xen2";
    assert!(problems.iter().any(|problem| problem.starts_with(told)), "{problems:?}");
    assert_eq!(xen2.leave().await, Ok(Left::Fleet));
    assert_eq!(xen1.keys().await, ["host/xen1", "key", "schema"]);
    assert_eq!(xen2.leave().await, Err(JoinError::NoMember(xen2.name.clone())));
}

#[tokio::test(start_paused = true)]
async fn the_definitions_of_a_forgotten_host_wait_for_another_one() {
    let [xen1, xen2, _] = hosts();
    xen1.init().await.unwrap();
    let token = xen1.token().await.unwrap();
    xen2.join(&token).await.unwrap();
    xen1.define(1, "web").await;
    xen2.define(2, "db").await;
    xen2.run(2, "db").await;
    xen2.run(3, "created").await;
    assert!(
        matches!(xen1.adopt("db").await, Err(JoinError::Runs { host, .. }) if host == xen2.name)
    );
    let silent = xen1.candidate().silent_host(&xen2.name).await.unwrap();
    assert_eq!(silent.definitions, 1);
    assert_eq!(xen1.candidate().forget(&silent, UNIX_EPOCH).await, Ok(Left::Fleet));
    let keys = xen1.keys().await;
    assert!(keys.contains(&format!("orphan/{}", uuid(2))) && keys.contains(&"name/db".to_owned()));
    assert!(!keys.iter().any(|key| key.starts_with("own/") || key == "name/created"), "{keys:?}");
    let problems = xen1.problems().await;
    let told = format!("db ({}), last on xen2, is defined in the fleet and on no host", uuid(2));
    let advice = format!("xend fleet adopt {}", uuid(2));
    let is_told = |problem: &&String| problem.starts_with(&told) && problem.contains(&advice);
    assert_eq!(problems.iter().filter(is_told).count(), 1, "{problems:?}");
    for (domain, error) in [
        ("nosuch", JoinError::NoSuchDefinition("nosuch".to_owned())),
        ("web", JoinError::HasHome { domain: "web".to_owned(), host: xen1.name.clone() }),
    ] {
        assert_eq!(xen1.adopt(domain).await, Err(error));
    }
    assert!(matches!(xen2.adopt("db").await, Err(JoinError::NoMember(_))));
    for lost in [Lost::Happened, Lost::Never, Lost::Later] {
        xen1.kv.lose_answer(lost);
        let called = if lost == Lost::Never { "db".to_owned() } else { uuid(2) };
        let adopted = xen1.adopt(&called).await;
        let adopted = adopted.unwrap();
        assert_eq!((adopted.domain, adopted.name.as_str()), (Uuid::from_u128(2), "db"), "{lost:?}");
        let keys = xen1.keys().await;
        assert!(keys.contains(&format!("home/xen1/{}", uuid(2))), "{keys:?}");
        assert!(!keys.iter().any(|key| key.starts_with("orphan/")), "{keys:?}");
        // Once more.
        let found = FoundDomain::read(&xen1.kv, &xen1.keys, Uuid::from_u128(2)).await.unwrap();
        let mut after = found.domain.clone();
        after.defined.as_mut().unwrap().home = None;
        let txn = found.txn(&xen1.kv, &xen1.keys, &after, None).await.unwrap();
        xen1.kv.commit(txn).await.unwrap();
        xen1.kv.deliver();
    }
    assert_eq!(xen1.problems().await.iter().filter(is_told).count(), 0, "it was xen1's last");
}

#[tokio::test(start_paused = true)]
async fn a_host_without_the_key_and_disagreements_are_told_of() {
    let [xen1, _, _] = hosts();
    xen1.init().await.unwrap();
    let told = |problems: Vec<String>, begin: &str| {
        problems.into_iter().filter(|problem| problem.starts_with(begin)).collect::<Vec<_>>()
    };
    let key = "This host has not the fleet's key";
    assert_eq!(told(xen1.problems().await, key), [""; 0]);
    let good = xen1.key_file.read().await.unwrap().unwrap();
    xen1.key_file.write(&FleetKey::new(&OsEntropy)).await.unwrap();
    assert!(told(xen1.problems().await, key)[0].contains("is another one"));
    std::fs::remove_file(xen1.key_file.path()).unwrap();
    assert!(told(xen1.problems().await, key)[0].contains("is missing"));
    xen1.key_file.write(&good).await.unwrap();
    for (number, kind, command) in [
        (1, ClashKind::Name, "xm rename on xen1"),
        (2, ClashKind::Uuid, "xm delete on xen1"),
        (3, ClashKind::Other, "journalctl"),
    ] {
        let record = ClashRecord { name: "a\u{7}b".to_owned(), kind, reason: "why".to_owned() };
        let key = xen1.keys.clash(&xen1.name, Uuid::from_u128(number));
        let strange = record.encode();
        let sound = ClashRecord { name: "web".to_owned(), ..record }.encode();
        for value in [strange, sound] {
            let ops = vec![Op::put(key.clone(), value)];
            xen1.kv.commit(Txn { compares: vec![], ops }).await.unwrap();
        }
        let begin = format!("web ({}) on xen1 is not the fleet's: why", uuid(number));
        assert!(told(xen1.problems().await, &begin)[0].contains(command), "{command}");
    }
}
