//! Lists and values of any size.

use crate::commands::Host;
use crate::etcd_server::EtcdServer;
use crate::kv_suite::{put, txn, write};
use futures_util::StreamExt as _;
use xend::fleet::{KvError, Revision, Txn};

#[tokio::test]
async fn a_list_of_30_000_keys_comes_in_pages() {
    let Some(server) = EtcdServer::start() else { return };
    let kv = server.client();
    let value = "x".repeat(300);
    let names: Vec<_> = (0..30_000).map(|number| format!("/s/{number:05}")).collect();
    for some in names.chunks(Txn::MAX_OPS) {
        write(&*kv, some.iter().map(|name| put(name, &value)).collect()).await;
    }
    // Three times what the client reads at once.
    let listing = kv.list("/s/").await.unwrap();
    let found: Vec<_> = listing.entries.iter().map(|entry| &entry.key).collect();
    assert!(found.into_iter().eq(&names));
    assert!(listing.entries.iter().all(|entry| entry.value.len() == 300));
    assert_eq!(listing.entries.last().unwrap().modified, listing.revision);
}

#[tokio::test]
async fn a_list_of_large_values_comes_in_small_pages() {
    let Some(server) = EtcdServer::start() else { return };
    let kv = server.client();
    let large = "x".repeat(1 << 20);
    for number in 0..20 {
        write(&*kv, vec![put(&format!("/s/{number:02}"), &large)]).await;
    }
    let listing = kv.list("/s/").await.unwrap();
    assert_eq!(listing.entries.len(), 20);
    assert!(listing.entries.iter().all(|entry| entry.value.len() == large.len()));
}

#[tokio::test]
async fn what_is_too_large_for_etcd_is_refused() {
    let Some(server) = EtcdServer::start() else { return };
    let kv = server.client();
    for bytes in [2 << 20, 8 << 20] {
        let refused = kv.commit(txn(vec![], vec![put("/s/a", &"x".repeat(bytes))])).await;
        assert!(matches!(refused, Err(KvError::Refused(_))), "{refused:?}");
    }
    assert_eq!(kv.get("/s/a").await.unwrap(), None);
}

#[tokio::test]
async fn changes_that_are_too_large_are_listed_instead() {
    let Some(server) = EtcdServer::start() else { return };
    let kv = server.client();
    let large = "x".repeat(1 << 20);
    let mut first = Revision(0);
    for _ in 0..20 {
        let revision = write(&*kv, vec![put("/s/a", &large)]).await;
        first = if first.0 == 0 { revision } else { first };
    }
    let mut changes = kv.watch("/s/", first).await.unwrap();
    let told = loop {
        match changes.next().await.unwrap() {
            Ok(_) => {}
            Err(error) => break error,
        }
    };
    assert_eq!(told, KvError::Compacted);
}

#[tokio::test]
async fn changes_that_etcd_has_forgotten_are_listed_instead() {
    let Some(server) = EtcdServer::start() else { return };
    let kv = server.client();
    let first = write(&*kv, vec![put("/s/a", "1")]).await;
    let last = write(&*kv, vec![put("/s/a", "2")]).await;
    server.administrator().await.compact(last.0, None).await.unwrap();
    let told = match kv.watch("/s/", first).await {
        Ok(mut changes) => changes.next().await.unwrap().map(drop),
        Err(error) => Err(error),
    };
    assert_eq!(told, Err(KvError::Compacted));
    assert_eq!(kv.list("/s/").await.unwrap().entries.len(), 1);
}

#[tokio::test]
async fn an_etcd_without_room_is_told_of() {
    let room = ["--quota-backend-bytes", "2000000"];
    let files = tempfile::tempdir().unwrap();
    let Some(server) = EtcdServer::start_in(files.path(), "http", &room) else { return };
    let host = Host::new("xen1", &server.url());
    host.fleet(&["init"]).ok();
    let kv = server.client();
    let large = "x".repeat(500_000);
    let mut written = Ok(());
    for _ in 0..100 {
        written = kv.commit(txn(vec![], vec![put("/other", &large)])).await.map(drop);
        if written.is_err() {
            break;
        }
    }
    assert!(matches!(written, Err(KvError::Refused(_))), "{written:?}");
    let problems = host.status()["problems"].to_string();
    assert!(
        problems.contains("a database is full") && problems.contains("alarm disarm"),
        "{problems}"
    );
}
