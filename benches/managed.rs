//! The cost of a managed domain at the start, in a list, in memory. One run measures 1,000 and
//! 10,000 domains; the last line is the ratio of the costs per domain, which does not depend on the
//! machine. Run with `cargo bench --bench managed`; `-- --test` runs small sizes only.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::cast_precision_loss,
    missing_docs,
    reason = "a benchmark fails by a panic"
)]

mod support;

use axum::body::Body;
use http_body_util::BodyExt as _;
use std::time::Instant;
use support::client::{median, resident};
use tower::ServiceExt as _;
use xend::backend::sim::SimSettings;
use xend::core::caller::Caller;
use xend::core::model::{DomainConfig, Uuid};
use xend::shape::read_config;
use xend::sxp::{Limits, read_one};
use xend::wire::http::Http;

/// The cost of a number of domains: times in seconds, memory in bytes.
struct Cost {
    domains: u32,
    start: f64,
    list: f64,
    detail: f64,
    memory: f64,
}

fn main() {
    let quick = std::env::args().any(|arg| arg == "--test");
    let sizes: &[u32] = if quick { &[20, 200] } else { &[1_000, 10_000] };
    // Small first: the process keeps memory that is freed.
    let costs: Vec<Cost> = sizes.iter().map(|size| measure(*size)).collect();
    for Cost { domains, start, list, detail, memory } in &costs {
        println!(
            "{domains} managed domains: start {:.0} ms, list of names {:.1} ms, \
             detailed list {:.0} ms, {:.1} MiB",
            start * 1e3,
            list * 1e3,
            detail * 1e3,
            memory / f64::from(1 << 20)
        );
    }
    let few = &costs[0];
    let many = &costs[1];
    let each = |cost: fn(&Cost) -> f64| {
        cost(many)
            / f64::from(many.domains)
            / (cost(few) / f64::from(few.domains)).max(f64::MIN_POSITIVE)
    };
    println!(
        "ratio of the cost per domain, {} domains to {}: \
         start {:.2}, list {:.2}, detailed list {:.2}, memory {:.2} (1 is linear)",
        many.domains,
        few.domains,
        each(|cost| cost.start),
        each(|cost| cost.list),
        each(|cost| cost.detail),
        each(|cost| cost.memory),
    );
}

fn measure(domains: u32) -> Cost {
    let dir = tempfile::tempdir().unwrap();
    for n in 0..domains {
        support::store_definition(dir.path(), &config(n));
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let host = support::simulated_host(dir.path(), SimSettings::default());
        let before = resident();
        let started = Instant::now();
        let engine = support::engine_on(host, dir.path()).await;
        let start = started.elapsed().as_secs_f64();
        let memory = (resident() - before) as f64;
        let router = Http::new(
            engine.clone(),
            || 1 << 20,
            String::new,
            tokio_util::sync::CancellationToken::new(),
        )
        .router();
        let ask = async |target: &'static str| {
            let mut times = Vec::new();
            for _ in 0..7 {
                let started = Instant::now();
                let request = axum::http::Request::get(target)
                    .extension(Caller::internal())
                    .body(Body::empty())
                    .unwrap();
                let body = router.clone().oneshot(request).await.unwrap().into_body();
                let size = body.collect().await.unwrap().to_bytes().len();
                assert!(size > domains as usize * 3);
                times.push(started.elapsed().as_secs_f64());
            }
            median(&mut times)
        };
        let list = ask("/xend/domain?state=halted").await;
        let detail = ask("/xend/domain?state=halted&detail=1").await;
        Cost { domains, start, list, detail, memory }
    })
}

fn config(n: u32) -> DomainConfig {
    let text = format!(
        "(vm (name d{n}) (memory 128) (maxmem 256) (vcpus 2) \
         (image (linux (kernel /boot/vmlinuz-2.6-xenU) (root '/dev/sda1 ro'))) \
         (device (vbd (uname phy:/dev/vg0/d{n}) (dev sda1) (mode w))) \
         (device (vif (bridge xenbr0) (ip 10.0.0.5))))"
    );
    let mut config = read_config(&read_one(text.as_bytes(), &Limits::default()).unwrap()).unwrap();
    config.uuid = Some(Uuid::from_u128(u128::from(n) + 1));
    config
}
