//! The latency of reads while clients send large requests without a pause, compared with that on an
//! idle host.
//!
//! Both are measured in alternating rounds of one run, over real TCP, so that the machine's speed
//! cancels out. The clients have threads of their own, without the daemon's runtime. Run with
//! `cargo bench --bench reads_under_load`; `-- --test` runs one short round.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::cast_precision_loss,
    missing_docs,
    reason = "a benchmark fails by a panic"
)]

mod support;

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};
use support::client::percentile;
use xend::backend::sim::SimSettings;
use xend::core::caller::Caller;
use xend::core::op::Change;
use xend::shape::read_config;
use xend::sxp::{Limits, read_one};
use xend::wire::http::Http;

/// The clients that send large requests.
const CLIENTS: usize = 8;

/// The domains of the host.
const DOMAINS: usize = 100;

/// The pause of the reader between two requests.
const PAUSE: Duration = Duration::from_micros(200);

fn main() {
    let quick = std::env::args().any(|arg| arg == "--test");
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let (address, _dir) = runtime.block_on(serve_host());
    let rounds = if quick { 1 } else { 5 };
    let reads = if quick { 20 } else { 2_000 };
    let mut idle = Vec::new();
    let mut busy = Vec::new();
    let answered = AtomicU64::new(0);
    let mut loaded = Duration::ZERO;
    for _ in 0..rounds {
        idle.extend(latencies(address, reads));
        let is_over = &AtomicBool::new(false);
        let answered = &answered;
        thread::scope(|scope| {
            for client in 0..CLIENTS {
                scope.spawn(move || send_large_requests(address, client, is_over, answered));
            }
            // The first requests are on their way.
            thread::sleep(Duration::from_millis(200));
            let started = Instant::now();
            busy.extend(latencies(address, reads));
            loaded += started.elapsed();
            is_over.store(true, Ordering::Relaxed);
        });
    }
    for percent in [50, 99] {
        let idle = percentile(&mut idle, percent).as_secs_f64();
        let busy = percentile(&mut busy, percent).as_secs_f64();
        println!(
            "list read p{percent} while {CLIENTS} clients send large requests: {:.2} times idle; \
             {:.0} us, idle {:.0} us",
            busy / idle,
            busy * 1e6,
            idle * 1e6
        );
    }
    println!(
        "large requests answered meanwhile: {:.0}/s",
        answered.load(Ordering::Relaxed) as f64 / loaded.as_secs_f64()
    );
}

/// Serves a simulated host with some domains.
async fn serve_host() -> (SocketAddr, tempfile::TempDir) {
    let dir = tempfile::tempdir().unwrap();
    let settings = SimSettings { memory_mib: 1 << 24, ..SimSettings::default() };
    let engine = support::engine(dir.path(), settings).await;
    for n in 0..DOMAINS {
        let text = format!("(vm (name d{n}) (memory 64) (image (linux (kernel /k))))");
        let tree = read_one(text.as_bytes(), &Limits::default()).unwrap();
        let create = Change::Create(Box::new(read_config(&tree).unwrap()));
        engine.execute(&Caller::internal(), create).await.unwrap();
    }
    let stopping = tokio_util::sync::CancellationToken::new();
    let router = Http::new(engine, || 1 << 20, String::new, stopping).router();
    (support::serve(router).await, dir)
}

/// The times that reads of the list take.
fn latencies(address: SocketAddr, count: usize) -> Vec<Duration> {
    let mut client = Client::connect(address);
    let request = b"GET /xend/domain HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let mut all = Vec::with_capacity(count);
    for _ in 0..count {
        let asked = Instant::now();
        assert_eq!(client.ask(request), 200);
        all.push(asked.elapsed());
        thread::sleep(PAUSE);
    }
    all
}

/// Sends requests that are refused for their size, and a definition with the most devices.
fn send_large_requests(
    address: SocketAddr,
    client: usize,
    is_over: &AtomicBool,
    answered: &AtomicU64,
) {
    let config = |fields: &str| {
        let uuid = format!("(uuid 11111111-2222-3333-4444-00000000000{client})");
        let text = format!("(vm (name large{client}) (memory 64) {uuid} {fields})");
        post("/xend/domain", &format!("op=new&config={text}"))
    };
    let devices = |count| "(device (irq (irq 7)))".repeat(count);
    let pin = format!("op=pincpu&vcpu=all&cpumap={}0", "0-1,".repeat(20_000));
    let requests = [
        (500, config(&devices(20_000))),
        (500, config(&format!("(cpus '{}0')", "0-4095,".repeat(75_000)))),
        (500, post("/xend/domain/0", &pin)),
        (200, config(&devices(1023))),
    ];
    let mut connection = Client::connect(address);
    while !is_over.load(Ordering::Relaxed) {
        for (code, request) in &requests {
            assert_eq!(connection.ask(request), *code);
            answered.fetch_add(1, Ordering::Relaxed);
        }
    }
}

fn post(target: &str, form: &str) -> Vec<u8> {
    format!(
        "POST {target} HTTP/1.1\r\nHost: localhost\r\n\
         Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{form}",
        form.len()
    )
    .into_bytes()
}

/// A persistent connection.
struct Client {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Client {
    fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_nodelay(true).unwrap();
        Self { stream, buffer: vec![0; 1 << 20] }
    }

    /// Sends a request and reads the answer. Returns its status code.
    fn ask(&mut self, request: &[u8]) -> u16 {
        self.stream.write_all(request).unwrap();
        let mut filled = 0;
        let mut whole = None;
        while whole.is_none_or(|whole| filled < whole) {
            let count = self.stream.read(&mut self.buffer[filled..]).unwrap();
            assert!(count > 0, "the server closed the connection");
            filled += count;
            whole = whole.or_else(|| length(&self.buffer[..filled]));
        }
        let code = String::from_utf8_lossy(&self.buffer[9..12]);
        code.parse().unwrap()
    }
}

/// The length of a whole answer; `None` if its head is not complete yet.
fn length(answer: &[u8]) -> Option<usize> {
    let end = answer.windows(4).position(|window| window == b"\r\n\r\n")?;
    let head = String::from_utf8_lossy(&answer[..end]).to_ascii_lowercase();
    let body = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    Some(end + 4 + body.map_or(0, |length| length.trim().parse().unwrap()))
}
