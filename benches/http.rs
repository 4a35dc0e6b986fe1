//! The HTTP interface compared with a bare axum handler that returns the same bytes from memory.
//!
//! Both are served by the same server code over real TCP, in alternating blocks. The ratio of one
//! run is printed, so that the machine's speed cancels out. Run with `cargo bench --bench http`;
//! `-- --test` runs a few rounds only.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::cast_precision_loss,
    missing_docs,
    reason = "a benchmark fails by a panic"
)]

mod support;

use axum::Router;
use axum::http::header::CONTENT_TYPE;
use axum::routing::get;
use bytes::Bytes;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use support::client::{Client, median, once, percentile, rate};
use xend::core::caller::Caller;
use xend::core::engine::Engine;
use xend::core::model::DomainRef;
use xend::core::op::{Change, DomainOp};
use xend::wire::http::Http;

fn main() {
    let quick = std::env::args().any(|arg| arg == "--test");
    tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap().block_on(async {
        let sizes: &[u32] = if quick { &[10] } else { &[10, 1_000, 10_000] };
        for &domains in sizes {
            throughput(domains, quick).await;
        }
        latency(if quick { 4 } else { 64 }, quick).await;
    });
}

/// Measures requests per second of the HTTP interface and of the bare handler.
async fn throughput(domains: u32, quick: bool) {
    let (host, _dir) = Host::with(domains).await;
    for (what, target, aim) in [
        ("list", "/xend/domain", 0.8),
        ("detail", "/xend/domain?detail=1", 0.6),
        ("list with curl's headers", "/xend/domain", 0.8),
    ] {
        let agent = if what.contains("curl") {
            "User-Agent: curl/8\r\nAccept: application/sxp\r\n"
        } else {
            ""
        };
        let request = Arc::new(
            format!("GET {target} HTTP/1.1\r\nHost: localhost\r\n{agent}\r\n").into_bytes(),
        );
        let body = once(host.ours, &request).await;
        let size = body.len();
        let bare = support::serve(bare(body)).await;
        let block = Duration::from_millis(if quick { 20 } else { 250 });
        let mut ratios = Vec::new();
        let mut ours = Vec::new();
        let mut theirs = Vec::new();
        for _ in 0..if quick { 2 } else { 12 } {
            let a = rate(host.ours, &request, block).await;
            let b = rate(bare, &request, block).await;
            ratios.push(a / b);
            ours.push(a);
            theirs.push(b);
        }
        println!(
            "{what} ratio at {domains} domains: {:.2} (aim {aim}); {:.0} requests/s, bare {:.0}, \
             {size} bytes, {:.0} MB/s",
            median(&mut ratios),
            median(&mut ours),
            median(&mut theirs),
            median(&mut ours) * size as f64 / 1e6
        );
    }
}

/// Measures the latency of reads, alternately on an idle host and while creates wait for slow
/// devices.
async fn latency(creates: usize, quick: bool) {
    let (host, _dir) = Host::with(100).await;
    let request = Arc::new(b"GET /xend/domain/d7 HTTP/1.1\r\nHost: localhost\r\n\r\n".to_vec());
    let mut ratios = Vec::new();
    let mut idle_p99 = Vec::new();
    let mut busy_p99 = Vec::new();
    for round in 0..if quick { 1 } else { 5 } {
        let count = if quick { 50 } else { 4_000 };
        let idle = percentile(&mut latencies(host.ours, &request, count).await, 99);
        let mut waiting = tokio::task::JoinSet::new();
        for n in 0..creates {
            let engine = host.engine.clone();
            let config = support::config(&format!("slow{round}-{n}"), "/dev/hotplugslow");
            waiting.spawn(async move {
                engine.execute(&Caller::internal(), Change::Create(Box::new(config))).await
            });
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
        let busy = percentile(&mut latencies(host.ours, &request, count).await, 99);
        assert!(
            waiting.try_join_next().is_none(),
            "creates were done before the measurement, which is invalid"
        );
        while let Some(done) = waiting.join_next().await {
            done.unwrap().unwrap();
        }
        ratios.push(busy.as_secs_f64() / idle.as_secs_f64());
        idle_p99.push(idle.as_secs_f64() * 1e6);
        busy_p99.push(busy.as_secs_f64() * 1e6);
    }
    println!(
        "read p99 while {creates} creates wait: {:.2} times idle (aim 1.5); {:.0} us, \
         idle {:.0} us",
        median(&mut ratios),
        median(&mut busy_p99),
        median(&mut idle_p99)
    );
}

/// The HTTP interface of a simulated host.
struct Host {
    engine: Engine,
    ours: SocketAddr,
}

impl Host {
    async fn with(domains: u32) -> (Self, tempfile::TempDir) {
        let dir = tempfile::tempdir().unwrap();
        let engine = support::engine(dir.path(), support::large_host()).await;
        let caller = Caller::internal();
        for n in 0..domains {
            let name = format!("d{n}");
            engine
                .execute(&caller, Change::Create(Box::new(support::config(&name, "/dev/vg0/d"))))
                .await
                .unwrap();
            if n % 2 == 0 {
                let unpause = Change::Domain(DomainRef::new(name), DomainOp::Unpause);
                engine.execute(&caller, unpause).await.unwrap();
            }
        }
        let wire = Http::new(
            engine.clone(),
            || 1 << 20,
            String::new,
            tokio_util::sync::CancellationToken::new(),
        );
        (Self { engine, ours: support::serve(wire.router()).await }, dir)
    }
}

/// A handler with its answer in memory.
fn bare(body: Bytes) -> Router {
    let answer = move || {
        let body = body.clone();
        async move { ([(CONTENT_TYPE, "application/sxp")], body) }
    };
    Router::new().route("/xend/domain", get(answer))
}

async fn latencies(address: SocketAddr, request: &[u8], count: usize) -> Vec<Duration> {
    let mut client = Client::connect(address).await;
    let mut all = Vec::with_capacity(count);
    for _ in 0..count {
        let asked = Instant::now();
        client.ask(request).await;
        all.push(asked.elapsed());
        // A pause between requests, so that the measurement covers several sweeps.
        tokio::time::sleep(Duration::from_micros(100)).await;
    }
    all
}
