use super::*;
use crate::fleet::key_file::KeyFile;
use crate::fleet::keys::Keys;
use crate::fleet::kv::{Kv, KvError};
use crate::fleet::memory::{Link, Lost, MemoryKv};
use crate::fleet::records::SchemaRecord;
use crate::fleet::seal::FleetKey;
use crate::os::OsEntropy;
use std::time::UNIX_EPOCH;
use tempfile::TempDir;

/// A fleet with the hosts xen1, which asks, and xen2, which is gone.
struct Lab {
    kv: MemoryKv,
    keys: Keys,
    xen1: HostName,
    xen2: HostName,
    key_file: KeyFile,
    _dir: TempDir,
}

impl Lab {
    async fn new() -> Self {
        let [xen1, xen2] = ["xen1", "xen2"].map(|name| name.parse().unwrap());
        let keys = Keys::new("lab".parse().unwrap());
        let dir = tempfile::tempdir().unwrap();
        let key_file = KeyFile::at(dir.path().join("key"));
        let lab = Self { kv: MemoryKv::default(), keys, xen1, xen2, key_file, _dir: dir };
        lab.put(lab.keys.schema(), SchemaRecord { schema: 1 }.encode()).await;
        lab.record(&lab.xen1, 1).await;
        lab.record(&lab.xen2, 2).await;
        lab
    }

    async fn put(&self, key: String, value: Vec<u8>) {
        let ops = vec![Op::put(key, value)];
        self.kv.another_client().commit(Txn { compares: vec![], ops }).await.unwrap();
    }

    async fn record(&self, host: &HostName, uuid: u128) {
        let record = HostRecord::joining(Uuid::from_u128(uuid), UNIX_EPOCH);
        self.put(self.keys.host(host), record.encode()).await;
    }

    async fn domains(&self, count: u128) {
        for number in 0..count {
            self.put(self.keys.view(&self.xen2, Uuid::from_u128(number)), vec![]).await;
        }
    }

    fn xen1(&self) -> Candidate<'_> {
        let uuid = Uuid::from_u128(1);
        Candidate {
            kv: &self.kv,
            keys: &self.keys,
            host: &self.xen1,
            uuid,
            certificate: None,
            key_file: &self.key_file,
        }
    }

    async fn find(&self) -> Result<SilentHost, JoinError> {
        self.xen1().silent_host(&self.xen2).await
    }

    async fn forget(&self, host: &SilentHost) -> Result<Left, JoinError> {
        self.xen1().forget(host, UNIX_EPOCH).await
    }

    async fn keys(&self) -> Vec<String> {
        let listing = self.kv.another_client().list(self.keys.root()).await.unwrap();
        let short = |entry: &Entry| entry.key.strip_prefix(self.keys.root()).unwrap().to_owned();
        listing.entries.iter().map(short).collect()
    }
}

const FORGOTTEN: [&str; 3] = ["forgotten/xen2", "host/xen1", "schema"];

#[tokio::test(start_paused = true)]
async fn a_host_is_forgotten_with_all_its_domains() {
    for lost in [None, Some(Lost::Happened), Some(Lost::Never), Some(Lost::Later)] {
        let lab = Lab::new().await;
        lab.domains(250).await;
        let found = lab.find().await.unwrap();
        assert_eq!((&found.name, found.domains), (&lab.xen2, 250));
        if let Some(lost) = lost {
            lab.kv.lose_answer(lost);
        }
        assert_eq!(lab.forget(&found).await, Ok(Left::Fleet), "{lost:?}");
        assert_eq!(lab.keys().await, FORGOTTEN, "{lost:?}");
        let note = lab.kv.get(&lab.keys.forgotten(&lab.xen2)).await.unwrap().unwrap();
        let expected = ForgottenRecord { uuid: Uuid::from_u128(2), by: "xen1".to_owned(), at: 0 };
        assert_eq!(ForgottenRecord::decode(&note.value), Ok(expected));
        assert_eq!(lab.find().await, Err(JoinError::NoSuchHost(lab.xen2.clone())));
        // A late write does not touch a host that has joined again.
        lab.record(&lab.xen2, 2).await;
        lab.domains(1).await;
        lab.kv.deliver();
        assert_eq!(lab.keys().await.len(), 5, "{lost:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_host_that_is_alive_is_not_forgotten() {
    let lab = Lab::new().await;
    let found = lab.find().await.unwrap();
    lab.put(lab.keys.alive(&lab.xen2), vec![]).await;
    let before = lab.kv.revision();
    let not_silent = JoinError::NotSilent(lab.xen2.clone());
    assert_eq!(lab.find().await, Err(not_silent.clone()));
    assert_eq!(lab.forget(&found).await, Err(not_silent.clone()));
    // It was alive in between, and is silent again.
    let ops = vec![Op::Delete { key: lab.keys.alive(&lab.xen2) }];
    lab.kv.commit(Txn { compares: vec![], ops }).await.unwrap();
    lab.record(&lab.xen2, 2).await;
    assert_eq!(lab.forget(&found).await, Err(not_silent));
    assert_eq!(lab.kv.revision(), Revision(before.0 + 2));
    let absent = lab.xen1().silent_host(&"xen9".parse().unwrap()).await;
    assert!(matches!(absent, Err(JoinError::NoSuchHost(_))), "{absent:?}");
}

#[tokio::test(start_paused = true)]
async fn this_host_leaves_instead_unless_it_was_installed_anew() {
    let lab = Lab::new().await;
    let own = lab.xen1().silent_host(&lab.xen1).await;
    assert_eq!(own, Err(JoinError::ThisHost(lab.xen1.clone())));
    let anew = Candidate { uuid: Uuid::from_u128(9), ..lab.xen1() };
    let found = anew.silent_host(&lab.xen1).await.unwrap();
    assert_eq!(anew.forget(&found, UNIX_EPOCH).await, Ok(Left::Fleet));
    assert_eq!(lab.keys().await, ["forgotten/xen1", "host/xen2", "schema"]);
}

#[tokio::test(start_paused = true)]
async fn the_fleet_goes_with_its_last_host() {
    let lab = Lab::new().await;
    assert_eq!(lab.forget(&lab.find().await.unwrap()).await, Ok(Left::Fleet));
    // No host has such a name.
    lab.put(format!("{}a/b", lab.keys.hosts()), vec![]).await;
    let anew = Candidate { uuid: Uuid::from_u128(9), ..lab.xen1() };
    let found = anew.silent_host(&lab.xen1).await.unwrap();
    lab.kv.lose_answer(Lost::Happened);
    assert_eq!(anew.forget(&found, UNIX_EPOCH).await, Ok(Left::LastOfFleet));
    assert_eq!(lab.keys().await, ["host/a/b"]);
    anew.init(UNIX_EPOCH, &OsEntropy).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn domains_that_are_left_over_are_forgotten_later() {
    let lab = Lab::new().await;
    lab.domains(250).await;
    let found = lab.find().await.unwrap();
    // The answer about its record, and that about the first piece.
    lab.kv.lose_answer(Lost::Happened);
    lab.kv.lose_answer(Lost::Never);
    let left_over = lab.forget(&found).await.unwrap_err();
    assert!(matches!(left_over, JoinError::LeftOver { .. }), "{left_over:?}");
    assert!(left_over.to_string().contains("type the command again"), "{left_over}");
    let found = lab.find().await.unwrap();
    assert_eq!((found.domains, found.record), (250, None));
    // A host that joins meanwhile keeps its domains.
    lab.record(&lab.xen2, 2).await;
    assert_eq!(lab.forget(&found).await, Ok(Left::Fleet));
    assert_eq!(lab.keys().await.len(), 254);
    assert_eq!(lab.forget(&lab.find().await.unwrap()).await, Ok(Left::Fleet));
    assert_eq!(lab.keys().await, FORGOTTEN);
}

#[tokio::test(start_paused = true)]
async fn a_host_that_joins_again_is_not_forgotten_any_more() {
    let lab = Lab::new().await;
    lab.forget(&lab.find().await.unwrap()).await.unwrap();
    let key = FleetKey::new(&OsEntropy);
    lab.key_file.write(&key).await.unwrap();
    lab.put(lab.keys.key(), key.id().into_bytes()).await;
    let token = lab.xen1().token(std::time::Duration::from_secs(60), &OsEntropy).await;
    let xen2 = Candidate { host: &lab.xen2, uuid: Uuid::from_u128(2), ..lab.xen1() };
    xen2.join(&token.unwrap(), &[], UNIX_EPOCH).await.unwrap();
    assert_eq!(lab.keys().await, ["host/xen1", "host/xen2", "key", "schema"]);
}

#[tokio::test(start_paused = true)]
async fn a_record_of_any_version_is_forgotten() {
    let lab = Lab::new().await;
    lab.put(lab.keys.host(&lab.xen2), br#"{"format":9}"#.to_vec()).await;
    lab.forget(&lab.find().await.unwrap()).await.unwrap();
    assert_eq!(lab.keys().await, ["host/xen1", "schema"]);
    lab.kv.set_link(Link::Refused);
    assert!(matches!(lab.find().await, Err(JoinError::Kv(KvError::Unreachable(_)))));
}

#[tokio::test(start_paused = true)]
async fn the_domains_of_a_forgotten_host_may_start_elsewhere() {
    let lab = Lab::new().await;
    lab.domains(1).await;
    for (host, domain) in [("xen1", 1), ("xen2", 2), ("xen2", 3)] {
        let op = Uuid::nil();
        let value = format!(r#"{{"host":"{host}","epoch":1,"phase":"running","op":"{op}"}}"#);
        lab.put(lab.keys.own(Uuid::from_u128(domain)), value.into_bytes()).await;
    }
    let found = lab.find().await.unwrap();
    assert_eq!(lab.forget(&found).await, Ok(Left::Fleet));
    let kept = lab.keys.own(Uuid::from_u128(1)).replace(lab.keys.root(), "");
    assert_eq!(lab.keys().await, ["forgotten/xen2", "host/xen1", &kept, "schema"]);
}
