//! A protocol other than HTTP on a listener of the server: the same limits and the same end.

use crate::server_support::{GENEROUS, config_in, tcp_address, tunables};
use crate::tls_support::{connect, write_certificate};
use arc_swap::ArcSwap;
use std::io::{Read as _, Write as _};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;
use xend::config::{Config, TlsFiles};
use xend::core::caller::Caller;
use xend::server::places::raise_file_limit;
use xend::server::{ClientStream, Inherited, Server, listen};

/// Answers each piece of text with itself and the caller. A piece that begins with `work` takes
/// some time.
async fn echo(mut stream: ClientStream, caller: Caller, stopping: CancellationToken) {
    let mut buffer = [0; 100];
    loop {
        let read = tokio::select! {
            biased;
            () = stopping.cancelled() => {
                stream.write_all(b"bye").await.ok();
                return;
            }
            read = stream.read(&mut buffer) => read.unwrap_or(0),
        };
        if read == 0 {
            return;
        }
        let text = String::from_utf8_lossy(&buffer[..read]).into_owned();
        if text.starts_with("work") {
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
        let is_operator = caller.is_operator();
        if stream.write_all(format!("{text} {is_operator}").as_bytes()).await.is_err() {
            return;
        }
    }
}

struct Echo {
    server: Server,
    address: SocketAddr,
    _dir: TempDir,
}

impl Echo {
    async fn start(max_connections: usize) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let config = config_in(&dir);
        Self::start_with(dir, &config, max_connections).await
    }

    async fn start_with(dir: TempDir, config: &Config, max_connections: usize) -> Self {
        let listeners = listen::open(config, Inherited::default()).await.unwrap().http;
        let address = tcp_address(&listeners).unwrap();
        let server = Server::new(Arc::new(ArcSwap::from_pointee(tunables(30))), max_connections);
        for listener in listeners {
            server.attach_connections(listener, "busy", echo);
        }
        Self { server, address, _dir: dir }
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }
}

async fn say(stream: &mut TcpStream, text: &str) -> String {
    stream.write_all(text.as_bytes()).await.unwrap();
    read(stream).await
}

async fn read(stream: &mut TcpStream) -> String {
    let mut buffer = [0; 100];
    let read = tokio::time::timeout(GENEROUS, stream.read(&mut buffer)).await.expect("an answer");
    String::from_utf8_lossy(&buffer[..read.unwrap_or(0)]).into_owned()
}

#[tokio::test]
async fn a_connection_has_its_caller() {
    let echo = Echo::start(10).await;
    let mut client = echo.connect().await;
    assert_eq!(say(&mut client, "hello").await, "hello true");
    assert_eq!(say(&mut client, "again").await, "again true");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_can_be_encrypted() {
    let dir = tempfile::tempdir().unwrap();
    write_certificate(dir.path());
    let cert = dir.path().join("cert");
    let mut config = config_in(&dir);
    config.http_tls = Some(TlsFiles { key: dir.path().join("key"), cert: cert.clone() });
    let echo = Echo::start_with(dir, &config, 10).await;
    let mut client = connect(echo.address, &cert);
    let client = tokio::task::spawn_blocking(move || {
        client.write_all(b"hello").unwrap();
        let mut answer = [0; 10];
        client.read_exact(&mut answer).unwrap();
        answer
    });
    assert_eq!(&client.await.unwrap(), b"hello true");
}

#[tokio::test]
async fn the_end_of_the_server_lets_clients_finish() {
    let echo = Echo::start(10).await;
    let mut idle = echo.connect().await;
    let mut busy = echo.connect().await;
    assert_eq!(say(&mut idle, "hello").await, "hello true");
    busy.write_all(b"work").await.unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    echo.server.stop();
    assert_eq!(read(&mut idle).await, "bye");
    let mut answer = String::new();
    let reading = busy.read_to_string(&mut answer);
    tokio::time::timeout(GENEROUS, reading).await.expect("an end").unwrap();
    assert_eq!(answer, "work truebye");
    tokio::time::timeout(GENEROUS, echo.server.drained()).await.expect("all connections end");
}

#[tokio::test]
async fn at_the_limit_an_idle_client_makes_room_and_a_busy_one_stays() {
    let echo = Echo::start(2).await;
    let mut idle = echo.connect().await;
    assert_eq!(say(&mut idle, "hello").await, "hello true");
    let mut busy = echo.connect().await;
    assert_eq!(say(&mut busy, "hello").await, "hello true");
    // Within a grace time, none is idle.
    tokio::time::sleep(Duration::from_millis(300)).await;
    busy.write_all(b"work").await.unwrap();
    let mut new = echo.connect().await;
    assert_eq!(say(&mut new, "hello").await, "hello true");
    assert_eq!(read(&mut idle).await, "bye");
    assert_eq!(read(&mut busy).await, "work true");
}

#[tokio::test]
async fn idle_clients_are_cheap() {
    const CLIENTS: usize = 1_000;
    static SERVED: AtomicUsize = AtomicUsize::new(0);
    raise_file_limit();
    let echo = Echo::start(CLIENTS).await;
    let began = Instant::now();
    let mut clients = Vec::new();
    for _ in 0..CLIENTS {
        clients.push(echo.connect().await);
    }
    for client in &mut clients {
        assert_eq!(say(client, "x").await, "x true");
        SERVED.fetch_add(1, Ordering::Relaxed);
    }
    assert_eq!(SERVED.load(Ordering::Relaxed), CLIENTS);
    assert!(began.elapsed() < GENEROUS);
}
