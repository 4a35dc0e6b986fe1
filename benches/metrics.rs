//! The cost of a scrape: how long `/metrics` takes to be printed with 10,000 domains that run, and
//! how many bytes it has.
//!
//! A text is printed once a second at most: each scrape waits until the last one has become old,
//! and is one that prints. The scrape after it, which is sent the same text, is the other figure.
//! Over real TCP; the median of seven. Run with `cargo bench --bench metrics`; `-- --test` has few
//! domains.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::cast_precision_loss,
    missing_docs,
    reason = "a benchmark fails by a panic"
)]

mod support;

use std::net::SocketAddr;
use std::time::{Duration, Instant};
use support::client::median;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::sleep;
use xend::backend::sim::SimSettings;
use xend::core::caller::Caller;
use xend::core::engine::Engine;
use xend::core::model::{DomainConfig, DomainRef};
use xend::core::op::{Change, DomainOp};
use xend::memory_budget::MemoryBudgets;
use xend::peers::ListenerCounts;
use xend::shape::read_config;
use xend::sxp::{Limits, read_one};
use xend::wire::metrics::{Metrics, Readers, Sources};

const REQUEST: &[u8] = b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";

/// A little longer than a printed text is sent again.
const OLD: Duration = Duration::from_millis(1_100);

/// Longer than the bytes of devices, which are read for readers alone, take to be known.
const DEVICES_KNOWN: Duration = Duration::from_secs(25);

fn main() {
    let quick = std::env::args().any(|arg| arg == "--test");
    let sizes: &[u32] = if quick { &[10] } else { &[1_000, 10_000] };
    tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap().block_on(async {
        for &domains in sizes {
            measure(domains, quick).await;
        }
    });
}

async fn measure(domains: u32, quick: bool) {
    let dir = tempfile::tempdir().unwrap();
    let settings = SimSettings { memory_mib: 1 << 24, ..SimSettings::default() };
    let engine = support::engine(dir.path(), settings).await;
    for n in 0..domains {
        start(&engine, n).await;
    }
    let sources = Sources {
        version: env!("CARGO_PKG_VERSION"),
        budgets: MemoryBudgets::new(256 << 20),
        listeners: ListenerCounts::default(),
        tasks: Box::new(|| (0, 0)),
        json_tasks: Box::new(|| (0, 0)),
    };
    let metrics = Metrics::new(engine, sources);
    let address = support::serve(metrics.router(Readers::Connected)).await;
    let mut bytes = scrape(address).await.1;
    if !quick {
        sleep(DEVICES_KNOWN).await;
    }
    let mut printed = Vec::new();
    let mut sent = Vec::new();
    for _ in 0..if quick { 1 } else { 7 } {
        sleep(OLD).await;
        let (time, length) = scrape(address).await;
        printed.push(time);
        sent.push(scrape(address).await.0);
        bytes = length;
    }
    println!(
        "scrape of {domains} domains: {:.1} ms, {:.1} ms if it is printed already; {:.2} MB, {:.0} \
         bytes a domain",
        median(&mut printed) * 1e3,
        median(&mut sent) * 1e3,
        bytes as f64 / 1e6,
        bytes as f64 / f64::from(domains)
    );
}

/// Creates a domain and lets it run.
async fn start(engine: &Engine, n: u32) {
    let caller = Caller::internal();
    engine.execute(&caller, Change::Create(Box::new(config(n)))).await.unwrap();
    let unpause = Change::Domain(DomainRef::new(format!("d{n}")), DomainOp::Unpause);
    engine.execute(&caller, unpause).await.unwrap();
}

/// A domain with a disk and a network interface.
fn config(n: u32) -> DomainConfig {
    let text = format!(
        "(vm (name d{n}) (memory 128) (vcpus 1) (image (linux (kernel /boot/vmlinuz))) \
         (device (vbd (uname phy:/dev/vg0/d{n}) (dev xvda) (mode w))) \
         (device (vif (bridge xenbr0))))"
    );
    read_config(&read_one(text.as_bytes(), &Limits::default()).unwrap()).unwrap()
}

/// The seconds of a scrape on a connection of its own, and the bytes of its answer.
async fn scrape(address: SocketAddr) -> (f64, usize) {
    let started = Instant::now();
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(REQUEST).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    let time = started.elapsed().as_secs_f64();
    assert!(answer.starts_with(b"HTTP/1.1 200 "), "{}", String::from_utf8_lossy(&answer[..200]));
    assert!(answer.ends_with(b"# EOF\n"));
    (time, answer.len())
}
