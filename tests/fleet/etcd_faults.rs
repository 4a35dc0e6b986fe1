//! Servers that hang, are away, or are too old.

use crate::GENEROUS;
use crate::etcd_server::{EtcdServer, settings};
use crate::kv_suite::{put, txn, write};
use crate::ports::free_port;
use futures_util::StreamExt as _;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};
use xend::fleet::{CALL_LIMIT, Etcd, EtcdSettings, Kv, KvError, KvServer, Revision, Watched};

/// The time in which a call must end, with what a busy machine adds.
const MOST: std::time::Duration = CALL_LIMIT.saturating_mul(4);

/// A way to a server, which can be closed for a while: what was sent then arrives late.
struct Way {
    address: SocketAddr,
    is_open: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Way {
    async fn to(port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (is_open, seen) = watch::channel(true);
        let task = tokio::spawn(async move {
            while let Ok((mut client, _)) = listener.accept().await {
                let mut seen = seen.clone();
                tokio::spawn(async move {
                    let mut server = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
                    loop {
                        seen.wait_for(|is_open| *is_open).await.unwrap();
                        tokio::select! {
                            _ = copy_bidirectional(&mut client, &mut server) => return,
                            _ = seen.wait_for(|is_open| !*is_open) => {}
                        }
                    }
                });
            }
        });
        Self { address, is_open, task }
    }

    fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

impl Drop for Way {
    fn drop(&mut self) {
        self.task.abort();
    }
}

#[tokio::test]
async fn a_server_that_hangs_delays_a_call_by_its_limit_alone() {
    let Some(server) = EtcdServer::start() else { return };
    let kv = server.client();
    let first = write(&*kv, vec![put("/s/a", "1")]).await;
    server.freeze();
    let written = timeout(MOST, kv.commit(txn(vec![], vec![put("/s/a", "2")]))).await.unwrap();
    assert!(matches!(written, Err(KvError::InDoubt(_))), "{written:?}");
    // By now it is known that the server hangs, so that nothing is sent.
    for _ in 0..2 {
        let unsent = timeout(MOST, kv.commit(txn(vec![], vec![put("/s/b", "1")]))).await.unwrap();
        assert!(matches!(unsent, Err(KvError::Unreachable(_))), "{unsent:?}");
        let read = timeout(MOST, kv.get("/s/a")).await.unwrap();
        assert!(matches!(read, Err(KvError::Unreachable(_))), "{read:?}");
    }
    let status = timeout(MOST, kv.status()).await.unwrap().unwrap();
    assert!(matches!(&status.endpoints[..], [(_, Err(_))]), "{status:?}");
    server.thaw();
    let entry = timeout(GENEROUS, async {
        loop {
            if let Ok(entry) = kv.get("/s/a").await {
                return entry.unwrap();
            }
        }
    });
    // The write in doubt has happened, when the server went on, or never will.
    let entry = entry.await.unwrap();
    assert_eq!(entry.value == b"2", entry.modified > first, "{entry:?}");
    assert_eq!(kv.get("/s/b").await.unwrap(), None);
}

#[tokio::test]
async fn when_a_server_hangs_the_next_call_is_another_ones() {
    let Some(server) = EtcdServer::start() else { return };
    let ways = [Way::to(server.port).await, Way::to(server.port).await];
    let kv = Etcd::new(settings(&[&ways[0].url(), &ways[1].url()]));
    write(&kv, vec![put("/s/a", "1")]).await;
    for closed in [&ways[0], &ways[1], &ways[0]] {
        closed.is_open.send_replace(false);
        // It is the one with the calls, or it is not.
        let failed = timeout(MOST, kv.get("/s/a")).await.unwrap().is_err();
        let began = Instant::now();
        for _ in 0..20 {
            assert!(kv.get("/s/a").await.unwrap().is_some());
        }
        assert!(began.elapsed() < GENEROUS, "failed before: {failed}");
        closed.is_open.send_replace(true);
    }
}

#[tokio::test]
async fn a_server_that_is_away_costs_no_call() {
    let Some(server) = EtcdServer::start() else { return };
    let dead = free_port();
    // Its connections are taken by the kernel, and nobody answers them.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let dead = format!("http://127.0.0.1:{dead}");
    let silent_url = format!("http://{}", silent.local_addr().unwrap());
    let kv = Etcd::new(settings(&[&dead, &silent_url, &server.url()]));
    assert_eq!(kv.get("/s/a").await.unwrap(), None);
    write(&kv, vec![put("/s/a", "1")]).await;
    let status = kv.status().await.unwrap().endpoints;
    let reasons: Vec<_> = status.iter().map(|(_, server)| server.as_ref().err()).collect();
    assert!(reasons[0].unwrap().contains("refused"), "{status:?}");
    assert!(reasons[1].unwrap().contains("no answer within"), "{status:?}");
    assert_eq!(reasons[2], None);
    let nobody = Etcd::new(settings(&[&dead, &silent_url]));
    let error = timeout(MOST, nobody.get("/s/a")).await.unwrap().unwrap_err().to_string();
    assert!(error.contains(&dead) && error.contains(&silent_url), "{error}");
}

#[tokio::test]
async fn a_watch_of_a_server_that_hangs_ends() {
    let Some(server) = EtcdServer::start() else { return };
    let way = Way::to(server.port).await;
    let kv = Etcd::new(settings(&[&way.url()]));
    let begin = write(&kv, vec![put("/s/a", "1")]).await;
    let mut changes = kv.watch("/s/", Revision(begin.0 + 1)).await.unwrap();
    way.is_open.send_replace(false);
    let ended = timeout(GENEROUS, async {
        loop {
            match changes.next().await {
                Some(Ok(Watched::Progress(_))) => {}
                other => return other,
            }
        }
    });
    let ended = ended.await.unwrap();
    assert!(matches!(ended, Some(Err(KvError::Unreachable(_)))), "{ended:?}");
    assert!(changes.next().await.is_none());
    // What has changed meanwhile is told by the next one.
    write(&*server.client(), vec![put("/s/a", "2")]).await;
    way.is_open.send_replace(true);
    let mut changes = kv.watch("/s/", Revision(begin.0 + 1)).await.unwrap();
    let told = timeout(GENEROUS, changes.next()).await.unwrap();
    assert!(matches!(told, Some(Ok(Watched::Events(_)))), "{told:?}");
}

#[tokio::test]
async fn an_old_etcd_is_refused_unless_it_is_allowed() {
    let Some(server) = EtcdServer::start() else { return };
    let (_, version) = server.client().status().await.unwrap().endpoints.remove(0);
    let KvServer { version, .. } = version.unwrap();
    let numbers: Vec<u32> = version.split('.').filter_map(|part| part.parse().ok()).collect();
    let kv: Arc<dyn Kv> =
        Arc::new(Etcd::new(EtcdSettings { allows_old: false, ..server.settings() }));
    let read = kv.get("/s/a").await;
    if numbers >= vec![3, 5, 13] {
        assert_eq!(read, Ok(None));
        return;
    }
    let Err(KvError::Refused(reason)) = read else { panic!("{read:?}") };
    assert!(reason.contains(&version) && reason.contains("3.5.13"), "{reason}");
    assert!(reason.contains("(xend-fleet-old-etcd yes)"), "{reason}");
}
