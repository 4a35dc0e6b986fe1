//! Wrong logins at the daemon: 400 at the same time from 99 addresses, over HTTP Basic. Prints the
//! memory of the daemon before, at most and afterwards, and the p99 of a user's reads before and
//! meanwhile. `benches/logins.rs` has the gate of passwords alone.
//!
//! Run with `cargo bench --bench daemon_logins`; `-- --test` makes fewer requests. It fails if the
//! daemon grows by more than the memory of the hashes that it may compute at the same time.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::cast_precision_loss,
    missing_docs,
    reason = "a benchmark fails by a panic"
)]

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

const ADDRESSES: u8 = 99;

/// The memory of two hashes, and as much again for everything else, in MiB.
const MOST_MIB: u64 = 80;

const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// The daemon, killed on drop.
struct Daemon {
    child: Child,
    address: SocketAddr,
    _dir: tempfile::TempDir,
}

fn main() {
    let quick = std::env::args().any(|arg| arg == "--test");
    let daemon = Daemon::start();
    tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap().block_on(async {
        let logins = if quick { 40 } else { 400 };
        let address = daemon.address;
        let mut before = reads(address, if quick { 50 } else { 2_000 }).await;
        let resident = daemon.memory_mib("VmRSS");
        let peak = daemon.memory_mib("VmHWM");

        let (end, ended) = watch::channel(false);
        let reader = tokio::spawn(reads_until(address, ended));
        let started = Instant::now();
        let mut all = JoinSet::new();
        for n in 0..logins {
            all.spawn(wrong_login(address, n));
        }
        let codes = all.join_all().await;
        let took = started.elapsed();
        end.send(true).unwrap();
        let mut meanwhile = reader.await.unwrap();

        let count = |code: u16| codes.iter().filter(|one| **one == code).count();
        println!(
            "{logins} wrong logins from {ADDRESSES} addresses in {:.1} s: {} refused, {} turned \
             away",
            took.as_secs_f64(),
            count(401),
            count(503) + count(429)
        );
        println!(
            "memory of the daemon: {resident} MiB before, {} at most, {} afterwards",
            daemon.memory_mib("VmHWM"),
            daemon.memory_mib("VmRSS")
        );
        println!(
            "a user's read, p99: {:.0} us before, {:.0} us meanwhile ({} reads)",
            p99(&mut before),
            p99(&mut meanwhile),
            meanwhile.len()
        );
        assert_eq!(count(200), 0);
        let grown = daemon.memory_mib("VmHWM") - peak;
        assert!(grown <= MOST_MIB, "{grown} MiB more");
    });
}

impl Daemon {
    fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name);
        add_steve(&path("users.sxp"));
        std::fs::write(path("config.sxp"), "(xend-users-file users.sxp) (xend-http-auth users)")
            .unwrap();
        let mut child = Command::new(env!("CARGO_BIN_EXE_xend"))
            .args(["--http", "127.0.0.1:0", "--unix"])
            .arg(path("socket"))
            .arg("--state-dir")
            .arg(path("state"))
            .arg("--config")
            .arg(path("config.sxp"))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(std::fs::File::create(path("log")).unwrap())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let address = lines.map_while(Result::ok).find_map(|line| {
            let address = line.strip_prefix("Listening on http://")?;
            address.trim_end_matches('/').parse().ok()
        });
        Self { child, address: address.unwrap(), _dir: dir }
    }

    /// A figure of the daemon's memory in MiB.
    fn memory_mib(&self, key: &str) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with(key)).unwrap();
        line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() / 1024
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn add_steve(file: &Path) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_xend"))
        .args(["user", "add", "steve", "--domains", "lj", "--rights", "see", "--file"])
        .arg(file)
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(b"right1\n").unwrap();
    assert!(child.wait().unwrap().success());
}

/// A request with HTTP Basic. The credentials have a multiple of three bytes.
fn request(credentials: &str) -> Vec<u8> {
    assert_eq!(credentials.len() % 3, 0);
    let encoded = credentials.as_bytes().chunks(3).flat_map(|bytes| {
        let bits = bytes.iter().fold(0, |bits, byte| bits << 8 | usize::from(*byte));
        [18, 12, 6, 0].map(|shift| char::from(BASE64[bits >> shift & 63]))
    });
    format!(
        "GET /xend/domain HTTP/1.1\r\nHost: localhost\r\nAccept: application/sxp\r\n\
         Authorization: Basic {}\r\n\r\n",
        encoded.collect::<String>()
    )
    .into_bytes()
}

/// The code of an answer, which is read to its end: all are short.
async fn ask(stream: &mut TcpStream, request: &[u8]) -> u16 {
    stream.write_all(request).await.unwrap();
    let mut answer = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let count = stream.read(&mut buffer).await.unwrap();
        assert!(count > 0, "the daemon closed the connection");
        answer.extend_from_slice(&buffer[..count]);
        let text = String::from_utf8_lossy(&answer).to_ascii_lowercase();
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        if body.len() >= length.unwrap().trim().parse().unwrap() {
            return head.split(' ').nth(1).unwrap().parse().unwrap();
        }
    }
}

/// A wrong login from one of the addresses. Each has a user of its own, whose failures do not slow
/// down others.
async fn wrong_login(daemon: SocketAddr, n: u32) -> u16 {
    let host = u8::try_from(n % u32::from(ADDRESSES)).unwrap() + 2;
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(SocketAddr::from((Ipv4Addr::new(127, 0, 0, host), 0))).unwrap();
    let mut stream = socket.connect(daemon).await.unwrap();
    ask(&mut stream, &request(&format!("user{n:03}:wrong-1"))).await
}

async fn read(stream: &mut TcpStream) -> Duration {
    let started = Instant::now();
    assert_eq!(ask(stream, &request("steve:right1")).await, 200);
    started.elapsed()
}

/// The times of a user's reads.
async fn reads(daemon: SocketAddr, count: usize) -> Vec<Duration> {
    let mut stream = TcpStream::connect(daemon).await.unwrap();
    // The first one checks the password.
    read(&mut stream).await;
    let mut times = Vec::with_capacity(count);
    for _ in 0..count {
        times.push(read(&mut stream).await);
        tokio::time::sleep(Duration::from_micros(200)).await;
    }
    times
}

/// The times of a user's reads until the end is told.
async fn reads_until(daemon: SocketAddr, ended: watch::Receiver<bool>) -> Vec<Duration> {
    let mut stream = TcpStream::connect(daemon).await.unwrap();
    let mut times = Vec::new();
    while !*ended.borrow() {
        times.push(read(&mut stream).await);
        tokio::time::sleep(Duration::from_micros(200)).await;
    }
    times
}

/// In microseconds.
fn p99(times: &mut [Duration]) -> f64 {
    times.sort();
    times[times.len() * 99 / 100].as_secs_f64() * 1e6
}
